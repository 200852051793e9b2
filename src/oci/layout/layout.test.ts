import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeKeyPairs } from "../../../test/support/key-pairs.ts";
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
import type { Io } from "../../io/io.ts";
import { openRegistry } from "../open.ts";
import { parseReference } from "../ref.ts";
import { attachmentTag } from "../tags.ts";
import { createLayout, openLayout } from "./layout.ts";

/** A folder written by `save`, with a legacy signature, a bundle, and their keys. */
async function savedImage(context: TestContext) {
  const cwd = temporaryFolder(context);
  const registry = await testRegistry(context);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry };
  writeKeyPairs(cwd, "a", "b", "c");
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

test("verify --local-image: saved bundle and legacy signature -> verified without a registry", async (t) => {
  const { verify, digest } = await savedImage(t);
  for (const key of ["a.pub", "b.pub"]) {
    const verified = await verify(key);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal(JSON.parse(verified.stdout)[0].critical.image["docker-manifest-digest"], digest);
  }
  assert.notEqual((await verify("c.pub")).code, 0);
});

test("verify --local-image: altered blob -> refused", async (t) => {
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
  assert.match(verified.stderr, /unreadable: .*digest mismatch/);
  assert.equal((await verify("b.pub")).code, 0, "the other signature still counts");
});

test("verify --local-image: invalid index.json or missing file -> error names it", async (t) => {
  const { cwd, verify } = await savedImage(t);
  const index = join(cwd, "saved/index.json");
  const text = readFileSync(index, "utf8");
  for (const [content, reason] of [
    ["{", /index\.json: invalid JSON/],
    [
      '{"schemaVersion":2,"manifests":[{"digest":"../../etc/passwd","size":1,"mediaType":"x"}]}',
      /missing manifests\.0\.digest/,
    ],
    ['{"schemaVersion":2,"manifests":[]}', /expected one image, found none/],
  ] as const) {
    writeFileSync(index, content);
    const verified = await verify("a.pub");
    assert.equal(verified.code, 1);
    assert.match(verified.stderr, reason);
  }
  writeFileSync(index, text);
  rmSync(join(cwd, "saved/oci-layout"));
  assert.match((await verify("a.pub")).stderr, /missing oci-layout/);
  rmSync(index);
  assert.match((await verify("a.pub")).stderr, /missing index\.json/);
});

test("verify --local-image: blobs that are not manifests or are too large -> skipped", async (t) => {
  const { cwd, verify } = await savedImage(t);
  const blobs = join(cwd, "saved/blobs/sha256");
  writeFileSync(join(blobs, "0".repeat(64)), '{"subject": "text"}');
  writeFileSync(join(blobs, "1".repeat(64)), "{not JSON");
  writeFileSync(join(blobs, "2".repeat(64)), Buffer.alloc(5 * 1024 * 1024, "{"));
  writeFileSync(join(blobs, "README"), "no digest");
  symlinkSync("/nonexistent", join(blobs, "3".repeat(64)));
  assert.equal((await verify("b.pub")).code, 0);
});

test("layout: blob of another digest or size, stored or copied from a registry -> refused, nothing written", async (t) => {
  const cwd = temporaryFolder(t);
  const io = testIo({ cwd });
  const layout = await createLayout(io, "saved");
  const content = Buffer.from("content");
  const wrong = [
    { digest: digestOf(Buffer.from("other")), size: content.length },
    { digest: digestOf(content), size: content.length + 1 },
    { digest: digestOf(content), size: content.length - 1 },
  ];
  const answer = { status: 200, headers: {}, body: content };
  const { port, close } = await io.listen({ host: "127.0.0.1", port: 0 }, async () => answer);
  t.after(close);
  const store = await openRegistry(io, parseReference(`localhost:${port}/app`), PLAIN_REGISTRY);
  for (const { digest, size } of wrong) {
    const once = (async function* () {
      yield content;
    })();
    await assert.rejects(layout.putBlob({ digest, size, chunks: once }), { code: "registry" });
    const chunks = store.blobStream({ mediaType: "x/y", digest, size });
    await assert.rejects(layout.putBlob({ digest, size, chunks, isChecked: true }), { code: "registry" });
    assert.deepEqual(readdirSync(join(cwd, "saved/blobs/sha256")), []);
  }
});

test("layout: content written -> same content read", async (t) => {
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

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** A folder with several manifests, and a function that lists some of them and returns the image. */
async function folderOf(context: TestContext) {
  const cwd = temporaryFolder(context);
  mkdirSync(join(cwd, "saved/blobs/sha256"), { recursive: true });
  writeFileSync(join(cwd, "saved/oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const keep = (document: Record<string, unknown>, mediaType: string) => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...document }));
    writeFileSync(join(cwd, "saved/blobs/sha256", digestOf(bytes).slice(7)), bytes);
    return { mediaType, digest: digestOf(bytes), size: bytes.length };
  };
  const image = (name: string) => keep({ layers: [], annotations: { name } }, OCI_MANIFEST);
  const [a, b] = [image("a"), image("b")];
  const inner = keep({ manifests: [a] }, OCI_INDEX);
  const outer = keep({ manifests: [inner, b] }, OCI_INDEX);
  const referrer = keep({ layers: [], subject: a }, OCI_MANIFEST);
  const chosen = async (...manifests: object[]) => {
    writeFileSync(join(cwd, "saved/index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    return (await (await openLayout(testIo({ cwd }), "saved")).image()).digest;
  };
  const named = (entry: object, tag: string) => ({
    ...entry,
    annotations: { "org.opencontainers.image.ref.name": tag },
  });
  const marked = (entry: object, kind = "image", more = {}) => ({
    ...entry,
    annotations: { kind: `dev.cosignproject.cosign/${kind}`, ...more },
  });
  const sig = (entry: object) => named(entry, SIG_TAG);
  return { a, b, inner, outer, referrer, chosen, named, marked, sig };
}

const SIG_TAG = `sha256-${"0".repeat(64)}.sig`;
/** The annotation by which containerd and docker name an image. */
const ofContainerd = (tag: string) => ({ "io.containerd.image.name": `docker.io/team/app:${tag}` });

test("layout image: the only named entry, else the only entry without subject that no other contains", async (t) => {
  const { a, b, inner, outer, referrer, chosen, named, marked, sig } = await folderOf(t);
  for (const [expected, entries] of [
    [a, [a]],
    [a, [a, a]],
    [a, [a, referrer]],
    [a, [referrer, named(a, "v1")]],
    [outer, [named(outer, "v1"), a, b, referrer]],
    [outer, [a, b, inner, outer, referrer]],
    [inner, [a, inner]],
    [a, [a, sig(b)]],
    [a, [a, { ...b, annotations: ofContainerd(SIG_TAG) }]],
    [a, [a, { ...b, annotations: { ...sig(b).annotations, ...ofContainerd(SIG_TAG) } }]],
    [a, [marked(a)]],
    [a, [marked(a), marked(b, "sigs"), marked(inner, "atts")]],
    [a, [marked(a), named(a, "v1")]],
    [outer, [marked(outer, "imageIndex"), a, b]],
    [a, [marked(a), referrer]],
    [a, [marked(a, "image", { "org.opencontainers.image.ref.name": "v1" }), referrer]],
  ] as const) {
    assert.equal(await chosen(...entries), expected.digest, JSON.stringify(entries));
    assert.equal(await chosen(...[...entries].reverse()), expected.digest, `reversed: ${JSON.stringify(entries)}`);
  }
});

test("layout image: two candidates -> refused, with any annotations", async (t) => {
  const { a, b, inner, outer, referrer, chosen, named, marked, sig } = await folderOf(t);
  for (const entries of [
    [],
    [referrer, b, a],
    [a, b],
    [inner, b],
    [named(a, "v1"), named(b, "v2")],
    [named(a, "v1"), named(b, "v1")],
    [marked(a), b],
    [marked(a), named(b, "v1")],
    [marked(a), named(b, "latest"), marked(inner, "sigs")],
    [marked(a), marked(b)],
    [marked(a), marked(outer, "imageIndex")],
    [marked(a), inner],
    [marked(inner, "imageIndex"), outer],
    [marked(b), named(outer, "v1")],
    [marked(a), marked(b, "sigs", { "org.opencontainers.image.ref.name": "v1" })],
    [marked(a), marked(b, "atts", ofContainerd("v1"))],
    [named(a, "v1"), { ...b, annotations: ofContainerd("v1") }],
    [named(a, "v1"), { ...b, annotations: { ...sig(b).annotations, ...ofContainerd("v1") } }],
  ]) {
    for (const each of [entries, [...entries].reverse()]) {
      await assert.rejects(chosen(...each), /expected one image, found/, JSON.stringify(each));
    }
  }
});
