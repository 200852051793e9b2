import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import type { YamlNode } from "./yaml-parts.ts";
import { readYaml } from "./yaml-reader.ts";

/**
 * Formats a node on one line: `[a, b]`, `{k: v}`, `"quoted"`, `!tag value`, `()` for an empty value, `~` after a value that spans
 * several lines, `<` before merged pairs.
 */
function show(node: YamlNode): string {
  assert.ok(!("tag" in node) || (node.kind === "scalar" && node.tag !== undefined), "only scalars have a tag");
  if (node.kind === "sequence") return `[${node.items.map(show).join(", ")}]`;
  if (node.kind === "mapping") {
    const pairs = [...node.inherited].map(([key, value]) => `<${key}: ${show(value)}`);
    for (const [key, value] of node.pairs) pairs.push(`${key}: ${show(value)}`);
    return `{${pairs.join(", ")}}`;
  }
  const text = node.plain ? node.value || "()" : JSON.stringify(node.value);
  return `${node.tag === undefined ? "" : `!${node.tag} `}${text}${node.folded ? "~" : ""}`;
}

function read(text: string, firstLine = 1): string {
  const node = readYaml(text, { path: "f", firstLine });
  return node === undefined ? "nothing" : show(node);
}

const reads = (cases: readonly (readonly [text: string, shown: string])[]) => {
  for (const [text, shown] of cases) assert.equal(read(text), shown, JSON.stringify(text));
};
const refuses = (cases: readonly (readonly [text: string, message: string])[], firstLine = 1) => {
  for (const [text, message] of cases) {
    assert.throws(
      () => read(text, firstLine),
      (error) => {
        assert.ok(error instanceof TsignError && error.code === "input", String(error));
        assert.equal(error.message, `f:${message}`, JSON.stringify(text));
        return true;
      },
      JSON.stringify(text),
    );
  }
};

test("readYaml: a document with one value, or without content -> the value, or undefined", () => {
  reads([
    ["", "nothing"],
    ["\n \n# c\n  # c\n", "nothing"],
    ["a", "a"],
    ["\n\n  a  \n\n", "a"],
    ["# c\na # c", "a"],
    ["'a'", '"a"'],
    ['"a" # c\n# c', '"a"'],
    ["a b\tc", "a b\tc"],
    ["a#b", "a#b"],
    ["a:b", "a:b"],
    ["a:,b", "a:,b"],
    ["a[b{c?d", "a[b{c?d"],
    ["a\n b", "a b~"],
    ["a\nb", "a b~"],
    ["[]", "[]"],
    ["{}\n", "{}"],
    ["- a", "[a]"],
    ["-", "[()]"],
    ["-a", "-a"],
    ["--", "--"],
    [":a", ":a"],
    ["?a", "?a"],
    ["a:", "{a: ()}"],
    ["a: b", "{a: b}"],
    ["!!str a", "!str a"],
    ["&x a", "a"],
    ["|\n a", '"a\\n"'],
    [">\n a", '"a\\n"'],
  ]);
});

test("readYaml: block mappings and lists -> read", () => {
  reads([
    ["a: b\nc: d", "{a: b, c: d}"],
    ["a: b\n\n# c\n  # c\nc: d\n", "{a: b, c: d}"],
    ["a:\n  b: c\n  d: e\nf: g", "{a: {b: c, d: e}, f: g}"],
    ["a:\n  b:\n    c: d\n  e: f", "{a: {b: {c: d}, e: f}}"],
    ["a:\n  b", "{a: b}"],
    ["a:\n  b\n  c\nd:", "{a: b c~, d: ()}"],
    ["a: # c\n  b", "{a: b}"],
    ["a: #c\nb: c", "{a: (), b: c}"],
    ["a: b # c\nc: d", "{a: b, c: d}"],
    ["a :\t b", "{a: b}"],
    ["a: b: c".replace(": c", ":c"), "{a: b:c}"],
    ["a: -b\nc: :d\ne: ?f", "{a: -b, c: :d, e: ?f}"],
    ["a b: c d", "{a b: c d}"],
    ["a,b]c: d", "{a,b]c: d}"],
    ["a:\n-b: c", "{a: (), -b: c}"],
    ["a: b \nc: d\t", "{a: b, c: d}"],
    ["'a': b\n\"c\" : d\n'e''f': g", "{a: b, c: d, e'f: g}"],
    ["  a: b\n  c: d", "{a: b, c: d}"],
    ["a: [b,\n c]\nd: {e: f}", "{a: [b, c], d: {e: f}}"],
    ["- a\n- b\n\n# c\n- c", "[a, b, c]"],
    ["- a\n  b\n- c", "[a b~, c]"],
    ["  - a\n  - b", "[a, b]"],
    ["- - a\n  - b\n- c", "[[a, b], c]"],
    ["-\n  - a\n- # c\n  b\n-", "[[a], b, ()]"],
    ["- #c\n- a", "[(), a]"],
    ["-   a: b\n    c: d\n-\n  e: f", "[{a: b, c: d}, {e: f}]"],
    ["- a:\n    b: c\n  d: e", "[{a: {b: c}, d: e}]"],
    ["- a:\n  - b\n  c: d", "[{a: [b], c: d}]"],
    ["a:\n- b\n- c\nd: e", "{a: [b, c], d: e}"],
    ["a:\n  - b\n  - c\nd: e", "{a: [b, c], d: e}"],
    ["a:\n- b: c\n  d: e\n- f", "{a: [{b: c, d: e}, f]}"],
    ["a:\n\n- b", "{a: [b]}"],
    ["a:\nb:\n  c:\nd:", "{a: (), b: {c: ()}, d: ()}"],
    ["- [a]\n- {b: c}\n- 'd'\n- |\n  e\n- >-\n  f", '[[a], {b: c}, "d", "e\\n", "f"]'],
    ["- 'a'\n- 'b': c", '["a", {b: c}]'],
    ["- - - a\n    - b", "[[[a, b]]]"],
    ["a: 'b'\n'c': d", '{a: "b", c: d}'],
  ]);
});

test("readYaml: a value that spans several lines -> marked as folded", () => {
  reads([
    ["a: b\n  c\n\n  d\ne: f", "{a: b c d~, e: f}"],
    ["a: b\n  c # d\n", "{a: b c~}"],
    ["a: b\n  # c\nd: e", "{a: b, d: e}"],
    ["a: b\n \tc", "{a: b c~}"],
    ["a: b \t\n  c", "{a: b c~}"],
    ["a: b\n  ,c", "{a: b ,c~}"],
    ['a: "x\n\ty"\nb: c\n  d', '{a: "x\\n\\ty"~, b: c d~}'],
    ["- '\u2028'\n- b", '["\u2028"~, b]'],
    ["a: b\n  - c", "{a: b - c~}"],
    ["a: b\n  [c", "{a: b [c~}"],
    ["- b\n c", "[b c~]"],
    ["a: 'b\n  c'", '{a: "b\\n  c"~}'],
    ['a: "b\\\n  c"', '{a: "b  c"~}'],
    ['a: "b\u2028c"', '{a: "b\u2028c"~}'],
    ["a: 'b\r\u0085\u2029'", '{a: "b\\r\u0085\u2029"~}'],
    ["a: '\r'\nb: '\u0085'\nc: '\u2029'\nd: 'e'", '{a: "\\r"~, b: "\u0085"~, c: "\u2029"~, d: "e"}'],
  ]);
});

test("readYaml: quoted scalars -> their values without quotes and escapes", () => {
  reads([
    ["''", '""'],
    ["''''", '"\'"'],
    ["'it''s \\n \" # : [,'", JSON.stringify("it's \\n \" # : [,")],
    ['"it\'s # : [,"', JSON.stringify("it's # : [,")],
    [
      '"\\0\\a\\b\\t\\n\\v\\f\\r\\e\\ \\"\\\\\\N\\_\\L\\P"',
      JSON.stringify('\0\x07\b\t\n\v\f\r\x1b "\\\x85\xa0\u2028\u2029'),
    ],
    ['"\\x41\\u00e9\\U0001F600\\x00.\\uFFFF\\U0010FFFF"', JSON.stringify("A\u00e9\u{1F600}\0.\uFFFF\u{10FFFF}")],
    ['"\\uD7FF\\uE000\\xfF"', JSON.stringify("\uD7FF\uE000\xff")],
    ['"a" # c', '"a"'],
    ['- "a\\"": b', '[{a": b}]'],
  ]);
  refuses([
    ["a: 'b\n\nc", "1: unclosed quotes"],
    ['a:\n- "b\\"\n', "2: unclosed quotes"],
    ["'a''", "1: unclosed quotes"],
    ['a: "\n \\y"', "2: \\y is not an escape that all YAML parsers support"],
    ['"\\/"', "1: \\/ is not an escape that all YAML parsers support"],
    ['"\\', "1: \\ is not an escape that all YAML parsers support"],
    ['"\\x4"', '1: \\x4" is not a character'],
    ['"\\x4', "1: \\x4 is not a character"],
    ['"\\u00g0"', "1: \\u00g0 is not a character"],
    ['"\\ug000"', "1: \\ug000 is not a character"],
    ['"\\u000g"', "1: \\u000g is not a character"],
    ['"\\uD800"', "1: \\uD800 is not a character"],
    ['"\\uDFFF"', "1: \\uDFFF is not a character"],
    ['"\\U00110000"', "1: \\U00110000 is not a character"],
    ['"\\UFFFFFFFF"', "1: \\UFFFFFFFF is not a character"],
    ["'a' b", "1: unexpected text after a value"],
    ["'a'#b", "1: unexpected text after a value"],
  ]);
});

test("readYaml: flow mappings and lists -> read", () => {
  reads([
    ["[a, b]", "[a, b]"],
    ["[ a ,b,]", "[a, b]"],
    ["[a b, c#d, -f]", "[a b, c#d, -f]"],
    ["[[a], [], {}, {b: c}]", "[[a], [], {}, {b: c}]"],
    ["['a', \"b\"]", '["a", "b"]'],
    ["{a: b, c: d}", "{a: b, c: d}"],
    ["{a: b,}", "{a: b}"],
    ["{a: , b: }", "{a: (), b: ()}"],
    ["{a:\n b,\n\tc:\n d}", "{a: b, c: d}"],
    ["{\"a\":b, 'c' : d, e : f}", "{a: b, c: d, e: f}"],
    ['{"a": "b"}', '{a: "b"}'],
    ["{a: [b, {c: d}]}", "{a: [b, {c: d}]}"],
    ["[ # c\n a, # ] d\n #e\n b # f\n]", "[a, b]"],
    ["[a\n b,\n c]", "[a b~, c]"],
    ["[a\n\tb]", "[a b~]"],
    ["[a\nb]", "[a b~]"],
    ["[&x\n a, !!str\n b]", "[a, !str b]"],
    ["[a\n# c\n]", "[a]"],
    ["[a\n\n,\nb\n]", "[a, b]"],
    ["{a: b\n}", "{a: b}"],
    ["[http://a/b:c]", "[http://a/b:c]"],
    ["[a] # c", "[a]"],
    ["- [a]\n- {b: c}", "[[a], {b: c}]"],
    ["a: &x [b]\nc: [*x, &y d, *y, !!str e, &z [f], *z]", "{a: [b], c: [[b], d, d, !str e, [f], [f]]}"],
    ["{a: &x b, c: *x }", "{a: b, c: b}"],
    ["{<<: {a: b}, c: d}", "{<a: b, c: d}"],
  ]);
  const key = "k".repeat(1000);
  assert.equal(read(`{${key}: a}`), `{${key}: a}`);
  const colon = "key has no value, or no space after its colon";
  const comment = "missing space before a comment";
  refuses([
    ["[", "1: missing ]"],
    ["[\n\n", "1: missing ]"],
    ["a: b\nc: {\n", "2: missing }"],
    ["[a", "1: expected a comma or ]"],
    ["[a,\n", "1: missing ]"],
    ["{a: b", "1: expected a comma or }"],
    ["{a: b ] ", "1: expected a comma or }"],
    ["[a}", "1: expected a comma or ]"],
    ["['a' b]", "1: expected a comma or ]"],
    ["[,a]", "1: missing value"],
    ["[a,,b]", "1: missing value"],
    ["{a: &x , b: c}", "1: missing value"],
    ["{a: !!str }", "1: missing value"],
    ["{a: ]", "1: missing value"],
    ["{a: ", "1: a value cannot begin with "],
    ["[&x ", "1: a value cannot begin with "],
    ["[a: b]", "1: expected a comma or ]"],
    ["{a}", `1: ${colon}`],
    ["{a, b}", `1: ${colon}`],
    ["{a:b}", `1: ${colon}`],
    ["{a\n: b}", `1: ${colon}`],
    ["{'a' b}", `1: ${colon}`],
    ["{a:}", "1: missing space after a colon"],
    ["{a: b:,}", "1: missing space after a colon"],
    ["[a:]", "1: missing space after a colon"],
    ["[a:[b]]", "1: missing space after a colon"],
    ["[a[b]", "1: [ inside an unquoted value"],
    ["[a{b]", "1: { inside an unquoted value"],
    ["[a?b]", "1: ? inside an unquoted value"],
    ["[a, #c\n b,#d\n e]", `2: ${comment}`],
    ["[#a\n]", `1: ${comment}`],
    ["['a'#b\n]", `1: ${comment}`],
    ["{a\n b: c}", "1: key spans several lines or is too long"],
    ["{'a\n b': c}", "1: key spans several lines or is too long"],
    [`{k${key}: a}`, "1: key spans several lines or is too long"],
    ["[]]", "1: unexpected text after a value"],
    ["{} a", "1: unexpected text after a value"],
    ["[]: a", "1: unexpected text after a value"],
    ["[-]", "1: a value cannot begin with -"],
    ["[- a]", "1: a value cannot begin with -"],
    ["[-,]", "1: a value cannot begin with -"],
    ["[-[a]]", "1: a value cannot begin with -"],
    ["[:a]", "1: a value cannot begin with :"],
    ["[?a]", "1: a value cannot begin with ?"],
    ["{? a: b}", "1: a value cannot begin with ?"],
    ["[%a]", "1: a value cannot begin with %"],
    ["[|\n a]", "1: a value cannot begin with |"],
    ["[>\n a]", "1: a value cannot begin with >"],
  ]);
});

test("readYaml: block scalars -> read", () => {
  const cases: [text: string, value: string, folded: boolean][] = [
    ["|\n a", "a\n", false],
    [">\n a\n", "a\n", false],
    ["|-\n a", "a", false],
    [">-\n a\n\n", "a", false],
    ["|+\n a\n\n", "a\n", false],
    ["|2\n  a", "a\n", false],
    ["|2\n   a", " a\n", false],
    ["|2-\n  a", "a", false],
    ["|-2\n  a", "a", false],
    ["|+2\n  a", "a\n", false],
    ["| # c\n a", "a\n", false],
    ["|\n a # b: [c", "a # b: [c\n", false],
    ["|\n a\n b", "a\n", true],
    ["|\n a\n  b", "a\n", true],
    ["|\n\n a", "a\n", true],
    ["|\n a\n\n b", "a\n", true],
    ["|\n", "\n", true],
    ["|", "\n", true],
    ["|\n  \n  a", "a\n", true],
    ["|\n   a\n", "a\n", false],
    ["|\n a\t", "a\t\n", false],
    ["|\n a\n ", "a\n", false],
    ["|\n a\n  ", "a\n", true],
    ["|1\n  a", " a\n", false],
    ["|-1\n  a", " a", false],
    ["|1-\n  a", " a", false],
    ["|\n  \n", "\n", true],
    ["|\n  ", "\n", true],
  ];
  for (const [text, value, folded] of cases) {
    assert.equal(read(text), `${JSON.stringify(value)}${folded ? "~" : ""}`, JSON.stringify(text));
  }
  reads([
    ["a: |\n  b\nc: d", '{a: "b\\n", c: d}'],
    ["a: |\n b\n\nc: d", '{a: "b\\n", c: d}'],
    ["a: |1\n  b\nc: d", '{a: " b\\n", c: d}'],
    ["a:\n  b: |1\n    c\n  d: e", '{a: {b: " c\\n", d: e}}'],
    ["- |\n a\n- >\n  b\n", '["a\\n", "b\\n"]'],
    ["- a: |\n   b\n  c: d", '[{a: "b\\n", c: d}]'],
    ["a: |\n# c\nb: d", '{a: "\\n"~, b: d}'],
    ["a: |\n\n\nb: d", '{a: "\\n"~, b: d}'],
    ["a: |-\n\nb: d", '{a: ""~, b: d}'],
    ["a: |\n  # c\nb: d", '{a: "# c\\n", b: d}'],
    ["a:\n  b: |\n  c: d", '{a: {b: "\\n"~, c: d}}'],
    ["a: |\n  - b\n # c\nd: e", '{a: "- b\\n", d: e}'],
    ["a: &x |\n  b\nc: !!str >-\n  d\ne: *x", '{a: "b\\n", c: !str "d", e: "b\\n"}'],
    ["|\n a\n\n\n", '"a\\n"'],
  ]);
  refuses([
    ["a: |0\n  b", "1: |0 is not a valid block scalar header"],
    ["|--\n a", "1: |-- is not a valid block scalar header"],
    [">12\n a", "1: >12 is not a valid block scalar header"],
    ["|+-\n a", "1: |+- is not a valid block scalar header"],
    ["|1-2\n a", "1: |1-2 is not a valid block scalar header"],
    ["|-0\n a", "1: |-0 is not a valid block scalar header"],
    ["|a\n a", "1: unexpected text after a value"],
    ["|#\n a", "1: unexpected text after a value"],
    ["|\n\ta", "2: tab in indentation"],
    ["|\n a\n\tb", "3: tab in indentation"],
    ["a: |\n   \tb", "2: tab in indentation"],
    ["a: |\n\n  \t", "3: tab in indentation"],
    ["a: |\n  b\n \tc", "3: tab in indentation"],
    ["a: |\n   \n  b", "3: empty lines are indented further than the following text"],
    ["a: |\n  b\n c", "3: inconsistent indentation"],
    ["a: |\n      \n\n  b", "4: empty lines are indented further than the following text"],
  ]);
});

test("readYaml: anchors, aliases and tags -> resolved", () => {
  const name = "N-_9".repeat(64);
  reads([
    ["a: &x b\nc: *x", "{a: b, c: b}"],
    [`a: &${name} b\nc: *${name}`, "{a: b, c: b}"],
    ["- &x a\n- &x b\n- *x", "[a, b, b]"],
    ["a: &x\n  b: c\nd: *x # c", "{a: {b: c}, d: {b: c}}"],
    ["a: &x # c\n  b: c\nd: *x", "{a: {b: c}, d: {b: c}}"],
    ["a: &x\n- b\nc: *x", "{a: [b], c: [b]}"],
    ["&x\na: b", "{a: b}"],
    ["- &x\n  a: b\n- *x", "[{a: b}, {a: b}]"],
    ["- &x\n- *x", "[(), ()]"],
    ["a: &x\nb: *x", "{a: (), b: ()}"],
    ["a: !!str\nb: !!null c\nd: !!int 1", "{a: !str (), b: !null c, d: !int 1}"],
    ["a: !!float 1\nb: !!bool y", "{a: !float 1, b: !bool y}"],
    ["a: !!map\n  b: c\nd: !!seq\n- e", "{a: {b: c}, d: [e]}"],
    ["a: !!map {b: c}\nd: !!seq [e]", "{a: {b: c}, d: [e]}"],
    ["a: !!str &x b\nc: &y !!str d\ne: [*x, *y]", "{a: !str b, c: !str d, e: [!str b, !str d]}"],
    ["a: &x 'b'\nc: *x", '{a: "b", c: "b"}'],
    ["- &x [a]\n- *x", "[[a], [a]]"],
  ]);
  const bad = "anchor name may contain only letters, digits, - and _";
  const tags = "unsupported tag: only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are supported";
  const before = "anchor or tag in an unexpected place";
  refuses([
    ["a: &x.y b", `1: ${bad}`],
    ["a: & b", `1: ${bad}`],
    ["a: &.x &y b", `1: ${bad}`],
    ["a: &\u00fc b", `1: ${bad}`],
    [`a: &${name}N b`, `1: ${bad}`],
    ["a: *", `1: ${bad}`],
    ["a: b\nc: *x:y", `2: ${bad}`],
    ["a: &x b\nc: *y", "2: no anchor y before its alias"],
    ["a: *x\nb: &x c", "1: no anchor x before its alias"],
    ["a: &x [*x]", "1: no anchor x before its alias"],
    ["a: &x b\nc: *x d", "2: unexpected text after a value"],
    ["a: !str b", `1: ${tags}`],
    ["a: ! b", `1: ${tags}`],
    ["a: !!strb c", `1: ${tags}`],
    ["a: !!str", `1: ${tags}`],
    ["[!!str,a]", `1: ${tags}`],
    ["a: !!omap b", `1: ${tags}`],
    ["a: !!map b", "1: !!map before a value of another type"],
    ["a: !!seq\n  b: c", "1: !!seq before a value of another type"],
    ["a: !!str [b]", "1: !!str before a value of another type"],
    ["a: !!int\n  b: c\nd: e", "1: !!int before a value of another type"],
    ["[!!seq {a: b}]", "1: !!seq before a value of another type"],
    ["a: &x &y b", `1: ${before}`],
    ["a: !!str !!str b", `1: ${before}`],
    ["a: &x *x", `1: ${before}`],
    ["a: &x - b", `1: ${before}`],
    ["&x a: b", "1: unexpected text after a value"],
    ["&x - a", `1: ${before}`],
    ["- &x - a", `1: ${before}`],
  ]);
});

test("readYaml: merge keys -> merged pairs", () => {
  reads([
    ["a: &x {b: c}\nd:\n  <<: *x\n  e: f", "{a: {b: c}, d: {<b: c, e: f}}"],
    ["a: &x {b: c}\nd:\n  <<: *x\n  b: f", "{a: {b: c}, d: {b: f}}"],
    ["<<: [{a: b}, {a: c, d: e}]", "{<a: b, <d: e}"],
    ["<<: {<<: {a: b}, c: d}\ne: f", "{<c: d, <a: b, e: f}"],
    ["<<: {<<: {a: b}, a: d}", "{<a: d}"],
    ["<<: []\n'a': b", "{a: b}"],
    ["'a': <<\nb: '<<'", '{a: <<, b: "<<"}'],
  ]);
  const order = "<< in quotes, repeated or after another key is read differently by different parsers";
  refuses([
    ["a: b\n<<: {c: d}", `2: ${order}`],
    ["<<: {c: d}\n<<: {e: f}", `2: ${order}`],
    ["'<<': {c: d}", `1: ${order}`],
    ["\n<<: a", "2: << requires a mapping"],
    ["<<:", "1: << requires a mapping"],
    ["<<: [{a: b}, c]", "1: << requires a mapping"],
    ["<<: [[{a: b}]]", "1: << requires a mapping"],
    ["a: b\nc: d\na:\n  e", '3: duplicate key "a"'],
    ['{a: b, "a": c}', '1: duplicate key "a"'],
  ]);
  const source = `{${Array.from({ length: 1000 }, (_, index) => `k${index}: v`).join(", ")}}`;
  const merges = (count: number) => `a: &x ${source}\nb:\n${"- <<: *x\n".repeat(count)}`;
  assert.ok(read(merges(200)).startsWith("{a: {k0: v"));
  refuses([[`${merges(200)}- <<: {a: b}`, "203: << merges too many keys"]]);
});

test("readYaml: YAML that is invalid, or that parsers read differently -> refused, with its line", () => {
  const indented = "inconsistent indentation";
  const key = "expected a key followed by a colon and a space";
  const other = "inconsistent indentation or malformed line";
  const tab = "tab in indentation";
  refuses([
    ["a: b\n  c: d", "2: unexpected text after a value"],
    ["a: 'b'\n  c: d", `2: ${indented}`],
    ["a: 'b'\nc", `2: ${key}`],
    ["a: 'b'\n- c", "2: a value cannot begin with -"],
    ["a: 'b'\nc:d", `2: ${key}`],
    ["  a: b\n c: d", `2: ${other}`],
    ["- a\nb: c", `2: ${other}`],
    ["- 'a'\n  - b", `2: ${other}`],
    ["  - a\n- b", `2: ${other}`],
    ["'a'\nb", `2: ${other}`],
    ["a: b\n\tc: d", `2: ${tab}`],
    ["a: 'b'\n\n\t# c", `3: ${tab}`],
    ["\ta: b", `1: ${tab}`],
    ["a: b\n\t\nc: d", `2: ${tab}`],
    ["a\n\tb", `2: ${tab}`],
    ["-\n\t- a", `2: ${tab}`],
    ["-\ta", "1: tab after a dash"],
    ["- \ta", "1: tab after a dash"],
    ["a: - b", "1: list starts on the line of its key"],
    ["a: -", "1: list starts on the line of its key"],
    ["? a\n: b", "1: keys with ? are not supported"],
    ["a: b\n? c", "2: keys with ? are not supported"],
    ["?", "1: keys with ? are not supported"],
    ["a: b\n'c\nd': e", "2: key spans several lines"],
    ["a: b: c", "1: unexpected text after a value"],
    [": a", "1: a value cannot begin with :"],
    ["a: : b", "1: a value cannot begin with :"],
    ["a: ? b", "1: a value cannot begin with ?"],
  ]);
  for (const mark of ",]}%@`") refuses([[`a: ${mark}b`, `1: a value cannot begin with ${mark}`]]);
  for (const mark of ",]}%@`") refuses([[`${mark}b`, `1: a value cannot begin with ${mark}`]]);
  refuses(
    [
      ["a: 'b'\nc", `11: ${key}`],
      ["@", "10: a value cannot begin with @"],
    ],
    10,
  );
});

test("readYaml: a line end for some parsers only -> refused outside quotes", () => {
  for (const character of ["\r", "\u0085", "\u2028", "\u2029"]) {
    const code = character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    for (const text of [
      `a: b # c${character}d`,
      `a: b${character}c`,
      character,
      `a: |\n  ${character}`,
      `"a": '${character}' # ${character}`,
      `'${character}' # ${character}`,
      `a: b ${character}"c"`,
    ]) {
      assert.throws(
        () => read(text),
        (error) =>
          error instanceof TsignError &&
          error.message.includes(`: U+${code} `) &&
          /for some YAML parsers only$/.test(error.message),
        JSON.stringify(text),
      );
    }
  }
  refuses([["a: '\r'\n\nb: c\u0085", "3: U+0085 (next line) is a line break for some YAML parsers only"]]);
});

test("readYaml: keys that are too long, and nesting that is too deep -> refused", () => {
  const key = "k".repeat(1000);
  assert.equal(read(`${key}: a`), `{${key}: a}`);
  refuses([[`a: b\nk${key}: a`, "2: key is longer than 1000 characters"]]);
  assert.equal(read(`${key}k`), `${key}k`, "this is no key");
  const lines = (count: number, line: (index: number) => string) => Array.from({ length: count }, (_, at) => line(at));
  const keys = (count: number) => lines(count, (at) => `${" ".repeat(at)}a:`).join("\n");
  const levels: [make: (count: number) => string, most: number][] = [
    [(count) => `${"[".repeat(count)}${"]".repeat(count)}`, 100],
    [(count) => `${"{a: ".repeat(count)}b${"}".repeat(count)}`, 100],
    [(count) => `${"- ".repeat(count)}a`, 50],
    [(count) => keys(count), 51],
    [(count) => lines(count, (at) => `${" ".repeat(at)}-`).join("\n"), 50],
    [(count) => lines(count, (at) => `${"  ".repeat(at)}- a:`).join("\n"), 33],
    [(count) => `${keys(count)}\n${" ".repeat(count - 1)}- b`, 49],
    [(count) => `${keys(count)}\n${" ".repeat(count - 1)}-`, 50],
    [(count) => `${keys(count)} [b]`, 50],
    [(count) => `${keys(count)}\n${" ".repeat(count)}[b]`, 49],
    [(count) => `${"- ".repeat(count)}[b]`, 49],
  ];
  for (const [make, most] of levels) {
    read(make(most));
    assert.throws(
      () => read(make(most + 1)),
      (error) => error instanceof TsignError && error.message.endsWith("nested deeper than 100 levels"),
      make(3),
    );
  }
});
