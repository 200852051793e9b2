import { X509Certificate } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { digestOf } from "../../format/digest.ts";
import { goJson } from "../../format/go-json.ts";
import { isObject, parseJson } from "../../format/json.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../../oci/types.ts";
import { ANNOTATION, DSSE_MEDIA_TYPE, SIGNATURE_ARTIFACT_TYPE, SIMPLE_SIGNING_MEDIA_TYPE } from "../media-types.ts";
import type { Evidence } from "../model.ts";
import { toLegacyLogEntry, writeLegacyTimestamp } from "./proofs.ts";

const ZERO_TIME = "0001-01-01T00:00:00Z";
const OCI = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
};
const DOCKER = {
  manifest: "application/vnd.docker.distribution.manifest.v2+json",
  config: "application/vnd.docker.container.image.v1+json",
};
/** A config of a signature image is a few hundred bytes a layer. */
const MAX_CONFIG = 4 * 1024 * 1024;

/** Encodes a DER certificate as PEM, as cosign does. */
export function certificatePem(der: Uint8Array): string {
  return new X509Certificate(der).toString().trimEnd().concat("\n");
}

/** JSON of a detached signature as cosign 2 writes it with --bundle: signature, optional certificate, log entry. */
export function legacyBlobBundle({ content, key, log }: Pick<Evidence, "content" | "key" | "log">): string {
  const cert = key.kind === "certificate" ? encodeBase64(Buffer.from(certificatePem(key.leaf))) : undefined;
  const [rekorBundle] = log.flatMap((entry) => toLegacyLogEntry(entry) ?? []);
  return goJson({
    base64Signature: encodeBase64(content.signature),
    ...(cert ? { cert } : {}),
    ...(rekorBundle ? { rekorBundle } : {}),
  });
}

/**
 * The descriptor of a signature's layer (cosign's SIGNATURE_SPEC, "Storage"): annotation keys sorted, certificate and
 * chain written together.
 */
export function signatureLayer(evidence: Evidence): Descriptor {
  const { content } = evidence;
  if (content.kind !== "simple-signing") {
    throw new TsignError("internal", `a signature image cannot contain ${content.kind} content`);
  }
  const signature = { [ANNOTATION.signature]: encodeBase64(content.signature) };
  return layerOf(evidence, { mediaType: SIMPLE_SIGNING_MEDIA_TYPE, blob: content.payload, annotations: signature });
}

/** The descriptor of an attestation's layer: its blob is the envelope, which contains the signature. */
export function attestationLayer(
  evidence: Evidence,
  attestation: { envelope: Uint8Array; predicateType: string | undefined },
): Descriptor {
  const { envelope: blob, predicateType } = attestation;
  const annotations = {
    [ANNOTATION.signature]: "",
    ...(predicateType ? { [ANNOTATION.predicateType]: predicateType } : {}),
  };
  return layerOf(evidence, { mediaType: DSSE_MEDIA_TYPE, blob, annotations });
}

function layerOf(
  evidence: Evidence,
  layer: { mediaType: string; blob: Uint8Array; annotations: Readonly<Record<string, string>> },
): Descriptor {
  const { key } = evidence;
  const annotations: Record<string, string> = { ...layer.annotations };
  if (key.kind === "certificate") {
    annotations[ANNOTATION.certificate] = certificatePem(key.leaf);
    annotations[ANNOTATION.chain] = key.chain.map(certificatePem).join("");
  }
  const [entry] = evidence.log.flatMap((each) => toLegacyLogEntry(each) ?? []);
  if (entry) annotations[ANNOTATION.logEntry] = goJson(entry);
  const [timestamp] = evidence.timestamps;
  if (timestamp) annotations[ANNOTATION.timestamp] = writeLegacyTimestamp(timestamp);
  return {
    mediaType: layer.mediaType,
    size: layer.blob.length,
    digest: digestOf(layer.blob),
    annotations: Object.fromEntries(Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** How a new signature image is written. */
export interface SignatureImageStyle {
  readonly dockerMediaTypes: boolean;
  /** Creation time of the image, RFC 3339; undefined for the zero time. */
  readonly created: string | undefined;
  /** Subject, to write the image as an OCI 1.1 referrer instead of a tag. */
  readonly subject: Descriptor | undefined;
}

/**
 * Appends a layer to a signature image. Stores the config and returns the manifest, for the caller to store as a tag or referrer.
 * Existing layers, annotations and media types are kept.
 *
 * @param current the image to append to; undefined starts a new one
 */
export async function signatureImage(options: {
  store: ImageStore;
  current: StoredManifest | undefined;
  layer: Descriptor;
  style: SignatureImageStyle;
  /** Artifact type of a referrer; by default that of a signature. */
  artifactType?: string;
}): Promise<{ bytes: Uint8Array; mediaType: string }> {
  const { current, layer } = options;
  return imageOf(options, [...(current?.manifest.layers ?? []), layer]);
}

/** Returns a signature image without some of its layers. Stores its config; the rest is kept. */
export function signatureImageWithout(
  store: ImageStore,
  current: StoredManifest,
  isRemoved: (layer: Descriptor) => boolean,
): Promise<{ bytes: Uint8Array; mediaType: string }> {
  const { subject, artifactType } = current.manifest;
  const style = { dockerMediaTypes: false, created: undefined, subject };
  const kept = current.manifest.layers.filter((layer) => !isRemoved(layer));
  return imageOf({ store, current, style, ...(artifactType ? { artifactType } : {}) }, kept);
}

async function imageOf(
  options: Omit<Parameters<typeof signatureImage>[0], "layer">,
  layers: readonly Descriptor[],
): Promise<{ bytes: Uint8Array; mediaType: string }> {
  const { store, current, style, artifactType = SIGNATURE_ARTIFACT_TYPE } = options;
  const family = (current ? current.manifest.mediaType === DOCKER.manifest : style.dockerMediaTypes) ? DOCKER : OCI;
  const config = await store.putBlob(Buffer.from(goJson(await nextConfig(options, layers))));
  const configType = style.subject ? artifactType : (current?.manifest.config?.mediaType ?? family.config);
  const annotations = current?.manifest.annotations ?? {};
  const manifest = {
    schemaVersion: 2,
    mediaType: family.manifest,
    config: { mediaType: configType, size: config.size, digest: config.digest },
    layers: layers.map(orderDescriptor),
    ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(style.subject ? { subject: plainDescriptor(style.subject), artifactType } : {}),
  };
  return { bytes: Buffer.from(goJson(manifest)), mediaType: family.manifest };
}

/** The config that image tools expect: a diff ID and a history entry for each layer. Other existing fields are kept. */
async function nextConfig(
  { store, current, style }: { store: ImageStore; current: StoredManifest | undefined; style: SignatureImageStyle },
  layers: readonly Descriptor[],
): Promise<Record<string, unknown>> {
  const existing = current?.manifest.config;
  const previous = existing
    ? parseJson(await store.blob(existing, { maxBytes: MAX_CONFIG }), "signature image config")
    : {};
  return {
    architecture: "",
    created: ZERO_TIME,
    ...(isObject(previous) ? previous : {}),
    ...(style.created ? { created: style.created } : {}),
    history: layers.map(() => ({ created: ZERO_TIME })),
    os: "",
    rootfs: { type: "layers", diff_ids: layers.map((each) => each.digest) },
    config: {},
  };
}

/** Orders the fields like go-containerregistry's Descriptor. */
function orderDescriptor({ mediaType, size, digest, annotations, ...rest }: Descriptor): Descriptor {
  return { mediaType, size, digest, ...(annotations ? { annotations } : {}), ...rest };
}

/** A descriptor without annotations and platform, for a `subject`. */
export function plainDescriptor({ mediaType, size, digest }: Descriptor): Descriptor {
  return { mediaType, size, digest };
}
