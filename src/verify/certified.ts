/** The checks of certificates, imported lazily: verifying with a bare key does not need them. */
export { certifiedKey, verifyCertificate } from "./certificate.ts";
export { fulcioExtensions, verifyIdentity } from "./identity.ts";
export { verifyScts } from "./sct.ts";
