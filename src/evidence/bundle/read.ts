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

/** The versions there are: 0.1 to 0.3, and 0.3 in the spelling that is written now. */
const MEDIA_TYPES = new Set([
  ...["0.1", "0.2", "0.3"].map((version) => `application/vnd.dev.sigstore.bundle+json;version=${version}`),
  BUNDLE_MEDIA_TYPE,
]);

/** Most values in a bundle: 32 log entries have a few thousand. */
const MAX_VALUES = 100_000;

/** The one member that may be large: what was attested. */
const PAYLOADS = new Set(["dsseEnvelope.payload", "dsse_envelope.payload"]);

/** Whether JSON bytes claim to be a Sigstore bundle: their mediaType decides, never a failed parse. */
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
 * Reads a Sigstore bundle of version 0.1 to 0.3 (protobuf-specs, sigstore_bundle.proto) into Evidence. It checks the
 * form only.
 *
 * @param options.overwrite whoever gave the bytes has no more use for them: a large payload is decoded where it stands
 * @throws TsignError "bad-bundle"
 */
export function readBundle(bytes: Uint8Array, origin: Origin, { overwrite = false } = {}): Evidence {
  requireFewer(bytes, "the bundle", MAX_VALUES);
  const short = shortened(bytes, PAYLOADS, "the bundle");
  const json = canonicalBundle(parseJson(short?.bytes ?? bytes, "the bundle"));
  if (typeof json["mediaType"] !== "string") throw new TsignError("bad-bundle", "the bundle has no mediaType");
  if (!MEDIA_TYPES.has(json["mediaType"])) {
    throw new TsignError("bad-bundle", `"${json["mediaType"]}" is not a bundle media type of version 0.1 to 0.3`);
  }
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
    content: withLargePayload(readBundleContent(bundle.content), short, overwrite),
    key: bundleKey(bundle),
    log: tlogEntries,
    timestamps: timestamps.map((t) => t.signedTimestamp),
    annotations: {},
  };
}

/** Puts the payload back that was not parsed with the rest. */
function withLargePayload(
  content: BlobContent | DsseContent,
  short: Shortened | undefined,
  overwrite: boolean,
): BlobContent | DsseContent {
  if (content.kind !== "dsse") return content;
  const taken = short?.taken.get(Buffer.from(content.payload).toString("base64"));
  return taken
    ? { ...content, payload: requireLargeBase64(taken.value, "the envelope's payload", { overwrite }) }
    : content;
}

/**
 * The signature of a bundle's content.
 *
 * @throws TsignError "bad-bundle" for more than one signature, or none, and for a digest of an unknown algorithm
 */
export function readBundleContent(content: Bundle["content"]): BlobContent | DsseContent {
  if (content.$case === "dsseEnvelope") {
    const { payload, payloadType, signatures } = content.dsseEnvelope;
    const [only, ...others] = signatures;
    if (!only || others.length > 0) {
      throw new TsignError("bad-bundle", `the envelope has ${signatures.length} signatures, expected one`);
    }
    return { kind: "dsse", payloadType, payload, signature: only.sig, ...withKeyid(only.keyid) };
  }
  const { messageDigest, signature } = content.messageSignature;
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
