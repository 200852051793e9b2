/** Bytes of the longest r‖s signature: that of P-521. */
const MAX_CONCATENATED = 132;
const [INTEGER, SEQUENCE] = [0x02, 0x30];

/**
 * Converts an ECDSA signature to ASN.1 DER (RFC 3279 §2.2.3). As in Sigstore's verifier, bytes that parse as a SEQUENCE that
 * starts with two INTEGERs are DER already; other bytes of an even length up to 132 are r and s of equal length
 * (IEEE P1363 §E.3.1), which may be shorter or longer than the curve's order. The numbers are not checked: the verifier
 * rejects zero and numbers above the order.
 *
 * @returns undefined for bytes in neither form
 */
export function ecdsaSignature(signature: Uint8Array): Uint8Array | undefined {
  if (isTwoIntegers(signature)) return signature;
  const half = signature.length / 2;
  if (half === 0 || signature.length > MAX_CONCATENATED || !Number.isInteger(half)) return undefined;
  const content = Buffer.concat([integer(signature.subarray(0, half)), integer(signature.subarray(half))]);
  const length = content.length < 0x80 ? [content.length] : [0x81, content.length];
  return Buffer.concat([Buffer.from([SEQUENCE, ...length]), content]);
}

/** Encodes a non-negative big-endian number of at most 66 bytes as a DER INTEGER. */
function integer(number: Uint8Array): Buffer {
  const first = number.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? new Uint8Array(1) : number.subarray(first);
  const padded = (digits[0] ?? 0) < 0x80 ? digits : Buffer.concat([new Uint8Array(1), digits]);
  return Buffer.concat([Buffer.from([INTEGER, padded.length]), padded]);
}

/** Whether the bytes begin with a SEQUENCE of at least two INTEGERs in DER, as Go's encoding/asn1 reads a pair of numbers. */
function isTwoIntegers(bytes: Uint8Array): boolean {
  const sequence = element(bytes, SEQUENCE);
  const first = sequence && element(sequence.value, INTEGER);
  const second = first && element(first.rest, INTEGER);
  return first !== undefined && second !== undefined && isMinimal(first.value) && isMinimal(second.value);
}

/** Returns the first element's content and the bytes after it; undefined for another tag, truncated data, or a length that is not minimal. */
function element(bytes: Uint8Array, tag: number): { value: Uint8Array; rest: Uint8Array } | undefined {
  const [found, length = 0xff] = bytes;
  const long = length - 0x80; // how many bytes the length takes
  if (found !== tag || long === 0 || long > 2) return undefined;
  const size = long < 0 ? length : bytes.subarray(2, 2 + long).reduce((sum, byte) => sum * 256 + byte, 0);
  const isShortest = long < 0 || (long === 1 ? size >= 0x80 : size >= 0x100);
  const start = 2 + Math.max(0, long);
  if (!isShortest || bytes.length < start + size) return undefined;
  return { value: bytes.subarray(start, start + size), rest: bytes.subarray(start + size) };
}

/** Whether an INTEGER's content is not empty and uses the fewest bytes (X.690 §8.3.2). */
function isMinimal(content: Uint8Array): boolean {
  const [first, second] = content;
  if (first === undefined || second === undefined) return first !== undefined;
  return second < 0x80 ? first !== 0 : first !== 0xff;
}
