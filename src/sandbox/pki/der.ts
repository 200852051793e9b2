/**
 * DER (ITU-T X.690 §8 to §11) for certificates and timestamps: functions that return encoded values, and a strict reader.
 */

/** Encodes one value: tag octet, length, content. Tag numbers above 30 are not supported. */
export function tlv(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag, ...lengthOctets(body.length)]), body]);
}

/** Encodes a length in its shortest form (X.690 §10.1). */
function lengthOctets(length: number): number[] {
  if (length < 0x80) return [length];
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return [0x80 | octets.length, ...octets];
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => tlv(0x30, ...items);
/** SET OF, sorted by encoding (X.690 §11.6). */
export const setOf = (...items: readonly Uint8Array[]): Buffer => tlv(0x31, ...items.toSorted(Buffer.compare));
export const octetString = (bytes: Uint8Array): Buffer => tlv(0x04, bytes);
export const bitString = (bytes: Uint8Array, unusedBits = 0): Buffer => tlv(0x03, Buffer.from([unusedBits]), bytes);
export const utf8String = (text: string): Buffer => tlv(0x0c, Buffer.from(text));
export const boolean = (value: boolean): Buffer => tlv(0x01, Buffer.from([value ? 0xff : 0]));
export const NULL: Buffer = tlv(0x05);
/** `[number] IMPLICIT` of a primitive type. */
export const implicit = (number: number, bytes: Uint8Array): Buffer => tlv(0x80 | number, bytes);
/** `[number] EXPLICIT`, or IMPLICIT of a constructed type whose items are given. */
export const explicit = (number: number, ...items: readonly Uint8Array[]): Buffer => tlv(0xa0 | number, ...items);

/** Encodes a non-negative integer, given as a number or as big-endian octets. */
export function integer(value: number | Uint8Array): Buffer {
  let octets = typeof value === "number" ? Buffer.from(numberOctets(value)) : Buffer.from(value);
  while (octets.length > 1 && octets[0] === 0 && (octets[1] ?? 0) < 0x80) octets = octets.subarray(1);
  return tlv(0x02, (octets[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), octets]) : octets);
}

function numberOctets(value: number): number[] {
  const octets: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return octets.length > 0 ? octets : [0];
}

/** Encodes an object identifier given in dotted form. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const octets = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift(0x80 | (left % 128));
    return groups;
  });
  return tlv(0x06, Buffer.from(octets));
}

/** Returns the dotted form of an object identifier's content. */
export function oidText(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet < 0x80) {
      arcs.push(arc);
      arc = 0;
    }
  }
  const [head = 0, ...rest] = arcs;
  const first = Math.min(2, Math.floor(head / 40));
  return [first, head - first * 40, ...rest].join(".");
}

/** Encodes `YYYYMMDDHHMMSSZ`, in whole seconds (X.690 §11.7). */
export function generalizedTime(at: Date): Buffer {
  return tlv(0x18, Buffer.from(`${at.toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`));
}

/** Encodes UTCTime through 2049, GeneralizedTime afterwards (RFC 5280 §4.1.2.5). */
export function time(at: Date): Buffer {
  const general = generalizedTime(at);
  return at.getUTCFullYear() < 2050 ? tlv(0x17, general.subarray(4)) : general;
}

/** A decoded value. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** The whole encoding. */
  readonly raw: Buffer;
}

/**
 * Reads consecutive values.
 *
 * @throws Error for anything but DER with definite lengths in their shortest form
 */
export function readAll(bytes: Uint8Array): Element[] {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const elements: Element[] = [];
  for (let at = 0; at < input.length; ) {
    const element = readAt(input, at);
    elements.push(element);
    at += element.raw.length;
  }
  return elements;
}

function readAt(input: Buffer, at: number): Element {
  const tag = input[at] ?? 0;
  const first = input[at + 1];
  if (first === undefined || (tag & 0x1f) === 0x1f || first === 0x80 || first > 0x84) throw new Error("not DER");
  const octets = first < 0x80 ? 0 : first & 0x7f;
  if (at + 2 + octets > input.length) throw new Error("the DER ends early");
  const length = octets === 0 ? first : input.readUIntBE(at + 2, octets);
  const start = at + 2 + octets;
  if (lengthOctets(length).length !== 1 + octets) throw new Error("a DER length is not the shortest");
  if (start + length > input.length) throw new Error("the DER ends early");
  return { tag, content: input.subarray(start, start + length), raw: input.subarray(at, start + length) };
}

/** Reads exactly one value. @throws Error when more bytes follow */
export function readOne(bytes: Uint8Array): Element {
  const [element, ...rest] = readAll(bytes);
  if (!element || rest.length > 0) throw new Error("not one DER value");
  return element;
}
