import { type Bundle, bundleFromJSON, ValidationError } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import type { HashName } from "../format/digest.ts";
import { isObject, parseJson } from "../format/json.ts";
import { BUNDLE_MEDIA_TYPE_PREFIX, MAX_PROOFS } from "./media-types.ts";
import type { BlobContent, DsseContent, Evidence, EvidenceKey, Origin } from "./model.ts";

/** HashAlgorithm of sigstore_common.proto. */
const HASH_BY_NUMBER: Readonly<Record<number, HashName>> = { 1: "sha256", 2: "sha384", 3: "sha512" };

/** Whether JSON bytes claim to be a Sigstore bundle: their mediaType decides, never a failed parse. */
export function looksLikeBundle(bytes: Uint8Array): boolean {
  try {
    const value = parseJson(bytes, "bundle");
    return isObject(value) && ("mediaType" in value || "media_type" in value || "verificationMaterial" in value);
  } catch {
    return false;
  }
}

/**
 * Reads a Sigstore bundle of version 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto) into Evidence. It checks the
 * form only.
 *
 * @throws TsignError "bad-bundle"
 */
export function readBundle(bytes: Uint8Array, origin: Origin): Evidence {
  const json = parseJson(bytes, "the bundle");
  if (!isObject(json) || typeof json["mediaType"] !== "string") {
    throw new TsignError("bad-bundle", "the bundle has no mediaType");
  }
  if (!json["mediaType"].startsWith(BUNDLE_MEDIA_TYPE_PREFIX)) {
    throw new TsignError("bad-bundle", `"${json["mediaType"]}" is not a bundle media type`);
  }
  refuseBadBytes(json, "bundle");
  let bundle: Bundle;
  try {
    bundle = bundleFromJSON(json);
  } catch (cause) {
    const fields = cause instanceof ValidationError ? `: bad or missing ${cause.fields.join(", ")}` : "";
    throw new TsignError("bad-bundle", `not a valid bundle${fields}`, { cause });
  }
  const { tlogEntries, timestampVerificationData } = bundle.verificationMaterial;
  const timestamps = timestampVerificationData?.rfc3161Timestamps ?? [];
  if (tlogEntries.length > MAX_PROOFS || timestamps.length > MAX_PROOFS) {
    throw new TsignError("bad-bundle", `the bundle has more than ${MAX_PROOFS} log entries or timestamps`);
  }
  return {
    origin,
    content: bundleContent(bundle),
    key: bundleKey(bundle),
    log: tlogEntries,
    timestamps: timestamps.map((t) => t.signedTimestamp),
    annotations: {},
  };
}

function bundleContent(bundle: Bundle): BlobContent | DsseContent {
  if (bundle.content.$case === "dsseEnvelope") {
    const { payload, payloadType, signatures } = bundle.content.dsseEnvelope;
    const [only, ...others] = signatures;
    if (!only || others.length > 0) {
      throw new TsignError("bad-bundle", `the envelope has ${signatures.length} signatures, expected one`);
    }
    return { kind: "dsse", payloadType, payload, signature: only.sig };
  }
  const { messageDigest, signature } = bundle.content.messageSignature;
  const algorithm = HASH_BY_NUMBER[messageDigest.algorithm];
  if (!algorithm) throw new TsignError("bad-bundle", "the bundle's digest is of an unknown algorithm");
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
      if (!leaf) throw new TsignError("bad-bundle", "the bundle's certificate chain is empty");
      return { kind: "certificate", leaf, chain, binding: true };
    }
  }
}

const BYTES_FIELDS = new Set([
  "rawBytes",
  "signature",
  "digest",
  "payload",
  "sig",
  "signedTimestamp",
  "canonicalizedBody",
  "signedEntryTimestamp",
  "rootHash",
  "keyId",
]);

/**
 * The generated parser skips what is not base64; a field that must be bytes and is not is refused here.
 *
 * @throws TsignError "bad-bundle"
 */
export function refuseBadBytes(value: unknown, field: string): void {
  if (Array.isArray(value)) for (const item of value) refuseBadBytes(item, field);
  else if (isObject(value)) for (const [key, item] of Object.entries(value)) refuseBadBytes(item, key);
  else if (BYTES_FIELDS.has(field) && value !== null && (typeof value !== "string" || !decodeBase64(value))) {
    throw new TsignError("bad-bundle", `the bundle's ${field} is not base64`);
  }
}
