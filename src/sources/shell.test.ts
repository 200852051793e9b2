import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { replacePattern, ShellSyntaxError, trimPattern } from "./shell-patterns.ts";
import { expandWord, type LexOptions, splitWords } from "./shell-words.ts";

const VALUES: Readonly<Record<string, string>> = {
  A: "a",
  E: "",
  V: "a-b-c",
  W: "x y",
  P: "a\\b*c",
  Q: '"a\\b"c',
  "0": "zero",
  "12": "twelve",
  "@": "at",
  "*": "star",
  "#": "hash",
  "?": "ask",
  "-": "dash",
  $: "dollar",
  "!": "bang",
  "\u00fc_9": "letters",
};

/** Expands a word. Returns the result and the unset variables. */
function expansion(word: string, options: Partial<LexOptions> = {}) {
  const unset: string[] = [];
  const variables = { get: (name: string) => VALUES[name], unset: (name: string) => unset.push(name) };
  return { result: expandWord(word, { escaping: "\\", ...options }, variables), unset };
}

const expand = (word: string, options: Partial<LexOptions> = {}) => expansion(word, options).result;
const split = (line: string, options: Partial<LexOptions> = {}) =>
  splitWords(line, { escaping: "\\", ...options }, { get: (name) => VALUES[name] });
const refuses = (act: () => unknown, message: string) =>
  assert.throws(act, (error) => error instanceof ShellSyntaxError && error.message === message, message);

/** Checks the expansion of each word. */
function expands(cases: readonly (readonly [word: string, result: string])[], options: Partial<LexOptions> = {}) {
  for (const [word, result] of cases) assert.equal(expand(word, options), result, word);
}

test("expandWord: a variable's name -> letters, digits and _; a number; or a special parameter", () => {
  expands([
    ["", ""],
    ["x", "x"],
    ["$A", "a"],
    ["x$A.y", "xa.y"],
    ["$A$A", "aa"],
    ["$AB", ""],
    ["${A}B", "aB"],
    ["$\u00fc_9-", "letters-"],
    ["$12a", "twelvea"],
    ["$0", "zero"],
    ["$012", ""],
    ["$@$*$#$?$-$$$!", "atstarhashaskdashdollarbang"],
    ["$@A", "atA"],
    ["${@}", "at"],
    ["$", "$"],
    ["a$", "a$"],
    ["$ A", "$ A"],
    ["$.", "$."],
    ["\u{1F600}$A", "\u{1F600}a"],
  ]);
});

test("expandWord: an unset variable -> empty and reported, or kept as written", () => {
  assert.deepEqual(expansion("a$N${M}b"), { result: "ab", unset: ["N", "M"] });
  assert.deepEqual(expansion("${N:-x}${N-x}${N+x}${N:+x}${N#x}${N/x/y}"), { result: "xx", unset: [] });
  assert.deepEqual(expansion("$E${E}"), { result: "", unset: [] });
  const keepUnset = true;
  for (const word of ["$N", "${N}", "${N:-x}", "${N-x}", "${N:+x}", "${N?x}", "${N#x}", "${N%x}", "${N/x/y}"]) {
    assert.deepEqual(expansion(word, { keepUnset }), { result: word, unset: [] });
  }
  expands(
    [
      ["$A${A}${A:-x}${A#a}${A/a/b}", "aaab"],
      ["${N:-$A}", "${N:-a}"],
    ],
    { keepUnset },
  );
  assert.equal(expandWord("$N${N}", { escaping: "\\" }, { get: () => undefined }), "");
});

test("expandWord: the operators -, + and ? -> a default, an alternative or an error", () => {
  expands([
    ["${A:-x}${E:-x}${N:-x}", "axx"],
    ["${A-x}${E-x}${N-x}", "ax"],
    ["${A:+x}${E:+x}${N:+x}", "x"],
    ["${A+x}${E+x}${N+x}", "xx"],
    ["${A:?x}${A?x}${E?x}", "aa"],
    ["${N:-}", ""],
    ["${N:-${M:-${A}b}c}d", "abcd"],
    ["${N:-'}'}", "}"],
    ["${N:-\\}}", "}"],
    ['${N:-"${A}"}', "a"],
    ["${N:-<<x}", "<<x"],
  ]);
  refuses(() => expand("${N:?no value}"), "N: no value");
  refuses(() => expand("${E:?}"), "E: is not set");
  refuses(() => expand("${N?}"), "N: is not set");
  for (const word of ["${}", "${", "${{}", "${:-x}"]) refuses(() => expand(word), "bad substitution");
  for (const [word, modifier] of [
    ["${A!x}", "!"],
    ["${A:}", ":}"],
    ["${A:#x}", ":#"],
    ["${A:%x}", ":%"],
    ["${A=x}", "="],
    ["${A", ""],
    ["${A:", ":"],
    ["${ }", " "],
  ] as const) {
    refuses(() => expand(word), `unsupported modifier ${modifier}`);
  }
  refuses(() => expand("${A:-x"), "missing closing }");
  refuses(() => expand("${A/x"), "missing closing /");
  refuses(() => expand("${A/x/y"), "missing closing }");
});

test("expandWord: quotes and escapes -> removed", () => {
  expands([
    ["'$A'\"$A\"", "$Aa"],
    ["''", ""],
    ["a'b'c", "abc"],
    ["'a\\b'", "a\\b"],
    ['"a b"', "a b"],
    ['"\\$A \\" \\\\ \\x \\\'"', "$A \" \\ \\x \\'"],
    ["\\$A", "$A"],
    ["\\a\\'\\\"\\\\", "a'\"\\"],
    ["a\\", "a"],
    ['"a$"', "a$"],
    ["<", "<"],
    ["<<  x", "<<  x"],
    ["'\u{1F600}'\\\u{1F600}", "\u{1F600}\u{1F600}"],
  ]);
  refuses(() => expand("'a"), "unclosed single quote");
  refuses(() => expand('"a'), "unclosed double quote");
  refuses(() => expand('"a\\"'), "unclosed double quote");
  refuses(() => expand('"a\\'), "unclosed double quote");
  expands(
    [
      ["`$A", "$A"],
      ["a\\b", "a\\b"],
      ['"`$A`"``\\"', '$A"`\\'],
    ],
    { escaping: "`" },
  );
});

test("expandWord: rawQuotes and rawEscapes -> quotes and escapes are kept", () => {
  expands(
    [
      ["'$A'\"$A\"", "'$A'\"a\""],
      ["\\a", "a"],
      ['"\\""', '"""'],
    ],
    { rawQuotes: true },
  );
  expands(
    [
      ["\\a\\\\", "\\a\\\\"],
      ["a\\", "a\\"],
      ['"\\$A\\x"', "\\$A\\\\x"],
      ["'\\'", "\\"],
      ["'\\x\\'", "\\x\\"],
    ],
    { rawEscapes: true },
  );
  expands(
    [
      ['"\\$A\\x\\""', '"\\$A\\x\\""'],
      ["\\a'\\b'", "\\a'\\b'"],
    ],
    { rawQuotes: true, rawEscapes: true },
  );
});

test("expandWord: patterns in braces -> keep their escapes, quoted or not", () => {
  expands([
    ["${V#a-}${V#*-}${V##*-}", "b-cb-cc"],
    ["${V%-c}${V%-*}${V%%-*}", "a-ba-ba"],
    ["${V#}${V%}", "a-b-ca-b-c"],
    ["${V#x}${V%x}", "a-b-ca-b-c"],
    ["${V#$A}", "-b-c"],
    ["${V#'a'}", "-b-c"],
    ['${V#"a"}', "-b-c"],
    ["${P#a\\\\}", "b*c"],
    ["${P#'a\\'}", "b*c"],
    ['${P#"a\\\\"}', "b*c"],
    ["${P%\\*c}", "a\\b"],
    ["${P#*\\*}", "c"],
    ["${N#x}${N%x}", ""],
    ["${V/-/_}${V//-/_}", "a_b-ca_b_c"],
    ["${V/b*/d}${V/*b/d}", "a-dd-c"],
    ["${V/x/y}${V//x/y}", "a-b-ca-b-c"],
    ["${V/-}/x}", "a-b-c"],
    ["${V/-/}", "ab-c"],
    ["${V/-/\\$}", "a\\$b-c"],
    ["${V/-/$A}", "aab-c"],
    ["${V/-/'}'}", "a}b-c"],
    ["${V/'-'/_}", "a_b-c"],
    ["${N/x/y}${N//x/y}", ""],
    ["${E/*/x}", "x"],
    ["${P/\\\\/x}", "axb*c"],
    ["${V/${V%-b-c}/z}", "z-b-c"],
    ["${P/'\\'/x}", "axb*c"],
    ["${V/-/'\\'}", "a\\b-c"],
  ]);
  expands([['${Q#"a\\b"}', "c"]], { rawQuotes: true });
  for (const [word, message] of [
    ["${V#\\x}", "bad escape \\x in a pattern"],
    ["${V//\\x/}", "bad escape \\x in a pattern"],
    ["${V//-/\\$}", "a replacement of all matches with $ or for an empty pattern is not supported"],
    ["${V///x}", "a replacement of all matches with $ or for an empty pattern is not supported"],
    ["${V//*/x}", "a replacement of all matches with $ or for an empty pattern is not supported"],
  ] as const) {
    refuses(() => expand(word), message);
  }
});

test("splitWords: white space that is not quoted or escaped, also from variables -> splits", () => {
  const cases: [line: string, words: string[]][] = [
    ["", []],
    ["  ", []],
    ["a", ["a"]],
    [" a  b\tc\n", ["a", "b", "c"]],
    ["a 'b c' \"d e\" f\\ g", ["a", "b c", "d e", "f g"]],
    ["$W", ["x", "y"]],
    ["a$W'b'", ["ax", "yb"]],
    ['"$W"', ["x y"]],
    ["a $E b", ["a", "b"]],
    ["''", []],
    ["a '' b", ["a", "b"]],
    ["<< x", ["<< x"]],
    ["<<\t\r x y", ["<<\t\r x", "y"]],
    ["< x", ["<", "x"]],
    ["a<<b", ["a<<b"]],
    ["<<\nx", ["<<", "x"]],
    ["a\u00a0b\u3000c", ["a", "b", "c"]],
    ["\\  a", [" ", "a"]],
    ["'' a", ["a"]],
    ["a ' ' b", ["a", " ", "b"]],
    ["a b\\", ["a", "b"]],
  ];
  for (const [line, words] of cases) assert.deepEqual(split(line), words, JSON.stringify(line));
  assert.deepEqual(split("a '$A \\b' \"c \\d\" \\e", { rawQuotes: true, rawEscapes: true }), [
    "a",
    "'$A \\b'",
    '"c \\d"',
    "\\e",
  ]);
  assert.deepEqual(split("${N:-a b} $N", { keepUnset: true }), ["${N:-a", "b}", "$N"]);
  refuses(() => split("a 'b"), "unclosed single quote");
});

test("splitWords: nested braces -> the word around them loses its beginning, as in BuildKit", () => {
  assert.deepEqual(split("a ${N:-b} c"), ["a", "b", "c"]);
  assert.deepEqual(split("x${N:-b}"), ["b"]);
  assert.deepEqual(split("x${N:-}y"), ["y"]);
  assert.deepEqual(split("x${V#a}y"), ["-b-cy"]);
  assert.deepEqual(split("x${A}y"), ["xay"]);
});

test("expandWord: a text that grows too long, or braces nested too deep -> refused", () => {
  const limit = (act: () => unknown, reason: RegExp) =>
    assert.throws(act, (error) => error instanceof TsignError && error.code === "limit" && reason.test(error.message));
  const long = (length: number) => ({ get: (name: string) => (name === "L" ? "x".repeat(length) : undefined) });
  const most = 65_536;
  const options = { escaping: "\\" };
  assert.equal(expandWord("$L", options, long(most)).length, most);
  assert.equal(expandWord('a"b$L"', options, long(most - 1)).length, most + 1);
  limit(() => expandWord("$L", options, long(most + 1)), /longer than 65536 characters/);
  limit(() => expandWord("a$L", options, long(most)), /longer than 65536/);
  limit(() => expandWord('"a$L"', options, long(most)), /longer than 65536/);
  assert.equal(expandWord("$L", { ...options, keepUnset: true }, long(most + 1)).length, most + 1);
  const nested = (levels: number) => `${"${N:-".repeat(levels)}x${"}".repeat(levels)}`;
  assert.equal(expand(nested(40)), "x");
  limit(() => expand(nested(41)), /nested deeper than 40 levels/);
  assert.equal(expand(`${"${N:-x}".repeat(50)}`), "x".repeat(50), "side by side");
});

test("trimPattern: the shortest or longest match at the start or end -> removed", () => {
  const trim = (value: string, pattern: string) =>
    [false, true].flatMap((fromEnd) =>
      [false, true].map((longest) => trimPattern(value, pattern, { longest, fromEnd, spend: () => {} })),
    );
  const cases: [value: string, pattern: string, results: [string, string, string, string]][] = [
    ["aab", "a", ["ab", "ab", "aab", "aab"]],
    ["abab", "*b", ["ab", "", "aba", ""]],
    ["abab", "a*", ["bab", "", "ab", ""]],
    ["abcab", "ab", ["cab", "cab", "abc", "abc"]],
    ["a\u{1F600}", "?", ["\u{1F600}", "\u{1F600}", "a", "a"]],
    ["\u{1F600}a", "?", ["a", "a", "\u{1F600}", "\u{1F600}"]],
    ["ab", "", ["ab", "ab", "ab", "ab"]],
    ["ab", "*", ["ab", "", "ab", ""]],
    ["", "*", ["", "", "", ""]],
    ["a", "a?", ["a", "a", "a", "a"]],
    ["a", "?a", ["a", "a", "a", "a"]],
    ["a", "b", ["a", "a", "a", "a"]],
    ["xay", "x**a", ["y", "y", "xay", "xay"]],
    ["a\nb", "*b", ["a\nb", "a\nb", "a\n", "a\n"]],
    ["\nb", "?", ["\nb", "\nb", "\n", "\n"]],
    ["\nb", "\n", ["b", "b", "\nb", "\nb"]],
    ["*?}/\\", "\\*\\?", ["}/\\", "}/\\", "*?}/\\", "*?}/\\"]],
    ["*?}/\\", "\\}\\/\\\\", ["*?}/\\", "*?}/\\", "*?", "*?"]],
    ["xb", "a", ["xb", "xb", "xb", "xb"]],
  ];
  for (const [value, pattern, results] of cases) assert.deepEqual(trim(value, pattern), results, `${value} ${pattern}`);
  for (const pattern of ["\\x", "\\", "a\\", "\\**\\a", "\\\n", "\\}}\\"])
    assert.throws(() => trim("a", pattern), ShellSyntaxError);
});

test("replacePattern: the first match, as long as possible, or all matches -> replaced", () => {
  const replace = (value: string, pattern: string, replacement: string) =>
    [false, true].map((all) => replacePattern(value, pattern, { replacement, all, spend: () => {} }));
  const cases: [value: string, pattern: string, replacement: string, results: [string, string]][] = [
    ["abab", "b", "x", ["axab", "axax"]],
    ["abab", "b*", "x", ["ax", "ax"]],
    ["abab", "?b", "", ["ab", ""]],
    ["abc", "z", "x", ["abc", "abc"]],
    ["abc", "c", "xyz", ["abxyz", "abxyz"]],
    ["a\u{1F600}b", "\u{1F600}", "-", ["a-b", "a-b"]],
    ["aaa", "aa", "b", ["ba", "ba"]],
    ["a.b", ".", "", ["ab", "ab"]],
    ["", "a", "x", ["", ""]],
    ["ab\nab", "a*", "x", ["x\nab", "x\nx"]],
  ];
  for (const [value, pattern, replacement, results] of cases) {
    assert.deepEqual(replace(value, pattern, replacement), results, `${value} ${pattern}`);
  }
  const one = (value: string, pattern: string, replacement: string) =>
    replacePattern(value, pattern, { replacement, all: false, spend: () => {} });
  assert.deepEqual(
    [one("", "*", "x"), one("abc", "*", "x"), one("abc", "", "x"), one("a-b", "-", "$1")],
    ["x", "x", "xabc", "a$1b"],
  );
});

test("patterns: the characters to examine -> counted before matching", () => {
  const charged = (act: (spend: (steps: number) => void) => unknown) => {
    let sum = 0;
    act((steps) => {
      sum += steps;
    });
    return sum;
  };
  const ends = { longest: true, fromEnd: false };
  assert.equal(
    charged((spend) => trimPattern("abcd", "a*", { ...ends, spend })),
    4 * 3,
  );
  assert.equal(
    charged((spend) => trimPattern("abcd", "", { ...ends, spend })),
    4,
  );
  const replacement = { replacement: "", all: true };
  assert.equal(
    charged((spend) => replacePattern("abcd", "x", { ...replacement, spend })),
    4 + 4,
  );
  assert.equal(
    charged((spend) => replacePattern("ab", "a*", { ...replacement, spend })),
    2 + 1 + 2,
  );
  const spent: number[] = [];
  const variables = { get: () => "ab", spend: (steps: number) => spent.push(steps) };
  assert.equal(expandWord("${V#a}${V/b/c}", { escaping: "\\" }, variables), "bac");
  assert.deepEqual(spent, [4, 2, 1, 1]);
});
