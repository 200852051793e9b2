import { TsignError } from "../errors.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../evidence/media-types.ts";
import type { Evidence, EvidenceKey, Origin } from "../evidence/model.ts";
import { type Message, messageOfDigests } from "../format/digest.ts";
import { preAuthEncoding } from "../format/dsse.ts";
import { keyHint } from "../keys/index.ts";
import type { Signer } from "../keys/types.ts";

/** A certificate for the signer's key, to be stored with the signature. */
export interface SigningCertificate {
  /** DER. */
  readonly leaf: Uint8Array;
  /** DER, from the leaf's issuer upwards. */
  readonly chain: readonly Uint8Array[];
}

/** Who signs. */
export interface SigningIdentity {
  readonly signer: Signer;
  readonly certificate?: SigningCertificate;
}

const ORIGIN: Origin = { kind: "file", where: "the new signature" };

/** Signs a simple-signing payload: evidence for a layer of the `.sig` image. */
export async function signPayload(by: SigningIdentity, payload: Uint8Array): Promise<Evidence> {
  const { signature } = await by.signer.sign(payload);
  return evidence({ kind: "simple-signing", payload, signature }, legacyKey(by));
}

/**
 * Signs an in-toto statement in a DSSE envelope: evidence for a bundle, or, not binding, for an `.att` layer, which keeps
 * the certificate beside the envelope.
 */
export async function signInTotoStatement(
  by: SigningIdentity,
  statement: Uint8Array,
  { binding }: { binding: boolean } = { binding: true },
): Promise<Evidence> {
  const { signature } = await by.signer.sign(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, statement));
  const content = { kind: "dsse", payloadType: IN_TOTO_PAYLOAD_TYPE, payload: statement, signature } as const;
  return evidence(content, binding ? bundleKey(by) : legacyKey(by));
}

/** A signed attestation as an `.att` layer holds it: its key not binding, and not dated yet over its envelope. */
export function asLegacy(signed: Evidence, envelope: Uint8Array): Evidence {
  const { key } = signed;
  const offered = key.kind === "certificate" ? { ...key, binding: false } : ({ kind: "none" } as const);
  return { ...signed, key: offered, timestamps: [], timestamped: envelope };
}

/**
 * Signs a blob read once, in constant memory.
 *
 * @throws TsignError "limit" for an Ed25519 key and a blob over its limit
 */
export async function signBlob(by: SigningIdentity, blob: AsyncIterable<Uint8Array>): Promise<Evidence> {
  const { signature, digest } = await by.signer.sign(blob);
  const stated = { algorithm: digest.algorithm, digest: digest.value };
  return evidence({ kind: "blob", signature, stated }, bundleKey(by));
}

/**
 * The blob of a new signature, known by the digest it states.
 *
 * @throws TsignError "internal" for other content
 */
export function statedMessage({ content }: Evidence): Message {
  if (content.kind !== "blob" || !content.stated) throw new TsignError("internal", "the signature states no digest");
  return messageOfDigests(new Map([[content.stated.algorithm, content.stated.digest]]));
}

function evidence(content: Evidence["content"], key: EvidenceKey): Evidence {
  return { origin: ORIGIN, content, key, log: [], timestamps: [], annotations: {} };
}

function bundleKey({ signer, certificate }: SigningIdentity): EvidenceKey {
  if (certificate) return { kind: "certificate", ...certificate, binding: true };
  return { kind: "public-key", hint: keyHint(signer.publicKey) };
}

function legacyKey({ certificate }: SigningIdentity): EvidenceKey {
  return certificate ? { kind: "certificate", ...certificate, binding: false } : { kind: "none" };
}
