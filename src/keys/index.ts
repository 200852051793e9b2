/** What computes with keys. What opens them, in files and services, is asked for by its own file: reference.ts, providers/. */
export { importPrivateKey } from "./import.ts";
export { readKeyFile, writeKeyFile } from "./key-file.ts";
export { defaultHashes, keyHint, publicKeyFromObject, publicKeyFromPem, sameKey } from "./public-key.ts";
export { MAX_ED25519_MESSAGE, signerFromKey } from "./signer.ts";
export { verifySignature } from "./verify.ts";
