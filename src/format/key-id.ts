import { decodeBase64 } from "./base64.ts";

/** Bytes of a SHA-256. */
const LENGTH = 32;

/**
 * The id that a key is shown by: the SHA-256 of its SubjectPublicKeyInfo as 64 hex digits.
 *
 * @param hint what a bundle names its key by; base64 of that hash where cosign or tsign wrote it. Other hints are returned as
 * they are
 */
export function keyIdOfHint(hint: string): string {
  const bytes = decodeBase64(hint);
  return bytes?.length === LENGTH ? Buffer.from(bytes).toString("hex") : hint;
}
