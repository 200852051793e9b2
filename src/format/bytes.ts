/** Whether two byte arrays are equal. Not in constant time: for what is public, such as digests, signatures and certificates. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
