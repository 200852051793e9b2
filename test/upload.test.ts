import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, testIo } from "./support/test-io.ts";

async function workshop(...from: Parameters<typeof storageWorkshop>) {
  const shop = await storageWorkshop(...from);
  const manifest = async (text: string) => {
    const ref = parseReference(text);
    const store = await openRegistry(testIo({ cwd: shop.cwd }), ref, PLAIN_REGISTRY);
    return (await store.manifest(ref.identifier))?.manifest ?? assert.fail(`${text} is not there`);
  };
  for (const [name, content] of Object.entries({ text: "text", "odd:name": "odd", module: "\0asm\x01\0\0\0" })) {
    writeFileSync(join(shop.cwd, name), content);
  }
  return { ...shop, manifest };
}

test("upload blob stores one file as an image, and prints where", async (t) => {
  const { ok, registry, manifest } = await workshop(t);
  const { stdout, stderr } = await ok("upload", "blob", "-a", "who=me", "-f", "text", `${registry}/blob:v1`);
  assert.match(stdout, /^localhost:\d+\/blob@sha256:[0-9a-f]{64}\n$/);
  assert.match(stderr, /^Uploading file from \[text\] to \[.*\] with media type \[text\/plain\]\n/);
  const stored = await manifest(stdout.trim());
  assert.deepEqual(await manifest(`${registry}/blob:v1`), stored);
  assert.deepEqual(stored.annotations, { who: "me" });
  assert.equal(stored.layers.length, 1);
  assert.equal(stored.layers[0]?.mediaType, "text/plain");
  await ok("upload", "blob", "--ct", "text/x-mine", "-f", "odd:name", `${registry}/blob:v2`);
  assert.equal((await manifest(`${registry}/blob:v2`)).layers[0]?.mediaType, "text/x-mine");
});

test("upload blob makes an index of several files, which can be signed", async (t) => {
  const { ok, registry, manifest } = await workshop(t);
  const image = `${registry}/blob:v1`;
  const files = ["-f", "text:linux/amd64", "-f", "module:linux/arm64/v8,odd:name:darwin"];
  const { stdout, stderr } = await ok("upload", "blob", ...files, image);
  assert.equal(stdout, "");
  assert.match(stderr, /Uploading multi-platform index to localhost:\d+\/blob@sha256:/);
  assert.deepEqual(
    (await manifest(image)).manifests?.map(({ platform }) => platform),
    [
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux", variant: "v8" },
      { architecture: "", os: "darwin" },
    ],
  );
  await ok("sign", "--key", "a.key", ...OFFLINE, "-y", image);
  await ok("verify", "--key", "a.pub", NO_LOG, image);
});

test("upload blob: invalid files -> refused before sending", async (t) => {
  const { tsign, registry, store } = await workshop(t);
  const before = await store.tags();
  for (const [argv, reason] of [
    [[], /no file to upload/],
    [["-f", "absent"], /read absent: no such file/],
    [["-f", "text", "-f", "module"], /each file must include a unique platform, text had no platform/],
    [["-f", "text:linux", "-f", "module:linux"], /another file has the platform of module/],
    [["-f", "text", "-a", "key"], /unable to parse annotation: key/],
  ] as const) {
    const refused = await tsign("upload", "blob", ...argv, `${registry}/app:v9`);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, reason);
  }
  assert.deepEqual(await store.tags(), before);
});

test("upload wasm: stores a module with the media types of WebAssembly", async (t) => {
  const { ok, tsign, registry, manifest } = await workshop(t);
  const image = `${registry}/module:v1`;
  assert.equal((await ok("upload", "wasm", "-f", "module", image)).stdout, "");
  const { config, layers } = await manifest(image);
  assert.equal(config?.mediaType, "application/vnd.wasm.config.v1+json");
  assert.equal(layers[0]?.mediaType, "application/vnd.wasm.content.layer.v1+wasm");
  assert.match((await tsign("upload", "wasm", image)).stderr, /required flag\(s\) "file" not set/);
});

test("generate: prints the payload that sign signs", async (t) => {
  const { cwd, ok, tsign, image, digest } = await workshop(t);
  const { stdout, stderr } = await ok("generate", "-a", "env=prod", image);
  assert.match(stderr, /^Command "generate" is deprecated/);
  assert.ok(stdout.endsWith("}"), "no line feed");
  const payload = JSON.parse(stdout);
  assert.equal(payload.critical.image["docker-manifest-digest"], digest);
  assert.deepEqual(payload.optional, { env: "prod" });
  writeFileSync(join(cwd, "payload.json"), stdout);
  await ok("sign", "--key", "a.key", ...OFFLINE, LEGACY, "--payload", "payload.json", image);
  await ok("verify", "--key", "a.pub", NO_LOG, "-a", "env=prod", image);
  assert.equal((await tsign("generate", image.replace(/@.*/, ":absent"))).code, 1);
});

test("deprecated groups: notice when used alone, not listed in help", async (t) => {
  const { ok } = await workshop(t);
  const alone = await ok("upload");
  assert.match(alone.stderr, /^Command "upload" is deprecated, /);
  assert.match(alone.stdout, /Commands:\n {2}blob {2}/);
  assert.equal((await ok("upload", "blob", "--help")).stderr, "");
  const program = await ok("--help");
  for (const name of ["upload", "debug", "copy", "generate"]) {
    assert.doesNotMatch(program.stdout, new RegExp(`^ {2}${name} `, "m"));
  }
  assert.match((await ok("debug")).stdout, /Commands:\n {2}providers {2}/);
});
