import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { importPrivateKey } from "../keys/import.ts";
import { readKeyFile } from "../keys/key-file.ts";
import { openProvider } from "../keys/providers/open.ts";
import { publicKeyFromPem } from "../keys/public-key.ts";
import { signerFromKey } from "../keys/signer.ts";
import { readBlob } from "../net/input.ts";
import { type Context, libraryIo } from "./context.ts";
import { keyOf } from "./handles.ts";
import type { Key } from "./key.ts";

export type { Context } from "./context.ts";
export type { Key } from "./key.ts";

/** Options of `loadKey`. */
export interface KeyOptions extends Context {
  /** The password of an encrypted key file, or a function that returns it. It is called once, and only for such a file. */
  readonly password?: string | Uint8Array | (() => Promise<string | Uint8Array>);
}

/** PEM text of a public key, an encrypted key file, or a private key (PKCS#8, PKCS#1, SEC 1). */
export interface PemKey {
  readonly pem: string;
}

/**
 * Loads a key from a reference or from PEM text.
 *
 * References are those of `tsign sign --key` (docs/keys.md): a file, `env://NAME`, an https URL, or a key in a key service:
 * `awskms://`, `gcpkms://`, `azurekms://`, `hashivault://`, `openbao://`, `k8s://`, `gitlab://`, `github://`,
 * `pkcs11:`, or a plugin's scheme. Services and URLs require `transport`, and variables such as VAULT_ADDR are read from `env`.
 * The libraries of AWS, Google and Azure must be installed, and find their credentials in the environment of the process. A
 * private key never leaves its service: the public key is fetched, and digests are sent to be signed.
 *
 * @returns the key; a public key only verifies
 * @throws TsignError "input" for invalid keys, a wrong password, or a key that does not exist; "auth", "network", "timeout" or
 * "service" of the service; "usage" for a missing transport or password
 */
export async function loadKey(reference: string | PemKey, options: KeyOptions = {}): Promise<Key> {
  const io = libraryIo(options);
  if (typeof reference !== "string") return fromPem(reference.pem, options);
  const provider = await openProvider(io, reference);
  if (!provider) return fromPem(await readText(io, reference), options);
  return keyOf({ publicKey: await provider.publicKey(), signer: once(() => provider.signer()) });
}

async function readText(io: Io, reference: string): Promise<string> {
  return Buffer.from(await readBlob(io, reference)).toString("utf8");
}

async function fromPem(text: string, options: KeyOptions): Promise<Key> {
  if (/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(text)) return keyOf({ publicKey: publicKeyFromPem(text) });
  const isKeyFile = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----/.test(text);
  const object =
    isKeyFile || !text.includes("PRIVATE KEY-----")
      ? await readKeyFile(text, () => passwordOf(options))
      : importPrivateKey(text);
  const signer = signerFromKey(object);
  return keyOf({ publicKey: signer.publicKey, signer: async () => signer });
}

async function passwordOf({ password }: KeyOptions): Promise<Uint8Array> {
  const given = typeof password === "function" ? await password() : password;
  if (given === undefined)
    throw new TsignError("usage", "missing password: the key file is encrypted", { hint: "pass the option password" });
  return typeof given === "string" ? Buffer.from(given) : given;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
