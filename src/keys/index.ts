export { importPrivateKey } from "./import.ts";
export { readKeyFile, writeKeyFile } from "./key-file.ts";
export { openProvider, requireProvider, securityKeyReference } from "./providers/open.ts";
export { withoutPin } from "./providers/pkcs11-uri.ts";
export { defaultHashes, keyHint, publicKeyFromObject, publicKeyFromPem, sameKey } from "./public-key.ts";
export { generatePrivateKey, loadPublicKey, loadSigner } from "./reference.ts";
export { MAX_ED25519_MESSAGE, signerFromKey } from "./signer.ts";
export { verifySignature } from "./verify.ts";
