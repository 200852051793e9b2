/** What judging a certificate takes, loaded for evidence that has one: a start with a bare key does without. */
export { certifiedKey, verifyCertificate } from "./certificate.ts";
export { fulcioExtensions, verifyIdentity } from "./identity.ts";
export { verifyScts } from "./sct.ts";
