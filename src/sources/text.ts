import { TsignError } from "../errors.ts";

/**
 * Decodes a UTF-8 document strictly. Keeps a byte order mark at the start.
 *
 * @param content the document's bytes, or its text
 * @param options.maxBytes largest document, in bytes
 * @throws TsignError "limit" for a larger document, "input" for bytes that are not UTF-8 (with the line)
 */
export function decodeDocument(content: string | Uint8Array, options: { path: string; maxBytes: number }): string {
  const { path, maxBytes } = options;
  if (Buffer.byteLength(content) > maxBytes) throw new TsignError("limit", `${path} is larger than ${maxBytes} bytes`);
  if (typeof content === "string") return content;
  if ((content[0] === 0xff && content[1] === 0xfe) || (content[0] === 0xfe && content[1] === 0xff)) {
    throw new TsignError("input", `${path} is UTF-16 text`, { hint: "save it as UTF-8" });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch (cause) {
    const text = new TextDecoder().decode(content);
    const line = lineOf(text, text.indexOf("\uFFFD"));
    throw new TsignError("input", `${path}:${line}: line is not valid UTF-8`, { hint: "save it as UTF-8", cause });
  }
}

/** The number of the line, from 1, that contains an offset. A line end belongs to the line that it ends. */
export function lineOf(text: string, at: number): number {
  let line = 1;
  for (let end = text.indexOf("\n"); end !== -1 && end < at; end = text.indexOf("\n", end + 1)) line++;
  return line;
}

/** The name of an invisible character: `U+0085`, with its common name if it has one. */
export function nameOfCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const name = NAMES.get(code);
  const number = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  return name === undefined ? number : `${number} (${name})`;
}

const NAMES = new Map([
  [0x00, "null"],
  [0x0b, "vertical tab"],
  [0x0c, "form feed"],
  [0x0d, "carriage return"],
  [0x85, "next line"],
  [0xa0, "no-break space"],
  [0x200b, "zero-width space"],
  [0x2028, "line separator"],
  [0x2029, "paragraph separator"],
  [0x202e, "right-to-left override"],
  [0xfeff, "byte order mark"],
]);
