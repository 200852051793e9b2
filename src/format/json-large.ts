import { randomBytes } from "node:crypto";
import { TsignError } from "../errors.ts";
import { requireFewer } from "./json.ts";
import { scanJson } from "./json-scan.ts";

/** Documents above this size are processed in place; smaller ones are parsed directly. Bytes. */
const LARGE = 4 * 1024 * 1024;
/** Most bytes of a document without its large members. */
const MAX_REST = 16 * 1024 * 1024;
/** Base64 characters decoded at a time, a multiple of four; longer strings are allocated outside the heap and freed late. */
const PIECE = 64 * 1024;

/** A document whose large members are replaced by placeholders. */
export interface Shortened {
  /** JSON. */
  readonly bytes: Uint8Array;
  /** The replaced members by placeholder, which is random base64. */
  readonly taken: ReadonlyMap<string, { readonly path: string; readonly value: Uint8Array }>;
}

/**
 * Replaces large values of some members of a large document by placeholders, so that the rest can be parsed with little memory.
 * The whole document is checked like in parseJson.
 *
 * @param paths `name`, or `name.inner`
 * @param document name of the document in errors
 * @returns undefined for a small document
 * @throws TsignError "bad-bundle"
 */
export function shortened(bytes: Uint8Array, paths: ReadonlySet<string>, document: string): Shortened | undefined {
  if (bytes.length <= LARGE) return undefined;
  requireFewer(bytes, document);
  const spans = [...scanJson(bytes, paths, document)].filter(([, { from, to }]) => to - from > LARGE / 2);
  const taken = new Map<string, { path: string; value: Uint8Array }>();
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const [path, { from, to }] of spans.sort(([, a], [, b]) => a.from - b.from)) {
    const placeholder = randomBytes(33).toString("base64");
    taken.set(placeholder, { path, value: bytes.subarray(from, to) });
    pieces.push(bytes.subarray(kept, from), Buffer.from(`"${placeholder}"`));
    kept = to;
  }
  pieces.push(bytes.subarray(kept));
  if (pieces.reduce((size, piece) => size + piece.length, 0) > MAX_REST) {
    throw new TsignError("bad-bundle", `${document} has more than ${MAX_REST / 1024 / 1024} MiB besides its payload`);
  }
  return { bytes: Buffer.concat(pieces), taken };
}

/**
 * Decodes the base64 of a large JSON string in pieces.
 *
 * @param literal the string in the document, with its quotes
 * @param options.overwrite decode in place, which destroys the document and saves a copy
 * @returns undefined for anything but a base64 string without line breaks
 */
export function decodeLargeBase64(literal: Uint8Array, { overwrite = false } = {}): Uint8Array | undefined {
  const text = Buffer.from(literal.buffer, literal.byteOffset, literal.length);
  if (text[0] !== 0x22 || text.at(-1) !== 0x22) return undefined;
  const body = text.subarray(1, -1);
  const decoded = overwrite ? body : Buffer.alloc(Math.ceil(body.length / 4) * 3);
  const padding = body.at(-2) === 0x3d ? 2 : body.at(-1) === 0x3d ? 1 : 0;
  const end = body.length - padding;
  if (end % 4 === 1 || (padding > 0 && body.length % 4 !== 0)) return undefined;
  let size = 0;
  let alphabets = [/^[A-Za-z0-9+/]*$/, /^[A-Za-z0-9_-]*$/];
  for (let at = 0; at < end; at += PIECE) {
    const piece = body.toString("latin1", at, Math.min(at + PIECE, end));
    alphabets = alphabets.filter((alphabet) => alphabet.test(piece));
    if (alphabets.length === 0) return undefined;
    size += decoded.write(piece, size, "base64");
  }
  return decoded.subarray(0, size);
}

/** @throws TsignError "bad-bundle" */
export function requireLargeBase64(literal: Uint8Array, document: string, options: { overwrite: boolean }): Uint8Array {
  const decoded = decodeLargeBase64(literal, options);
  if (!decoded) throw new TsignError("bad-bundle", `${document} is not base64`);
  return decoded;
}
