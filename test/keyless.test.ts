import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { LEGACY, type Outcome, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const ALICE = "alice@example.com";

/** A sandbox, a folder with a file to sign, and a function that runs tsign there. */
async function workshop(t: TestContext, options: Parameters<typeof testSigstore>[0] = {}) {
  const sigstore = await testSigstore(options);
  const cwd = temporaryFolder(t);
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(cwd, name), content);
  write("blob", "content");
  write("root.json", sigstore.trustedRoot);
  for (const [name, text] of Object.entries(sigstore.signingConfig)) write(`${name}.json`, text);
  for (const [name, text] of Object.entries(sigstore.files)) write(name, text);
  const tsign = (argv: readonly string[], env: Record<string, string> = {}): Promise<Outcome> =>
    run([...argv], { cwd, io: sigstore.io, env });
  return { sigstore, cwd, write, tsign, read: (name: string) => readFileSync(join(cwd, name), "utf8") };
}

const ROOT = ["--trusted-root", "root.json"];
const as = (sigstore: TestSigstore, email = ALICE) => ["--yes", "--identity-token", sigstore.mint(email)];
const by = (sigstore: TestSigstore, email = ALICE, issuer = sigstore.at.issuer) => [
  ...["--certificate-identity", email],
  ...["--certificate-oidc-issuer", issuer],
];

const CONFIGS = ["rekor1", "rekor1Tsa", "rekor2"] as const;

for (const config of CONFIGS) {
  test(`${config}: file signed keyless -> verifies for its signer only`, async (t) => {
    const { sigstore, tsign, write } = await workshop(t);
    const signed = await tsign([
      ...["sign-blob", ...as(sigstore), "--signing-config", `${config}.json`, ...ROOT],
      ...["--bundle", "b.json", "blob"],
    ]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, /your identity alice@example.com .* public records/, "said before it is done");
    const verify = (who: readonly string[], more: readonly string[] = ROOT) =>
      tsign(["verify-blob", ...who, ...more, "--bundle", "b.json", "blob"]);
    const good = await verify(by(sigstore));
    assert.equal(good.code, 0, good.stderr);
    for (const [who, reason] of [
      [
        by(sigstore, "mallory@example.com"),
        /identity: certificate identity mismatch: got alice@example.com .*, want mallory@example.com/,
      ],
      [by(sigstore, "alice@example.co"), /identity: certificate identity mismatch/],
      [by(sigstore, ALICE, "https://issuer.example"), /issuer mismatch: got .*, want https:\/\/issuer.example/],
    ] as const) {
      const refused = await verify(who);
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, reason);
    }
    write("blob", "altered");
    assert.equal((await verify(by(sigstore))).code, 1, "an altered file");
  });

  test(`${config}: bundle of the first log entry states index 0 and an empty proof, as strict readers require`, async (t) => {
    const { sigstore, tsign, read } = await workshop(t);
    const to = ["--signing-config", `${config}.json`, ...ROOT, "--bundle", "b.json", "blob"];
    await tsign(["sign-blob", ...as(sigstore), ...to]);
    const [entry] = JSON.parse(read("b.json")).verificationMaterial.tlogEntries;
    assert.equal(entry.logIndex, "0");
    assert.equal(entry.inclusionProof.logIndex, "0");
    assert.deepEqual(entry.inclusionProof.hashes, []);
    assert.ok(entry.inclusionProof.checkpoint.envelope && entry.canonicalizedBody);
  });

  test(`${config}: any part of the trusted root missing -> refused`, async (t) => {
    const { sigstore, tsign, write } = await workshop(t);
    const signing = ["sign-blob", ...as(sigstore), "--signing-config", `${config}.json`, ...ROOT];
    assert.equal((await tsign([...signing, "--bundle", "b.json", "blob"])).code, 0);
    const parts = [
      "certificateAuthorities",
      "ctlogs",
      "tlogs",
      ...(config === "rekor2" ? ["timestampAuthorities"] : []),
    ];
    for (const part of parts) {
      write("less.json", JSON.stringify({ ...JSON.parse(sigstore.trustedRoot), [part]: [] }));
      const refused = await tsign([
        ...["verify-blob", ...by(sigstore), "--trusted-root", "less.json", "--bundle", "b.json", "blob"],
      ]);
      assert.equal(refused.code, 1, part);
      assert.match(refused.stderr, /does not verify blob/, part);
    }
  });
}

test("image signed keyless, both forms -> verifies and prints the signer", async (t) => {
  const { sigstore, tsign } = await workshop(t);
  const image = `${sigstore.registry}/app:v1`;
  const pushed = await pushSample(sigstore);
  const legacy = [
    ...[LEGACY, "--use-signing-config=false", "--fulcio-url", sigstore.at.fulcio, "--rekor-url", sigstore.at.rekor1],
    ...["--oidc-issuer", sigstore.at.issuer, ...ROOT, "--output-certificate", "own.pem"],
  ];
  for (const form of [["--signing-config", "rekor2.json", ...ROOT], legacy]) {
    const signed = await tsign(["sign", ...as(sigstore), ...form, `${sigstore.registry}/app@${pushed}`]);
    assert.equal(signed.code, 0, signed.stderr);
  }
  const verified = await tsign(["verify", ...by(sigstore), ...ROOT, image]);
  assert.equal(verified.code, 0, verified.stderr);
  const entries = JSON.parse(verified.stdout) as { optional: Record<string, unknown> }[];
  assert.equal(entries.length, 2, "one of each form");
  assert.ok(entries.some(({ optional }) => optional["Subject"] === ALICE));
  const refused = await tsign(["verify", ...by(sigstore, "mallory@example.com"), ...ROOT, image]);
  assert.equal(refused.code, 12);
  assert.equal(refused.stdout, "");
  const given = ["verify", LEGACY, "--certificate", "own.pem", ...ROOT, image];
  assert.equal((await tsign([...given, ...by(sigstore)])).code, 0);
  const other = await tsign([...given, ...by(sigstore, "mallory@example.com")]);
  assert.equal(other.code, 1, "cosign's code for a certificate that is no good itself");
});

/** A small image in the sandbox's registry, under app:v1. */
async function pushSample({ io, registry }: TestSigstore): Promise<string> {
  const store = await openRegistry(testIo({ io }), parseReference(`${registry}/app:v1`), PLAIN_REGISTRY);
  const pushed = await pushImage(store, { file: "hello", content: Buffer.from("hello"), tag: "v1" });
  return pushed.digest;
}

test("sign: failing service -> error names it, nothing stored", async (t) => {
  for (const [service, kind, reason] of [
    ["fulcio", "bad-sct", /new certificate does not verify: sct/],
    ["fulcio", "other-key", /Fulcio .* certificate for a different key/],
    ["fulcio", "garbage", /returned|cannot be read|not valid JSON/],
    ["rekor1", "bad-set", /does not verify and was not stored: log: inclusion promise/],
    ["rekor1", "bad-proof", /does not verify and was not stored: log/],
    ["rekor1", "bad-checkpoint", /does not verify and was not stored: log/],
    ["rekor1", "stale-checkpoint", /does not verify and was not stored: log/],
    ["tsa", "wrong-imprint", /does not verify and was not stored: time/],
    ["tsa", "wrong-nonce", /timestamp authority .* nonce does not match/],
    ["tsa", "rejected", /timestamp/],
  ] as const) {
    const { sigstore, tsign, cwd } = await workshop(t, { faults: [{ service, kind }] });
    const signing = ["sign-blob", ...as(sigstore), "--signing-config", "rekor1Tsa.json", ...ROOT];
    const failed = await tsign([...signing, "--bundle", "b.json", "blob"]);
    assert.equal(failed.code, 1, `${service} ${kind}`);
    assert.match(failed.stderr, reason, `${service} ${kind}`);
    assert.throws(() => readFileSync(join(cwd, "b.json")), `${service} ${kind}`);
    assert.ok(!failed.stderr.includes(sigstore.mint(ALICE).slice(0, 20)), "no token is printed");
  }
});

test("sign: busy service -> request repeated", async (t) => {
  const busy = { kind: "rate-limit", value: "1", times: 1 } as const;
  const faults = [{ service: "fulcio", ...busy } as const, { service: "rekor2", ...busy } as const];
  const { sigstore, tsign } = await workshop(t, { faults });
  const signing = ["sign-blob", ...as(sigstore), "--signing-config", "rekor2.json", ...ROOT];
  const signed = await tsign([...signing, "--bundle", "b.json", "blob"]);
  assert.equal(signed.code, 0, signed.stderr);
});

test("sign-blob: same file signed twice with an RSA key -> existing log entry fetched", async (t) => {
  const { sigstore, tsign, write } = await workshop(t);
  const { generateKeyPairSync } = await import("node:crypto");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  write("rsa.pem", privateKey.export({ type: "pkcs1", format: "pem" }));
  const env = { COSIGN_PASSWORD: "" };
  assert.equal((await tsign(["import-key-pair", "--key", "rsa.pem", "--output-key-prefix", "rsa"], env)).code, 0);
  for (const bundle of ["1.json", "2.json"]) {
    const signing = ["sign-blob", "--yes", "--key", "rsa.key", "--signing-config", "rekor1.json", ...ROOT];
    const signed = await tsign([...signing, "--bundle", bundle, "blob"], env);
    assert.equal(signed.code, 0, signed.stderr);
    const verified = await tsign(["verify-blob", "--key", "rsa.pub", ...ROOT, "--bundle", bundle, "blob"]);
    assert.equal(verified.code, 0, verified.stderr);
  }
  assert.ok(sigstore.requests.some((request) => /^GET \/api\/v1\/log\/entries\/[0-9a-f]{64}/.test(request)));
});

test("a token for another audience: refused before anything is sent or announced, with both audiences", async (t) => {
  const { sigstore, tsign } = await workshop(t);
  const sign = (token: string, ...more: string[]) =>
    tsign([
      ...["sign-blob", "--yes", "--identity-token", token, "--signing-config", "rekor2.json", ...ROOT, ...more],
      ...["--bundle", "b.json", "blob"],
    ]);
  const other = sigstore.mint(ALICE, {}, { aud: "other" });
  const sent = sigstore.requests.length;
  const refused = await sign(other);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /audience mismatch: got "other", want "sigstore" for Fulcio \(/);
  assert.match(refused.stderr, /^hint: request a token with the audience "sigstore", or use --oidc-client-id/m);
  assert.doesNotMatch(refused.stderr, /public records|eyJ/);
  assert.equal(sigstore.requests.length, sent, "nothing is sent");
  const named = await sign(other, "--oidc-client-id", "other");
  assert.match(
    named.stderr,
    /public records[\s\S]*Fulcio .* returned 4\d\d/,
    "the token is sent where its audience is named",
  );
  assert.ok(sigstore.requests.length > sent);
  assert.equal((await sign(sigstore.mint(ALICE, {}, { aud: "sigstore" }))).code, 0);
});

test("--identity-token: unusable token -> refused before anything is sent", async (t) => {
  const { sigstore, tsign, write } = await workshop(t);
  const { io } = sigstore;
  write("token", sigstore.mint(ALICE));
  const sign = (token: string) =>
    tsign([
      ...["sign-blob", "--yes", "--identity-token", token, "--signing-config", "rekor2.json", ...ROOT],
      ...["--bundle", "b.json", "blob"],
    ]);
  assert.equal((await sign("token")).code, 0, "a file that holds one");
  const sent = sigstore.requests.length;
  for (const [token, reason] of [
    [sigstore.mint(ALICE, {}, { ttl: -60 }), /expired at/],
    [sigstore.mint(ALICE, { email_verified: false }), /unverified e-mail/],
    ["eyJub3RhdG9rZW4", /neither a token nor an existing file/],
  ] as const) {
    const failed = await sign(token);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, reason);
    assert.ok(!failed.stderr.includes(token.slice(0, 15)), "no token is printed");
  }
  assert.equal(sigstore.requests.length, sent);
  const nothing = await run(
    ["sign-blob", "--yes", "--signing-config", "rekor2.json", ...ROOT, "--bundle", "b.json", "blob"],
    { cwd: (await workshop(t)).cwd, io },
  );
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /no identity token, and no terminal/);
});

test("--certificate-identity-regexp: pattern that matches several identities -> accepted, matched identity shown", async (t) => {
  const { sigstore, tsign } = await workshop(t);
  const signing = ["sign-blob", ...as(sigstore), "--signing-config", "rekor1.json", ...ROOT];
  assert.equal((await tsign([...signing, "--bundle", "b.json", "blob"])).code, 0);
  const verify = (pattern: string) => {
    const issuer = ["--certificate-oidc-issuer", sigstore.at.issuer];
    const who = ["--certificate-identity-regexp", pattern, ...issuer];
    return tsign(["verify-blob", ...who, ...ROOT, "--bundle", "b.json", "blob"]);
  };
  for (const loose of ["alice", ".*", "^.*$", "^alice@example.com", "^bob$|alice", "^alice@example.com\\\\$|."]) {
    const { code, stderr } = await verify(loose);
    assert.equal(code, 0, `${loose}: ${stderr}`);
    assert.match(stderr, /matched alice@example.com \(issuer /, loose);
  }
  const exact = await verify("^(alice|bob)@example\\.com$");
  assert.equal(exact.code, 0, exact.stderr);
  assert.doesNotMatch(exact.stderr, /WARNING/);
  assert.equal((await verify("^bob@example\\.com$")).code, 1);
});

test("verify-blob with a bundle and --trusted-root: opens no socket and runs no program", async (t) => {
  const { sigstore, tsign, cwd } = await workshop(t);
  const never = () => Promise.reject(new Error("this must not happen"));
  const closed = { http: never, listen: never, spawn: never, detach: never, unixCall: never, now: sigstore.io.now };
  for (const config of CONFIGS) {
    const signing = ["sign-blob", ...as(sigstore), "--signing-config", `${config}.json`, ...ROOT];
    assert.equal((await tsign([...signing, "--bundle", "b.json", "blob"])).code, 0);
    const verify = (who: readonly string[]) =>
      run(["verify-blob", ...who, ...ROOT, "--bundle", "b.json", "blob"], { cwd, io: closed });
    const offline = await verify(by(sigstore));
    assert.equal(offline.code, 0, offline.stderr);
    assert.equal((await verify(by(sigstore, "mallory@example.com"))).code, 1);
  }
});

test("sign-blob --issue-certificate: verifies by identity, not with --key", async (t) => {
  const { sigstore, tsign } = await workshop(t);
  const env = { COSIGN_PASSWORD: "" };
  assert.equal((await tsign(["generate-key-pair"], env)).code, 0);
  const key = ["--key", "cosign.key", "--issue-certificate", "--signing-config", "rekor2.json", ...ROOT];
  const signed = await tsign(["sign-blob", ...as(sigstore), ...key, "--bundle", "b.json", "blob"], env);
  assert.equal(signed.code, 0, signed.stderr);
  const verified = await tsign(["verify-blob", ...by(sigstore), ...ROOT, "--bundle", "b.json", "blob"]);
  assert.equal(verified.code, 0, verified.stderr);
  const keyed = await tsign(["verify-blob", "--key", "cosign.pub", ...ROOT, "--bundle", "b.json", "blob"]);
  assert.equal(keyed.code, 1, "the certificate is the signer");
});

test("sign-blob: wrong clock -> warning with the difference, and the signature verifies", async (t) => {
  const { sigstore, tsign, cwd } = await workshop(t);
  const signing = ["--yes", "--identity-token", sigstore.mint(ALICE, {}, { ttl: 5 * 3600 }), ...ROOT];
  const to = (name: string) => ["--signing-config", "rekor1Tsa.json", "--bundle", name, "blob"];
  for (const [minutes, words] of [
    [12, /clock is about 12 min ahead of the clock of the certificate authority/],
    [-12, /clock is about 12 min behind the clock of the certificate authority/],
    [0, undefined],
  ] as const) {
    const io = { ...sigstore.io, now: () => new Date(Date.now() + minutes * 60_000) };
    const signed = await run(["sign-blob", ...signing, ...to(`clock${minutes}.json`)], { cwd, io });
    assert.equal(signed.code, 0, signed.stderr);
    if (words) assert.match(signed.stderr, words);
    else assert.doesNotMatch(signed.stderr, /WARNING/);
    const verified = await tsign([
      "verify-blob",
      ...by(sigstore),
      ...ROOT,
      ...["--bundle", `clock${minutes}.json`, "blob"],
    ]);
    assert.equal(verified.code, 0, verified.stderr);
  }
});

test("sign-blob: signing config is parsed by protobuf's JSON rules; expired service -> error names it", async (t) => {
  const { sigstore, tsign, write } = await workshop(t);
  const sign = (change: (config: Record<string, never>) => void) => {
    const config = JSON.parse(sigstore.signingConfig.rekor1Tsa);
    change(config);
    write("changed.json", JSON.stringify(config));
    return tsign([
      "sign-blob",
      ...as(sigstore),
      ...ROOT,
      ...["--signing-config", "changed.json", "--bundle", "b.json", "blob"],
    ]);
  };
  // biome-ignore lint/suspicious/noExplicitAny: a document of any shape
  const same: Record<string, (c: any) => void> = {
    "a number as text": (c) => {
      c.caUrls[0].majorApiVersion = "1";
      c.rekorTlogConfig = { selector: "EXACT", count: "1" };
    },
    "an enumeration's number": (c) => Object.assign(c, { rekorTlogConfig: { selector: 2 } }),
    "snake case": (c) => {
      c.ca_urls = c.caUrls;
      delete c.caUrls;
      c.tsaUrls[0].major_api_version = c.tsaUrls[0].majorApiVersion;
      delete c.tsaUrls[0].majorApiVersion;
    },
    "no period": (c) => {
      for (const list of [c.caUrls, c.rekorTlogUrls, c.tsaUrls]) delete list[0].validFor;
    },
    "a period without a start": (c) => delete c.tsaUrls[0].validFor.start,
    nulls: (c) => Object.assign(c.caUrls[0], { operator: null, validFor: null }),
  };
  for (const [name, change] of Object.entries(same)) {
    const { code, stderr } = await sign(change);
    assert.equal(code, 0, `${name}: ${stderr}`);
  }
  // biome-ignore lint/suspicious/noExplicitAny: a document of any shape
  const wrong: [string, (c: any) => void, RegExp][] = [
    ["both spellings", (c) => Object.assign(c, { ca_urls: c.caUrls }), /duplicate field ca_urls/],
    ["an unknown field", (c) => Object.assign(c, { more: 1 }), /unknown field more/],
    ["no number", (c) => Object.assign(c.caUrls[0], { majorApiVersion: 1.5 }), /majorApiVersion is not an integer/],
    ["no enumeration", (c) => Object.assign(c, { rekorTlogConfig: { selector: "SOME" } }), /is not a valid value/],
    ["no URL", (c) => Object.assign(c.caUrls[0], { url: "ftp://x" }), /caUrls\[0\].url is not an http or https URL/],
    ["an end long ago", (c) => (c.caUrls[0].validFor.end = "2020-01-01T00:00:00Z"), /expired on 2020-01-01/],
    ["a log's end", (c) => (c.rekorTlogUrls[0].validFor.end = "2020-01-01T00:00:00Z"), /expired on 2020-01-01/],
    ["a start to come", (c) => (c.caUrls[0].validFor.start = "2126-01-01T00:00:00Z"), /not valid before 2126/],
    ["another API", (c) => Object.assign(c.caUrls[0], { majorApiVersion: 9 }), /API version 9/],
  ];
  for (const [name, change, reason] of wrong) {
    const { code, stderr } = await sign(change);
    assert.equal(code, 1, name);
    assert.match(stderr, reason, name);
  }
});
