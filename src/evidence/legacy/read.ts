import { X509Certificate } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { wrapPem } from "../../format/pem.ts";
import { parseForPrinting, parseSignedJson } from "../../format/signed-json.ts";
import { readEnvelope } from "../envelope.ts";
import { ANNOTATION } from "../media-types.ts";
import type { Evidence, EvidenceKey, Origin } from "../model.ts";
import { refuseOtherType } from "../statement.ts";
import { readLegacyLogEntry, readLegacyTimestamp } from "./proofs.ts";

/** One layer of a `.sig` or `.att` image: its blob and annotations. */
export interface SignatureLayer {
  readonly payload: Uint8Array;
  readonly annotations: Readonly<Record<string, string>>;
  readonly origin: Origin;
}

/**
 * Parses a simple-signing layer (cosign's SIGNATURE_SPEC, "Storage") into Evidence, with the log entry and timestamp from its
 * annotations.
 *
 * @throws TsignError "bad-bundle"
 */
export function readSignatureLayer({ payload, annotations, origin }: SignatureLayer): Evidence {
  const encoded = annotations[ANNOTATION.signature];
  if (encoded === undefined) throw new TsignError("bad-bundle", `layer has no ${ANNOTATION.signature} annotation`);
  const signature = decodeBase64(encoded);
  if (!signature) throw new TsignError("bad-bundle", `annotation ${ANNOTATION.signature} is not base64`);
  return {
    origin,
    content: { kind: "simple-signing", payload, signature },
    key: layerKey(annotations),
    ...layerProofs(annotations),
    annotations,
  };
}

/** The log entry and timestamp in a layer's annotations. */
function layerProofs(annotations: Readonly<Record<string, string>>): Pick<Evidence, "log" | "timestamps"> {
  const entry = annotations[ANNOTATION.logEntry];
  const timestamp = annotations[ANNOTATION.timestamp];
  const name = `annotation ${ANNOTATION.logEntry}`;
  return {
    log: entry ? [readLegacyLogEntry(parseJson(Buffer.from(entry), name), name)] : [],
    timestamps: timestamp ? [readLegacyTimestamp(timestamp, `annotation ${ANNOTATION.timestamp}`)] : [],
  };
}

/**
 * Parses an `.att` layer: a DSSE envelope, with certificate, log entry and timestamp in annotations. cosign 2 timestamps the
 * whole layer, cosign 3 the signature.
 *
 * @throws TsignError "bad-bundle"
 */
export function readAttestationLayer({ payload, annotations, origin }: SignatureLayer): Evidence {
  const content = readEnvelope(payload, "layer");
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
  const [leaf] = readCertificates(certificate, `annotation ${ANNOTATION.certificate}`);
  if (!leaf) throw new TsignError("bad-bundle", `annotation ${ANNOTATION.certificate} contains no certificate`);
  const chain = readCertificates(annotations[ANNOTATION.chain] ?? "", `annotation ${ANNOTATION.chain}`);
  return { kind: "certificate", leaf, chain, binding: false };
}

/**
 * Parses every certificate in a PEM text, in order, to DER.
 *
 * @param name the text's name in the error
 * @throws TsignError "bad-bundle" when a CERTIFICATE block does not parse
 */
export function readCertificates(pem: string, name: string): Uint8Array[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const known = new Map<string, Uint8Array>(); // a repeated block is parsed once
  return blocks.map((block) => {
    try {
      const der = known.get(block) ?? new X509Certificate(wrapPem(block)).raw;
      known.set(block, der);
      return der;
    } catch (cause) {
      throw new TsignError("bad-bundle", `${name} contains a malformed certificate`, { cause });
    }
  });
}

/** Members of a simple-signing payload that are read. `optional` is a map with keys chosen by the signer. */
const MEMBERS = {
  critical: { identity: { "docker-reference": {} }, image: { "docker-manifest-digest": {} }, type: {} },
  optional: {},
};

/** The claims of a simple-signing payload; not trusted before its signature is verified. */
export interface SimpleSigningClaims {
  readonly dockerReference: string;
  readonly manifestDigest: string;
  readonly type: string;
  /** The signed `-a` values; undefined if the payload has none. */
  readonly optional: Readonly<Record<string, unknown>> | undefined;
}

/** The claims of a payload that may be incomplete. */
export type PayloadDescription = Omit<SimpleSigningClaims, "manifestDigest"> & {
  readonly manifestDigest: string | undefined;
};

/**
 * Parses a simple-signing payload (containers/image, atomic-signature.md).
 *
 * @throws TsignError "bad-bundle"
 */
export function readSimpleSigning(payload: Uint8Array): SimpleSigningClaims {
  const claims = claimsIn(parseSignedJson(payload, MEMBERS, "payload"));
  if (claims?.manifestDigest !== undefined) return { ...claims, manifestDigest: claims.manifestDigest };
  throw new TsignError("bad-bundle", "payload is not a simple-signing document");
}

/**
 * Describes a payload of any kind for printing: with --check-claims=false it may have any content, and every field may be missing.
 * Numbers are kept as they are written.
 *
 * @returns undefined if it is not a JSON object, or a field is not a string
 */
export function describePayload(payload: Uint8Array): PayloadDescription | undefined {
  try {
    parseSignedJson(payload, MEMBERS, "payload");
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
  if (optional !== undefined && !isObject(optional)) return undefined; // other readers refuse the whole payload
  return { dockerReference, manifestDigest, type, optional };
}

/** The fields of an object, none for null or undefined; undefined for anything else. */
function fieldsOf(value: unknown): Record<string, unknown> | undefined {
  const object = value ?? {};
  return isObject(object) ? object : undefined;
}
