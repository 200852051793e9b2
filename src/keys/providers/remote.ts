import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { type HashName, messageOf, messageOfDigests } from "../../format/digest.ts";
import { giveBack } from "../../format/pieces.ts";
import type { PublicKey, Signer } from "../types.ts";
import { verifySignature } from "../verify.ts";

/** A key in a service, and how the service signs with it. */
export interface RemoteKey {
  /** Name for errors: `AWS KMS`. */
  readonly service: string;
  readonly publicKey: PublicKey;
  /** Signs a digest made with `publicKey.hash`; ECDSA signatures in DER. Used for all keys except Ed25519. */
  signDigest(digest: Uint8Array): Promise<Uint8Array>;
  /** Signs a whole message, as pure Ed25519 requires. */
  signMessage?(message: Uint8Array): Promise<Uint8Array>;
  /** Bytes of the largest message that the service signs. */
  readonly maxMessage?: number;
}

/**
 * Returns a signer whose private key stays in the service, which receives the digest, or the whole message for Ed25519. Each
 * signature is verified before it is returned, so that an error of the service is reported as such.
 */
export function remoteSigner(key: RemoteKey): Signer {
  const { publicKey } = key;
  return {
    publicKey,
    sign: (message) => (publicKey.kind.type === "ed25519" ? signWhole(key, message) : signHashed(key, message)),
  };
}

type Readable = Uint8Array | AsyncIterable<Uint8Array>;

async function signHashed(key: RemoteKey, message: Readable) {
  const algorithm = key.publicKey.hash;
  const digest = createHash(algorithm);
  for await (const piece of pieces(message)) {
    digest.update(piece);
    giveBack(piece);
  }
  const value = digest.digest();
  const signature = await key.signDigest(value);
  await check(key, { signature, digests: new Map([[algorithm, value]]) });
  return { signature, digest: { algorithm, value } };
}

async function signWhole(key: RemoteKey, message: Readable) {
  if (!key.signMessage) throw new TsignError("input", `${key.service} cannot sign with Ed25519 keys`);
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces(message)) {
    size += piece.length;
    if (size > (key.maxMessage ?? Number.POSITIVE_INFINITY)) {
      throw new TsignError(
        "limit",
        `message too large for an Ed25519 key in ${key.service}: the limit is ${key.maxMessage} bytes`,
        {
          hint: "use an ECDSA or RSA key for larger files",
        },
      );
    }
    kept.push(piece);
  }
  const whole = Buffer.concat(kept);
  const signature = await key.signMessage(whole);
  await check(key, { signature, message: whole });
  return { signature, digest: { algorithm: "sha256" as const, value: createHash("sha256").update(whole).digest() } };
}

async function check(
  { service, publicKey }: RemoteKey,
  made: { signature: Uint8Array } & ({ digests: Map<HashName, Uint8Array> } | { message: Uint8Array }),
): Promise<void> {
  const message = "message" in made ? messageOf(made.message) : messageOfDigests(made.digests);
  if (await verifySignature({ key: publicKey, message, signature: made.signature, hashes: [publicKey.hash] })) return;
  throw new TsignError("service", `${service} returned a signature that does not verify with its public key`, {
    hint: "try again; the key may have been rotated just now",
  });
}

async function* pieces(message: Readable): AsyncIterable<Uint8Array> {
  if (message instanceof Uint8Array) yield message;
  else yield* message;
}

/** Converts an ECDSA signature from r and s of equal length to ASN.1 DER (RFC 3279 §2.2.3). */
export function ecdsaDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const body = Buffer.concat([derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))]);
  const length = body.length < 128 ? [body.length] : [0x81, body.length];
  return Buffer.concat([Buffer.from([0x30, ...length]), body]);
}

function derInteger(bytes: Uint8Array): Uint8Array {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  const padded = (digits[0] ?? 0) >= 128 ? [0, ...digits] : [...digits];
  return Uint8Array.from([2, padded.length, ...padded]);
}
