import { createHash, createSign, type KeyObject, sign as signWhole } from "node:crypto";
import { TsignError } from "../errors.ts";
import { giveBack } from "../format/pieces.ts";
import { publicKeyFromObject } from "./public-key.ts";
import type { SignatureResult, Signer } from "./types.ts";

/** Bytes of the largest message for pure Ed25519 (RFC 8032 §5.1.6), which needs the whole message in memory. */
export const MAX_ED25519_MESSAGE = 128 * 1024 * 1024;

/** Returns a signer for a private key in memory. */
export function signerFromKey(privateKey: KeyObject): Signer {
  const publicKey = publicKeyFromObject(privateKey);
  if (publicKey.kind.type === "ed25519") {
    const prehashed: Signer = { publicKey, sign: (message) => signPrehashed(privateKey, message) };
    return { publicKey, sign: (message) => signPure(privateKey, message), prehashed };
  }
  const withHash = (algorithm: SignatureResult["digest"]["algorithm"]): Signer => ({
    publicKey,
    sign: (message) => signHashed(privateKey, { message, algorithm }),
  });
  return { ...withHash(publicKey.hash), ...(publicKey.hash === "sha256" ? {} : { sha256: withHash("sha256") }) };
}

/** Signs with Ed25519ph, in constant memory. */
async function signPrehashed(
  key: KeyObject,
  message: Uint8Array | AsyncIterable<Uint8Array>,
): Promise<SignatureResult> {
  const hash = createHash("sha512");
  for await (const piece of pieces(message)) {
    hash.update(piece);
    giveBack(piece);
  }
  const value = hash.digest();
  const { ed25519ph } = await import("./ed25519ph.ts");
  const seed = Buffer.from(key.export({ format: "jwk" }).d ?? "", "base64url");
  const signature = (await ed25519ph()).sign(Uint8Array.from(value), Uint8Array.from(seed));
  return { signature, digest: { algorithm: "sha512", value } };
}

/** Computes signature and digest in one pass. The message is hashed twice, because node:crypto only signs digests it computed. */
async function signHashed(
  key: KeyObject,
  options: { message: Uint8Array | AsyncIterable<Uint8Array>; algorithm: "sha256" | "sha384" | "sha512" },
): Promise<SignatureResult> {
  const { algorithm } = options;
  const signer = createSign(algorithm);
  const digest = createHash(algorithm);
  for await (const piece of pieces(options.message)) {
    signer.update(piece);
    digest.update(piece);
    giveBack(piece);
  }
  return { signature: signer.sign(key), digest: { algorithm, value: digest.digest() } };
}

async function signPure(key: KeyObject, message: Uint8Array | AsyncIterable<Uint8Array>): Promise<SignatureResult> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces(message)) {
    size += piece.length;
    if (size > MAX_ED25519_MESSAGE) {
      throw new TsignError("limit", `message too large for an Ed25519 key: the limit is ${MAX_ED25519_MESSAGE} bytes`, {
        hint: "use an ECDSA or RSA key for larger files",
      });
    }
    kept.push(piece);
  }
  const whole = Buffer.concat(kept);
  const value = createHash("sha256").update(whole).digest();
  return { signature: signWhole(null, whole, key), digest: { algorithm: "sha256", value } };
}

async function* pieces(message: Uint8Array | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  if (message instanceof Uint8Array) yield message;
  else yield* message;
}
