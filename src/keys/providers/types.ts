import type { Io } from "../../io/io.ts";
import type { PublicKey, Signer } from "../types.ts";

/** What a key's service says of it besides its public half. */
interface KeyFacts {
  /** The name the service knows the key by, its version included: an ARN, a URL, `transit/keys/NAME` version 2. */
  readonly id: string;
  /** What the credentials in use may do with the key, as far as the service tells without trying; in its own words. */
  readonly permissions?: readonly string[];
}

/** A key pair in the form cosign keeps it: an encrypted private key, its public key, and the password of the first. */
export interface KeyPair {
  /** PEM, as `writeKeyFile` makes it. */
  readonly privateKey: string;
  /** PEM. */
  readonly publicKey: string;
  readonly password: Uint8Array;
}

/** One key in a service, named by a reference. Every method may ask the service, and throws TsignError. */
export interface KeyProvider {
  /** The service's name as its users write it: `AWS KMS`. */
  readonly service: string;
  publicKey(): Promise<PublicKey>;
  /** Throws TsignError "input" for a key that cannot sign, naming what it is. */
  signer(): Promise<Signer>;
  facts(): Promise<KeyFacts>;
  /** Makes the key, or finds the one of this name. Absent where keys are made with the vendor's tool. */
  create?(): Promise<PublicKey>;
  /** Keeps a key pair made here. Only services that hold files do. Returns lines that say where what went. */
  store?(pair: KeyPair): Promise<readonly string[]>;
}

/** What a provider needs of the world. */
export type ProviderIo = Io;

/** Opens a reference whose scheme chose the provider; nothing is asked of the service yet, nothing of its library loaded. */
export type OpenProvider = (io: ProviderIo, reference: string) => KeyProvider;
