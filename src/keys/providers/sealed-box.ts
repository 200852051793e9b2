import { hsalsa, xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { x25519 } from "@noble/curves/ed25519.js";
import { blake2b } from "@noble/hashes/blake2.js";

/** "expand 32-byte k", the constant of Salsa20. */
const SIGMA = "expand 32-byte k";

/**
 * Encrypts a message to a public key anonymously (libsodium's crypto_box_seal), as GitHub requires.
 *
 * @param publicKey 32 bytes, X25519
 * @returns the ephemeral public key, then the NaCl box with BLAKE2b(both public keys) as nonce
 */
export function sealedBox(
  io: { random(bytes: number): Uint8Array },
  message: Uint8Array,
  publicKey: Uint8Array,
): Uint8Array {
  const secret = Uint8Array.from(io.random(32));
  const own = x25519.getPublicKey(secret);
  const nonce = blake2b(Uint8Array.from([...own, ...publicKey]), { dkLen: 24 });
  const shared = x25519.getSharedSecret(secret, Uint8Array.from(publicKey));
  const key = new Uint32Array(8);
  hsalsa(words(Buffer.from(SIGMA)), words(shared), new Uint32Array(4), key);
  const boxKey = new Uint8Array(32);
  const view = new DataView(boxKey.buffer);
  for (const [index, word] of key.entries()) view.setUint32(index * 4, word, true);
  return Buffer.concat([own, xsalsa20poly1305(boxKey, nonce).encrypt(Uint8Array.from(message))]);
}

/** Splits bytes into little-endian 32-bit words. */
function words(bytes: Uint8Array): Uint32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(index * 4, true));
}
