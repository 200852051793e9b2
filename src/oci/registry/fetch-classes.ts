/**
 * Replaces node-fetch in the built program. oci-registry-client imports that package for the classes Headers, Request and
 * Response, which Node has, and for a fetch, which would bypass tsign's limits, proxies and CA certificates. build.ts aliases
 * "node-fetch" to this file, so the bundle contains these classes, and a call of fetch is an error. When tsign runs from its
 * sources the real package is loaded; RepositoryClient (protocol.ts) keeps the library from calling its fetch there too.
 */
const { Headers, Request, Response } = globalThis;

export { Headers, Request, Response };

export default function fetch(): never {
  throw new Error("oci-registry-client must not use its own transport");
}
