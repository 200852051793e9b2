/**
 * tsign as a library: verify and sign container images and files with Sigstore.
 *
 * Nothing here opens a connection, starts a server, or reads the environment unless the program says so: the network comes
 * by `transport`, variables by `env`, a sandbox by `startSandbox`.
 */
export { type ErrorCode, TsignError } from "../errors.ts";
export * from "./keys.ts";
export * from "./oci.ts";
export * from "./sandbox.ts";
export * from "./sign.ts";
export * from "./verify.ts";
