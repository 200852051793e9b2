import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE } from "./support/test-io.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";

/** An index `multi` of two platforms. */
async function workshop(t: TestContext) {
  const shop = await storageWorkshop(t);
  const { store, digest, registry, ref, tsign } = shop;
  const image = (await store.manifest(digest)) ?? assert.fail();
  const text = Buffer.from(image.bytes).toString();
  const { mediaType } = image.descriptor;
  const other = await store.putManifest(Buffer.from(text.replace(/\}$/, ',"annotations":{"arch":"arm64"}}')), {
    mediaType,
  });
  const manifests = [
    { ...image.descriptor, platform: { os: "linux", architecture: "amd64" } },
    { ...other, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
  ];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
  const index = await store.putManifest(bytes, { mediaType: INDEX, tag: "multi" });
  const multi = `${registry}/app:multi`;
  const verify = (...more: string[]) => tsign("verify", "--key", "a.pub", NO_LOG, ...more);
  const at = (one: { digest: string }) => `${ref.name}@${one.digest}`;
  return { ...shop, multi, index, arm: other, verify, at };
}

test("verify --recursive: index and platforms signed -> one line each; without it the index only", async (t) => {
  const { ok, multi, verify, index, arm, at, digest } = await workshop(t);
  await ok("sign", "--key", "a.key", "--recursive", ...OFFLINE, multi);
  const all = await verify("--recursive", multi);
  assert.equal(all.code, 0, all.stderr);
  assert.equal(all.stdout.match(/^\[/gm)?.length, 3);
  assert.match(all.stderr, /3 of 3 images verified|3 images verified/);
  for (const each of [index.digest, arm.digest, digest]) assert.ok(all.stdout.includes(each), each);
  const lines = all.stderr.split("\n").filter((line) => line.includes(": verified, signed by key "));
  assert.equal(lines.length, 3);
  assert.ok((lines[0] ?? "").startsWith(`${multi}@${index.digest}: `), all.stderr);
  assert.ok((lines[1] ?? "").startsWith(`${at({ digest })} (linux/amd64): `), all.stderr);
  assert.ok((lines[2] ?? "").startsWith(`${at(arm)} (linux/arm64/v8): `), all.stderr);
  assert.equal((await verify(multi)).stdout.match(/^\[/gm)?.length, 1);
  const single = await verify("--recursive", at(arm));
  assert.equal(single.code, 0, single.stderr);
  assert.equal(single.stdout.match(/^\[/gm)?.length, 1);
});

test("verify --recursive: one platform not signed -> refused, and named", async (t) => {
  const { ok, multi, verify, arm, at, digest, registry } = await workshop(t);
  await ok("sign", "--key", "a.key", ...OFFLINE, multi);
  await ok("sign", "--key", "a.key", ...OFFLINE, at({ digest }));
  assert.equal((await verify(multi)).code, 0);
  const refused = await verify("--recursive", multi);
  assert.equal(refused.code, 10, refused.stderr);
  assert.match(refused.stderr, new RegExp(`no signatures found for \\S+@${arm.digest}`));
  assert.match(refused.stderr, /2 of 3 images verified/);
  assert.equal(refused.stderr.match(/: verified, signed by key /g)?.length, 2);
  assert.match(refused.stderr, new RegExp(`@${arm.digest} \\(linux/arm64/v8\\): no signatures found$`, "m"));
  const missing = await verify("--recursive", `${registry}/app:none`, multi);
  assert.equal(missing.code, 10);
  assert.match(missing.stderr, /no such image: \S+app:none/);
  const both = await verify("--recursive", "--signature", "x", multi);
  assert.notEqual(both.code, 0);
  assert.match(both.stderr, /recursive.*signature/);
});

test("verify --recursive --local-image: archive of an index -> every platform is verified", async (t) => {
  const { ok, multi, verify } = await workshop(t);
  await ok("sign", "--key", "a.key", ...OFFLINE, multi);
  await ok("save", "--dir", "all.tar", multi);
  assert.equal((await verify("--local-image", "all.tar")).code, 0);
  assert.notEqual((await verify("--recursive", "--local-image", "all.tar")).code, 0);
  await ok("sign", "--key", "a.key", "--recursive", ...OFFLINE, multi);
  await ok("save", "--dir", "all.tar", multi);
  const all = await verify("--recursive", "--local-image", "all.tar");
  assert.equal(all.code, 0, all.stderr);
  assert.equal(all.stdout.match(/^\[/gm)?.length, 3);
});
