import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { keyHint, publicKeyFromPem } from "../keys/public-key.ts";
import type { PublicKey, Signer } from "../keys/types.ts";
import type { RegistryOptions } from "../oci/open.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import type { Key } from "./key.ts";

/**
 * The private parts of the objects that the library returns. Users can neither read a private key nor change verified data, and
 * the library accepts only objects that it returned.
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

/** Stores the parts of one kind of object. */
interface Store<Parts> {
  keep<Handle extends object>(handle: Handle, parts: Parts): Handle;
  /** @throws TsignError "usage" for an object that the library did not return */
  partsOf(handle: object): Parts;
}

function createStore<Parts>(maker: string): Store<Parts> {
  const parts = new WeakMap<object, Parts>();
  return {
    keep(handle, made) {
      parts.set(Object.freeze(handle), made);
      return handle;
    },
    partsOf(handle) {
      const found = parts.get(handle);
      if (!found) throw new TsignError("usage", `expected an object that ${maker} returned`);
      return found;
    },
  };
}

const keys = createStore<KeyHalves>("loadKey");
export const registries = createStore<OpenedRegistry>("createRegistry");
export const verifiers = createStore<VerifierParts>("createVerifier");

/** Returns the public key of a key or of PEM text. @throws TsignError "input" for text that is not a public key */
export function publicHalf(key: object | string): PublicKey {
  return typeof key === "string" ? publicKeyFromPem(key) : keys.partsOf(key).publicKey;
}

/** Returns the signer of a key. @throws TsignError "input" for a public key */
export async function signerOf(key: object): Promise<Signer> {
  const { signer } = keys.partsOf(key);
  if (!signer) throw new TsignError("input", "cannot sign with a public key");
  return signer();
}

/** Returns a key made of its public and private half. */
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
