import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { base64, certificateOf, logEntry, refused } from "../../../test/support/evidence-parts.ts";
import { memoryStore } from "../../../test/support/memory-store.ts";
import { digestOf } from "../../format/digest.ts";
import type { Descriptor, StoredManifest } from "../../oci/types.ts";
import { ANNOTATION } from "../media-types.ts";
import type { Evidence } from "../model.ts";
import { readAttestationLayer, readSignatureLayer } from "./read.ts";
import {
  attestationLayer,
  certificatePem,
  legacyBlobBundle,
  plainDescriptor,
  signatureImage,
  signatureLayer,
} from "./write.ts";

const [LEAF, ISSUER] = [certificateOf(["a@example.com"]), certificateOf([])];
const [payload, signature] = [Buffer.from("payload"), Buffer.from("signature")];
const origin = { kind: "sig-tag", where: "w" } as const;
const BARE: Evidence = {
  origin,
  content: { kind: "simple-signing", payload, signature },
  key: { kind: "none" },
  log: [],
  timestamps: [],
  annotations: {},
};
const FULL: Evidence = {
  ...BARE,
  key: { kind: "certificate", leaf: LEAF, chain: [ISSUER, LEAF], binding: false },
  log: [logEntry({ inclusionProof: undefined as never })],
  timestamps: [Buffer.from("timestamp"), Buffer.from("second")],
};

test("certificatePem: lines of 64 characters, with a line end after the last", () => {
  const pem = certificatePem(LEAF);
  assert.deepEqual(new X509Certificate(pem).raw, LEAF);
  assert.match(pem, /^-----BEGIN CERTIFICATE-----\n[\s\S]*[^\n]\n-----END CERTIFICATE-----\n$/);
});

test("signatureLayer: read again -> the same evidence", () => {
  for (const evidence of [BARE, { ...FULL, timestamps: [Buffer.from("timestamp")] }]) {
    const { annotations = {}, ...layer } = signatureLayer(evidence);
    assert.deepEqual(layer, {
      mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
      size: payload.length,
      digest: digestOf(payload),
    });
    assert.deepEqual(readSignatureLayer({ payload, annotations, origin }), { ...evidence, annotations });
    assert.deepEqual(Object.keys(annotations), Object.keys(annotations).toSorted());
  }
  assert.deepEqual(signatureLayer(BARE).annotations, { [ANNOTATION.signature]: base64("signature") });
  const { annotations = {} } = signatureLayer(FULL);
  assert.equal(annotations[ANNOTATION.chain], certificatePem(ISSUER) + certificatePem(LEAF));
  assert.match(annotations[ANNOTATION.timestamp] ?? "", new RegExp(base64("timestamp")), "the first one");
  const unpromised = signatureLayer({ ...BARE, log: [logEntry({ inclusionPromise: undefined }), logEntry()] });
  assert.ok(unpromised.annotations?.[ANNOTATION.logEntry], "the first entry with a promise");
  const none = signatureLayer({ ...BARE, log: [logEntry({ inclusionPromise: undefined })] });
  assert.ok(!(ANNOTATION.logEntry in (none.annotations ?? {})));
  const chainless = { ...FULL, key: { kind: "certificate", leaf: LEAF, chain: [], binding: false } } as const;
  assert.equal(signatureLayer(chainless).annotations?.[ANNOTATION.chain], "");
  const blob: Evidence = { ...BARE, content: { kind: "blob", signature } };
  assert.throws(() => signatureLayer(blob), refused("internal"));
});

test("attestationLayer: the envelope as the blob, and its predicate type, if any, as an annotation", () => {
  const envelope = Buffer.from(
    JSON.stringify({ payloadType: "text", payload: base64("p"), signatures: [{ sig: base64("signature") }] }),
  );
  const layer = attestationLayer(FULL, { envelope, predicateType: "type" });
  assert.deepEqual(
    [layer.mediaType, layer.size, layer.digest],
    ["application/vnd.dsse.envelope.v1+json", envelope.length, digestOf(envelope)],
  );
  const { annotations = {} } = layer;
  assert.equal(annotations[ANNOTATION.predicateType], "type");
  assert.equal(annotations[ANNOTATION.signature], "");
  const read = readAttestationLayer({ payload: envelope, annotations, origin });
  assert.deepEqual([read.key, read.log, read.timestamps], [FULL.key, FULL.log, [Buffer.from("timestamp")]]);
  const untyped = attestationLayer(BARE, { envelope, predicateType: undefined });
  assert.deepEqual(untyped.annotations, { [ANNOTATION.signature]: "" });
  assert.ok(!(ANNOTATION.predicateType in (attestationLayer(BARE, { envelope, predicateType: "" }).annotations ?? {})));
});

test("legacyBlobBundle: the signature, with the certificate and the log entry if there are any", () => {
  assert.deepEqual(JSON.parse(legacyBlobBundle(BARE)), { base64Signature: base64("signature") });
  const full = JSON.parse(legacyBlobBundle(FULL));
  assert.deepEqual(Object.keys(full), ["base64Signature", "cert", "rekorBundle"]);
  assert.equal(full.cert, base64(certificatePem(LEAF)));
  assert.equal(full.rekorBundle.SignedEntryTimestamp, base64("promise"));
  const unpromised = [logEntry({ inclusionPromise: undefined })];
  assert.ok(!("rekorBundle" in JSON.parse(legacyBlobBundle({ ...FULL, log: unpromised }))));
});

const OCI = "application/vnd.oci.image.manifest.v1+json";
const DOCKER = "application/vnd.docker.distribution.manifest.v2+json";
const ZERO = "0001-01-01T00:00:00Z";
const STYLE = { dockerMediaTypes: false, created: undefined, subject: undefined };

async function write(options: Partial<Parameters<typeof signatureImage>[0]> = {}) {
  const { store: _, ...given } = options;
  const store = (options.store as ReturnType<typeof memoryStore> | undefined) ?? memoryStore();
  const image = await signatureImage({
    store,
    current: undefined,
    layer: signatureLayer(BARE),
    style: STYLE,
    ...given,
  });
  const text = Buffer.from(image.bytes).toString();
  const manifest = JSON.parse(text);
  const config = JSON.parse(Buffer.from(store.blobs.get(manifest.config.digest) ?? "").toString());
  const { digest } = await store.putManifest(image.bytes, { mediaType: image.mediaType });
  return {
    store,
    text,
    manifest,
    config,
    mediaType: image.mediaType,
    stored: (await store.manifest(digest)) as StoredManifest,
  };
}

test("signatureImage: a new image -> OCI or Docker media types, and a config that image tools accept", async () => {
  const layer = signatureLayer(BARE);
  const { manifest, config, mediaType } = await write();
  const { digest, size, ...type } = manifest.config;
  assert.equal(mediaType, OCI);
  assert.deepEqual(
    [digest.length, size > 0, type],
    [71, true, { mediaType: "application/vnd.oci.image.config.v1+json" }],
  );
  assert.deepEqual(manifest, { schemaVersion: 2, mediaType: OCI, config: manifest.config, layers: [layer] });
  assert.deepEqual(Object.keys(manifest.layers[0] ?? {}), ["mediaType", "size", "digest", "annotations"]);
  assert.deepEqual(config, {
    architecture: "",
    created: ZERO,
    history: [{ created: ZERO }],
    os: "",
    rootfs: { type: "layers", diff_ids: [layer.digest] },
    config: {},
  });
  const docker = await write({ style: { ...STYLE, dockerMediaTypes: true, created: "2024-01-01T00:00:00Z" } });
  assert.deepEqual([docker.mediaType, docker.manifest.mediaType], [DOCKER, DOCKER]);
  assert.equal(docker.manifest.config.mediaType, "application/vnd.docker.container.image.v1+json");
  assert.equal(docker.config.created, "2024-01-01T00:00:00Z");
});

test("signatureImage: a referrer -> has its subject and its artifact type", async () => {
  const subject: Descriptor = { mediaType: OCI, digest: digestOf(Buffer.from("s")), size: 1, annotations: { a: "b" } };
  const style = { ...STYLE, subject };
  const { manifest } = await write({ style });
  const type = "application/vnd.dev.cosign.artifact.sig.v1+json";
  assert.deepEqual([manifest.config.mediaType, manifest.artifactType], [type, type]);
  assert.deepEqual(manifest.subject, { mediaType: OCI, digest: subject.digest, size: 1 });
  assert.deepEqual(plainDescriptor(subject), manifest.subject);
  const sbom = await write({ style, artifactType: "application/x-sbom" });
  assert.deepEqual(
    [sbom.manifest.config.mediaType, sbom.manifest.artifactType],
    ["application/x-sbom", "application/x-sbom"],
  );
});

test("signatureImage: one more layer -> the existing ones are unchanged", async () => {
  const first = await write({ style: { ...STYLE, dockerMediaTypes: true } });
  const { store, stored } = first;
  const config = store.addBlob(JSON.stringify({ os: "linux", author: "kept", created: "2020-01-01T00:00:00Z" }));
  const current: StoredManifest = {
    ...stored,
    manifest: { ...stored.manifest, config: { ...config, mediaType: "own" }, annotations: { a: "b" } },
  };
  const layer = { ...signatureLayer(BARE), digest: digestOf(Buffer.from("another")), annotations: { z: "1" } };
  const second = await write({ store, current, layer });
  assert.equal(second.mediaType, DOCKER);
  assert.deepEqual(second.manifest.layers, [...stored.manifest.layers, layer]);
  assert.deepEqual([second.manifest.config.mediaType, second.manifest.annotations], ["own", { a: "b" }]);
  assert.deepEqual(second.config, {
    architecture: "",
    created: "2020-01-01T00:00:00Z",
    history: [{ created: ZERO }, { created: ZERO }],
    os: "",
    author: "kept",
    rootfs: { type: "layers", diff_ids: second.manifest.layers.map((each: Descriptor) => each.digest) },
    config: {},
  });
  const oci = await write({
    store,
    current: (await write({ store })).stored,
    style: { ...STYLE, dockerMediaTypes: true },
  });
  assert.equal(oci.mediaType, OCI, "the image's own family, not the one that is asked for");
  const list = store.addBlob("[1]");
  const odd = { ...current, manifest: { ...current.manifest, config: { ...list, mediaType: "own" } } };
  assert.equal((await write({ store, current: odd, layer })).config.created, ZERO);
});

test("signatureImage: a config of more than 4 MiB -> not read", async () => {
  const { store, stored } = await write();
  const at = (size: number) => {
    const config = { ...(stored.manifest.config as Descriptor), size };
    return write({ store, current: { ...stored, manifest: { ...stored.manifest, config } } });
  };
  await at(4 * 1024 * 1024);
  await assert.rejects(at(4 * 1024 * 1024 + 1), refused("limit"));
});

test("signatureImage: additional members of a layer -> written after the usual ones", async () => {
  const layer = { platform: { os: "x" }, annotations: { a: "b" }, ...plainDescriptor(signatureLayer(BARE)) };
  const { text } = await write({ layer });
  const { digest, size, mediaType } = layer;
  assert.ok(
    text.includes(
      `{"mediaType":"${mediaType}","size":${size},"digest":"${digest}","annotations":{"a":"b"},"platform":{"os":"x"}}`,
    ),
  );
});

test("legacyBlobBundle: entries without a promise -> the first one with a promise is written", () => {
  const log = [logEntry({ inclusionPromise: undefined }), logEntry({ logIndex: "77" })];
  const content = { kind: "blob", signature } as const;
  assert.equal(JSON.parse(legacyBlobBundle({ content, key: { kind: "none" }, log })).rekorBundle.Payload.logIndex, 77);
});

test("signatureImage: an image without a config, or with one that is not an object -> a new config", async () => {
  const store = memoryStore();
  const style = { dockerMediaTypes: false, created: undefined, subject: undefined };
  const [layer, odd] = [signatureLayer(BARE), store.addBlob('["x"]')];
  for (const config of [undefined, { ...odd, mediaType: "application/vnd.oci.image.config.v1+json" }]) {
    const added = store.add(config ? { config, layers: [] } : { mediaType: "application/vnd.oci.image.index.v1+json" });
    const current = await store.manifest(added.digest);
    const { bytes } = await signatureImage({ store, current, layer, style });
    const manifest = JSON.parse(Buffer.from(bytes).toString());
    assert.equal(manifest.config.mediaType, "application/vnd.oci.image.config.v1+json");
    const written = JSON.parse(Buffer.from(store.blobs.get(manifest.config.digest) ?? "").toString());
    assert.deepEqual(Object.keys(written).sort(), ["architecture", "config", "created", "history", "os", "rootfs"]);
  }
});

test("signatureImage: a config that is not JSON -> an error that names it", async () => {
  const store = memoryStore();
  const style = { dockerMediaTypes: false, created: undefined, subject: undefined };
  const added = store.add({ config: store.addBlob("{"), layers: [] });
  const current = await store.manifest(added.digest);
  await assert.rejects(signatureImage({ store, current, layer: signatureLayer(BARE), style }), /config/);
});
