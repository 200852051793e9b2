import { publicKeyFromPem } from "../keys/public-key.ts";
import { openWitnesses, servicesOfConfig } from "../sign/services.ts";
import { fromSigstoreSigner, toSigstoreSigner } from "../sign/sigstore-js.ts";
import { type Context, libraryIo } from "./context.ts";
import { keyOf, signerOf } from "./handles.ts";
import type { Key } from "./key.ts";
import type { SigstoreWitness } from "./signing-types.ts";

/** The `Signer` of @sigstore/sign, in its own shape: objects of either fit the other. */
export interface SigstoreSigner {
  sign(data: Buffer): Promise<{
    signature: Buffer;
    key: { $case: "publicKey"; publicKey: string; hint?: string } | { $case: "x509Certificate"; certificate: string };
  }>;
}

/** How a key signs in a program that cannot ask for it. */
export interface SigstoreSignerOptions {
  /** "sha256": P-384 and P-521 sign over SHA-256, for envelopes in Rekor v1. By default the key's own hash. */
  readonly hash?: "sha256";
  /** Ed25519 signs pre-hashed (Ed25519ph, RFC 8032, section 5.1), for messages in a log. */
  readonly prehash?: boolean;
}

/**
 * A key of `loadKey`, wherever it is kept, as a `Signer` of @sigstore/sign: for its bundle builders and witnesses.
 *
 * @throws TsignError "input" for a public key; "unsupported" for a key that cannot sign as the options ask
 */
export async function toSigner(key: Key, options: SigstoreSignerOptions = {}): Promise<SigstoreSigner> {
  return toSigstoreSigner(await signerOf(key), options);
}

/**
 * A `Signer` of @sigstore/sign as a key for `openSession`. What it signs is held in memory, 128 MiB at most.
 *
 * @param options.publicKey PEM of the key that it signs with: each signature has to be said to be of this key
 * @param options.hash that it signs with; by default SHA-256 for RSA and P-256, SHA-384 for P-384, SHA-512 for P-521
 * @throws TsignError "input" for a public key that cannot be read
 */
export function fromSigner(
  signer: SigstoreSigner,
  options: { readonly publicKey: string; readonly hash?: "sha256" | "sha384" | "sha512" },
): Key {
  const publicKey = publicKeyFromPem(options.publicKey);
  return keyOf({ publicKey, signer: async () => fromSigstoreSigner(signer, options) });
}

/**
 * The logs and timestamp authorities of a signing config (version 0.2: bytes or JSON text) as `Witness`es of @sigstore/sign, for
 * its bundle builders. The other way round, `openSession` takes witnesses of theirs.
 *
 * @throws TsignError "input" for a signing config that is not one
 */
export function toWitnesses(options: Context & { readonly signingConfig: Uint8Array | string }): SigstoreWitness[] {
  const io = libraryIo(options);
  const { signingConfig } = options;
  const bytes = typeof signingConfig === "string" ? Buffer.from(signingConfig) : signingConfig;
  return openWitnesses(io, servicesOfConfig(io, bytes, { name: "the signing config" }));
}
