import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { keyHint, publicKeyFromPem } from "../keys/public-key.ts";
import type { PublicKey, Signer } from "../keys/types.ts";
import type { RegistryOptions } from "../oci/open.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { Key } from "./key.ts";

/**
 * What stands behind the objects that the library hands out. They are plain to their users, who cannot reach a private key or
 * change what was checked, and only what the library made is taken back.
 */

export interface KeyHalves {
  readonly publicKey: PublicKey;
  readonly signer?: () => Promise<Signer>;
}

export interface OpenedRegistry {
  readonly io: Io;
  readonly options: RegistryOptions;
}

export interface VerifierParts {
  readonly trust: TrustedMaterial;
  readonly io: Io;
}

/** What one kind of object was made of. */
interface Kept<Parts> {
  keep<Handle extends object>(handle: Handle, parts: Parts): Handle;
  /** @throws TsignError "usage" for an object of another making */
  partsOf(handle: object): Parts;
}

function kept<Parts>(maker: string): Kept<Parts> {
  const parts = new WeakMap<object, Parts>();
  return {
    keep(handle, made) {
      parts.set(Object.freeze(handle), made);
      return handle;
    },
    partsOf(handle) {
      const found = parts.get(handle);
      if (!found) throw new TsignError("usage", `expected what ${maker} returned`);
      return found;
    },
  };
}

const keys = kept<KeyHalves>("loadKey");
export const registries = kept<OpenedRegistry>("createRegistry");
export const verifiers = kept<VerifierParts>("createVerifier");

/** The public half of a key, or of PEM text. @throws TsignError "input" for text that is not a public key */
export function publicHalf(key: object | string): PublicKey {
  return typeof key === "string" ? publicKeyFromPem(key) : keys.partsOf(key).publicKey;
}

/** What signs with a key. @throws TsignError "input" for a public key */
export async function signerOf(key: object): Promise<Signer> {
  const { signer } = keys.partsOf(key);
  if (!signer) throw new TsignError("input", "the key is a public key, and cannot sign");
  return signer();
}

/** A key of its halves. */
export function keyOf(halves: KeyHalves): Key {
  const { publicKey, signer } = halves;
  const shown = { publicKey: publicKey.pem, kind: describe(publicKey), hint: keyHint(publicKey) };
  return keys.keep({ ...shown, canSign: signer !== undefined }, halves);
}

function describe({ kind }: PublicKey): string {
  switch (kind.type) {
    case "ecdsa":
      return `ecdsa ${kind.curve}`;
    case "rsa":
      return `rsa ${kind.bits}`;
    case "ed25519":
      return "ed25519";
  }
}
