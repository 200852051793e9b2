import { publicKeyFromPem } from "../keys/public-key.ts";
import { openWitnesses, servicesOfConfig } from "../sign/services.ts";
import { fromSigstoreSigner, toSigstoreSigner } from "../sign/sigstore-js.ts";
import { type Context, libraryIo } from "./context.ts";
import { keyOf, signerOf } from "./handles.ts";
import type { Key } from "./key.ts";
import type { SigstoreWitness } from "./signing-types.ts";

/** The same as `Signer` of @sigstore/sign, without a dependency on that library. */
export interface SigstoreSigner {
  sign(data: Buffer): Promise<{
    signature: Buffer;
    key: { $case: "publicKey"; publicKey: string; hint?: string } | { $case: "x509Certificate"; certificate: string };
  }>;
}

/** How a key signs for a program that cannot choose hash and form itself. */
export interface SigstoreSignerOptions {
  /** "sha256" to sign with SHA-256 also with P-384 and P-521 keys, for envelopes in Rekor v1; by default the key's hash. */
  readonly hash?: "sha256";
  /** Whether an Ed25519 key signs pre-hashed (Ed25519ph, RFC 8032, section 5.1), for messages in a log. */
  readonly prehash?: boolean;
}

/**
 * Converts a key of `loadKey` to a `Signer` of @sigstore/sign, for its bundle builders.
 *
 * @throws TsignError "input" for a public key; "unsupported" for a key that cannot sign with these options
 */
export async function toSigner(key: Key, options: SigstoreSignerOptions = {}): Promise<SigstoreSigner> {
  return toSigstoreSigner(await signerOf(key), options);
}

/**
 * Converts a `Signer` of @sigstore/sign to a key for `openSession`. Messages are kept in memory, up to 128 MiB.
 *
 * @param options.publicKey PEM of its public key, which it must return with each signature
 * @param options.hash its hash; by default SHA-256 for RSA and P-256, SHA-384 for P-384, SHA-512 for P-521
 * @throws TsignError "input" for an invalid public key
 */
export function fromSigner(
  signer: SigstoreSigner,
  options: { readonly publicKey: string; readonly hash?: "sha256" | "sha384" | "sha512" },
): Key {
  const publicKey = publicKeyFromPem(options.publicKey);
  return keyOf({ publicKey, signer: async () => fromSigstoreSigner(signer, options) });
}

/**
 * Returns the logs and timestamp authorities of a signing config (version 0.2: bytes or JSON text) as `Witness`es of
 * @sigstore/sign, for its bundle builders. Conversely, `openSession` accepts witnesses of that library.
 *
 * @throws TsignError "input" for an invalid signing config
 */
export function toWitnesses(options: Context & { readonly signingConfig: Uint8Array | string }): SigstoreWitness[] {
  const io = libraryIo(options);
  const { signingConfig } = options;
  const bytes = typeof signingConfig === "string" ? Buffer.from(signingConfig) : signingConfig;
  return openWitnesses(io, servicesOfConfig(io, bytes, { name: "the signing config" }));
}
