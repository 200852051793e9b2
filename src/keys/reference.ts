import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { naming } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { readKeyFile } from "./key-file.ts";
import { openProvider } from "./providers/open.ts";
import { publicKeyFromPem } from "./public-key.ts";
import { signerFromKey } from "./signer.ts";
import type { PublicKey, Signer } from "./types.ts";

/**
 * Loads the public key that a reference names: a file, `env://NAME` or an http(s) URL holding PEM, or a key in a service
 * (providers/open.ts), whose public half is fetched so that everything is verified here.
 *
 * @throws TsignError
 */
export async function loadPublicKey(io: Io, reference: string): Promise<PublicKey> {
  const provider = await openProvider(io, reference);
  if (provider) return provider.publicKey();
  const bytes = await readBlob(io, reference);
  return naming(reference, () => publicKeyFromPem(Buffer.from(bytes).toString("utf8")));
}

/**
 * Loads the private key that a reference names: an encrypted key file, `env://NAME` or an http(s) URL holding one, or a key
 * in a service, which signs there.
 *
 * @param password asked for only when there is a key file to open
 * @throws TsignError
 */
export async function loadSigner(io: Io, reference: string, password: () => Promise<Uint8Array>): Promise<Signer> {
  const provider = await openProvider(io, reference);
  if (provider) return provider.signer();
  const bytes = await readBlob(io, reference);
  return naming(reference, async () => signerFromKey(await readKeyFile(Buffer.from(bytes).toString("utf8"), password)));
}

/** A new ECDSA P-256 private key, the kind cosign makes. */
export function generatePrivateKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}
