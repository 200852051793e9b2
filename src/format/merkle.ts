import { hash } from "./digest.ts";

/** The SHA-256 hash of a leaf of a Merkle tree (RFC 6962 §2.1). */
export function leafHash(content: Uint8Array): Uint8Array {
  return hash("sha256", Buffer.concat([Buffer.of(0), content]));
}

/** The SHA-256 hash of a node above two others (RFC 6962 §2.1). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash("sha256", Buffer.concat([Buffer.of(1), left, right]));
}
