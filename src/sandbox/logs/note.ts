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
