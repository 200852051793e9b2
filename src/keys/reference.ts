import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { withSubject } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { readKeyFile } from "./key-file.ts";
import { openProvider } from "./providers/open.ts";
import { publicKeyFromPem } from "./public-key.ts";
import { signerFromKey } from "./signer.ts";
import type { PublicKey, Signer } from "./types.ts";

/**
 * Loads the public key of a reference: PEM in a file, in `env://NAME` or at an http(s) URL, or a key in a key service
 * (providers/open.ts). Of a service only the public key is fetched; verification is local.
 *
 * @throws TsignError "input" for a reference without a usable key; "auth", "network", "timeout" or "service" of the service
 */
export async function loadPublicKey(io: Io, reference: string): Promise<PublicKey> {
  const provider = await openProvider(io, reference);
  if (provider) return provider.publicKey();
  const bytes = await readBlob(io, reference);
  return withSubject(reference, () => publicKeyFromPem(Buffer.from(bytes).toString("utf8")));
}

/**
 * Loads the private key of a reference: an encrypted key file, `env://NAME` or an http(s) URL with one, or a key in a key
 * service, which makes the signatures.
 *
 * @param password called only to decrypt a key file
 * @throws TsignError "input" for a reference without a usable key; "auth", "network", "timeout" or "service" of the service
 */
export async function loadSigner(io: Io, reference: string, password: () => Promise<Uint8Array>): Promise<Signer> {
  const provider = await openProvider(io, reference);
  if (provider) return provider.signer();
  const bytes = await readBlob(io, reference);
  return withSubject(reference, async () =>
    signerFromKey(await readKeyFile(Buffer.from(bytes).toString("utf8"), password)),
  );
}

/** Returns a new ECDSA P-256 private key, as cosign generates them. */
export function generatePrivateKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}
