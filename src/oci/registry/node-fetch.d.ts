/**
 * oci-registry-client's types build on those of node-fetch, which it does not bring. What it needs of that package are the
 * classes that the platform has too (fetch-classes.ts).
 */
declare module "node-fetch" {
  export type Headers = globalThis.Headers;
  export type BodyInit = globalThis.BodyInit;
  export type RequestRedirect = globalThis.RequestRedirect;
  export const Response: typeof globalThis.Response;
}
