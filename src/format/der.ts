/** One DER element (X.690 §8.1, §10.1). */
export interface Der {
  /** First byte: class, constructed bit and a tag number below 31. */
  readonly tag: number;
  /** The content's bytes. */
  readonly value: Uint8Array;
  /** The whole element: tag, length and content. */
  readonly bytes: Uint8Array;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  time: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Deepest nesting; certificates and timestamps have less than half of it. */
const MAX_DEPTH = 32;
/** Most bytes of a length. */
const MAX_LENGTH_BYTES = 4;

/** Bytes that are not DER, or an unexpected element. */
export class DerError extends Error {}

/**
 * Parses bytes that are exactly one element.
 *
 * @throws DerError
 */
export function readDer(bytes: Uint8Array, tag?: number): Der {
  const [element, ...more] = readDerSequence(bytes, 2);
  if (!element || more.length > 0) throw new DerError("expected exactly one element");
  if (tag !== undefined && element.tag !== tag) throw new DerError("unexpected type of element");
  return element;
}

/**
 * The elements inside an element with this tag.
 *
 * @throws DerError
 */
export function derChildren(element: Der | undefined, tag: number): readonly Der[] {
  if (element?.tag !== tag) throw new DerError("missing element, or unexpected type");
  return readDerSequence(element.value);
}

/**
 * Parses consecutive elements, up to the end of the bytes.
 *
 * @param most number of elements after which to stop
 * @throws DerError
 */
export function readDerSequence(bytes: Uint8Array, most = Number.POSITIVE_INFINITY): readonly Der[] {
  const elements: Der[] = [];
  for (let at = 0; at < bytes.length && elements.length < most; ) {
    const element = elementAt(bytes, at);
    elements.push(element);
    at += element.bytes.length;
  }
  return elements;
}

function elementAt(bytes: Uint8Array, at: number): Der {
  const tag = bytes[at] ?? 0;
  const first = bytes[at + 1];
  if (first === undefined || (tag & 0x1f) === 0x1f) throw new DerError("element without tag and length");
  const long = first > 0x80 ? first - 0x80 : 0; // number of length bytes
  if (first === 0x80 || long > MAX_LENGTH_BYTES) throw new DerError("indefinite length");
  const start = at + 2 + long;
  let length = first;
  if (long > 0) {
    length = 0;
    for (let index = at + 2; index < start; index++) length = length * 256 + (bytes[index] ?? 0);
  }
  if (start + length > bytes.length) throw new DerError("truncated element");
  if (long > 0 && length < (long === 1 ? 0x80 : 256 ** (long - 1)))
    throw new DerError("length is not minimally encoded");
  const value = bytes.subarray(start, start + length);
  requireDerValue(tag, value);
  return { tag, value, bytes: bytes.subarray(at, start + length) };
}

/** Checks the DER encoding of values that BER can encode in several ways (X.690 §8.2 to §8.8, §11.1). */
function requireDerValue(tag: number, value: Uint8Array): void {
  const first = value[0]; // destructuring would run an iterator for each element
  switch (tag) {
    case TAG.boolean:
      if (value.length !== 1 || (first !== 0 && first !== 0xff)) throw new DerError("invalid BOOLEAN");
      break;
    case TAG.integer: {
      if (first === undefined) throw new DerError("empty INTEGER");
      const second = value[1] ?? 0;
      const isSpare = (first === 0 && second < 0x80) || (first === 0xff && second >= 0x80);
      if (value.length > 1 && isSpare) throw new DerError("INTEGER is not minimally encoded");
      break;
    }
    case TAG.null:
      if (value.length > 0) throw new DerError("NULL with content");
      break;
  }
}

/**
 * Checks that all elements are DER and nested at most 32 levels deep, including elements inside OCTET STRINGs. Takes linear time,
 * and protects recursive parsers.
 *
 * @throws DerError
 */
export function requireDer(bytes: Uint8Array): void {
  const open: { elements: readonly Der[]; at: number; held: boolean }[] = [
    { elements: [readDer(bytes)], at: 0, held: false },
  ];
  for (let top = open.at(-1); top; top = open.at(-1)) {
    const element = top.elements[top.at++];
    if (!element) {
      open.pop();
      continue;
    }
    const constructed = (element.tag & 0x20) !== 0;
    const held = top.held || !constructed;
    const inside = held ? elementsInside(element) : readDerSequence(element.value);
    if (inside.length === 0) continue;
    if (open.length === MAX_DEPTH) throw new DerError(`elements are nested deeper than ${MAX_DEPTH} levels`);
    open.push({ elements: inside, at: 0, held });
  }
}

/** The elements inside an OCTET STRING, or inside an element in one; none if its content is not DER. */
function elementsInside({ tag, value }: Der): readonly Der[] {
  if (tag !== TAG.octets && (tag & 0x20) === 0) return [];
  try {
    return readDerSequence(value);
  } catch {
    return [];
  }
}

/**
 * Encodes an element with its length in the shortest form (X.690 §8.1.3, §10.1).
 *
 * @param tag identifier octet, of a tag number below 31
 * @param value the content, already encoded
 */
export function encodeDer(tag: number, value: Uint8Array): Uint8Array {
  const { length } = value;
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value]);
  const hex = length.toString(16);
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.concat([Buffer.of(tag, 0x80 + bytes.length), bytes, value]);
}
