import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type TestContext, test } from "node:test";
import { attachmentTag } from "../../src/oci/tags.ts";
import { crowdedRegistry } from "../support/crowd.ts";
import { writeKeyPairs } from "../support/key-pairs.ts";
import { LEGACY, NO_LOG, OFFLINE, run, temporaryFolder } from "../support/test-io.ts";

const VERIFY = ["verify", "--key", "a.pub", NO_LOG];
const COUNT = 500;

/** An image in a registry for many referrers, and the key pair `a`. */
async function workshop(context: TestContext, options = { referrers: true }) {
  const cwd = temporaryFolder(context);
  const registry = await crowdedRegistry(context, options);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry.address };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr.slice(-500)}`);
    return outcome;
  };
  writeKeyPairs(cwd, "a", "b");
  const image = (await ok("sandbox", "push", "app:v1")).stdout.trim();
  const subject = image.slice(image.indexOf("@") + 1) as `sha256:${string}`;
  const sign = (...flags: string[]) => ok("sign", "--key", "a.key", ...OFFLINE, ...flags, image);
  return { registry, tsign, ok, image, subject, sign };
}

for (const referrers of [true, false]) {
  const where = referrers ? "" : ", listed by the fallback tag";

  test(`verify: valid bundle among ${COUNT} referrers of another type -> found without fetching those${where}`, async (t) => {
    const { registry, ok, tsign, image, subject, sign } = await workshop(t, { referrers });
    await sign();
    registry.gather({ subject, kind: "scan", count: COUNT, position: COUNT / 2, pageSize: 100 });
    registry.take();
    await ok(...VERIFY, image);
    const asked = registry.take();
    assert.ok(asked.length < 30, `${asked.length} requests`);
    const other = await tsign("verify", "--key", "b.pub", NO_LOG, image);
    assert.equal(other.code, 1, other.stderr);
    assert.match((await ok("tree", image)).stdout, /sigstore.dev\/cosign\/sign\/v1 artifacts via OCI referrer/);
    assert.equal((await ok("download", "signature", image)).stdout.trim().split("\n").length, 1);
    await ok("clean", "-f", "--type", "all", image);
    registry.gather({ subject, kind: "scan", count: COUNT, position: 0, pageSize: 100 });
    const unsigned = await tsign(...VERIFY, image);
    assert.equal(unsigned.code, 10, unsigned.stderr);
  });
}

test("verify: valid bundle before, among or after many invalid ones -> verified; none -> refused", async (t) => {
  const { registry, ok, tsign, image, subject, sign } = await workshop(t);
  registry.gather({ subject, kind: "junk", count: 300, position: 0 });
  const none = await tsign(...VERIFY, image);
  assert.equal(none.code, 1, none.stderr.slice(-300));
  assert.match(none.stderr, /no matching signatures: 300 found/);
  registry.gather(undefined);
  await sign();
  for (const position of [0, 200, 300]) {
    registry.gather({ subject, kind: "junk", count: 300, position, pageSize: 70 });
    await ok(...VERIFY, image);
  }
});

test("verify: one bundle listed by many referrers -> fetched and verified once", async (t) => {
  const { registry, ok, image, subject, sign } = await workshop(t);
  await sign();
  const bundle = Buffer.from((await ok("download", "signature", image)).stdout.trim());
  const digest = `sha256:${createHash("sha256").update(bundle).digest("hex")}`;
  const blob = { digest, size: bundle.length, pieces: () => [bundle] };
  registry.gather({ subject, kind: "shared", count: 400, position: 200, blob });
  registry.take();
  const verified = await ok(...VERIFY, image);
  const fetched = registry.take().filter((request) => request.endsWith(`/blobs/${digest}`));
  assert.equal(fetched.length, 1);
  assert.equal(JSON.parse(verified.stdout).length, 1, "one signature, stored once, is one signature");
});

test(`verify: valid layer before, among or after ${COUNT} invalid ones -> verified`, async (t) => {
  const { registry, ok, tsign, image, subject, sign } = await workshop(t);
  await sign(LEGACY);
  for (const position of [0, COUNT / 2, COUNT]) {
    registry.gatherLayers({ tag: attachmentTag(subject, "sig"), count: COUNT, position });
    await ok(...VERIFY, image);
  }
  const other = await tsign("verify", "--key", "b.pub", NO_LOG, image);
  assert.equal(other.code, 12, other.stderr.slice(-300));
});

test("verify: referrers list interrupted -> warning with a valid signature, error without", async (t) => {
  for (const signed of [true, false]) {
    const { registry, tsign, image, subject, sign } = await workshop(t);
    if (signed) await sign();
    registry.gather({ subject, kind: "scan", count: 5, position: 0, pageSize: 3, brokenPage: 3 });
    const outcome = await tsign(...VERIFY, image);
    assert.match(outcome.stderr, /returned 404/);
    if (signed) assert.equal(outcome.code, 0, outcome.stderr);
    else {
      assert.equal(outcome.code, 1, outcome.stderr);
      assert.doesNotMatch(outcome.stderr, /no signatures found/);
    }
  }
});

test("copy, load: fallback index of each subject is written once", async (t) => {
  const { registry, ok, image, subject, sign } = await workshop(t, { referrers: false });
  for (const _time of ["first", "second", "third"]) await sign("-a", `n=${_time}`);
  registry.take();
  const writes = () =>
    registry.take().filter((each) => each.startsWith("PUT") && each.endsWith(subject.replace(":", "-")));
  const copied = image.replace(/\/app@.*/, "/copied:v1");
  await ok("copy", image, copied);
  assert.equal(writes().length, 1);
  assert.equal(JSON.parse((await ok(...VERIFY, copied)).stdout).length, 3);
  await ok("save", "--dir", "saved", image);
  const loaded = image.replace(/\/app@.*/, "/loaded:v1");
  await ok("load", "--dir", "saved", loaded);
  assert.equal(writes().length, 1);
  assert.equal(JSON.parse((await ok(...VERIFY, loaded)).stdout).length, 3);
});
