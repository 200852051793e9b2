import assert from "node:assert/strict";
import { test } from "node:test";
import { isSpace, splitAtSpaces, trimEnd, trimSpace, trimStart } from "./white-space.ts";

/** Characters for which Go's unicode.IsSpace is true. */
const SPACES = "\t\n\v\f\r \x85\xA0\u1680\u2000\u2001\u2005\u200A\u2028\u2029\u202F\u205F\u3000";

test("isSpace: one character of Go's white space -> true; anything else -> false", () => {
  for (const space of SPACES) assert.equal(isSpace(space), true, JSON.stringify(space));
  for (const other of ["", "a", "\0", "\b", "\x0E", "\x84", "\u180E", "\u200B", "\u2060", "\uFEFF", " a", "a "]) {
    assert.equal(isSpace(other), false, JSON.stringify(other));
  }
});

test("trimStart, trimSpace: white space at the start, or at both ends -> removed", () => {
  const cases: [text: string, start: string, both: string][] = [
    ["", "", ""],
    ["a", "a", "a"],
    [" ", "", ""],
    [" \t ", "", ""],
    [" a b ", "a b ", "a b"],
    [`${SPACES}a${SPACES}`, `a${SPACES}`, "a"],
    ["a  ", "a  ", "a"],
    ["  a", "a", "a"],
    ["\uFEFFa\u200B", "\uFEFFa\u200B", "\uFEFFa\u200B"],
  ];
  for (const [text, start, both] of cases) {
    assert.equal(trimStart(text), start, JSON.stringify(text));
    assert.equal(trimSpace(text), both, JSON.stringify(text));
  }
});

test("trimEnd: the given characters at the end -> removed; others -> kept", () => {
  assert.equal(trimEnd("a\r\r", "\r"), "a");
  assert.equal(trimEnd("\ra \r", "\r"), "\ra ");
  assert.equal(trimEnd("a \t\f", "\t\n\f\r "), "a");
  assert.equal(trimEnd("\r\r", "\r"), "");
  assert.equal(trimEnd("", "\r"), "");
  assert.equal(trimEnd("a", "\r"), "a");
});

test("splitAtSpaces: tabs, spaces, form feeds, vertical tabs and carriage returns -> split", () => {
  assert.deepEqual(splitAtSpaces(""), []);
  assert.deepEqual(splitAtSpaces("a"), ["a"]);
  assert.deepEqual(splitAtSpaces("a  b\t\v\f\r c"), ["a", "b", "c"]);
  assert.deepEqual(splitAtSpaces("a\nb\xA0c"), ["a\nb\xA0c"]);
});
