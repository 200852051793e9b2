import { constants, createHash, publicEncrypt, timingSafeEqual } from "node:crypto";
import { type HashName, hash } from "../format/digest.ts";
import type { VerifySignature } from "./types.ts";

/**
 * Verifies an RSASSA-PSS signature over a digest, which node:crypto can only do over a whole message: MGF1 with the same
 * hash, salt as long as the hash, trailer 0xbc (RFC 8017 §8.1.2, §9.1.2).
 */
export const verifyPss: VerifySignature = async ({ key, message, signature, hashes }) => {
  const bits = key.kind.type === "rsa" ? key.kind.bits : 0;
  if (bits % 8 !== 0 || signature.length * 8 !== bits) return false;
  let encoded: Uint8Array;
  try {
    encoded = publicEncrypt({ key: key.object, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    return false; // the number is not below the modulus
  }
  return hashes.some(
    (name) => message.hashes.includes(name) && isEncodingOf(encoded, { name, digest: message.digest(name) }),
  );
};

/** EMSA-PSS-VERIFY (RFC 8017 §9.1.2) for a modulus of whole bytes, where emBits is one less than a multiple of eight. */
function isEncodingOf(encoded: Uint8Array, { name, digest }: { name: HashName; digest: Uint8Array }): boolean {
  const size = digest.length;
  const masked = encoded.subarray(0, encoded.length - size - 1);
  const hashed = encoded.subarray(masked.length, masked.length + size);
  if (masked.length < size + 1 || encoded.at(-1) !== 0xbc || ((masked[0] ?? 0) & 0x80) !== 0) return false;
  const mask = mgf1(name, hashed, masked.length);
  const block = masked.map((byte, at) => byte ^ (mask[at] ?? 0));
  block[0] = (block[0] ?? 0) & 0x7f;
  const zeros = block.length - size - 1;
  if (block.subarray(0, zeros).some((byte) => byte !== 0) || block[zeros] !== 1) return false;
  const salt = block.subarray(zeros + 1);
  return timingSafeEqual(hashed, hash(name, Buffer.concat([new Uint8Array(8), digest, salt])));
}

/** The mask generation function of RFC 8017 §B.2.1. */
function mgf1(name: HashName, seed: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let counter = 0, made = 0; made < length; counter++) {
    const index = Buffer.alloc(4);
    index.writeUInt32BE(counter);
    const block = createHash(name).update(seed).update(index).digest();
    blocks.push(block);
    made += block.length;
  }
  return Buffer.concat(blocks).subarray(0, length);
}
