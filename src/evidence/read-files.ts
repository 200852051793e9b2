import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { isObject } from "../format/json.ts";
import { parseSignedJson } from "../format/signed-json.ts";
import type { Io } from "../io/io.ts";
import { publicKeyFromPem } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { readBlob } from "../net/input.ts";
import { readLegacyLogEntry } from "./legacy/proofs.ts";
import { readCertificates } from "./legacy/read.ts";
import type { Evidence, EvidenceKey } from "./model.ts";

/**
 * Reads a detached signature from a file or URL, or from base64 text. Content that is not base64 is the raw signature.
 *
 * @throws TsignError "input"
 */
async function readSignature(io: Io, reference: string): Promise<Uint8Array> {
  const literal = decodeBase64(reference);
  const isPlace = reference.includes("://") || reference === "-" || (await io.files.stat(reference)) !== undefined;
  if (!isPlace && literal && literal.length > 0) return literal;
  return readSignatureFile(io, reference);
}

/** Reads a signature from a file, base64 or raw. */
export async function readSignatureFile(io: Io, reference: string): Promise<Uint8Array> {
  const content = await readBlob(io, reference);
  const text = Buffer.from(content).toString("latin1").trim();
  return (text !== "" && decodeBase64(text)) || content;
}

/** Reads a detached signature for an image's simple-signing payload. */
export async function readSignatureFiles(
  io: Io,
  options: { signature: string; payload: Uint8Array },
): Promise<Evidence> {
  const signature = await readSignature(io, options.signature);
  return fileEvidence("--signature", { kind: "simple-signing", payload: options.payload, signature }, { kind: "none" });
}

/** Reads a detached signature for a blob. */
export async function readBlobSignature(io: Io, reference: string): Promise<Evidence> {
  return fileEvidence("--signature", { kind: "blob", signature: await readSignature(io, reference) }, { kind: "none" });
}

/** A legacy blob bundle: the signature, and a public key if it contains one. */
export interface LegacyBlobBundle {
  readonly evidence: Evidence;
  /** Not trusted: it must never replace the key that the user requires. */
  readonly statedKey: PublicKey | undefined;
}

/**
 * Reads the JSON of `sign-blob --new-bundle-format=false --bundle`: base64Signature, cert (base64 of a PEM certificate, or
 * of a PEM public key), rekorBundle.
 *
 * @throws TsignError "bad-bundle"
 */
export function readLegacyBlobBundle(bytes: Uint8Array, path: string): LegacyBlobBundle {
  const json = parseSignedJson(bytes, { base64Signature: {}, cert: {}, rekorBundle: {} }, path);
  if (!isObject(json) || typeof json["base64Signature"] !== "string") {
    throw new TsignError("bad-bundle", `${path} is neither a Sigstore bundle nor a legacy bundle`);
  }
  const signature = decodeBase64(json["base64Signature"]);
  if (!signature) throw new TsignError("bad-bundle", `base64Signature in ${path} is not base64`);
  const { key, statedKey } = readLegacyKey(json["cert"], path);
  const { rekorBundle } = json;
  const log = rekorBundle ? [readLegacyLogEntry(rekorBundle, `rekorBundle in ${path}`)] : [];
  return { evidence: { ...fileEvidence(path, { kind: "blob", signature }, key), log }, statedKey };
}

function readLegacyKey(cert: unknown, path: string): { key: EvidenceKey; statedKey: PublicKey | undefined } {
  if (cert === undefined || cert === null || cert === "") return { key: { kind: "none" }, statedKey: undefined };
  const bytes = typeof cert === "string" ? decodeBase64(cert) : undefined;
  if (!bytes) throw new TsignError("bad-bundle", `cert in ${path} is not base64`);
  const pem = Buffer.from(bytes).toString("latin1");
  const [leaf, ...chain] = readCertificates(pem, path);
  if (leaf) return { key: { kind: "certificate", leaf, chain, binding: false }, statedKey: undefined };
  try {
    return { key: { kind: "none" }, statedKey: publicKeyFromPem(pem) };
  } catch (cause) {
    throw new TsignError("bad-bundle", `cert in ${path} is neither a certificate nor a public key`, { cause });
  }
}

function fileEvidence(where: string, content: Evidence["content"], key: EvidenceKey): Evidence {
  return { origin: { kind: "file", where }, content, key, log: [], timestamps: [], annotations: {} };
}
