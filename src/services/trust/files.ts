import { createPublicKey, X509Certificate } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { readPem } from "../../format/pem.ts";
import { publicKeyFromObject } from "../../keys/index.ts";
import { ALWAYS, type Authority, type Log, type TimestampAuthority } from "../../trust/material.ts";
import { logIdOf } from "../../trust/trusted-root.ts";

/** A certificate authority of certificates in any order: those that issued themselves are its roots. */
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

/** A chain from the certificate that signs timestamps to its root. */
export function timestampAuthority(chain: readonly Uint8Array[]): TimestampAuthority {
  const isAuthority = (der: Uint8Array) => new X509Certificate(der).ca;
  const authorities = chain.filter(isAuthority);
  const leaves = chain.filter((der) => !isAuthority(der));
  if (leaves.length > 1 || authorities.length === 0) {
    throw new TsignError(
      "untrusted",
      "a timestamp authority's chain has one signing certificate and at least one root",
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
 * Logs by their public keys in a PEM text, whose ids are the usual ones.
 *
 * @throws TsignError "input" naming `path` when there is none, or something else
 */
export function logsOf(pem: string, { path, baseUrl }: { path: string; baseUrl: string }): Log[] {
  const blocks = readPem(pem);
  if (blocks.length === 0) throw new TsignError("input", `${path} holds no public key`);
  return blocks.map(({ label, bytes }) => {
    try {
      const type = label === "RSA PUBLIC KEY" ? "pkcs1" : "spki";
      const key = createPublicKey({ key: Buffer.from(bytes), format: "der", type });
      const { object } = publicKeyFromObject(key); // refuses keys that prove nothing
      return { baseUrl, id: logIdOf(object), key: object, validFor: ALWAYS };
    } catch (cause) {
      if (cause instanceof TsignError) throw new TsignError("input", `${path}: ${cause.message}`, { cause });
      throw new TsignError("input", `${path} holds something that is no public key`, { cause });
    }
  });
}
