/**
 * tsign as a library: verify and sign container images and files with Sigstore.
 *
 * The library opens no connection, starts no server and reads no environment variables on its own: pass the network as
 * `transport` and variables as `env`, and call `startSandbox` for a sandbox.
 */
export { type ErrorCode, TsignError } from "../errors.ts";
export * from "./keys.ts";
export * from "./oci.ts";
export * from "./sandbox.ts";
export * from "./sign.ts";
export * from "./verify.ts";
