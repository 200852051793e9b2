import type { TransparencyLogEntry } from "@sigstore/bundle";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import type { HashName, Message } from "../format/digest.ts";
import type { Io, TlsOptions } from "../io/io.ts";
import type { PublicKey } from "../keys/types.ts";
import { uploadEntry } from "../services/rekor-v1.ts";
import { uploadEntryV2 } from "../services/rekor-v2.ts";
import { requestTimestamp } from "../services/timestamp.ts";
import { statedMessage } from "./sign.ts";

type RecordIo = Pick<Io, "http" | "sleep" | "now" | "env" | "signal" | "random">;

/** Who makes a signature public and dates it. */
export interface Witnesses {
  readonly logs: readonly { readonly url: URL; readonly version: number }[];
  readonly timestampAuthorities: readonly { readonly url: URL; readonly tls?: TlsOptions | undefined }[];
}

/**
 * Has a signature dated and recorded by every witness, all at once, and returns it with what they gave. A failure of one
 * is a failure of all: what a signing config asks for is there, or nothing is stored.
 *
 * @throws TsignError
 */
export async function recordEvidence(
  io: RecordIo,
  evidence: Evidence,
  options: { key: PublicKey; witnesses: Witnesses },
): Promise<Evidence> {
  const { key, witnesses } = options;
  const [timestamps, log] = await Promise.all([
    Promise.all(witnesses.timestampAuthorities.map((each) => timestamp(io, evidence, each))),
    Promise.all(witnesses.logs.map((each) => entry(io, evidence, { key, ...each }))),
  ]);
  return { ...evidence, timestamps: [...evidence.timestamps, ...timestamps], log: [...evidence.log, ...log] };
}

function timestamp(
  io: RecordIo,
  { content, timestamped }: Evidence,
  { url, tls }: Witnesses["timestampAuthorities"][number],
): Promise<Uint8Array> {
  return requestTimestamp(io, { url, tls, message: timestamped ?? content.signature, nonce: io.random(16) });
}

async function entry(
  io: RecordIo,
  evidence: Evidence,
  by: { url: URL; version: number; key: PublicKey },
): Promise<TransparencyLogEntry> {
  const { url, key } = by;
  const { message, hash } = signedMessage(evidence, key);
  const certificate = evidence.key.kind === "certificate" ? evidence.key.leaf : undefined;
  if (by.version === 1) {
    const verifier = certificate ? certificatePem(certificate) : key.pem;
    return uploadEntry(io, url, { content: evidence.content, message, hash, verifier });
  }
  return uploadEntryV2(io, url, {
    digest: message.digest(hash),
    signature: evidence.content.signature,
    verifier: certificate ? { kind: "certificate", der: certificate } : { kind: "public-key", spki: key.spki },
    key: key.kind,
  });
}

/** What the signature covers and the hash it was made with, which the log checks it by. */
function signedMessage(evidence: Evidence, key: PublicKey): { message: Message; hash: HashName } {
  const { content } = evidence;
  const stated = content.kind === "blob" ? content.stated : undefined;
  return { message: ownMessage(content) ?? statedMessage(evidence), hash: stated?.algorithm ?? key.hash };
}
