/** Operations on loaded keys. To load keys from files and key services, import reference.ts and providers/ directly. */
export { importPrivateKey } from "./import.ts";
export { keyFileFacts, readKeyFile, writeKeyFile } from "./key-file.ts";
export { defaultHashes, keyHint, publicKeyFromObject, publicKeyFromPem, sameKey } from "./public-key.ts";
export { MAX_ED25519_MESSAGE, signerFromKey } from "./signer.ts";
export { verifySignature } from "./verify.ts";
