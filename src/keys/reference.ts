import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readBlob } from "../blob.ts";
import { TsignError } from "../errors.ts";
import type { Io } from "../io.ts";
import { readKeyFile } from "./key-file.ts";
import { publicKeyFromPem } from "./public-key.ts";
import { signerFromKey } from "./signer.ts";
import type { PublicKey, Signer } from "./types.ts";

/** Where keys may be kept that this version cannot reach, by the scheme of their reference. */
const UNAVAILABLE: Readonly<Record<string, string>> = {
  awskms: "AWS KMS",
  azurekms: "Azure Key Vault",
  gcpkms: "Google Cloud KMS",
  hashivault: "HashiCorp Vault",
  openbao: "OpenBao",
  k8s: "Kubernetes secrets",
  gitlab: "GitLab variables",
  github: "GitHub secrets",
  pkcs11: "PKCS#11 tokens",
};

/**
 * Refuses a key reference whose service this version does not have, instead of looking for a file of that name.
 *
 * @throws TsignError "unsupported"
 */
export function refuseUnavailable(reference: string): void {
  const scheme = /^([a-z0-9]+):/.exec(reference)?.[1] ?? "";
  const service = UNAVAILABLE[scheme];
  if (service)
    throw new TsignError("unsupported", `${reference}: keys in ${service} are not available in this version`);
}

/**
 * Loads the public key that a reference names: a file, `env://NAME` or an http(s) URL holding PEM.
 *
 * @throws TsignError
 */
export async function loadPublicKey(io: Io, reference: string): Promise<PublicKey> {
  refuseUnavailable(reference);
  return publicKeyFromPem(Buffer.from(await readBlob(io, reference)).toString("utf8"));
}

/**
 * Loads the private key that a reference names: an encrypted key file, `env://NAME` or an http(s) URL holding one.
 *
 * @param password asked for only when there is a key to open
 * @throws TsignError
 */
export async function loadSigner(io: Io, reference: string, password: () => Promise<Uint8Array>): Promise<Signer> {
  refuseUnavailable(reference);
  return signerFromKey(await readKeyFile(Buffer.from(await readBlob(io, reference)).toString("utf8"), password));
}

/** A new ECDSA P-256 private key, the kind cosign makes. */
export function generatePrivateKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
}
