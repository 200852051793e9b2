import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { goJson } from "../src/format/go-json.ts";
import { attachmentTag, fallbackTag } from "../src/oci/tags.ts";
import { attachReferrer, descriptorOf, listed, storageWorkshop } from "./support/storage.ts";
import { LEGACY, OFFLINE, testIo } from "./support/test-io.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const ESCAPE = "\u001b[2J";

test("tree, download, verify: control characters in attached data -> escaped", async (t) => {
  const { ok, tsign, image, digest, store } = await storageWorkshop(t);
  const subject = await descriptorOf(store, digest);
  const annotations = { "dev.sigstore.bundle.predicateType": `${ESCAPE}\nVerified OK` };
  const layer = JSON.stringify({ mediaType: `${ESCAPE}\nVerified OK` });
  await attachReferrer(store, subject, { layer, layerType: BUNDLE, more: { annotations } });
  const outputs = [
    (await ok("tree", image)).stdout,
    (await tsign("download", "signature", image)).stderr,
    (await tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", image)).stderr,
  ];
  for (const output of outputs) {
    assert.match(output, /Verified OK/, "the text is shown");
    assert.doesNotMatch(output, /\u001b|^Verified OK/m);
  }
});

test("stale fallback index -> verify and tree name it; a valid signature still counts", async (t) => {
  const { tsign, ok, image, digest, sign, store } = await storageWorkshop(t, { referrers: false });
  await sign();
  const [signed] = await listed(store, digest);
  assert.ok(signed);
  const index = `${image.split("@")[0]}:${fallbackTag(digest)}`;
  const stale = new RegExp(`manifest not found, but the referrers index ${index} still lists it and is out of date`);
  await store.delete(signed.digest); // like `cosign clean`, which leaves the index
  const refused = await tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", image);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, stale);
  assert.match((await ok("tree", image)).stderr, stale);
  await sign();
  assert.equal((await tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", image)).code, 0);
});

test("unreadable referrer -> named; others are still shown", async (t) => {
  const { ok, image, digest, sign, store } = await storageWorkshop(t, { referrers: false });
  await sign();
  const [signed] = await listed(store, digest);
  assert.ok(signed);
  const gone = { ...signed, digest: `sha256:${"0".repeat(64)}` };
  const notOne = await store.putBlob(Buffer.from("not a manifest"));
  const listing = {
    schemaVersion: 2,
    mediaType: INDEX,
    manifests: [gone, { ...notOne, mediaType: signed.mediaType }, signed],
  };
  await store.putManifest(Buffer.from(goJson(listing)), { mediaType: INDEX, tag: fallbackTag(digest) });
  const tree = await ok("tree", image);
  assert.match(tree.stdout, new RegExp(`OCI referrer: .*@${signed.digest}\n`));
  assert.equal(tree.stderr.match(/^WARNING: cannot read /gm)?.length, 2);
  await ok("clean", "-f", image);
  assert.deepEqual(await store.tags(), ["v1"], "entries that are gone keep no index alive");
});

test("clean: bundle of another image in the fallback index -> not deleted", async (t) => {
  const { ok, tsign, image, digest, sign, store, cwd } = await storageWorkshop(t, { referrers: false });
  await sign();
  await testIo({ cwd }).files.write("other", "other", { mode: 0o644 });
  const second = (await ok("sandbox", "push", "app:v2", "other")).stdout.trim();
  await ok("sign", "--key", "a.key", ...OFFLINE, second);
  const otherDigest = second.split("@")[1] as typeof digest;
  const [mine, theirs] = [await listed(store, digest), await listed(store, otherDigest)];
  const listing = { schemaVersion: 2, mediaType: INDEX, manifests: [...mine, ...theirs] };
  await store.putManifest(Buffer.from(goJson(listing)), { mediaType: INDEX, tag: fallbackTag(digest) });
  await ok("clean", "-f", image);
  assert.equal((await tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", second)).code, 0);
  assert.notEqual((await tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", image)).code, 0);
});

test("clean: afterwards nothing verifies, OCI 1.1 mode included", async (t) => {
  const { tsign, ok, image, env } = await storageWorkshop(t);
  env["COSIGN_EXPERIMENTAL"] = "1";
  await ok("sign", "--key", "a.key", ...OFFLINE, LEGACY, "--registry-referrers-mode", "oci-1-1", image);
  const verify = () => tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", image);
  assert.equal((await verify()).code, 0);
  await ok("clean", "-f", image);
  assert.equal((await verify()).code, 10);
});

test("clean --type signature by tag -> names the bundles that remain", async (t) => {
  const { ok, image, sign } = await storageWorkshop(t);
  await sign();
  assert.match((await ok("clean", "-f", "--type", "signature", image)).stderr, /^WARNING: 1 bundle.* --type referrer/);
  assert.doesNotMatch((await ok("clean", "-f", "--type", "sbom", image)).stderr, /WARNING/);
});

test("clean: image deleted -> attachments removed by its digest", async (t) => {
  const { ok, image, digest, sign, store } = await storageWorkshop(t);
  await sign(LEGACY);
  await sign();
  await store.delete(digest);
  const cleaned = await ok("clean", "-f", image);
  assert.equal(cleaned.stderr.match(/^Removed /gm)?.length, 2);
  assert.deepEqual(await store.tags(), []);
});

test("download signature: prints bundles of any version unchanged, on one line", async (t) => {
  const { ok, image, digest, store, sign, cwd } = await storageWorkshop(t);
  await sign("--bundle", "b.json");
  await ok("clean", "-f", image);
  const bundle = JSON.parse(Buffer.from(await testIo({ cwd }).files.read("b.json", { maxBytes: 1e6 })).toString());
  const older = { ...bundle, mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.3" };
  const subject = await descriptorOf(store, digest);
  for (const layer of [JSON.stringify(older), JSON.stringify(older, null, 2)]) {
    const stored = await attachReferrer(store, subject, { layer, layerType: BUNDLE });
    assert.equal((await ok("download", "signature", image)).stdout, `${JSON.stringify(older)}\n`);
    await store.delete(stored.digest);
  }
});

test("download signature: legacy certificates -> base64 DER, each signature once", async (t) => {
  const { ok, image, digest, sign, store } = await storageWorkshop(t);
  await sign(LEGACY);
  const tag = attachmentTag(digest, "sig");
  const stored = (await store.manifest(tag)) ?? assert.fail("no signature");
  const pem = readFileSync(new URL("../fixtures/images/leaf.pem", import.meta.url), "utf8");
  const manifest = JSON.parse(Buffer.from(stored.bytes).toString());
  const [layer] = manifest.layers;
  layer.annotations["dev.sigstore.cosign/certificate"] = pem;
  layer.annotations["dev.sigstore.cosign/chain"] = pem;
  manifest.layers.push(layer);
  await store.putManifest(Buffer.from(goJson(manifest)), { mediaType: stored.descriptor.mediaType, tag });
  const lines = (await ok("download", "signature", image)).stdout.trim().split("\n");
  assert.equal(lines.length, 1);
  const raw = new X509Certificate(pem).raw.toString("base64");
  const { Cert, Chain } = JSON.parse(lines[0] ?? "");
  assert.equal(Cert.Raw, raw);
  assert.deepEqual(
    Chain.map((each: { Raw: string }) => each.Raw),
    [raw],
  );
});
