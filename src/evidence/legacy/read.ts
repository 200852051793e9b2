import { X509Certificate } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { parseForPrinting, parseSignedJson } from "../../format/signed-json.ts";
import { readEnvelope } from "../envelope.ts";
import { ANNOTATION } from "../media-types.ts";
import type { Evidence, EvidenceKey, Origin } from "../model.ts";
import { refuseOtherType } from "../statement.ts";
import { readLegacyLogEntry, readLegacyTimestamp } from "./proofs.ts";

/** One layer of a `.sig` or `.att` image: the stored payload and what its descriptor says about it. */
export interface SignatureLayer {
  readonly payload: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
  readonly origin: Origin;
}

/**
 * Reads a simple-signing layer (cosign's SIGNATURE_SPEC, "Storage") into Evidence, with the log entry and the timestamp
 * that its annotations hold.
 *
 * @throws TsignError "bad-bundle"
 */
export function readSignatureLayer({ payload, annotations, origin }: SignatureLayer): Evidence {
  const encoded = annotations[ANNOTATION.signature];
  if (encoded === undefined) throw new TsignError("bad-bundle", `the layer has no ${ANNOTATION.signature} annotation`);
  const signature = decodeBase64(encoded);
  if (!signature) throw new TsignError("bad-bundle", `the annotation ${ANNOTATION.signature} is not base64`);
  return {
    origin,
    content: { kind: "simple-signing", payload, signature },
    key: layerKey(annotations),
    ...layerProofs(annotations),
    annotations,
  };
}

/** The log entry and timestamp stored beside a legacy signature. */
function layerProofs(annotations: Readonly<Record<string, string>>): Pick<Evidence, "log" | "timestamps"> {
  const entry = annotations[ANNOTATION.logEntry];
  const timestamp = annotations[ANNOTATION.timestamp];
  const what = `the annotation ${ANNOTATION.logEntry}`;
  return {
    log: entry ? [readLegacyLogEntry(parseJson(Buffer.from(entry), what), what)] : [],
    timestamps: timestamp ? [readLegacyTimestamp(timestamp, `the annotation ${ANNOTATION.timestamp}`)] : [],
  };
}

/**
 * Reads an `.att` layer, a DSSE envelope with its certificate, log entry and timestamp in annotations. cosign 2 had the
 * whole layer timestamped, cosign 3 the signature.
 *
 * @throws TsignError "bad-bundle"
 */
export function readAttestationLayer({ payload, annotations, origin }: SignatureLayer): Evidence {
  const content = readEnvelope(payload, "the layer");
  refuseOtherType(content, annotations[ANNOTATION.predicateType]);
  return {
    origin,
    content,
    key: layerKey(annotations),
    ...layerProofs(annotations),
    timestamped: payload,
    annotations,
  };
}

function layerKey(annotations: Readonly<Record<string, string>>): EvidenceKey {
  const certificate = annotations[ANNOTATION.certificate];
  if (!certificate) return { kind: "none" };
  const [leaf] = readCertificates(certificate, `the annotation ${ANNOTATION.certificate}`);
  if (!leaf) throw new TsignError("bad-bundle", `the annotation ${ANNOTATION.certificate} holds no certificate`);
  const chain = readCertificates(annotations[ANNOTATION.chain] ?? "", `the annotation ${ANNOTATION.chain}`);
  return { kind: "certificate", leaf, chain, binding: false };
}

/**
 * DER of every certificate in a PEM text, in order.
 *
 * @param what names the text in the error
 * @throws TsignError "bad-bundle" when a CERTIFICATE block does not parse
 */
export function readCertificates(pem: string, what: string): Uint8Array[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const known = new Map<string, Uint8Array>(); // a block that stands there a thousand times is read once
  return blocks.map((block) => {
    try {
      const der = known.get(block) ?? new X509Certificate(block).raw;
      known.set(block, der);
      return der;
    } catch (cause) {
      throw new TsignError("bad-bundle", `${what} holds a certificate that cannot be read`, { cause });
    }
  });
}

/** What is read of a simple-signing payload. What is `optional` is a map, whose keys the signer chose. */
const MEMBERS = {
  critical: { identity: { "docker-reference": {} }, image: { "docker-manifest-digest": {} }, type: {} },
  optional: {},
};

/** What a simple-signing payload says. Not trusted before its signature is. */
export interface SimpleSigningClaims {
  readonly dockerReference: string;
  readonly manifestDigest: string;
  readonly type: string;
  /** The signed `-a` values; undefined when the payload has none. */
  readonly optional: Readonly<Record<string, unknown>> | undefined;
}

/** The same of a payload that need not be one. */
export type PayloadDescription = Omit<SimpleSigningClaims, "manifestDigest"> & {
  readonly manifestDigest: string | undefined;
};

/**
 * Reads a simple-signing payload (containers/image, atomic-signature.md).
 *
 * @throws TsignError "bad-bundle"
 */
export function readSimpleSigning(payload: Uint8Array): SimpleSigningClaims {
  const claims = claimsIn(parseSignedJson(payload, MEMBERS, "the payload"));
  if (claims?.manifestDigest !== undefined) return { ...claims, manifestDigest: claims.manifestDigest };
  throw new TsignError("bad-bundle", "the payload is not a simple-signing document");
}

/**
 * What a payload of any kind says in the terms of simple signing, for showing it: one that was verified with
 * --check-claims=false may be about anything, and every field may be missing. Numbers are written as they stand in the payload.
 *
 * @returns undefined for what is no JSON object, or has something else than text in a field
 */
export function describePayload(payload: Uint8Array): PayloadDescription | undefined {
  try {
    parseSignedJson(payload, MEMBERS, "the payload");
    return claimsIn(parseForPrinting(Buffer.from(payload).toString("utf8")));
  } catch (error) {
    if (error instanceof TsignError) return undefined;
    throw error;
  }
}

function claimsIn(value: unknown): PayloadDescription | undefined {
  const document = fieldsOf(value);
  const critical = fieldsOf(document?.["critical"]);
  const identity = fieldsOf(critical?.["identity"]);
  const image = fieldsOf(critical?.["image"]);
  if (!document || !critical || !identity || !image) return undefined;
  const dockerReference = identity["docker-reference"] ?? "";
  const manifestDigest = image["docker-manifest-digest"] ?? undefined;
  const type = critical["type"] ?? "";
  if (typeof dockerReference !== "string" || typeof type !== "string") return undefined;
  if (manifestDigest !== undefined && typeof manifestDigest !== "string") return undefined;
  const optional = document["optional"] ?? undefined;
  if (optional !== undefined && !isObject(optional)) return undefined; // other readers refuse it, and so the whole
  return { dockerReference, manifestDigest, type, optional };
}

/** The fields of an object, none where there is null or nothing; undefined for anything else. */
function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  const object = value ?? {};
  return isObject(object) ? object : undefined;
}
