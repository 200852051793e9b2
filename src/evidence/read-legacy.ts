import { X509Certificate } from "node:crypto";
import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { parseJson } from "../format/json.ts";
import { readEnvelope } from "./envelope.ts";
import { readLegacyLogEntry, readLegacyTimestamp } from "./legacy-proofs.ts";
import { ANNOTATION } from "./media-types.ts";
import type { Evidence, EvidenceKey, Origin } from "./model.ts";

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
export function layerProofs(annotations: Readonly<Record<string, string>>): Pick<Evidence, "log" | "timestamps"> {
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
  return {
    origin,
    content: readEnvelope(payload, "the layer"),
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
  return blocks.map((block) => {
    try {
      return new X509Certificate(block).raw;
    } catch (cause) {
      throw new TsignError("bad-bundle", `${what} holds a certificate that cannot be read`, { cause });
    }
  });
}

/** What a simple-signing payload says. Not trusted before its signature is. */
export interface SimpleSigningClaims {
  readonly dockerReference: string;
  readonly manifestDigest: string;
  readonly type: string;
  /** The signed `-a` values; undefined when the payload has none. */
  readonly optional: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Reads a simple-signing payload (containers/image, atomic-signature.md).
 *
 * @throws TsignError "bad-bundle"
 */
export function readSimpleSigning(payload: Uint8Array): SimpleSigningClaims {
  const value = parseJson(payload, "the payload") as {
    critical?: { identity?: Record<string, unknown>; image?: Record<string, unknown>; type?: unknown };
    optional?: Record<string, unknown> | null;
  } | null;
  const critical = value?.critical;
  const manifestDigest = critical?.image?.["docker-manifest-digest"];
  const dockerReference = critical?.identity?.["docker-reference"] ?? "";
  if (typeof manifestDigest !== "string" || typeof dockerReference !== "string") {
    throw new TsignError("bad-bundle", "the payload is not a simple-signing document");
  }
  const { optional } = value ?? {};
  return {
    dockerReference,
    manifestDigest,
    type: typeof critical?.type === "string" ? critical.type : "",
    optional: typeof optional === "object" && optional !== null && !Array.isArray(optional) ? optional : undefined,
  };
}
