import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { listed } from "../../../test/support/storage.ts";
import {
  LEGACY,
  NO_LOG,
  OFFLINE,
  PLAIN_REGISTRY,
  run,
  temporaryFolder,
  testIo,
  testRegistry,
} from "../../../test/support/test-io.ts";
import { TsignError } from "../../errors.ts";
import { digestOf } from "../../format/digest.ts";
import type { Io } from "../../io.ts";
import { openRegistry } from "../open.ts";
import { parseReference } from "../ref.ts";
import { attachmentTag } from "../tags.ts";
import { openLayout } from "./layout.ts";

/** A folder as `save` writes it, with a legacy signature and a bundle, and the keys that made them. */
async function savedImage(context: TestContext) {
  const cwd = temporaryFolder(context);
  const registry = await testRegistry(context);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry };
  for (const name of ["a", "b", "c"]) await run(["generate-key-pair", "--output-key-prefix", name], { cwd, env });
  const image = (await run(["sandbox", "push", "app"], { cwd, env })).stdout.trim();
  await run(["sign", "--key", "a.key", ...OFFLINE, LEGACY, image], { cwd, env });
  await run(["sign", "--key", "b.key", ...OFFLINE, image], { cwd, env });
  const io = testIo({ cwd });
  const ref = parseReference(image);
  assert.ok(ref.digest);
  const store = await openRegistry(io, ref, PLAIN_REGISTRY);
  mkdirSync(join(cwd, "saved/blobs/sha256"), { recursive: true });
  const write = (bytes: Uint8Array) => writeFileSync(join(cwd, "saved/blobs/sha256", digestOf(bytes).slice(7)), bytes);
  const keep = async (identifier: string) => {
    const stored = await store.manifest(identifier);
    assert.ok(stored);
    write(stored.bytes);
    const { config, layers } = stored.manifest;
    for (const each of [...(config ? [config] : []), ...layers]) write(await store.blob(each, { maxBytes: 1e6 }));
    return stored.descriptor;
  };
  const entries = [
    { ...(await keep(ref.digest)), annotations: { kind: "dev.cosignproject.cosign/image" } },
    { ...(await keep(attachmentTag(ref.digest, "sig"))), annotations: { kind: "dev.cosignproject.cosign/sigs" } },
  ];
  for (const { digest } of await listed(store, ref.digest)) await keep(digest);
  writeFileSync(join(cwd, "saved/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(cwd, "saved/index.json"), JSON.stringify({ schemaVersion: 2, manifests: entries }));
  const verify = (key: string) => run(["verify", "--key", key, NO_LOG, "--local-image", "saved"], { cwd });
  return {
    cwd,
    digest: ref.digest,
    verify,
    blob: (digest: string) => join(cwd, "saved/blobs/sha256", digest.slice(7)),
  };
}

test("a saved image verifies in both forms, without any registry", async (t) => {
  const { verify, digest } = await savedImage(t);
  for (const key of ["a.pub", "b.pub"]) {
    const verified = await verify(key);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal(JSON.parse(verified.stdout)[0].critical.image["docker-manifest-digest"], digest);
  }
  assert.notEqual((await verify("c.pub")).code, 0);
});

test("an altered blob is noticed, wherever it is", async (t) => {
  const { cwd, verify, blob, digest } = await savedImage(t);
  const io: Pick<Io, "files"> = testIo({ cwd });
  const layout = await openLayout(io, "saved");
  const sig = await layout.manifest(attachmentTag(digest, "sig"));
  const [layer] = sig?.manifest.layers ?? [];
  assert.ok(layer);
  const payload = readFileSync(blob(layer.digest), "utf8");
  writeFileSync(blob(layer.digest), payload.replace("cosign", "cosigm"));
  const verified = await verify("a.pub");
  assert.notEqual(verified.code, 0);
  assert.match(verified.stderr, /unreadable: .*another content/);
  assert.equal((await verify("b.pub")).code, 0, "the other signature still counts");
});

test("what is no saved image is said so, by name", async (t) => {
  const { cwd, verify } = await savedImage(t);
  const index = join(cwd, "saved/index.json");
  const text = readFileSync(index, "utf8");
  for (const [content, reason] of [
    ["{", /index\.json is not JSON/],
    [
      '{"schemaVersion":2,"manifests":[{"digest":"../../etc/passwd","size":1,"mediaType":"x"}]}',
      /not an image manifest/,
    ],
    ['{"schemaVersion":2,"manifests":[]}', /does not say which/],
  ] as const) {
    writeFileSync(index, content);
    const verified = await verify("a.pub");
    assert.equal(verified.code, 1);
    assert.match(verified.stderr, reason);
  }
  writeFileSync(index, text);
  rmSync(join(cwd, "saved/oci-layout"));
  assert.match((await verify("a.pub")).stderr, /no oci-layout file/);
  rmSync(index);
  assert.match((await verify("a.pub")).stderr, /no index\.json/);
});

test("blobs that are no manifests, or too large, do not disturb the search for referrers", async (t) => {
  const { cwd, verify } = await savedImage(t);
  const blobs = join(cwd, "saved/blobs/sha256");
  writeFileSync(join(blobs, "0".repeat(64)), '{"subject": "text"}');
  writeFileSync(join(blobs, "1".repeat(64)), "{not JSON");
  writeFileSync(join(blobs, "2".repeat(64)), Buffer.alloc(5 * 1024 * 1024, "{"));
  writeFileSync(join(blobs, "README"), "no digest");
  symlinkSync("/nonexistent", join(blobs, "3".repeat(64)));
  assert.equal((await verify("b.pub")).code, 0);
});

test("a layout can be written, and gives back what was put in", async (t) => {
  const { cwd } = await savedImage(t);
  const layout = await openLayout(testIo({ cwd }), "saved");
  const blob = await layout.putBlob(Buffer.from("content"));
  assert.equal(Buffer.from(await layout.blob(blob, { maxBytes: 100 })).toString(), "content");
  await assert.rejects(
    layout.blob(blob, { maxBytes: 3 }),
    (error) => error instanceof TsignError && error.code === "limit",
  );
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, layers: [] }));
  await layout.putManifest(bytes, { mediaType, tag: "new" });
  assert.equal(
    (await (await openLayout(testIo({ cwd }), "saved")).manifest("new"))?.descriptor.digest,
    digestOf(bytes),
  );
  assert.equal(await layout.delete("new"), true);
  assert.equal(await layout.delete("new"), false);
});
