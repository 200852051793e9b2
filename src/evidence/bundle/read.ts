import { type Bundle, bundleFromJSON, ValidationError } from "@sigstore/bundle";
import { TsignError } from "../../errors.ts";
import type { HashName } from "../../format/digest.ts";
import { isObject, parseJson, requireFewer } from "../../format/json.ts";
import { requireLargeBase64, type Shortened, shortened } from "../../format/json-large.ts";
import { withKeyid } from "../envelope.ts";
import { BUNDLE_MEDIA_TYPE, MAX_PROOFS } from "../media-types.ts";
import type { BlobContent, DsseContent, Evidence, EvidenceKey, Origin } from "../model.ts";
import { canonicalBundle } from "./shape.ts";

/** HashAlgorithm of sigstore_common.proto. */
const HASH_BY_NUMBER: Readonly<Record<number, HashName>> = { 1: "sha256", 2: "sha384", 3: "sha512" };

/** Media types of versions 0.1 to 0.3, including the newer spelling of 0.3. */
const MEDIA_TYPES = new Set([
  ...["0.1", "0.2", "0.3"].map((version) => `application/vnd.dev.sigstore.bundle+json;version=${version}`),
  BUNDLE_MEDIA_TYPE,
]);

/** Most values in a bundle: 32 log entries have a few thousand. */
const MAX_VALUES = 100_000;

/** The only member that may be large: the attestation. */
const PAYLOADS = new Set(["dsseEnvelope.payload", "dsse_envelope.payload"]);

/** Whether JSON bytes look like a Sigstore bundle, by their members. A malformed bundle still looks like one. */
export function looksLikeBundle(bytes: Uint8Array): boolean {
  try {
    const value = parseJson(bytes, "bundle", { most: MAX_VALUES });
    return isObject(value) && ("mediaType" in value || "media_type" in value || "verificationMaterial" in value);
  } catch (error) {
    if (error instanceof TsignError) return false;
    throw error;
  }
}

/**
 * Parses a Sigstore bundle of version 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto) into Evidence, without verifying it.
 *
 * @param options.overwrite decode a large payload in place, which destroys `bytes`
 * @throws TsignError "bad-bundle"
 */
export function readBundle(bytes: Uint8Array, origin: Origin, { overwrite = false } = {}): Evidence {
  requireFewer(bytes, "bundle", MAX_VALUES);
  const short = shortened(bytes, PAYLOADS, "bundle");
  const json = canonicalBundle(parseJson(short?.bytes ?? bytes, "bundle"));
  if (typeof json["mediaType"] !== "string") throw new TsignError("bad-bundle", "bundle has no mediaType");
  if (!MEDIA_TYPES.has(json["mediaType"])) {
    throw new TsignError(
      "bad-bundle",
      `"${json["mediaType"]}" is not the media type of a bundle of version 0.1 to 0.3`,
    );
  }
  let bundle: Bundle;
  try {
    bundle = bundleFromJSON(json);
  } catch (cause) {
    const fields = cause instanceof ValidationError ? `: missing or invalid ${cause.fields.join(", ")}` : "";
    throw new TsignError("bad-bundle", `invalid bundle${fields}`, { cause });
  }
  const { tlogEntries, timestampVerificationData } = bundle.verificationMaterial;
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  if (tlogEntries.length > MAX_PROOFS || timestamps.length > MAX_PROOFS) {
    throw new TsignError("bad-bundle", `bundle has more than ${MAX_PROOFS} log entries or timestamps`);
  }
  return {
    origin,
    content: withLargePayload(readBundleContent(bundle.content), short, overwrite),
    key: bundleKey(bundle),
    log: tlogEntries,
    timestamps: timestamps.map((t) => t.signedTimestamp),
    annotations: {},
  };
}

/** Restores a large payload, which was taken out before parsing. */
function withLargePayload(
  content: BlobContent | DsseContent,
  short: Shortened | undefined,
  overwrite: boolean,
): BlobContent | DsseContent {
  if (content.kind !== "dsse") return content;
  const taken = short?.taken.get(Buffer.from(content.payload).toString("base64"));
  return taken ? { ...content, payload: requireLargeBase64(taken.value, "envelope payload", { overwrite }) } : content;
}

/**
 * Reads the content of a bundle.
 *
 * @throws TsignError "bad-bundle" unless there is exactly one signature, and for an unknown digest algorithm
 */
export function readBundleContent(content: Bundle["content"]): BlobContent | DsseContent {
  if (content.$case === "dsseEnvelope") {
    const { payload, payloadType, signatures } = content.dsseEnvelope;
    const [only, ...others] = signatures;
    if (!only || others.length > 0) {
      throw new TsignError("bad-bundle", `expected one signature in the envelope, found ${signatures.length}`);
    }
    return { kind: "dsse", payloadType, payload, signature: only.sig, ...withKeyid(only.keyid) };
  }
  const { messageDigest, signature } = content.messageSignature;
  const algorithm = HASH_BY_NUMBER[messageDigest.algorithm];
  if (!algorithm) throw new TsignError("bad-bundle", "bundle has a digest with an unknown algorithm");
  return { kind: "blob", signature, stated: { algorithm, digest: messageDigest.digest } };
}

function bundleKey(bundle: Bundle): EvidenceKey {
  const { content } = bundle.verificationMaterial;
  switch (content.$case) {
    case "publicKey":
      return { kind: "public-key", hint: content.publicKey.hint };
    case "certificate":
      return { kind: "certificate", leaf: content.certificate.rawBytes, chain: [], binding: true };
    case "x509CertificateChain": {
      const [leaf, ...chain] = content.x509CertificateChain.certificates.map((c) => c.rawBytes);
      if (!leaf) throw new TsignError("bad-bundle", "bundle has an empty certificate chain");
      return { kind: "certificate", leaf, chain, binding: true };
    }
  }
}
