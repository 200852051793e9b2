import { RFC3161Timestamp } from "@sigstore/core";
import { TsignError } from "../errors.ts";
import { looksLikeEnvelope, readEnvelope } from "../evidence/envelope.ts";
import { readLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import { readCertificates } from "../evidence/legacy/read.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../evidence/media-types.ts";
import type { DsseContent, Evidence, EvidenceKey } from "../evidence/model.ts";
import { readLegacyBlobBundle, readSignatureFile } from "../evidence/read-files.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import { decodeBase64 } from "../format/base64.ts";
import type { HashName, Message } from "../format/digest.ts";
import type { Io } from "../io/io.ts";
import { keyHint, publicKeyFromObject, verifySignature } from "../keys/index.ts";
import { loadPublicKey } from "../keys/reference.ts";
import type { PublicKey } from "../keys/types.ts";
import { readBlob } from "../net/input.ts";
import { verifyClaims } from "../verify/claims.ts";
import { CheckFailed } from "../verify/model.ts";

const HASHES: readonly HashName[] = ["sha256", "sha384", "sha512"];

/** The files with the parts of a bundle; empty for parts that are not given. */
export interface PartFiles {
  readonly artifact: string;
  readonly attestation: string;
  readonly bundle: string;
  readonly certificate: string;
  readonly key: string;
  readonly rfc3161Timestamp: string;
  readonly signature: string;
}

/** An assembled bundle, with what is needed to find its log entry. */
export interface Assembled {
  readonly evidence: Evidence;
  /** The signed message. */
  readonly message: Message;
  readonly hash: HashName;
  /** PEM of the certificate or the key. */
  readonly verifier: string;
}

/**
 * Assembles a bundle from a signature and its key or certificate. The signature must verify for the artifact.
 *
 * @param artifact the artifact's digests, and its bytes if it is small
 * @throws TsignError "usage" for missing parts, "input" or "bad-bundle" for unreadable ones, "bad-signature" if it does not verify
 */
export async function assembleBundle(io: Io, files: PartFiles, artifact: Message): Promise<Assembled> {
  const legacy = files.bundle === "" ? undefined : readLegacyBlobBundle(await readBlob(io, files.bundle), files.bundle);
  const content = await readContent(io, files, legacy?.evidence.content.signature);
  const { key, publicKey } = await readKey(io, files, legacy);
  if (content.kind === "dsse") requireAbout(content, artifact, files.artifact);
  const message = ownMessage(content) ?? artifact;
  const hash = await hashOf(publicKey, { message, signature: content.signature });
  if (!hash) {
    const signed = content.kind === "dsse" ? "the attestation" : files.artifact;
    throw new TsignError("bad-signature", `the signature of ${signed} does not verify with this key`);
  }
  const timestamps = files.rfc3161Timestamp === "" ? [] : [await readTimestamp(io, files.rfc3161Timestamp)];
  const evidence: Evidence = {
    origin: { kind: "file", where: files.bundle || files.attestation || files.signature },
    content:
      content.kind === "dsse" ? content : { ...content, stated: { algorithm: hash, digest: artifact.digest(hash) } },
    key,
    log: legacy?.evidence.log ?? [],
    timestamps: [...(legacy?.evidence.timestamps ?? []), ...timestamps],
    annotations: {},
  };
  return { evidence, message, hash, verifier: key.kind === "certificate" ? certificatePem(key.leaf) : publicKey.pem };
}

/** Checks that a statement is about the artifact. The subject of other payloads is unknown. */
function requireAbout(content: DsseContent, artifact: Message, path: string): void {
  if (content.payloadType !== IN_TOTO_PAYLOAD_TYPE) return;
  try {
    verifyClaims({ content }, { kind: "blob", message: artifact }, { annotations: {}, predicateTypes: undefined });
  } catch (cause) {
    if (!(cause instanceof CheckFailed)) throw cause;
    throw new TsignError("bad-signature", `the attestation is not about ${path}: ${cause.message}`, { cause });
  }
}

/** Reads the signature, or the envelope of an attestation, which the legacy bundle contains in place of a signature. */
async function readContent(
  io: Io,
  files: PartFiles,
  bundled: Uint8Array | undefined,
): Promise<DsseContent | { kind: "blob"; signature: Uint8Array }> {
  if (files.attestation !== "") return readEnvelope(await readBlob(io, files.attestation), files.attestation);
  if (!bundled && files.signature === "") {
    throw new TsignError("usage", "must at least supply signature via --bundle, --signature or --attestation");
  }
  const signature = bundled ?? (await readSignatureFile(io, files.signature));
  return looksLikeEnvelope(signature)
    ? readEnvelope(signature, files.bundle || files.signature)
    : { kind: "blob", signature };
}

async function readKey(
  io: Io,
  files: PartFiles,
  legacy: ReturnType<typeof readLegacyBlobBundle> | undefined,
): Promise<{ key: EvidenceKey; publicKey: PublicKey }> {
  const given = files.certificate === "" ? undefined : await readCertificateFile(io, files.certificate);
  const stored = legacy?.evidence.key.kind === "certificate" ? legacy.evidence.key.leaf : undefined;
  const leaf = given ?? (files.key === "" ? stored : undefined);
  if (leaf) {
    const { parseCertificate } = await import("../trust/certificate.ts");
    const publicKey = publicKeyFromObject(parseCertificate(leaf).native.publicKey);
    return { key: { kind: "certificate", leaf, chain: [], binding: true }, publicKey };
  }
  const publicKey = files.key === "" ? legacy?.statedKey : await loadPublicKey(io, files.key);
  if (!publicKey) {
    throw new TsignError("usage", "missing the key or certificate that the signature was made with", {
      hint: "use --key or --certificate",
    });
  }
  return { key: { kind: "public-key", hint: keyHint(publicKey) }, publicKey };
}

/** Reads a certificate: PEM, DER, or base64 of either. */
async function readCertificateFile(io: Io, file: string): Promise<Uint8Array> {
  const bytes = await readBlob(io, file);
  const text = Buffer.from(bytes).toString("latin1").trim();
  const decoded = text.includes("-----BEGIN") ? bytes : (decodeBase64(text) ?? bytes);
  const [leaf] = readCertificates(Buffer.from(decoded).toString("latin1"), file);
  return leaf ?? decoded;
}

/** Returns the hash with which the signature verifies, trying the key's default first; undefined if there is none. */
async function hashOf(
  key: PublicKey,
  { message, signature }: { message: Message; signature: Uint8Array },
): Promise<HashName | undefined> {
  for (const hash of new Set([key.hash, ...HASHES])) {
    if (await verifySignature({ key, message, signature, hashes: [hash] })) {
      return key.kind.type === "ed25519" ? "sha256" : hash;
    }
  }
  return undefined;
}

/** Reads a timestamp: cosign's JSON or DER. Its signature is checked when the bundle is verified. */
async function readTimestamp(io: Io, file: string): Promise<Uint8Array> {
  const bytes = await readBlob(io, file);
  const text = Buffer.from(bytes).toString("utf8");
  const der = text.trimStart().startsWith("{") ? readLegacyTimestamp(text, file) : bytes;
  try {
    RFC3161Timestamp.parse(Buffer.from(der)).tstInfo;
  } catch (cause) {
    throw new TsignError("bad-bundle", `invalid timestamp "${file}": not an RFC 3161 response`, { cause });
  }
  return der;
}
