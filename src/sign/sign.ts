import { TsignError } from "../errors.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../evidence/media-types.ts";
import type { Evidence, EvidenceKey, Origin } from "../evidence/model.ts";
import { type Message, messageOfDigests } from "../format/digest.ts";
import { preAuthEncoding } from "../format/dsse.ts";
import { keyHint } from "../keys/index.ts";
import type { Signer } from "../keys/types.ts";

/** A certificate for the signer's key, which is stored with the signature. */
export interface SigningCertificate {
  /** DER. */
  readonly leaf: Uint8Array;
  /** DER; starts with the leaf's issuer. */
  readonly chain: readonly Uint8Array[];
}

/** A signer with its certificate, if it has one. */
export interface SigningIdentity {
  readonly signer: Signer;
  readonly certificate?: SigningCertificate;
}

const ORIGIN: Origin = { kind: "file", where: "the new signature" };

/** Signs a simple-signing payload, for a layer of the `.sig` image. */
export async function signPayload(identity: SigningIdentity, payload: Uint8Array): Promise<Evidence> {
  const { signature } = await identity.signer.sign(payload);
  return evidence({ kind: "simple-signing", payload, signature }, legacyKey(identity));
}

/**
 * Signs an in-toto statement in a DSSE envelope, for a bundle or, if not binding, for an `.att` layer, which stores the
 * certificate next to the envelope.
 */
export async function signInTotoStatement(
  identity: SigningIdentity,
  statement: Uint8Array,
  { binding }: { binding: boolean } = { binding: true },
): Promise<Evidence> {
  const { signature } = await identity.signer.sign(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, statement));
  const content = { kind: "dsse", payloadType: IN_TOTO_PAYLOAD_TYPE, payload: statement, signature } as const;
  return evidence(content, binding ? bundleKey(identity) : legacyKey(identity));
}

/** Converts a signed attestation to the form of an `.att` layer: its key is not binding, and it has no timestamps yet. */
export function toLegacyEvidence(signed: Evidence, envelope: Uint8Array): Evidence {
  const { key } = signed;
  const offered = key.kind === "certificate" ? { ...key, binding: false } : ({ kind: "none" } as const);
  return { ...signed, key: offered, timestamps: [], timestamped: envelope };
}

/**
 * Signs a blob, read once and in constant memory.
 *
 * @throws TsignError "limit" for pure Ed25519 and a blob above its limit
 */
export async function signBlob(identity: SigningIdentity, blob: AsyncIterable<Uint8Array>): Promise<Evidence> {
  const { signature, digest } = await identity.signer.sign(blob);
  const stated = { algorithm: digest.algorithm, digest: digest.value };
  return evidence({ kind: "blob", signature, stated }, bundleKey(identity));
}

/**
 * Returns the blob of a new signature, by its digest in the signature.
 *
 * @throws TsignError "internal" for other content
 */
export function statedMessage({ content }: Evidence): Message {
  if (content.kind !== "blob" || !content.stated) throw new TsignError("internal", "the signature has no digest");
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
