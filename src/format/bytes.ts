/** Whether two byte arrays are equal. Not in constant time: only for public data, such as digests, signatures and certificates. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
