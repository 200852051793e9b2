import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Io } from "../src/io/io.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { attachmentTag } from "../src/oci/tags.ts";
import type { Descriptor, ImageStore } from "../src/oci/types.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { attachReferrer, descriptorOf, listed, storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, run, testIo } from "./support/test-io.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";

async function workshop(...from: Parameters<typeof storageWorkshop>) {
  const shop = await storageWorkshop(...from);
  const open = (text: string) => openRegistry(testIo({ cwd: shop.cwd }), parseReference(text), PLAIN_REGISTRY);
  writeKeyPairs(shop.cwd, "b");
  const verify = (key: string, ...more: string[]) => shop.tsign("verify", "--key", key, NO_LOG, ...more);
  return { ...shop, open, verify };
}

/** Two platforms of one image, which differ only in their descriptors. */
async function pushIndex(store: ImageStore, image: Descriptor): Promise<Descriptor> {
  const stored = await store.manifest(image.digest);
  const text = Buffer.from(stored?.bytes ?? "").toString();
  const other = await store.putManifest(Buffer.from(text.replace(/\}$/, ',"annotations":{"arch":"arm64"}}')), {
    mediaType: image.mediaType,
  });
  const platform = (architecture: string) => ({ platform: { os: "linux", architecture } });
  const manifests = [
    { ...image, ...platform("amd64") },
    { ...other, ...platform("arm64") },
  ];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }));
  await store.putManifest(bytes, { mediaType: INDEX, tag: "multi" });
  return other;
}

for (const referrers of [true, false]) {
  test(`save and load keep image, signatures and referrers (referrers API: ${referrers})`, async (t) => {
    const { cwd, ok, image, registry, sign, store, digest, verify, open } = await workshop(t, { referrers });
    await sign(LEGACY);
    await ok("sign", "--key", "b.key", ...OFFLINE, image);
    const more = { artifactType: "application/spdx+json" };
    await attachReferrer(store, await descriptorOf(store, digest), { layer: "sbom", layerType: "text/spdx", more });
    const saved = await ok("save", "--dir", "saved", image);
    assert.equal(saved.stdout, "");
    assert.match(saved.stderr, /^Saved \S+@sha256:[0-9a-f]{64} with \d+ attachments? to \S+\n$/);
    const index = JSON.parse(readFileSync(join(cwd, "saved/index.json"), "utf8"));
    const kinds = index.manifests.map((each: Descriptor) => each.annotations?.["kind"]);
    assert.deepEqual(kinds, ["dev.cosignproject.cosign/image", "dev.cosignproject.cosign/sigs"]);
    const loaded = `${registry}/mirror:v2`;
    const load = await ok("load", "--dir", "saved", loaded);
    assert.equal(load.stdout, "");
    assert.match(load.stderr, /^Loaded \S+@sha256:[0-9a-f]{64} with \d+ attachments?\n$/);
    for (const key of ["a.pub", "b.pub"]) assert.equal((await verify(key, loaded)).code, 0, key);
    assert.equal((await verify("a.pub", "--local-image", "saved")).code, 0);
    assert.equal((await listed(await open(loaded), digest)).length, 2);
  });
}

test("load: merges with existing signatures; repeated -> no change", async (t) => {
  const { ok, image, registry, sign, digest, verify, open } = await workshop(t);
  await sign(LEGACY);
  await ok("save", "--dir", "saved", image);
  const loaded = `${registry}/mirror:v1`;
  await ok("load", "--dir", "saved", loaded);
  await ok("clean", "--force", loaded);
  await ok("sign", "--key", "b.key", ...OFFLINE, LEGACY, `${registry}/mirror@${digest}`);
  assert.equal((await verify("a.pub", loaded)).code, 12);
  for (let time = 1; time <= 2; time++) {
    await ok("load", "--dir", "saved", loaded);
    for (const key of ["a.pub", "b.pub"]) assert.equal((await verify(key, loaded)).code, 0, key);
    const stored = await (await open(loaded)).manifest(attachmentTag(digest, "sig"));
    assert.equal(stored?.manifest.layers.length, 2);
  }
});

test("load: reference with another digest -> refused", async (t) => {
  const { ok, tsign, image, registry, digest, open } = await workshop(t);
  await ok("save", "--dir", "saved", image);
  const refused = await tsign("load", "--dir", "saved", `${registry}/mirror@sha256:${"0".repeat(64)}`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /digest mismatch for saved: got sha256:[0-9a-f]+, want sha256:0/);
  await ok("load", "--dir", "saved", `${registry}/mirror@${digest}`);
  const store = await open(`${registry}/mirror`);
  assert.ok(await store.resolve(digest));
  assert.deepEqual(await store.tags(), []);
});

test("save, load: --dir is required; COSIGN_DIR sets it", async (t) => {
  const { tsign, env, ok, image } = await workshop(t);
  for (const command of ["save", "load"]) {
    assert.match((await tsign(command, image)).stderr, /^Error: required flag\(s\) "dir" not set\n/);
  }
  env["COSIGN_DIR"] = "saved";
  await ok("save", image);
});

test("save, load: folder with symbolic links -> refused", async (t) => {
  const { cwd, ok, tsign, image, registry } = await workshop(t);
  writeFileSync(join(cwd, "victim"), "untouched");
  mkdirSync(join(cwd, "trap"));
  symlinkSync(join(cwd, "victim"), join(cwd, "trap/index.json"));
  const saved = await tsign("save", "--dir", "trap", image);
  assert.equal(saved.code, 1);
  assert.match(saved.stderr, /trap\/index\.json is not a regular file/);
  assert.equal(readFileSync(join(cwd, "victim"), "utf8"), "untouched");
  await ok("save", "--dir", "saved", image);
  mkdirSync(join(cwd, "trap2"));
  symlinkSync(join(cwd, "saved/blobs"), join(cwd, "trap2/blobs"));
  for (const name of ["index.json", "oci-layout"]) {
    writeFileSync(join(cwd, "trap2", name), readFileSync(join(cwd, "saved", name)));
  }
  const loaded = await tsign("load", "--dir", "trap2", `${registry}/mirror:v1`);
  assert.equal(loaded.code, 1);
  assert.match(loaded.stderr, /trap2\/blobs is not a folder/);
});

test("copy: index -> platforms, signatures and attachments are copied", async (t) => {
  const { ok, image, registry, ref, sign, store, digest, verify, open } = await workshop(t);
  const other = await pushIndex(store, await descriptorOf(store, digest));
  await sign(LEGACY);
  await ok("sign", "--key", "b.key", ...OFFLINE, `${ref.name}@${other.digest}`);
  const copied = await ok("copy", `${ref.name}:multi`, `${registry}/mirror:v1`);
  assert.equal(copied.stdout, "");
  assert.match(copied.stderr, /^Command "copy" is deprecated, /);
  assert.match(copied.stderr, /Copying .*@sha256:[0-9a-f]+ to .*mirror@sha256:[0-9a-f]+\.\.\.\n/);
  assert.equal((await verify("a.pub", `${registry}/mirror@${digest}`)).code, 0);
  assert.equal((await verify("b.pub", `${registry}/mirror@${other.digest}`)).code, 0);
  assert.deepEqual(await (await open(`${registry}/mirror`)).tags(), [attachmentTag(digest, "sig"), "v1"]);
  await ok("copy", "--platform", "linux/arm64", `${ref.name}:multi`, `${registry}/single:v1`);
  const single = await open(`${registry}/single`);
  assert.equal((await single.resolve("v1"))?.digest, other.digest);
  assert.equal((await single.resolve(digest))?.digest, undefined);
  assert.ok(image);
});

test("copy --platform: no such platform -> hint lists the available ones", async (t) => {
  const { tsign, ref, image, store, digest, registry } = await workshop(t);
  await pushIndex(store, await descriptorOf(store, digest));
  const absent = await tsign("copy", "--platform", "linux/s390x", `${ref.name}:multi`, `${registry}/mirror:v1`);
  assert.equal(absent.code, 1);
  assert.match(
    absent.stderr,
    /no image for platform linux\/s390x\nhint: set --platform to one of linux\/amd64, linux\/arm64/,
  );
  const several = await tsign("copy", "--platform", "linux", `${ref.name}:multi`, `${registry}/mirror:v1`);
  assert.match(several.stderr, /several images for platform linux/);
  const single = await tsign("copy", "--platform", "linux/amd64", image, `${registry}/mirror:v1`);
  assert.match(single.stderr, /specified reference is not a multiarch image/);
});

test("copy: existing tag -> refused before sending, replaced with --force", async (t) => {
  const { ok, tsign, image, registry, sign, digest, open } = await workshop(t);
  await ok("sandbox", "push", "other:v1", "a.pub");
  await sign();
  const refused = await tsign("copy", image, `${registry}/other:v1`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /image "localhost:\d+\/other:v1" already exists\nhint: replace it with --force/);
  const store = await open(`${registry}/other`);
  assert.equal(await store.resolve(digest), undefined);
  await ok("copy", "-f", image, `${registry}/other:v1`);
  assert.equal((await store.resolve("v1"))?.digest, digest);
  await ok("copy", image, `${registry}/other:v1`); // copying the same image again is not a conflict
});

test("copy: a tag or a signature that another client writes meanwhile -> refused, kept; replaced with --force", async (t) => {
  for (const kind of ["image", "sig"] as const) {
    const { ok, env, cwd, image, registry, sign, digest, open } = await workshop(t);
    await sign(LEGACY);
    const other = (await ok("sandbox", "push", "other:another", "a.pub")).stdout.trim();
    const store = await open(other);
    const stored = (await store.manifest("another")) ?? assert.fail("no image");
    const tag = kind === "image" ? "v1" : attachmentTag(digest, "sig");
    const { http } = testIo();
    let written = 0;
    const io: Partial<Io> = {
      http: async (request) => {
        if (request.method === "PUT" && request.url.pathname.includes("/other/manifests/sha256:") && written++ === 0) {
          await store.putManifest(stored.bytes, { mediaType: stored.descriptor.mediaType, tag });
        }
        return http(request);
      },
    };
    const refused = await run(["copy", image, `${registry}/other:v1`], { cwd, env, io });
    assert.equal(refused.code, 1, kind);
    assert.ok(written > 0, kind);
    assert.ok(refused.stderr.includes(`/other:${tag}" already exists\nhint: replace it with --force`), refused.stderr);
    assert.equal((await store.resolve(tag))?.digest, stored.descriptor.digest, kind);
    await ok("copy", "-f", image, `${registry}/other:v1`);
    assert.notEqual((await store.resolve(tag))?.digest, stored.descriptor.digest, kind);
  }
});

test("copy --only: copies the named parts, no tag", async (t) => {
  const { ok, tsign, image, registry, sign, store, digest, verify, open } = await workshop(t);
  await sign(LEGACY);
  await ok("sign", "--key", "b.key", ...OFFLINE, image);
  const more = { artifactType: "application/spdx+json" };
  await attachReferrer(store, await descriptorOf(store, digest), { layer: "sbom", layerType: "text/spdx", more });
  await ok("copy", "--only=sig", image, `${registry}/only:v1`);
  for (const key of ["a.pub", "b.pub"]) assert.equal((await verify(key, `${registry}/only@${digest}`)).code, 0, key);
  const only = await open(`${registry}/only`);
  assert.deepEqual(await only.tags(), [attachmentTag(digest, "sig")]);
  assert.equal((await listed(only, digest)).length, 1, "no SBOM");
  await ok("copy", "--only=sbom", image, `${registry}/sboms`);
  assert.equal((await listed(await open(`${registry}/sboms`), digest)).length, 1);
  assert.equal((await verify("a.pub", `${registry}/sboms@${digest}`)).code, 10);
  const unknown = await tsign("copy", "--only=sigs", image, `${registry}/x`);
  assert.match(unknown.stderr, /invalid argument "sigs" for "--only" flag/);
});

test("copy: signatures from COSIGN_REPOSITORY -> stored with the copied image", async (t) => {
  const { ok, env, image, registry, digest, sign, verify } = await workshop(t);
  env["COSIGN_REPOSITORY"] = `${registry}/signatures`;
  await sign(LEGACY);
  await sign();
  await ok("copy", image, `${registry}/mirror:v1`);
  delete env["COSIGN_REPOSITORY"];
  for (const form of [[LEGACY], []]) {
    assert.equal((await verify("a.pub", ...form, `${registry}/mirror@${digest}`)).code, 0);
  }
});

test("save: own folder -> overwritten with a warning; folder of another program -> refused", async (t) => {
  const { ok, tsign, cwd, image } = await storageWorkshop(t);
  writeFileSync(join(cwd, "content"), "other");
  const other = (await ok("sandbox", "push", "other:v1", "content")).stdout.trim();
  const index = () => readFileSync(join(cwd, "saved/index.json"), "utf8");
  await ok("save", "--dir", "saved", image);
  assert.doesNotMatch((await ok("save", "--dir", "saved", image)).stderr, /WARNING/);
  assert.match((await ok("save", "--dir", "saved", other)).stderr, /^WARNING: replacing sha256:[0-9a-f]{64} in saved/);
  assert.match(index(), new RegExp(other.slice(other.indexOf("sha256:"))));
  const foreign = JSON.parse(index());
  foreign.manifests[0].annotations = { "org.opencontainers.image.ref.name": "v1" };
  for (const [name, text, reason] of [
    ["index.json", JSON.stringify(foreign), /save to saved: .*another program: v1/],
    ["index.json", '{"name":"a web site"}', /saved/],
  ] as const) {
    writeFileSync(join(cwd, "saved", name), text);
    const refused = await tsign("save", "--dir", "saved", image);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, reason);
    assert.equal(index(), text);
  }
  rmSync(join(cwd, "saved/oci-layout"));
  assert.match((await tsign("save", "--dir", "saved", image)).stderr, /index\.json that is not from an image layout/);
});
