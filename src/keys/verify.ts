import { constants, publicDecrypt, verify } from "node:crypto";
import type { HashName, Message } from "../format/digest.ts";
import { ecdsaSignature } from "./ecdsa-signature.ts";
import { ed25519ph } from "./ed25519ph.ts";
import type { PublicKey, VerifySignature } from "./types.ts";

/** DigestInfo up to the digest (RFC 8017 §9.2, note 1). */
export const DIGEST_INFO: Readonly<Record<HashName, string>> = {
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};

/** Bytes of the largest message that is verified as a whole. Larger ones are verified by digest, to save a second copy. */
const MAX_BYTES = 16 * 1024 * 1024;

/** See VerifySignature. A message that was too large to keep in memory is verified by its digests. */
export const verifySignature: VerifySignature = async (options) => {
  for (const key of [options.key, ...(options.key.earlier ?? [])]) {
    if (await verifyWith({ ...options, key })) return true;
  }
  return false;
};

const verifyWith: VerifySignature = async ({ key, message, signature, hashes }) => {
  if (key.padding === "pss") return (await import("./pss.ts")).verifyPss({ key, message, signature, hashes });
  if (key.kind.type === "ed25519") return verifyEd25519(key, message, signature);
  const encoded = key.kind.type === "ecdsa" ? ecdsaSignature(signature) : signature;
  if (!encoded) return false;
  const bytes = message.size <= MAX_BYTES ? message.bytes : undefined;
  for (const name of hashes) {
    const valid = bytes
      ? verifyBytes(key, { bytes, name, signature: encoded })
      : await verifyDigest(key, { digest: message.digest(name), name, signature: encoded });
    if (valid) return true;
  }
  return false;
};

function verifyBytes(key: PublicKey, signed: { bytes: Uint8Array; name: HashName; signature: Uint8Array }): boolean {
  try {
    return verify(signed.name, signed.bytes, key.object, signed.signature);
  } catch {
    return false; // OpenSSL rejects the encoding
  }
}

async function verifyDigest(
  key: PublicKey,
  signed: { digest: Uint8Array; name: HashName; signature: Uint8Array },
): Promise<boolean> {
  if (key.kind.type === "rsa") return verifyRsaDigest(key, signed);
  if (key.kind.type !== "ecdsa") return false;
  // node:crypto only verifies ECDSA over digests that it computed.
  const { p256, p384, p521 } = await import("@noble/curves/nist.js");
  const curve = { "P-256": p256, "P-384": p384, "P-521": p521 }[key.kind.curve];
  try {
    return curve.verify(signed.signature, signed.digest, ecPoint(key), { prehash: false, lowS: false, format: "der" });
  } catch {
    return false;
  }
}

/** Returns the uncompressed point (SEC 1 §2.3.3). */
function ecPoint(key: PublicKey): Uint8Array {
  const { x = "", y = "" } = key.object.export({ format: "jwk" });
  return Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
}

/** Verifies RSASSA-PKCS1-v1_5 by comparing the whole decrypted block with the expected one (RFC 8017 §8.2.2). */
function verifyRsaDigest(
  key: PublicKey,
  signed: { digest: Uint8Array; name: HashName; signature: Uint8Array },
): boolean {
  try {
    const block = publicDecrypt({ key: key.object, padding: constants.RSA_PKCS1_PADDING }, signed.signature);
    return block.equals(Buffer.concat([Buffer.from(DIGEST_INFO[signed.name], "hex"), signed.digest]));
  } catch {
    return false;
  }
}

/** Verifies pure Ed25519 over the bytes, else Ed25519ph, which cosign uses for images (RFC 8032 §5.1). */
async function verifyEd25519(key: PublicKey, message: Message, signature: Uint8Array): Promise<boolean> {
  if (message.bytes && verifyPure(key, message.bytes, signature)) return true;
  if (signature.length !== 64 || !message.hashes.includes("sha512")) return false;
  const prehashed = await ed25519ph();
  const raw = Buffer.from(key.object.export({ format: "jwk" }).x ?? "", "base64url");
  return prehashed.verify(Uint8Array.from(signature), Uint8Array.from(message.digest("sha512")), Uint8Array.from(raw));
}

function verifyPure(key: PublicKey, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(null, bytes, key.object, signature);
  } catch {
    return false;
  }
}
