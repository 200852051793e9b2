/**
 * Stands in for node-fetch in the built program: oci-registry-client needs its classes, which the platform has, and never
 * its fetch, because every request goes through our transport. No module imports it: build.ts puts it in the place of that
 * package.
 */
const { Headers, Request, Response } = globalThis;

export { Headers, Request, Response };

export default function fetch(): never {
  throw new Error("oci-registry-client must not use a transport of its own");
}
