import { createHash, type KeyObject, sign } from "node:crypto";

/** The signer of a checkpoint. */
export interface NoteSigner {
  /** First line of the note. */
  readonly origin: string;
  /** Name in the signature line. */
  readonly name: string;
  readonly key: KeyObject;
  /** The log ID; a note contains its first four bytes. */
  readonly keyId: Uint8Array;
}

/**
 * Writes a checkpoint as a signed note (C2SP tlog-checkpoint and signed-note): origin, size, root; an empty line; the line
 * `— <name> <base64 of key hash and signature>`. ECDSA signs the text's SHA-256, Ed25519 the text.
 */
export function signedCheckpoint(signer: NoteSigner, tree: { size: number; root: Uint8Array }): string {
  const text = `${signer.origin}\n${tree.size}\n${Buffer.from(tree.root).toString("base64")}\n`;
  const hash = signer.key.asymmetricKeyType === "ed25519" ? null : "sha256";
  const signature = sign(hash, Buffer.from(text), signer.key);
  const line = Buffer.concat([Buffer.from(signer.keyId).subarray(0, 4), signature]);
  return `${text}\n\u2014 ${signer.name} ${line.toString("base64")}\n`;
}

/** Returns the key ID for an Ed25519 key: SHA-256 of name, line feed, 0x01 and the raw key (C2SP signed-note). */
export function ed25519KeyId(name: string, spki: Uint8Array): Buffer {
  const raw = Buffer.from(spki).subarray(-32);
  return createHash("sha256")
    .update(`${name}\n`)
    .update(Buffer.from([1]))
    .update(raw)
    .digest();
}

/** Returns the key ID for an ECDSA key: SHA-256 of its SubjectPublicKeyInfo (RFC 6962 §3.2). */
export function spkiKeyId(spki: Uint8Array): Buffer {
  return createHash("sha256").update(spki).digest();
}

/** A witness of the sandbox, with an Ed25519 key. */
export interface SandboxWitness {
  readonly name: string;
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Uint8Array;
}

/** Type of a cosignature, and the raw key (C2SP tlog-cosignature). */
const witnessKey = ({ spki }: SandboxWitness) => Buffer.concat([Buffer.from([4]), Buffer.from(spki).subarray(-32)]);
const witnessHint = (witness: SandboxWitness) =>
  createHash("sha256").update(`${witness.name}\n`).update(witnessKey(witness)).digest().subarray(0, 4);

/** The verifier key of a witness, `NAME+HINT+KEY` (C2SP signed-note). */
export function verifierKey(witness: SandboxWitness): string {
  return `${witness.name}+${witnessHint(witness).toString("hex")}+${witnessKey(witness).toString("base64")}`;
}

/** Adds the line of a witness to a checkpoint (C2SP tlog-cosignature). */
export function cosigned(checkpoint: string, witness: SandboxWitness, now: Date): string {
  const seconds = Math.floor(now.getTime() / 1000);
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const text = checkpoint.slice(0, checkpoint.indexOf("\n\n") + 1);
  const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), witness.key);
  const line = Buffer.concat([witnessHint(witness), time, signature]);
  return `${checkpoint}\u2014 ${witness.name} ${line.toString("base64")}\n`;
}
