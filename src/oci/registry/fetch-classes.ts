/**
 * Stands in for node-fetch in the built program. oci-registry-client imports that package for two things: the classes Headers,
 * Request and Response, which the platform has, and a fetch, which would be a second way to the network, without tsign's limits,
 * proxies and authorities. No module imports this file: build.ts names it as the alias of "node-fetch", so that the bundle has
 * these classes in place of the package, and a call of its fetch is an error. Run from its sources, tsign loads the package
 * itself; RepositoryClient (protocol.ts) never lets it fetch there either.
 */
const { Headers, Request, Response } = globalThis;

export { Headers, Request, Response };

export default function fetch(): never {
  throw new Error("oci-registry-client must not use a transport of its own");
}
