import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { decodeDocument, lineOf, nameOfCharacter } from "./text.ts";

const decode = (content: string | Uint8Array, maxBytes = 100) => decodeDocument(content, { path: "f", maxBytes });
const fails = (content: string | Uint8Array, code: string, message: string, maxBytes?: number) =>
  assert.throws(
    () => decode(content, maxBytes),
    (error) => error instanceof TsignError && error.code === code && error.message === message,
    message,
  );

test("decodeDocument: text or UTF-8, with or without a byte order mark -> unchanged", () => {
  for (const text of ["", "a", "\uFEFFa\n", "\u00fc\u{1F600}\uFFFD"]) {
    assert.equal(decode(text), text);
    assert.equal(decode(Buffer.from(text)), text);
  }
});

test("decodeDocument: a document of maxBytes -> read; a larger one -> refused", () => {
  assert.equal(decode("\u00fc", 2), "\u00fc");
  assert.equal(decode(Buffer.from("ab"), 2), "ab");
  fails("\u00fc\u00fc\u00fc", "limit", "f is larger than 5 bytes", 5);
  fails(Buffer.from("abc"), "limit", "f is larger than 2 bytes", 2);
});

test("decodeDocument: bytes that are not UTF-8 -> refused with their line; UTF-16 -> refused as such", () => {
  fails(Buffer.from([0xff, 0xfe, 0x41, 0]), "input", "f is UTF-16 text");
  fails(Buffer.from([0xfe, 0xff, 0, 0x41]), "input", "f is UTF-16 text");
  for (const bytes of [
    [0xff],
    [0xfe],
    [0xff, 0x41],
    [0x41, 0xfe],
    [0xfe, 0x41],
    [0x41, 0xff],
    [0xff, 0xff],
    [0xfe, 0xfe],
  ]) {
    fails(Buffer.from(bytes), "input", "f:1: line is not valid UTF-8");
  }
  fails(Buffer.from([0x41, 0xff, 0xfe]), "input", "f:1: line is not valid UTF-8");
  fails(Buffer.from([0x0a, 0x41, 0x0a, 0x0a, 0xc3]), "input", "f:4: line is not valid UTF-8");
  fails(Buffer.from([0xed, 0xa0, 0x80]), "input", "f:1: line is not valid UTF-8");
  assert.throws(
    () => decode(Buffer.from([0xff])),
    (error) => error instanceof TsignError && error.hint === "save it as UTF-8" && error.cause instanceof TypeError,
  );
  assert.throws(
    () => decode(Buffer.from([0xff, 0xfe])),
    (error) => error instanceof TsignError && error.hint === "save it as UTF-8",
  );
});

test("lineOf: a line end -> belongs to the line that it ends", () => {
  const lines = (text: string) => Array.from({ length: text.length + 1 }, (_, at) => lineOf(text, at));
  assert.deepEqual(lines("a\nbc\n\n\nd"), [1, 1, 2, 2, 2, 3, 4, 5, 5]);
  assert.deepEqual(lines("\n\n"), [1, 2, 3]);
  assert.deepEqual(lines("ab"), [1, 1, 1]);
});

test("nameOfCharacter: the code point, and the common name if there is one", () => {
  const names: [character: string, name: string][] = [
    ["\0", "U+0000 (null)"],
    ["\v", "U+000B (vertical tab)"],
    ["\f", "U+000C (form feed)"],
    ["\r", "U+000D (carriage return)"],
    ["\x85", "U+0085 (next line)"],
    ["\xA0", "U+00A0 (no-break space)"],
    ["\u200B", "U+200B (zero-width space)"],
    ["\u2028", "U+2028 (line separator)"],
    ["\u2029", "U+2029 (paragraph separator)"],
    ["\u202E", "U+202E (right-to-left override)"],
    ["\uFEFF", "U+FEFF (byte order mark)"],
    ["\x01", "U+0001"],
    ["\u{1F600}", "U+1F600"],
  ];
  for (const [character, name] of names) assert.equal(nameOfCharacter(character), name);
});
