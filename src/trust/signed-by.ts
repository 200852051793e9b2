import type { Certificate } from "./certificate.ts";

/** By certificate and issuer. The signatures of many images share their authorities. */
const known = new WeakMap<Certificate, WeakMap<Certificate, boolean>>();

/**
 * Whether an issuer's key made a certificate's signature. The result depends on these two certificates only, and is remembered as
 * long as both are in memory; neither is trusted because of it.
 */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  const byIssuer = known.get(certificate) ?? new WeakMap<Certificate, boolean>();
  known.set(certificate, byIssuer);
  const signed = byIssuer.get(issuer) ?? certificate.native.verify(issuer.key);
  byIssuer.set(issuer, signed);
  return signed;
}
