/**
 * Declares the types of node-fetch that oci-registry-client uses without depending on them. Node has the same classes
 * (fetch-classes.ts).
 */
declare module "node-fetch" {
  export type Headers = globalThis.Headers;
  export type BodyInit = globalThis.BodyInit;
  export type RequestRedirect = globalThis.RequestRedirect;
  export const Response: typeof globalThis.Response;
}
