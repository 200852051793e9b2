import { type Cursor, isBlank, type Scalar } from "./yaml-cursor.ts";

/** Characters that a plain scalar cannot begin with. */
const INDICATORS = "-?:,[]{}#&*!|>'\"%@`";
/** Escapes in double quotes that all parsers support, and their values. */
const ESCAPES: Readonly<Record<string, string>> = {
  "0": "\0",
  a: "\x07",
  b: "\b",
  t: "\t",
  n: "\n",
  v: "\v",
  f: "\f",
  r: "\r",
  e: "\x1b",
  " ": " ",
  '"': '"',
  "\\": "\\",
  N: "\x85",
  _: "\xa0",
  L: "\u2028",
  P: "\u2029",
};
const DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/**
 * Reads a plain scalar, which may span several lines.
 *
 * @param place.indent the column of the enclosing collection; continuation lines are indented further
 * @param place.flow whether that collection is `[…]` or `{…}`
 */
export function readPlain(cursor: Cursor, place: { indent: number; flow: boolean }): Scalar {
  const at = cursor.at;
  const first = cursor.peek();
  const dash = first === "-" && !cursor.isBlank(1) && !(place.flow && ",[]{}".includes(cursor.peek(1)));
  const mark = !place.flow && (first === ":" || first === "?") && !cursor.isBlank(1);
  if (INDICATORS.includes(first) && !dash && !mark) cursor.refuse(`a value cannot begin with ${first}`);
  let value = readPlainLine(cursor, place.flow);
  let folded = false;
  for (let next = continuation(cursor, place); next !== undefined; next = continuation(cursor, place)) {
    cursor.at = next;
    value += ` ${readPlainLine(cursor, place.flow)}`;
    folded = true;
  }
  return { kind: "scalar", value, plain: true, folded, at, span: [at, cursor.at] };
}

/** Reads one line of a plain scalar: up to `: `, ` #`, the line end or, in a flow collection, the end of the entry. */
function readPlainLine(cursor: Cursor, flow: boolean): string {
  const start = cursor.at;
  let end = start;
  for (; ; cursor.at++) {
    const character = cursor.peek();
    if (character === "" || character === "\n") break;
    if (character === " " || character === "\t") continue;
    if (character === "#" && cursor.at > end) break;
    if (character === ":" && cursor.isBlank(1)) break;
    if (flow && ",]}".includes(character)) break;
    if (flow && "[{?".includes(character)) cursor.refuse(`${character} inside an unquoted value`);
    if (flow && character === ":" && ",[]{}".includes(cursor.peek(1))) cursor.refuse("missing space after a colon");
    end = cursor.at + 1;
  }
  cursor.at = end;
  return cursor.text.slice(start, end);
}

/** The offset where a plain scalar continues on a later line; undefined if it ends here. */
function continuation(cursor: Cursor, { indent, flow }: { indent: number; flow: boolean }): number | undefined {
  const end = cursor.at;
  cursor.skipSpaces();
  let next: number | undefined;
  if (cursor.peek() === "\n") {
    while (cursor.peek() === "\n" || cursor.peek() === " " || cursor.peek() === "\t") cursor.at++;
    const lineStart = cursor.text.lastIndexOf("\n", cursor.at - 1) + 1;
    const ends = flow ? ",]}#:" : "#";
    const goesOn = !ends.includes(cursor.peek()) && (flow || cursor.at - lineStart > indent); // "", the text's end, is in all
    if (goesOn && !flow && cursor.text.slice(end, cursor.at).includes("\n\t")) {
      cursor.refuse("tab in indentation");
    }
    if (goesOn) next = cursor.at;
  }
  cursor.at = end;
  return next;
}

/** Reads a scalar in single or double quotes. */
export function readQuoted(cursor: Cursor): Scalar {
  const at = cursor.at;
  const quote = cursor.peek();
  let value = "";
  for (cursor.at++; ; ) {
    const character = cursor.peek();
    if (character === "") cursor.refuse("unclosed quotes", at);
    cursor.at++;
    if (character === quote) {
      if (quote === '"' || cursor.peek() !== "'") break;
      cursor.at++;
      value += "'";
    } else if (character === "\\" && quote === '"') value += readEscape(cursor);
    else value += character;
  }
  cursor.quoted.push([at, cursor.at]);
  return {
    kind: "scalar",
    value,
    plain: false,
    folded: /[\n\r\x85\u2028\u2029]/.test(cursor.text.slice(at, cursor.at)),
    at,
    span: [at + 1, cursor.at - 1],
  };
}

function readEscape(cursor: Cursor): string {
  const letter = cursor.peek();
  cursor.at++;
  if (letter === "\n") return ""; // the scalar spans several lines, so its value is not used
  const digits = DIGITS[letter];
  if (digits === undefined) {
    return ESCAPES[letter] ?? cursor.refuse(`\\${letter} is not an escape that all YAML parsers support`);
  }
  const hex = cursor.text.slice(cursor.at, cursor.at + digits);
  const code = /^[0-9A-Fa-f]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : -1;
  if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
    cursor.refuse(`\\${letter}${hex} is not a character`);
  }
  cursor.at += digits;
  return String.fromCodePoint(code);
}

/**
 * Reads a block scalar, `|` or `>`, up to the first line with less indentation (YAML 1.1, 9.2, as libyaml reads it).
 *
 * @param indent the column of the enclosing collection
 */
export function readBlock(cursor: Cursor, indent: number): Scalar {
  const at = cursor.at;
  const [header = ""] = /^[|>][-+0-9]*/.exec(cursor.text.slice(at, at + 8)) ?? [];
  const parts = /^[|>](?:([-+])([1-9])?|([1-9])([-+])?)?$/.exec(header);
  if (!parts) cursor.refuse(`${header} is not a valid block scalar header`);
  const digit = parts[2] ?? parts[3];
  cursor.at += header.length;
  cursor.endLine();
  const given = digit === undefined ? undefined : Math.max(indent, 0) + Number(digit);
  const inner = given ?? Math.max(detectIndent(cursor), indent + 1, 1);
  const lines: string[] = [];
  let end = cursor.at;
  while (cursor.peek() === "\n") {
    const start = cursor.at + 1;
    let found = 0;
    while (found < inner && cursor.text[start + found] === " ") found++;
    const next = cursor.text.charAt(start + found);
    if (found < inner && next !== "\n") {
      if (next === "\t") cursor.refuse("tab in indentation", start);
      break;
    }
    cursor.at = start;
    cursor.skipLine();
    const line = cursor.text.slice(start + found, cursor.at);
    if (line !== "") end = cursor.at;
    lines.push(line);
  }
  const content = lines.filter((line) => line !== "");
  const [line = ""] = content;
  return {
    kind: "scalar",
    value: `${line}${header.includes("-") ? "" : "\n"}`,
    plain: false,
    folded: content.length !== 1 || lines[0] === "",
    ...(header === "|" || header === "|-" ? { literal: literalText(lines, header === "|") } : {}),
    at,
    span: [end - line.length, end],
  };
}

/** The text of a literal block: without the empty lines at its end, and with one line feed there unless it is stripped. */
function literalText(lines: readonly string[], endsLine: boolean): string {
  const last = lines.findLastIndex((line) => line !== "");
  return last < 0 ? "" : `${lines.slice(0, last + 1).join("\n")}${endsLine ? "\n" : ""}`;
}

/** The indentation of the first line with text, or the largest without one. Empty lines before it must not exceed it. */
function detectIndent(cursor: Cursor): number {
  let most = 0;
  for (let start = cursor.at + 1; ; ) {
    let at = start;
    while (cursor.text[at] === " ") at++;
    const next = cursor.text.charAt(at);
    if (next === "\t") cursor.refuse("tab in indentation", at);
    if (next !== "\n") {
      if (next !== "" && most > at - start) {
        cursor.refuse("empty lines are indented further than the following text", start);
      }
      return Math.max(most, at - start);
    }
    most = Math.max(most, at - start);
    start = at + 1;
  }
}

export function startsBlock(cursor: Cursor): boolean {
  return cursor.peek() === "|" || cursor.peek() === ">";
}

export function startsQuoted(cursor: Cursor): boolean {
  return cursor.peek() === '"' || cursor.peek() === "'";
}

/** Whether the cursor is at the colon of `key: value`. */
export function atColon(cursor: Cursor): boolean {
  return cursor.peek() === ":" && isBlank(cursor.peek(1));
}
