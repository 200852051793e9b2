import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Digest } from "../src/format/digest.ts";
import type { Io } from "../src/io/io.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { attachmentTag, fallbackTag } from "../src/oci/tags.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { attachReferrer, descriptorOf, listed, storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
/** Pauses, but not time limits, divided by fifty. */
const { sleep } = testIo();
const QUICK: Partial<Io> = { sleep: (ms, signal) => sleep(ms >= 10_000 ? ms : ms / 50, signal) };

interface Planned {
  readonly where: string;
  readonly state: string;
  readonly reason: string;
}

/** The digest in the place of a signature. */
const digestIn = (planned: Planned | undefined) => (planned?.where.split("@")[1] ?? assert.fail()) as Digest;

/** An image with three signatures of one key, one of another key and an attestation. */
async function signedOften(t: TestContext, options = { referrers: true }) {
  const shop = await storageWorkshop(t, options);
  const { cwd, env, ok, image, digest, store, sign } = shop;
  writeKeyPairs(cwd, "b");
  writeFileSync(join(cwd, "p.json"), "{}");
  for (let count = 0; count < 3; count++) await sign();
  await ok("sign", "--key", "b.key", ...OFFLINE, image);
  await ok("attest", "--key", "a.key", "-y", ...OFFLINE, "--predicate=p.json", image);
  await ok("attest", "--key", "a.key", "-y", ...OFFLINE, "--predicate=p.json", image);
  const prune = async (...given: (string | { io: Partial<Io> })[]) => {
    const flags = given.filter((each) => typeof each === "string");
    const [{ io } = { io: QUICK }] = given.filter((each) => typeof each !== "string");
    const argv = ["prune", "--json", "--key", "a.pub", NO_LOG, ...flags, image];
    const outcome = await run(argv, { cwd, env, io });
    const { document } = jsonAnswer(outcome, "prune");
    const result = document.result as unknown as { signatures: Planned[] } | undefined;
    const planned = result?.signatures ?? [];
    const states = planned.map(({ state }) => state).sort();
    return { ...outcome, document, planned, states };
  };
  const digests = async () => (await listed(store, digest)).map((each) => each.digest).sort();
  return { ...shop, prune, digests };
}

for (const referrers of [true, false]) {
  test(`prune: referrers API ${referrers}: three signatures of a key -> the newest, other keys' and attestations stay`, async (t) => {
    const { prune, digests, ok, tsign, image, store, digest } = await signedOften(t, { referrers });
    const before = await digests();
    assert.equal(before.length, 6);
    const dry = await prune();
    assert.equal(dry.code, 0, dry.stderr);
    assert.deepEqual(dry.states, ["kept", "kept", "would be removed", "would be removed"]);
    assert.match(dry.stderr, /Nothing was removed: pass --apply to remove 2 signatures/);
    assert.deepEqual(await digests(), before, "nothing is removed without --apply");
    const done = await prune("--apply");
    assert.equal(done.code, 0, done.stderr);
    assert.deepEqual(done.states, ["kept", "kept", "removed", "removed"]);
    const gone = done.planned.filter(({ state }) => state === "removed").map(digestIn);
    assert.deepEqual(
      await digests(),
      before.filter((each) => !gone.includes(each)),
    );
    for (const each of gone) assert.equal(await store.resolve(each), undefined);
    assert.equal((await store.resolve(fallbackTag(digest))) === undefined, referrers);
    for (const key of ["a.pub", "b.pub"]) await ok("verify", "--key", key, NO_LOG, image);
    const attested = await ok("verify-attestation", "--key", "a.pub", NO_LOG, "--type=custom", image);
    assert.equal(attested.stdout.match(/^\{/gm)?.length, 2);
    const again = await prune("--apply");
    assert.deepEqual(again.states, ["kept", "kept"]);
    assert.match(again.stderr, /No signature is superseded/);
    assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, image)).code, 0);
  });
}

test("prune: no signature of the key, unsigned image, wrong flags -> the exit codes of verify, nothing removed", async (t) => {
  const { cwd, tsign, ok, digests, image } = await signedOften(t);
  writeKeyPairs(cwd, "c");
  const before = await digests();
  assert.equal((await tsign("prune", "--apply", "--key", "c.pub", NO_LOG, image)).code, 1);
  const unsigned = (await ok("sandbox", "push", "unsigned:v1", "a.pub")).stdout.trim();
  assert.equal((await tsign("prune", "--apply", "--key", "a.pub", NO_LOG, unsigned)).code, 10);
  assert.equal((await tsign("prune", "--apply", "--key", "a.pub", NO_LOG, unsigned.replace(/@.*/, ":none"))).code, 11);
  for (const flag of ["--keep=0", "--older-than=-1h", "--older-than=3d", "--insecure-ignore-sct"]) {
    assert.equal((await tsign("prune", "--apply", "--key", "a.pub", NO_LOG, flag, image)).code, 1, flag);
  }
  assert.deepEqual(await digests(), before);
});

test("prune --keep, --older-than: more stay; without a verified time age removes nothing", async (t) => {
  const { prune } = await signedOften(t);
  const reasons = async (...flags: string[]) => {
    const { planned } = await prune(...flags);
    return planned.map(({ state, reason }) => `${state}: ${reason.replace(/\S+@\S+/g, "X")}`).sort();
  };
  const [other = "", ...two] = (await reasons("--keep=2")).toReversed().toSorted((a) => (/not rec/.test(a) ? -1 : 1));
  assert.match(other, /^kept: not recognized: signature/);
  assert.deepEqual(two.toSorted(), [
    "kept: the newest signature of this signer",
    "kept: the newest signature of this signer",
    "would be removed: superseded by X and X",
  ]);
  const aged = await reasons("--older-than=1ns", "--apply");
  assert.equal(aged.filter((each) => /no log or timestamp authority states its age/.test(each)).length, 2);
});

test("prune: what a tag, an index or another referrer needs -> stays, with the reason", async (t) => {
  const { prune, store, digest } = await signedOften(t);
  const dry = await prune();
  const [first, second] = dry.planned.filter(({ state }) => state === "would be removed").map(digestIn);
  assert.ok(first && second);
  const stored = await store.manifest(first);
  assert.ok(stored);
  await store.putManifest(stored.bytes, { mediaType: stored.descriptor.mediaType, tag: "release-signature" });
  const subject = await descriptorOf(store, second);
  await attachReferrer(store, subject, { layer: "x", layerType: "application/x-note" });
  const { planned, code } = await prune("--apply");
  assert.equal(code, 0);
  const reasons = planned.map(({ reason }) => reason);
  assert.ok(reasons.includes("the tag release-signature points to it"), reasons.join("\n"));
  assert.ok(
    reasons.some((reason) => /^sha256:[0-9a-f]{64} refers to it$/.test(reason)),
    reasons.join("\n"),
  );
  assert.ok(planned.every(({ state }) => state === "kept"));
  for (const each of [first, second]) assert.ok(await store.resolve(each));
  assert.ok(await store.resolve(digest));
});

test("prune: a forged newer bundle of the same signer -> supersedes nothing, and stays", async (t) => {
  const { prune, store, digest } = await signedOften(t);
  const [real] = (await prune()).planned.filter(({ reason }) => /newest/.test(reason));
  const manifest = await store.manifest(digestIn(real));
  const layer = manifest?.manifest.layers[0] ?? assert.fail();
  const bundle = JSON.parse(Buffer.from(await store.blob(layer, { maxBytes: 1e6 })).toString());
  bundle.dsseEnvelope.signatures[0].sig = Buffer.from("forged").toString("base64");
  const forged = await attachReferrer(store, await descriptorOf(store, digest), {
    layer: JSON.stringify(bundle),
    layerType: BUNDLE,
    more: { artifactType: BUNDLE, annotations: { "org.opencontainers.image.created": "2099-01-01T00:00:00Z" } },
  });
  const { planned } = await prune("--apply");
  const its = planned.find(({ where }) => where.endsWith(forged.digest));
  assert.equal(its?.state, "kept");
  assert.match(its.reason, /^not recognized/);
  assert.equal(planned.filter(({ state }) => state === "removed").length, 2);
  assert.ok(await store.resolve(digestIn(real)));
});

test("prune: signatures with other annotations -> not superseded", async (t) => {
  const { prune, sign } = await signedOften(t);
  await sign("-a", "env=prod");
  const { planned } = await prune();
  assert.equal(planned.filter(({ reason }) => /^the only signature/.test(reason)).length, 1);
  assert.equal(planned.filter(({ state }) => state === "would be removed").length, 2);
});

test("prune: keyless signatures in both forms -> each form keeps its newest; --older-than counts from the log's time", async (t) => {
  let now = Date.now();
  const sigstore = await testSigstore({ clock: () => new Date(now) });
  const cwd = temporaryFolder(t);
  const io = { ...sigstore.io, ...QUICK };
  const tsign = (...argv: string[]) => run(argv, { cwd, io });
  const name = `${sigstore.registry}/app:v1`;
  const store = await openRegistry(testIo({ cwd, io }), parseReference(name), PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("content"), tag: "v1" });
  const image = `${sigstore.registry}/app@${digest}`;
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1);
  const who = ["--certificate-identity", "alice@example.com", "--certificate-oidc-issuer", sigstore.at.issuer];
  const sign = async (form: string) => {
    const own = ["--use-signing-config=false", "--fulcio-url", sigstore.at.fulcio, "--rekor-url", sigstore.at.rekor1];
    const services = form === LEGACY ? own : ["--signing-config", "config.json"];
    const token = ["--trusted-root", "root.json", "--identity-token", sigstore.mint("alice@example.com")];
    const done = await tsign("sign", "--yes", ...services, ...token, form, image);
    assert.equal(done.code, 0, done.stderr);
    now += 60_000;
  };
  for (let count = 0; count < 3; count++) {
    await sign(LEGACY);
    await sign("--new-bundle-format=true");
  }
  const prune = async (...flags: string[]) => {
    const outcome = await tsign("prune", "--trusted-root", "root.json", ...who, ...flags, image);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome.stdout.trim().split("\n");
  };
  const lines = async (pattern: RegExp, ...flags: string[]) =>
    (await prune(...flags)).filter((line) => pattern.test(line)).length;
  assert.equal(await lines(/^would remove/), 4);
  assert.equal(await lines(/not older than --older-than/, "--older-than=10m"), 4);
  assert.equal(await lines(/^would remove/, "--older-than=4m30s"), 2);
  assert.equal(
    await lines(/^would remove/, "--insecure-ignore-tlog"),
    0,
    "proofs that are not verified count for nothing",
  );
  const tag = attachmentTag(digest, "sig");
  const before = (await store.manifest(tag))?.manifest.layers ?? [];
  assert.equal(await lines(/^removed /, "--apply"), 4);
  const after = (await store.manifest(tag))?.manifest.layers ?? [];
  assert.deepEqual([before.length, after], [3, before.slice(-1)]);
  assert.equal((await listed(store, digest)).length, 1);
  for (const form of ["--new-bundle-format=false", "--new-bundle-format=true"]) {
    const verified = await tsign("verify", "--trusted-root", "root.json", ...who, form, image);
    assert.equal(verified.code, 0, verified.stderr);
  }
});

test("prune: a newer signature that differs in what a policy may demand of its certificate -> supersedes nothing", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const io = { ...sigstore.io, ...QUICK };
  const ok = async (...argv: string[]) => {
    const done = await run(argv, { cwd, io });
    assert.equal(done.code, 0, done.stderr);
    return done.stdout;
  };
  const name = `${sigstore.registry}/app:v1`;
  const store = await openRegistry(testIo({ cwd, io }), parseReference(name), PLAIN_REGISTRY);
  await pushImage(store, { file: "app", content: Buffer.from("content"), tag: "v1" });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sigstore.signingConfig.rekor1);
  const trust = ["--trusted-root", "root.json"];
  const sign = (claims: Parameters<typeof sigstore.mintJob>[0]) =>
    ok("sign", "-y", "--signing-config=config.json", ...trust, "--identity-token", sigstore.mintJob(claims), name);
  const any = ["--certificate-identity-regexp=^https://github.com/acme/", "--certificate-oidc-issuer-regexp=^http"];
  const superseded = async () => (await ok("prune", ...trust, ...any, name)).match(/^would remove/gm)?.length ?? 0;
  await sign({});
  await sign({ runner_environment: "self-hosted" });
  await sign({ job_workflow_sha: "b".repeat(40) });
  assert.equal(await superseded(), 0);
  await sign({ run_id: "another" });
  assert.equal(await superseded(), 1, "another run of the same job");
});

test("prune: a newer signature without the certificate of an older one -> supersedes nothing", async (t) => {
  const { cwd, image, ok, store, digest } = await storageWorkshop(t);
  const certs = join(import.meta.dirname, "../fixtures/certs");
  const pem = (name: string) => readFileSync(join(certs, `${name}.pem`), "utf8");
  writeFileSync(join(cwd, "chain.pem"), pem("intermediate") + pem("root"));
  await ok("import-key-pair", "--key", join(certs, "leaf.key"), "--output-key-prefix=dev");
  const tag = attachmentTag(digest, "sig");
  const sign = async (...flags: string[]) => {
    await ok("sign", "--key=dev.key", "-y", ...OFFLINE, LEGACY, ...flags, image);
    const { manifest } = (await store.manifest(tag)) ?? assert.fail();
    await store.delete(tag);
    return manifest;
  };
  const certified = await sign("--certificate", join(certs, "leaf.pem"), "--certificate-chain=chain.pem");
  const again = await sign("--certificate", join(certs, "leaf.pem"), "--certificate-chain=chain.pem");
  const [bare, other] = [await sign(), await sign()];
  const superseded = async (...signed: (typeof bare)[]) => {
    const layers = signed.flatMap((each) => each.layers);
    const { mediaType, config } = bare;
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
    await store.putManifest(bytes, { mediaType, tag });
    const { stdout } = await ok("prune", "--key=dev.pub", NO_LOG, image);
    return stdout.match(/^would remove/gm)?.length ?? 0;
  };
  assert.equal(await superseded(certified, bare), 0);
  assert.equal(await superseded(bare, other), 1);
  assert.equal(await superseded(certified, again), 1);
});

test("prune: a signature that is stored twice, as cosign attach does -> stays", async (t) => {
  const { sign, image, ok, tsign, store, digest } = await storageWorkshop(t);
  await sign(LEGACY);
  const tag = attachmentTag(digest, "sig");
  const { manifest } = (await store.manifest(tag)) ?? assert.fail();
  const { mediaType, config, layers } = manifest;
  const twice = JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [...layers, ...layers] });
  await store.putManifest(Buffer.from(twice), { mediaType, tag });
  await tsign("prune", "--key=a.pub", NO_LOG, "--apply", image);
  await ok("verify", "--key=a.pub", NO_LOG, image);
});

/** Answers some requests of a command in place of the registry. */
function refusing(which: RegExp, status: number, more: { after?: number } = {}): Partial<Io> {
  const { http } = testIo();
  let left = more.after ?? 0;
  return {
    ...QUICK,
    http: async (request) => {
      const isMeant = which.test(`${request.method} ${request.url.pathname}`) && left-- <= 0;
      return isMeant ? { status, headers: {}, body: (async function* () {})(), discard() {} } : http(request);
    },
  };
}

test("prune: a registry that does not delete -> not removed with the API; off the fallback index without it", async (t) => {
  for (const referrers of [true, false]) {
    const { prune, digests } = await signedOften(t, { referrers });
    const before = await digests();
    const done = await prune({ io: refusing(/^DELETE /, 405) }, "--apply");
    assert.equal(done.code, referrers ? 1 : 0, done.stderr);
    assert.deepEqual(done.states, ["kept", "kept", ...Array(2).fill(referrers ? "failed" : "unlisted")].sort());
    assert.match(
      done.stderr,
      referrers ? /not everything could be removed/ : /still stored, but no longer listed as referrers: 2/,
    );
    assert.equal((await digests()).length, referrers ? before.length : before.length - 2);
  }
});

test("prune: a failure after the first deletion -> the fallback index lists only what exists, and a second run completes", async (t) => {
  const { prune, digests, store, ok, image } = await signedOften(t, { referrers: false });
  const broken = await prune({ io: refusing(/^DELETE /, 403, { after: 1 }) }, "--apply");
  assert.deepEqual(broken.states, ["kept", "kept", "removed", "unlisted"]);
  for (const each of await digests()) assert.ok(await store.resolve(each));
  assert.deepEqual((await prune("--apply")).states, ["kept", "kept"]);
  await ok("verify", "--key", "a.pub", NO_LOG, image);
});

test("prune: the index cannot be written, tags or referrers cannot be listed -> an error, and nothing removed", async (t) => {
  for (const [which, status] of [
    [/^PUT .*\/manifests\/sha256-/, 403],
    [/^GET .*\/tags\/list/, 403],
    [/^GET .*\/referrers\//, 500],
  ] as const) {
    const { prune, digests } = await signedOften(t, { referrers: false });
    const before = await digests();
    const done = await prune({ io: refusing(which, status) }, "--apply");
    assert.notEqual(done.code, 0, String(which));
    assert.deepEqual(await digests(), before, String(which));
  }
});

test("prune: the newest signature disappears before the removal -> nothing removed", async (t) => {
  const { prune, digests, store } = await signedOften(t);
  const [newest] = (await prune()).planned.filter(({ reason }) => /newest/.test(reason));
  const { http } = testIo();
  const io: Partial<Io> = {
    ...QUICK,
    http: async (request) => {
      if (request.url.pathname.includes("/tags/list")) await store.delete(digestIn(newest)); // after it was verified
      return http(request);
    },
  };
  const before = await digests();
  const done = await prune({ io }, "--apply");
  assert.equal(done.code, 1);
  assert.match(done.stderr, /no longer exists/);
  assert.deepEqual(
    await digests(),
    before.filter((each) => each !== digestIn(newest)),
  );
});
