import { createHash } from "node:crypto";

/** dom2(1, context) with an empty context (RFC 8032 §5.1). */
const DOMAIN = Buffer.from("SigEd25519 no Ed25519 collisions\x01\x00", "latin1");

/**
 * Returns Ed25519ph (RFC 8032 §5.1), which node:crypto does not have. Its `sign` and `verify` take the SHA-512 digest of the
 * message (64 bytes) instead of the message.
 */
export async function ed25519ph() {
  const { eddsa } = await import("@noble/curves/abstract/edwards.js");
  const { ed25519 } = await import("@noble/curves/ed25519.js");
  const sha512 = (bytes: Uint8Array) => Uint8Array.from(createHash("sha512").update(bytes).digest());
  return eddsa(ed25519.Point, Object.assign(sha512, { outputLen: 64, blockLen: 128, create: unused }), {
    adjustScalarBytes: clamp,
    prehash: (digest: Uint8Array) => Uint8Array.from(digest), // the input is already the digest
    domain: (data: Uint8Array) => Uint8Array.from(Buffer.concat([DOMAIN, data])),
    zip215: false,
  });
}

/** The secret scalar's fixed bits (RFC 8032 §5.1.5, step 2). */
function clamp(bytes: Uint8Array): Uint8Array {
  bytes[0] = (bytes[0] ?? 0) & 0xf8;
  bytes[31] = ((bytes[31] ?? 0) & 0x7f) | 0x40;
  return bytes;
}

function unused(): never {
  throw new Error("the streaming form of this hash is not used");
}
