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
export * from "./transport.ts";
