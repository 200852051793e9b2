import { createPublicKey, type KeyObject } from "node:crypto";

/** DER of a SubjectPublicKeyInfo before the key (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** An Ed25519 public key from its 32 bytes (RFC 8032 §5.1.5). @throws Error for bytes that are not a key */
export function ed25519PublicKey(raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
}
