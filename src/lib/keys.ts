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

/** What `loadKey` takes besides the key. */
export interface KeyOptions extends Context {
  /** The password of an encrypted key file, or what asks for it; called once, and only for such a file. */
  readonly password?: string | Uint8Array | (() => Promise<string | Uint8Array>);
}

/** A key at hand: PEM text of a public key, of an encrypted key file, or of a private key (PKCS#8, PKCS#1, SEC 1). */
export interface PemKey {
  readonly pem: string;
}

/**
 * Loads a key by reference, or from PEM text.
 *
 * References are those of `tsign sign --key` (docs/keys.md): the path of a file, `env://NAME`, an https URL, or a key in a
 * service: `awskms://`, `gcpkms://`, `azurekms://`, `hashivault://`, `openbao://`, `k8s://`, `gitlab://`, `github://`,
 * `pkcs11:`, or a plugin's scheme. Services and URLs need `transport`, and variables such as VAULT_ADDR are read from `env`.
 * The libraries of AWS, Google and Azure, which have to be installed, find their credentials on their own, by the
 * environment of the process. The key of a service stays there: the public half is fetched, and digests are sent to be signed.
 *
 * @returns the key; a public key, or the public half of a key that may be read only, verifies and does not sign
 * @throws TsignError "input" for what is not a key, a wrong password, or a key that does not exist; "auth", "network",
 * "timeout" or "service" for a service that cannot be asked; "usage" where a transport or a password is missing
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
  if (given === undefined) throw new TsignError("usage", "the key file is encrypted, and no password was given");
  return typeof given === "string" ? Buffer.from(given) : given;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
