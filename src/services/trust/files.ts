import { createPublicKey, X509Certificate } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { readPem } from "../../format/pem.ts";
import { publicKeyFromObject } from "../../keys/index.ts";
import { ALWAYS, type Authority, type Log, type TimestampAuthority } from "../../trust/material.ts";
import { logIdOf } from "../../trust/trusted-root.ts";

/** Returns a certificate authority made of certificates in any order. Self-issued ones are its roots. */
export function authorityOf(certificates: readonly Uint8Array[]): Authority {
  const isRoot = (der: Uint8Array) => {
    const { subject, issuer } = new X509Certificate(der);
    return subject === issuer;
  };
  return {
    roots: certificates.filter(isRoot),
    intermediates: certificates.filter((der) => !isRoot(der)),
    validFor: ALWAYS,
  };
}

/**
 * Returns a timestamp authority.
 *
 * @param chain certificates from the signing certificate to the root, DER
 * @throws TsignError "untrusted" for several signing certificates or no root
 */
export function timestampAuthority(chain: readonly Uint8Array[]): TimestampAuthority {
  const isAuthority = (der: Uint8Array) => new X509Certificate(der).ca;
  const authorities = chain.filter(isAuthority);
  const leaves = chain.filter((der) => !isAuthority(der));
  if (leaves.length > 1 || authorities.length === 0) {
    throw new TsignError(
      "untrusted",
      `timestamp authority chain: expected at most one signing certificate and at least one root, found ${leaves.length} and ${authorities.length}`,
    );
  }
  return {
    leaf: leaves[0],
    roots: authorities.slice(-1),
    intermediates: authorities.slice(0, -1),
    validFor: ALWAYS,
  };
}

/**
 * Reads logs from their public keys in PEM. Their ids are the SHA-256 of the keys.
 *
 * @throws TsignError "input" with `path` for no key or an unusable one
 */
export function logsOf(pem: string, { path, baseUrl }: { path: string; baseUrl: string }): Log[] {
  const blocks = readPem(pem);
  if (blocks.length === 0) throw new TsignError("input", `${path} does not contain a public key`);
  return blocks.map(({ label, bytes }) => {
    try {
      const type = label === "RSA PUBLIC KEY" ? "pkcs1" : "spki";
      const key = createPublicKey({ key: Buffer.from(bytes), format: "der", type });
      const { object } = publicKeyFromObject(key); // refuses unsafe keys
      return { baseUrl, id: logIdOf(object), key: object, validFor: ALWAYS };
    } catch (cause) {
      if (cause instanceof TsignError) throw new TsignError("input", `${path}: ${cause.message}`, { cause });
      throw new TsignError("input", `${path} contains an invalid public key`, { cause });
    }
  });
}
