import { randomBytes } from "node:crypto";
import { TsignError } from "../errors.ts";
import { requireFewer } from "./json.ts";
import { scanJson } from "./json-scan.ts";

/** Documents above this size are read in place; below, a whole copy as JavaScript's values is cheap. Bytes. */
const LARGE = 4 * 1024 * 1024;
/** Most bytes of a document besides the large members that it may have. */
const MAX_REST = 16 * 1024 * 1024;
/** Base64 characters decoded at a time, a multiple of four; longer texts are kept outside the heap, where they outlive their use. */
const PIECE = 64 * 1024;

/** A document without its large members, whose values a stand-in takes the place of. */
export interface Shortened {
  /** JSON. */
  readonly bytes: Uint8Array;
  /** The stand-in of each member that was taken out, a text in base64 that nobody could know before, to what it was. */
  readonly taken: ReadonlyMap<string, { readonly path: string; readonly value: Uint8Array }>;
}

/**
 * Takes the large values of some members out of a large document, so that the rest can be parsed in little memory. The whole
 * document is checked as parseJson checks it.
 *
 * @param paths `name`, or `name.inner`
 * @param what names the document in the error
 * @returns undefined for a document that is not large
 * @throws TsignError "bad-bundle"
 */
export function shortened(bytes: Uint8Array, paths: ReadonlySet<string>, what: string): Shortened | undefined {
  if (bytes.length <= LARGE) return undefined;
  requireFewer(bytes, what);
  const spans = [...scanJson(bytes, paths, what)].filter(([, { from, to }]) => to - from > LARGE / 2);
  const taken = new Map<string, { path: string; value: Uint8Array }>();
  const pieces: Uint8Array[] = [];
  let kept = 0;
  for (const [path, { from, to }] of spans.sort(([, a], [, b]) => a.from - b.from)) {
    const standIn = randomBytes(33).toString("base64");
    taken.set(standIn, { path, value: bytes.subarray(from, to) });
    pieces.push(bytes.subarray(kept, from), Buffer.from(`"${standIn}"`));
    kept = to;
  }
  pieces.push(bytes.subarray(kept));
  if (pieces.reduce((size, piece) => size + piece.length, 0) > MAX_REST) {
    throw new TsignError(
      "bad-bundle",
      `${what} has more than ${MAX_REST / 1024 / 1024} MiB of something else than content`,
    );
  }
  return { bytes: Buffer.concat(pieces), taken };
}

/**
 * Decodes the base64 of a large JSON string in pieces.
 *
 * @param literal the string as it stands in the document, with its quotes
 * @param options.overwrite decodes it into its own place: the document is lost, and no second copy is made
 * @returns undefined for what is not one string of base64 without line ends
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
export function requireLargeBase64(literal: Uint8Array, what: string, options: { overwrite: boolean }): Uint8Array {
  const decoded = decodeLargeBase64(literal, options);
  if (!decoded) throw new TsignError("bad-bundle", `${what} is not base64`);
  return decoded;
}
