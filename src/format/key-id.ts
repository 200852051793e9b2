import { decodeBase64 } from "./base64.ts";

/** Bytes of a SHA-256. */
const LENGTH = 32;

/**
 * The ID of a key for printing: SHA-256 of its SubjectPublicKeyInfo, 64 hex digits.
 *
 * @param hint the key's hint in a bundle. cosign and tsign write that hash in base64; any other hint is returned unchanged
 */
export function keyIdOfHint(hint: string): string {
  const bytes = decodeBase64(hint);
  return bytes?.length === LENGTH ? Buffer.from(bytes).toString("hex") : hint;
}
