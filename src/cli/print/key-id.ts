import { decodeBase64 } from "../../format/base64.ts";
import { keyHint } from "../../keys/index.ts";
import type { PublicKey } from "../../keys/types.ts";

/** The id that a key is shown by everywhere: the SHA-256 of its SubjectPublicKeyInfo, 64 hex digits. */
export function keyId(key: PublicKey): string {
  return keyIdOfHint(keyHint(key));
}

/** The same for the hint that a bundle names its key by: base64 of that hash. Other hints are returned as they are. */
export function keyIdOfHint(hint: string): string {
  const bytes = decodeBase64(hint);
  return bytes?.length === 32 ? Buffer.from(bytes).toString("hex") : hint;
}
