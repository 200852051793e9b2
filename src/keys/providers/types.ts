import type { Io } from "../../io/io.ts";
import type { PublicKey, Signer } from "../types.ts";

/** What a service reports about a key besides its public key. */
interface KeyFacts {
  /** The service's name of the key with its version: an ARN, a URL, `transit/keys/NAME` version 2. */
  readonly id: string;
  /** What the current credentials may do with the key, in the service's terms, if it reports that. */
  readonly permissions?: readonly string[];
}

/** A key pair as cosign stores it: an encrypted private key with its password, and the public key. */
export interface KeyPair {
  /** PEM, from `writeKeyFile`. */
  readonly privateKey: string;
  /** PEM. */
  readonly publicKey: string;
  readonly password: Uint8Array;
}

/** One key in a service. Every method may send requests, and throws TsignError. */
export interface KeyProvider {
  /** The service's name: `AWS KMS`. */
  readonly service: string;
  publicKey(): Promise<PublicKey>;
  /** @throws TsignError "input" for a key that cannot sign */
  signer(): Promise<Signer>;
  facts(): Promise<KeyFacts>;
  /** Returns the key of this name, and creates it if it does not exist. Absent where keys are created with the vendor's tool. */
  create?(): Promise<PublicKey>;
  /** Stores a key pair, in services that store files. Returns lines to print, one for each part. */
  store?(pair: KeyPair): Promise<readonly string[]>;
}

/** The I/O that a provider uses. */
export type ProviderIo = Io;

/** Opens a reference. Sends no request and loads no library. @throws TsignError "input" for an invalid reference */
export type OpenProvider = (io: ProviderIo, reference: string) => KeyProvider;
