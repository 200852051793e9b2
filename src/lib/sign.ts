export type { Context } from "./context.ts";
export { openSession } from "./session.ts";
export { attestImage, signImage } from "./sign-image.ts";
export type {
  AttestImageOptions,
  IdentityProvider,
  Publication,
  Session,
  SessionOptions,
  SessionWitness,
  SignatureBundle,
  SignedImage,
  SignImageOptions,
  SigstoreWitness,
  WitnessedLogEntry,
} from "./signing-types.ts";
export {
  createTransport,
  type HttpRequest,
  type HttpResponse,
  type TlsOptions,
  type Transport,
  type TransportOptions,
} from "./transport.ts";
