import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { HttpRequest, Io } from "../src/io/io.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { PASSWORD } from "./support/passwords.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { type Outcome, run, temporaryFolder } from "./support/test-io.ts";

interface Workshop {
  readonly cwd: string;
  readonly sigstore: TestSigstore;
  tsign(...argv: string[]): Promise<Outcome>;
  ok(...argv: string[]): Promise<Outcome>;
  /** Runs a log command and returns its result. */
  result(word: string, ...argv: string[]): Promise<Record<string, never>>;
}

/** A folder with a trusted root, a key pair, and a file signed by the key and by Alice in Rekor v1 and v2. */
async function workshop(context: TestContext, io?: (sigstore: TestSigstore) => Partial<Io>): Promise<Workshop> {
  const cwd = temporaryFolder(context);
  const sigstore = await testSigstore();
  const options = { cwd, env: PASSWORD, io: { ...sigstore.io, ...io?.(sigstore) } };
  const tsign = (...argv: string[]) => run(argv, options);
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr}`);
    return outcome;
  };
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  write("root.json", sigstore.trustedRoot);
  write("v1.json", sigstore.signingConfig.rekor1);
  write("v2.json", sigstore.signingConfig.rekor2);
  write("file", "content");
  write("other", "other content");
  writeKeyPairs(cwd, "cosign");
  const common = ["--trusted-root=root.json", "-y"];
  const token = `--identity-token=${sigstore.mint("alice@example.com")}`;
  await ok("sign-blob", ...common, "--signing-config=v1.json", "--key=cosign.key", "--bundle=key1.json", "file");
  await ok("sign-blob", ...common, "--signing-config=v1.json", token, "--bundle=alice1.json", "file");
  await ok("sign-blob", ...common, "--signing-config=v1.json", "--key=cosign.key", "--bundle=o1.json", "other");
  for (const name of ["file", "other", "root.json"]) {
    await ok("sign-blob", ...common, "--signing-config=v2.json", "--key=cosign.key", `--bundle=${name}2.json`, name);
  }
  const result = async (word: string, ...argv: string[]) =>
    jsonAnswer(await ok("log", word, ...argv, "--json"), `log ${word}`).document.result as unknown as Record<
      string,
      never
    >;
  return { cwd, sigstore, tsign, ok, result };
}

const at = ({ sigstore }: Workshop) => `--rekor-url=${sigstore.at.rekor1}`;
/** The log's address, unless the command line has another. */
const addressFor = (shop: Workshop, argv: readonly string[]) =>
  argv.some((each) => each.startsWith("--rekor-url")) ? [] : [at(shop)];
const ROOT = "--trusted-root=root.json";

test("log search: by artifact, key, certificate and email address -> the entries, newest first", async (t) => {
  const shop = await workshop(t);
  const indexes = async (...argv: string[]) => {
    const { entries } = (await shop.result("search", at(shop), ...argv)) as unknown as {
      entries: { logIndex: string }[];
    };
    return entries.map(({ logIndex }) => logIndex);
  };
  assert.deepEqual(await indexes("--artifact=file"), ["1", "0"]);
  assert.deepEqual(await indexes("--key=cosign.pub"), ["2", "0"]);
  assert.deepEqual(await indexes("--email=Alice@example.com"), ["1"]);
  assert.deepEqual(await indexes("--artifact=file", "--key=cosign.pub"), ["0"]);
  assert.deepEqual(await indexes("--artifact=file", "--key=cosign.pub", "--operator=or"), ["2", "1", "0"]);
  const digest = "sha256:ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
  assert.deepEqual(await indexes(`--artifact=${digest}`), ["1", "0"], "of the file");
  const bundle = JSON.parse(await readText(shop, "alice1.json"));
  const der = bundle.verificationMaterial.certificate.rawBytes as string;
  writeFileSync(join(shop.cwd, "alice.pem"), `-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----\n`);
  assert.deepEqual(await indexes("--key=alice.pem"), ["1"]);
});

async function readText({ cwd }: Workshop, name: string): Promise<string> {
  const { readFileSync } = await import("node:fs");
  return readFileSync(join(cwd, name), "utf8");
}

test("log search: an attestation by its key and by its subject", async (t) => {
  const shop = await workshop(t);
  writeFileSync(join(shop.cwd, "p.json"), "{}");
  const signing = ["--signing-config=v1.json", "--key=cosign.key", "-y", ROOT];
  await shop.ok("attest-blob", ...signing, "--predicate=p.json", "--bundle=att.json", "file");
  const { stdout } = await shop.ok("log", "search", at(shop), "--key=cosign.pub", "--artifact=file");
  assert.match(stdout, /^3 {2}\S+Z {2}dsse 0\.0\.1 {2}[0-9a-f]{80} {2}key [0-9a-f]{64}\n0 {2}/);
});

test("log search: prints a line an entry, and that nothing was verified; --limit", async (t) => {
  const shop = await workshop(t);
  const all = await shop.ok("log", "search", at(shop), "--artifact=file");
  assert.match(
    all.stdout,
    /^1 {2}\S+Z {2}hashedrekord 0\.0\.1 {2}[0-9a-f]{80} {2}alice@example\.com \(.+\)\n0 {2}.* key [0-9a-f]{64}\n/,
  );
  assert.match(all.stderr, /^WARNING: nothing was verified/);
  const some = await shop.ok("log", "search", at(shop), "--artifact=file", "--limit=1");
  assert.equal(some.stdout.trim().split("\n").length, 1);
  assert.match(some.stderr, /1 more entries match; show them with --limit 2/);
});

test("log search: nothing found, nothing asked, a URI, no network -> refused", async (t) => {
  const shop = await workshop(t);
  const refused: [argv: string[], reason: RegExp][] = [
    [["--artifact=root.json", "--email=alice@example.com"], /no matching entries/],
    [["--email=bob@example.com"], /no matching entries/],
    [[], /one of --artifact, --email or --key is required/],
    [["--email=https://github.com/a/b"], /not an email address/],
    [["--artifact=none"], /none: no such file/],
    [["--key=file"], /it is not PEM/],
    [["--artifact=file", "--rekor-url=http://127.0.0.1:9"], /connect to http:\/\/127\.0\.0\.1:9/],
    [["--artifact=file", "--rekor-url=ftp://x"], /not an http\(s\) URL/],
  ];
  for (const [argv, reason] of refused) {
    const { code, stdout, stderr } = await shop.tsign("log", "search", ...addressFor(shop, argv), ...argv);
    assert.equal(code, 1, argv.join(" "));
    assert.match(stderr, reason);
    assert.equal(stdout, "");
  }
});

test("log get: by index and by UUID, Rekor v1 and v2 -> the same entry as in the bundle", async (t) => {
  const shop = await workshop(t);
  const [v1, v2] = [JSON.parse(await readText(shop, "key1.json")), JSON.parse(await readText(shop, "other2.json"))];
  type Got = {
    record: { leafHash: string; digest: string; signers: string[] };
    entry: { canonicalizedBody: string; logIndex: string };
  };
  const get = async (...argv: string[]) => (await shop.result("get", at(shop), ...argv)) as unknown as Got;
  const first = await get("0");
  assert.equal(first.entry.canonicalizedBody, v1.verificationMaterial.tlogEntries[0].canonicalizedBody);
  assert.match(first.record.digest, /^sha256:ed7002b4/);
  assert.equal((await get(first.record.leafHash)).record.leafHash, first.record.leafHash);
  const second = await get("--api-version=2", "1");
  assert.equal(second.entry.canonicalizedBody, v2.verificationMaterial.tlogEntries[0].canonicalizedBody);
  assert.match(first.record.signers.join(), /^key [0-9a-f]{64}$/);
  assert.deepEqual(second.record.signers, first.record.signers, "one key, as PEM and as DER");
  const token = `--identity-token=${shop.sigstore.mint("alice@example.com")}`;
  await shop.ok("sign-blob", ROOT, "-y", "--signing-config=v2.json", token, "--bundle=alice2.json", "file");
  assert.match((await get("--api-version=2", "3")).record.signers.join(), /^alice@example\.com \(/);
  const { stdout } = await shop.ok("log", "get", at(shop), "0");
  assert.match(stdout, /^index: {7}0\nkind: {8}hashedrekord 0\.0\.1\nintegrated: /);
});

test("log get: unknown index, UUID, another word -> refused", async (t) => {
  const shop = await workshop(t);
  const refused: [argv: string[], reason: RegExp][] = [
    [["99"], /no such log entry: 99; .*\nhint: check --rekor-url, and pass --api-version=2/],
    [["0".repeat(64)], /no such log entry: 0{64}/],
    [["--api-version=2", "99"], /no such log entry: 99; the size of the log at .* is 3/],
    [["--api-version=2", "0".repeat(64)], /Rekor v2 has no UUIDs/],
    [["abc"], /not the index or UUID/],
    [["--rekor-url=http://127.0.0.1:9", "0"], /connect to/],
  ];
  for (const [argv, reason] of refused) {
    const { code, stderr } = await shop.tsign("log", "get", ...addressFor(shop, argv), ...argv);
    assert.equal(code, 1, argv.join(" "));
    assert.match(stderr, reason);
  }
});

test("log verify: an entry of Rekor v1 and v2, and those of a bundle -> included", async (t) => {
  const shop = await workshop(t);
  const { entries } = (await shop.result("verify", at(shop), ROOT, "1")) as unknown as {
    entries: { treeSize: string }[];
  };
  assert.equal(entries[0]?.treeSize, "3");
  const v1 = await shop.ok("log", "verify", at(shop), ROOT, "1");
  assert.match(
    v1.stdout,
    /^Log entry 1 is in http:\S+, at \S+Z: included in a tree of size 3, whose checkpoint is signed by /,
  );
  assert.match(v1.stderr, /The signature in the entry was not verified/);
  for (const index of ["0", "1", "2"]) {
    const v2 = await shop.ok("log", "verify", at(shop), ROOT, "--api-version=2", index);
    assert.match(v2.stdout, new RegExp(`^Log entry ${index} is in http:\\S+: included in a tree of size 3`));
  }
  for (const bundle of ["key1.json", "alice1.json", "file2.json", "other2.json"]) {
    await shop.ok("log", "verify", ROOT, "--rekor-url=http://127.0.0.1:9", bundle);
  }
});

test("log verify: a tree of 600 entries in tiles -> every proof", async () => {
  const { Rekor2Log } = await import("../src/sandbox/logs/rekor2/log.ts");
  const { entryAtIndexV2 } = await import("../src/services/rekor-v2-read.ts");
  const { verifyLogEntry } = await import("../src/verify/log-entry.ts");
  const { generateKeyPairSync, createPublicKey } = await import("node:crypto");
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = createPublicKey(privateKey);
  const spki = key.export({ type: "spki", format: "der" });
  const journal = { entries: [], append: async () => {} };
  const log = new Rekor2Log({
    signingKey: { key: privateKey, spki } as never,
    journal: journal as never,
    origin: "log.example",
  });
  for (let n = 0; n < 600; n++) {
    const body = Buffer.from(JSON.stringify({ kind: "hashedrekord", apiVersion: "0.0.2", n }));
    await log.add({ kind: "hashedrekord", version: "0.0.2", body });
  }
  const read: string[] = [];
  const http = async ({ url }: HttpRequest) => {
    const path = url.pathname.replace("/api/v2/", "");
    read.push(path);
    const tile = path.replace("tile/", "");
    const bytes =
      path === "checkpoint"
        ? Buffer.from(log.checkpoint())
        : tile.startsWith("entries/")
          ? log.entries(tile.slice("entries/".length))
          : log.tile(tile);
    const body = (async function* () {
      if (bytes) yield bytes;
    })();
    return { status: bytes ? 200 : 404, headers: {}, body, discard() {} };
  };
  const { testIo } = await import("./support/test-io.ts");
  const io = testIo({ io: { http } });
  const validFor = { start: new Date(0), end: undefined };
  const trusted = { baseUrl: "https://log.example", id: log.keyId, key, validFor };
  for (const index of [0, 1, 255, 256, 300, 511, 512, 513, 599]) {
    const entry = await entryAtIndexV2(io, new URL("http://log.example/api/v2"), index);
    assert.equal(verifyLogEntry(entry, [trusted]).treeSize, "600", String(index));
    assert.throws(
      () => verifyLogEntry({ ...entry, canonicalizedBody: Buffer.from("{}") }, [trusted]),
      /inclusion|proof|root/i,
    );
    assert.throws(() => verifyLogEntry(entry, []), /no entry is from a trusted/);
    assert.throws(() => verifyLogEntry(entry, [{ ...trusted, baseUrl: "https://other.example" }]), /trusted/);
  }
  assert.ok(read.includes("tile/entries/002.p/88"), read.join(" "));
});

test("log verify: tampered entries, other logs, missing proofs -> refused", async (t) => {
  const shop = await workshop(t);
  const other = await testSigstore();
  writeFileSync(join(shop.cwd, "other-root.json"), other.trustedRoot);
  const bundle = JSON.parse(await readText(shop, "key1.json"));
  const [entry] = bundle.verificationMaterial.tlogEntries;
  const tamper = (name: string, change: Record<string, unknown>) => {
    const tlogEntries = [{ ...entry, ...change }];
    const changed = { ...bundle, verificationMaterial: { ...bundle.verificationMaterial, tlogEntries } };
    writeFileSync(join(shop.cwd, name), JSON.stringify(changed));
  };
  const flip = (text: string) => `${text.startsWith("A") ? "B" : "A"}${text.slice(1)}`;
  const proof = entry.inclusionProof;
  tamper("body.json", {
    canonicalizedBody: Buffer.from('{"kind":"hashedrekord","apiVersion":"0.0.1"}').toString("base64"),
  });
  tamper("root-hash.json", { inclusionProof: { ...proof, rootHash: flip(proof.rootHash) } });
  tamper("size.json", { inclusionProof: { ...proof, treeSize: "9" } });
  tamper("checkpoint.json", {
    inclusionProof: { ...proof, checkpoint: { envelope: proof.checkpoint.envelope.replace("\n1\n", "\n2\n") } },
  });
  tamper("time.json", { integratedTime: "1700000000" });
  tamper("set.json", { inclusionPromise: { signedEntryTimestamp: flip(entry.inclusionPromise.signedEntryTimestamp) } });
  for (const name of ["body", "root-hash", "size", "checkpoint", "time", "set"]) {
    const { code, stdout, stderr } = await shop.tsign("log", "verify", ROOT, `${name}.json`);
    assert.equal(code, 1, `${name}: ${stdout}`);
    assert.match(stderr, /verify log entry 0 of/, name);
    assert.equal(stdout, "");
  }
  const refused: [argv: string[], reason: RegExp][] = [
    [["--trusted-root=other-root.json", "key1.json"], /no entry is from a trusted transparency log/],
    [["--trusted-root=other-root.json", "file2.json"], /no entry is from a trusted transparency log/],
    [["--trusted-root=other-root.json", at(shop), "--api-version=2", "0"], /not signed|no entry is from a trusted/],
    [[ROOT, "file"], /file/],
    [[ROOT, at(shop), "99"], /no such log entry/],
  ];
  for (const [argv, reason] of refused) {
    const { code, stdout, stderr } = await shop.tsign("log", "verify", ...argv);
    assert.equal(code, 1, argv.join(" "));
    assert.match(stderr, reason, argv.join(" "));
    assert.equal(stdout, "");
  }
  const old = { ...entry, inclusionProof: undefined };
  const mediaType = "application/vnd.dev.sigstore.bundle+json;version=0.1";
  const x509CertificateChain = undefined;
  const material = { ...bundle.verificationMaterial, x509CertificateChain, tlogEntries: [old] };
  writeFileSync(
    join(shop.cwd, "promise.json"),
    JSON.stringify({ ...bundle, mediaType, verificationMaterial: material }),
  );
  const promise = await shop.tsign("log", "verify", ROOT, "promise.json");
  assert.equal(promise.code, 1);
  assert.match(promise.stderr, /log entry has no inclusion proof\nhint: /);
});

test("log get, verify: a log that answers with another entry, or a spoilt proof -> refused", async (t) => {
  const shop = await workshop(t, ({ io: { http } }) => ({
    http: async (request) => {
      if (request.url.search === "?logIndex=1") request.url.search = "?logIndex=0";
      return http(request);
    },
  }));
  for (const word of ["get", "verify"]) {
    const outcome = await shop.tsign("log", word, at(shop), ...(word === "get" ? [] : [ROOT]), "1");
    assert.equal(outcome.code, 1);
    assert.match(outcome.stderr, /returned another log entry than was asked for/);
  }
});

test("log verify: a log that was not trusted at the time in the SET -> refused, with the time", async (t) => {
  const shop = await workshop(t);
  const root = JSON.parse(shop.sigstore.trustedRoot);
  for (const { publicKey } of root.tlogs)
    publicKey.validFor = { start: "2020-01-01T00:00:00Z", end: "2020-01-02T00:00:00Z" };
  writeFileSync(join(shop.cwd, "old-root.json"), JSON.stringify(root));
  const { code, stdout, stderr } = await shop.tsign("log", "verify", "--trusted-root=old-root.json", "key1.json");
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /log http:\S+ is not trusted at 2\d{3}-/);
});

test("log verify: a log with a spoilt proof, checkpoint or SET -> refused", async (t) => {
  const shop = await workshop(t);
  for (const kind of ["bad-proof", "bad-checkpoint", "bad-set", "stale-checkpoint"] as const) {
    shop.sigstore.faults.clear();
    shop.sigstore.faults.add({ service: "rekor1", kind });
    const outcome = await shop.tsign("log", "verify", at(shop), ROOT, "0");
    assert.equal(outcome.code, 1, kind);
    assert.match(outcome.stderr, /verify log entry 0/, kind);
  }
});
