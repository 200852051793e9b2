import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { manifestImages } from "./kubernetes.ts";

const pod = (image: string) => `{containers: [{name: c, image: "${image}"}]}`;
const find = (text: string | Uint8Array) => manifestImages(text, "m.yaml");
const refuses = (text: string | Uint8Array, reason: RegExp) =>
  assert.throws(
    () => find(text),
    (error) => error instanceof TsignError && ["input", "limit"].includes(error.code) && reason.test(error.message),
    typeof text === "string" ? text.slice(0, 200) : "bytes",
  );
/** A typical manifest of a pod with two containers, with text inserted. */
const two = (text: string) =>
  `kind: Pod\nspec:\n  containers:\n  - name: a\n    image: good${text}\n  - name: b\n    image: evil\n`;

test("manifestImages: every kind of workload -> its images", () => {
  const cases: [text: string, images: string[]][] = [
    [`kind: Pod\nspec: ${pod("a")}`, ["a"]],
    [`kind: Deployment\nspec: {template: {spec: ${pod("a")}}}`, ["a"]],
    [`kind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: ${pod("a")}}}}}`, ["a"]],
    [`kind: PodTemplate\ntemplate: {spec: ${pod("a")}}`, ["a"]],
    [`kind: List\nitems: [{kind: Pod, spec: ${pod("a")}}, {kind: Pod, spec: ${pod("b")}}]`, ["a", "b"]],
    [`kind: Rollout\nspec: {template: {spec: ${pod("a")}}, other: [{spec: ${pod("b")}}]}`, ["a", "b"]],
    [
      `spec: {containers: [{image: b}], initContainers: [{image: a}], ephemeralContainers: [{image: c}]}`,
      ["a", "b", "c"],
    ],
    ["spec: {volumes: [{name: v, image: {reference: a}}, {emptyDir: {}}]}", ["a"]],
    [JSON.stringify({ spec: { containers: [{ image: "a" }] } }), ["a"]],
  ];
  for (const [text, images] of cases) assert.deepEqual(find(text).sort(), images, text);
});

test("manifestImages: a stream of documents -> each image once", () => {
  const stream = `---\nspec: ${pod("a")}\n---\n# nothing\n---  # note\nkind: ConfigMap\n---\nspec: ${pod("b")}\n...\n---\nspec: ${pod("a")}\n`;
  assert.deepEqual(find(stream), ["a", "b"]);
  assert.deepEqual(find(`\uFEFF${two("").replaceAll("\n", "\r\n")}`), ["good", "evil"]);
});

test("manifestImages: common YAML syntax -> read", () => {
  const text = `# a comment
apiVersion: "v1"   # another
'kind' : Pod
metadata:
  annotations:
    url: http://a.b/c?d=e#f&g
    plain: words that
      go on

      after an empty line
    quoted: "a: b # c
      and on \\
      and on"
    single: 'it''s'
    literal: |
      containers:
      - image: no

        # no comment

    folded: >-
        image: no
    kept: |+
      x

    given: |2-
        two more
    empty:
    list: [a, 'b',
      {c: d, "e":f}, # here too
    ]
    map: {}
spec:
  containers:
  - name: a
    image: a:1
    args:
    - --flag=x
    - -v
    - :8080
    - ?x
    - - nested
      - list
  -   image: "b"
      name: b
  - image: >-
      c
  -
    image: 'd'
    command: ["sh", "-c", "a:b"]
  volumes:
    - name: v
      image: {reference: e, pullPolicy: Always}
`;
  assert.deepEqual(find(text), ["a:1", "b", "c", "d", "e"]);
});

test("manifestImages: JSON objects without a separator -> read", () => {
  const object = (image: string) => JSON.stringify({ note: '}{"\\/\u{1F600}', spec: { containers: [{ image }] } });
  for (const between of ["", "\n", " \n\n", "\n---\n"]) {
    const text = ["a", "b", "c"].map(object).join(between);
    assert.deepEqual(find(text), ["a", "b", "c"], JSON.stringify(between));
  }
  assert.deepEqual(find(`  ${object("a")}\n`), ["a"]);
  assert.deepEqual(find(JSON.stringify(JSON.parse(object("a")), null, "\t")), ["a"]);
  for (const text of [`${object("a")}}`, `${object("a")} x ${object("b")}`, object("a").slice(0, -1)])
    refuses(text, /m\.yaml:\d+: /);
  refuses('{"spec":{"containers":[{"image":"a","image":"b"}]}}', /has duplicate key "image"/);
});

test("manifestImages: anchors and merge keys -> read as in Kubernetes", () => {
  const text = "x: &c {image: a}\nspec:\n  containers:\n  - <<: *c\n  - *c\n  - {<<: *c, image: b}\n";
  assert.deepEqual(find(text), ["a", "b"]);
  assert.deepEqual(
    find("x: &c\n  image: a\ny: &d {image: b}\nspec: {containers: [{<<: [*c, *d]}]}"),
    ["a"],
    "the earlier wins",
  );
  assert.deepEqual(find("i: &i a\ncontainers:\n- image: *i\n- &e\n  image: e\n"), ["a", "e"]);
  assert.deepEqual(find("x: &l [{image: a}]\nspec: {containers: *l}"), ["a"]);
});

test("manifestImages: field names in any case -> found, as Go's decoder does", () => {
  for (const key of ["Image", "IMAGE", '"im\\x61ge"', "!!str image"]) {
    const text = `containers:\n- image: good\n- ${key}: evil\n`;
    if (key.startsWith("!")) refuses(text, /m\.yaml:3: /);
    else assert.deepEqual(find(text), ["good", "evil"], key);
  }
  assert.deepEqual(find("containers: [{image: good}]\nContainers: [{image: evil}]\nCONTAINER\u017F: [{image: e}]"), [
    "good",
    "evil",
    "e",
  ]);
});

test("manifestImages: a line end for some parsers only -> refused, with its line", () => {
  for (const [name, character] of [
    ["000D", "\r"],
    ["0085", "\u0085"],
    ["2028", "\u2028"],
    ["2029", "\u2029"],
  ]) {
    refuses(
      two(` # c${character}  - name: c${character}    image: evil2`),
      new RegExp(`m\\.yaml:5: U\\+${name}.* is a line break for some`),
    );
    if (character !== "\r") refuses(two(`${character}`), /m\.yaml:5: /);
    const quoted = `containers: [{image: a}]\nnote: "x${character}y"\n`;
    assert.deepEqual(find(quoted), ["a"], "in quotes it ends nothing");
    refuses(`containers: [{image: "a${character}"}]`, /spans several lines/);
  }
});

test("manifestImages: YAML that parsers read differently -> refused, with its line", () => {
  const cases: [text: string, reason: RegExp][] = [
    ["c: &c {image: b}\ncontainers:\n- image: a\n  <<: *c", /:4: << in quotes, repeated or after another key/],
    ["c: &c {image: b}\ncontainers:\n- <<: *c\n  <<: *c", /:4: << in quotes/],
    ["c: &c {image: b}\ncontainers:\n- '<<': *c", /:3: << in quotes/],
    ["containers:\n- <<: x", /:2: << requires a mapping/],
    ["containers: !!omap\n- image: a", /:1: unsupported tag/],
    ["containers: !!set {image: a}", /unsupported tag/],
    ["containers: !<tag:yaml.org,2002:seq> [{image: a}]", /unsupported tag/],
    ["containers: !!binary Z29vZA==", /unsupported tag/],
    ["containers: !!seq {image: a}", /!!seq before a value of another type/],
    ["%YAML 1.1\n---\ncontainers: [{image: a}]", /:1: YAML directives are not supported/],
    ["containers: [{image: a}]\n---#x\nb: c", /:2: --- with other text is a document start for some YAML parsers only/],
    ["containers: [{image: a}]\n--- {b: c}", /:2: ---/],
    ["containers: [{image: a}]\n...\nb: c", /:3: missing --- after \.\.\./],
    ["containers: [{image: a}]\n...x", /:2: \.\.\. with other text is a document end/],
    ["containers:\n- image: a\n? x\n: y", /:3: keys with \?/],
    ["containers:\n- {image: a, image: b}", /:2: duplicate key "image"/],
    ['containers:\n- image: a\n  "image": b', /:3: duplicate key "image"/],
    ["containers: [{image:a}]", /no space after its colon/],
    ["containers: [image: a]", /expected a comma or \]/],
    ["containers: [{image: a},#c\n]", /missing space before a comment/],
    ['containers: [{image: "a"}]#c', /unexpected text after a value/],
    ["containers:\n- image: a\n\timage: b", /:3: tab in indentation/],
    ["containers:\n-\timage: a", /:2: tab after a dash/],
    ["containers:\n- image: a\n x: b", /:3: /],
    ["a: |\n    \n  text\ncontainers: [{image: a}]", /:3: empty lines are indented further/],
    ["a: |0\n  x", /\|0 is not a valid block scalar header/],
    ["a: b: c", /:1: unexpected text after a value/],
    ["a: - b", /:1: list starts on the line of its key/],
    ["a: &a.b c", /anchor name may contain/],
    ["a: &a\nb: *c", /:2: no anchor c/],
    ["a: &a [*a]", /no anchor a before/],
    ["&a b: c", /unexpected text after a value/],
    ["*a : c", /no anchor/],
    ["a: @b", /a value cannot begin with @/],
    ["a: 'b", /:1: unclosed quotes/],
    ['a: "\\y"', /\\y is not an escape/],
    ['a: "\\ud83d\\ude00"', /\\ud83d is not a character/],
    ["a: [", /:1: missing \]/],
    ["a: b\u0000", /:1: U\+0000 \(null\) is not allowed in YAML/],
    ["a: b\n\uFEFFc: d", /:2: U\+FEFF/],
  ];
  for (const [text, reason] of cases) refuses(text, reason);
  refuses(Buffer.from(two(""), "utf16le"), /U\+0000 \(null\) is not allowed in YAML/);
  refuses(Buffer.from(`\uFEFF${two("")}`, "utf16le"), /m\.yaml is UTF-16 text/);
  refuses(Buffer.from([...Buffer.from("a: b\nc: "), 0xff]), /m\.yaml:2: line is not valid UTF-8/);
});

test("manifestImages: a schema, or a container without an image -> no image", () => {
  const schema = "properties: {containers: {type: array}, volumes: {type: array}}";
  assert.deepEqual(find(`${schema}\nspec: {containers: [{name: c}, {image: a}, {image: ~}, {image: }]}`), ["a"]);
});

test("manifestImages: an image that is not a string -> refused", () => {
  for (const image of ["1.10", "yes", "on", "0x1F", "1_000", "-.inf", "true", "!!int 1"]) {
    refuses(`spec: {containers: [{image: ${image}}]}`, /image under containers is not a string: /);
    if (!image.startsWith("!")) assert.deepEqual(find(`spec: {containers: [{image: "${image}"}]}`), [image]);
  }
  assert.deepEqual(find("spec: {containers: [{image: !!str 1.10}]}"), ["1.10"]);
  refuses("spec: {containers: [{image: {name: a}}]}", /is not a string/);
  refuses("containers:\n- image: a\n    b", /spans several lines/);
  refuses("", /no images found in m\.yaml/);
  refuses("kind: ConfigMap", /no images found/);
});

test("manifestImages: endless growth, nesting or repetition -> read or refused without delay", () => {
  const letters = [..."abcdefghij"];
  const bomb = `a: &a [x]\n${letters
    .slice(1)
    .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${letters[index]}`).join(",")}]`)
    .join("\n")}`;
  assert.deepEqual(find(`${bomb}\nspec: ${pod("a")}`), ["a"], "what aliases name is looked at once");
  refuses(`${"{a: ".repeat(150)}1${"}".repeat(150)}`, /nested deeper than 100/);
  refuses(`${"- ".repeat(150)}1`, /nested deeper than 100/);
  refuses("x".repeat(9_000_000), /larger than 8388608 bytes/);
  const chain = Array.from(
    { length: 3000 },
    (_, index) => `a${index}: &a${index} {${index ? `<<: *a${index - 1}, ` : ""}k${index}: x}\n`,
  );
  refuses(`${chain.join("")}containers: [{<<: *a2999}]`, /<< merges too many keys/);
  const many: [name: string, text: string][] = [
    ["documents", `---\nspec:\n  containers:\n  - image: a\n`.repeat(50_000)],
    ["keys", Array.from({ length: 100_000 }, (_, index) => `k${index}:\n`).join("")],
    ["aliases", `x: &x [y]\nz: [${"*x, ".repeat(200_000)}]\n`],
    ["lines of a text", `x: |\n${"  y\n".repeat(300_000)}`],
    ["empty lines", `x: y\n${"\n".repeat(500_000)}`],
    ["lines in quotes", `x: "${"\u2028\n".repeat(300_000)}"\n`],
    ["spaces", `x: y${" ".repeat(500_000)}\n`],
    ["words", `x: y\n${"  z\n".repeat(200_000)}`],
    ["a flow", `x: [${"{a: b}, ".repeat(100_000)}]\n`],
    ["JSON", JSON.stringify({ spec: { containers: [{ image: "a" }] } }).repeat(50_000)],
  ];
  for (const [name, text] of many) {
    const start = process.cpuUsage();
    assert.deepEqual(find(name === "JSON" ? text : `${text}---\ncontainers: [{image: a}]\n`), ["a"], name);
    const { user, system } = process.cpuUsage(start);
    assert.ok((user + system) / 1e6 < 2, `${name}: ${(user + system) / 1e6} s of CPU`);
  }
});

test("manifestImages: a node with a billion aliases -> visited once", () => {
  const lists = Array.from({ length: 30 }, (_, index) => `a${index + 1}: &a${index + 1} [*a${index}, *a${index}]`);
  assert.deepEqual(find(`a0: &a0 [{containers: [{image: a}]}]\n${lists.join("\n")}`), ["a"]);
});

/** The images of a document, or the error's message. */
const outcome = (text: string): string => {
  try {
    return find(text).join(" ");
  } catch (error) {
    return error instanceof TsignError ? error.message : String(error);
  }
};

test("manifestImages: document marks -> split the stream, and errors have the right line", () => {
  const a = "containers: [{image: a}]";
  const b = "containers: [{image: b}]";
  for (const mark of [
    "---",
    "--- ",
    "---\t ",
    "--- # c",
    "---\t#",
    "---  # c",
    "...\n---",
    "... # c\n\n# c\n  # c\n---",
  ]) {
    assert.equal(outcome(`${a}\n${mark}\n${b}`), "a b", mark);
  }
  for (const mark of ["---#", "----", "--- b", "---b", "--- &x", "---\u00a0", "---b---", "---x#c"]) {
    assert.equal(
      outcome(`${a}\n${mark}\n${b}`),
      "m.yaml:2: --- with other text is a document start for some YAML parsers only",
      mark,
    );
  }
  for (const mark of ["...#", "....", "... b", "...b"]) {
    assert.equal(
      outcome(`${a}\n${mark}\n${b}`),
      "m.yaml:2: ... with other text is a document end for some YAML parsers only",
      mark,
    );
  }
  assert.equal(outcome(`${a}\n...\n${b}`), "m.yaml:3: missing --- after ...");
  assert.equal(outcome(`${a}\n... # c\n${b}`), "m.yaml:3: missing --- after ...");
  assert.equal(outcome(`${a}\n--- # ...\n${b}`), "a b");
  assert.equal(outcome(`a: b\nspec:\n  ${a}\n---\na: b\nspec:\n  ${b}`), "a b");
  assert.equal(outcome(`${a}\n...\n...\n${b}`), "m.yaml:4: missing --- after ...");
  assert.equal(outcome(`${a}\n\n%TAG`), "m.yaml:3: YAML directives are not supported");
  assert.equal(outcome(`${a}\n---\n%YAML 1.2\n---\n${b}`), "m.yaml:3: YAML directives are not supported");
  assert.equal(outcome(`${a}\n---\n\n- @`), "m.yaml:4: a value cannot begin with @");
  assert.equal(outcome(`${a}\n---\n---\n@`), "m.yaml:4: a value cannot begin with @");
  assert.equal(outcome(`@\n---\n${a}`), "m.yaml:1: a value cannot begin with @");
  assert.equal(outcome(`a: |\n  ---\n  x\n${a}`), "a", "an indented line is no mark");
  assert.equal(outcome(`\uFEFF${a}`), "a");
  assert.equal(outcome(`\uFEFF\uFEFF${a}`), "m.yaml:1: U+FEFF (byte order mark) is not allowed in YAML");
});

test("manifestImages: a character that go-yaml refuses -> refused, with its line", () => {
  const codes = [0, 1, 8, 0x0b, 0x0c, 0x0e, 0x1f, 0x7f, 0x84, 0x86, 0x9f, 0xfffe, 0xffff];
  for (const code of codes) {
    const number = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
    const message = outcome(`a: b\n\nc: "${String.fromCodePoint(code)}"`);
    assert.match(message, new RegExp(`^m\\.yaml:3: ${number.replace("+", "\\+")}( \\(.*\\))? is not allowed in YAML$`));
  }
  for (const code of [9, 0x20, 0x7e, 0x85, 0xa0, 0xfffd, 0x1f600]) {
    assert.equal(outcome(`a: "${String.fromCodePoint(code)}"\ncontainers: [{image: b}]`), "b", code.toString(16));
  }
});

test("manifestImages: a stream of 8 MiB -> read; a larger one -> refused", () => {
  const text = "containers: [{image: a}]\n#";
  const size = 8 * 1024 * 1024;
  assert.equal(outcome(text.padEnd(size, "x")), "a");
  assert.equal(outcome(text.padEnd(size + 1, "x")), `m.yaml is larger than ${size} bytes`);
});

test("manifestImages: values in JSON -> keep their types", () => {
  const images = (...values: unknown[]) => outcome(JSON.stringify({ containers: values.map((image) => ({ image })) }));
  assert.equal(images("a", "b"), "a b");
  assert.equal(images("1.10", "true", "null", "a: b"), "1.10 true null a: b");
  assert.equal(images("a", null, ""), "a");
  assert.equal(images(1.5), "m.yaml:1: image under containers is not a string: 1.5");
  assert.equal(images(true), "m.yaml:1: image under containers is not a string: true");
  assert.equal(images(["a"]), "m.yaml:1: image under containers is not a string");
  assert.equal(images({ a: "b" }), "m.yaml:1: image under containers is not a string");
  for (const character of ["\u0085", "\u2028", "\u2029"]) {
    assert.equal(images(`a${character}b`), "m.yaml:1: image under containers spans several lines");
  }
  assert.equal(images("a\nb"), "a\nb", "JSON's own escape");
  assert.equal(outcome(' {"containers":[{"image":"a"}]}{"a":1}\n'), "a");
  assert.equal(outcome('{"Containers":[{"IMAGE":"a"}]}'), "a");
  assert.equal(outcome('{"a":{"volumes":[{"image":{"reference":"b"}}]}} {"containers":[{"image":"c"}]}'), "b c");
  assert.equal(outcome('{"a":"{","b":"\\"}","containers":[{"image":"c"}]}\n\n'), "c");
  assert.equal(outcome("{containers: [{image: a}]}"), "a", "YAML");
  assert.equal(outcome('{"containers":[{"image":"a"}]} # c'), "a", "YAML");
  assert.match(outcome('{"containers":[{"image":"a"}]}{"containers":[{"image":"b"}]'), /^m\.yaml:1: /);
  assert.match(outcome('{"containers":[{"image":"a"}],}{"b":1}'), /^m\.yaml:1: /);
  assert.match(outcome('{"a":1,"a":2}'), /^m\.yaml .*duplicate key "a"/);
});

test("manifestImages: every kind of container and image volumes at any depth -> found; nothing else", () => {
  const cases: [text: string, images: string][] = [
    ["containers: [{image: a}]\ninitContainers: [{image: b}]\nephemeralContainers: [{image: c}]", "b a c"],
    ["initcontainers: [{image: a}]\nEPHEMERALCONTAINERS: [{image: b}]", "a b"],
    ["containerS: [{Image: a, image: b}]", "a b"],
    ["container\u017F: [{image: a}]\nvolume\u017F: [{image: {reference: b}}]", "a b"],
    ["x: [[{containers: [{image: a}]}], {y: {containers: [{image: b}]}}]", "a b"],
    ["containers: [{image: a, x: {containers: [{image: b}]}}]", "a b"],
    ["- containers: [{image: a}]\n- containers: [{image: b}]", "a b"],
    ["containers: [a, [{image: b}], {image: c}]", "c"],
    ["containers: {image: a}\nx: {containers: [{image: b}]}", "b"],
    ["volumes: [{image: {reference: a, Reference: b}}, {image: c}, {image: [{reference: d}]}, {reference: e}]", "a b"],
    ["volumes: [x]\ncontainers: [{image: a}]", "a"],
    ["images: [{image: a}]\ncontainers: [{images: b, image: c}]", "c"],
    ["x: &x {containers: [{image: a}]}\ny:\n  <<: *x\n  z: 1", "a"],
    ["y:\n  <<: {containers: [{image: a}]}\n  containers: [{image: b}]", "b a"],
    ["containers: [{<<: {image: a}}]", "a"],
    ["y:\n  <<: {spec: {containers: [{image: a}]}}", "a"],
    ["volumes: [{image: {<<: {reference: a}}}]", "a"],
    ["containers: [{image: a}, {image: a}]", "a"],
    ["x: &x [{image: a}]\ncontainers: *x\ninitContainers: *x", "a"],
  ];
  for (const [text, images] of cases) assert.equal(outcome(text), images, text);
  const volume = "m.yaml:1: image under volumes is not a string";
  assert.equal(outcome("volumes: [{image: {reference: 1}}]"), `${volume}: 1`);
  assert.equal(outcome("volumes: [{image: {reference: [a]}}]"), volume);
  assert.equal(outcome("initContainers: [{image: 1}]"), "m.yaml:1: image under initcontainers is not a string: 1");
});

test("manifestImages: an image without a value -> ignored; a number or boolean for go-yaml -> refused", () => {
  const image = (text: string) => outcome(`containers: [{image: ${text} }, {image: z}]`);
  for (const none of ["", "~", "null", "Null", "NULL", "''", '""', "!!null a", "!!str ''"])
    assert.equal(image(none), "z", none);
  const numbers =
    "0 1 10 1.5 1. .5 .25 +1 -1 -1.5 1e3 1E-3 1.5e+10 1_000 0x1F -0xab +0o17 0b101 .inf -.Inf +.INF .nan .NaN .NAN";
  const booleans = "y Y n N yes Yes YES no No NO on On ON off Off OFF true True TRUE false False FALSE";
  for (const value of `${numbers} ${booleans}`.split(" ")) {
    assert.equal(image(value), `m.yaml:1: image under containers is not a string: ${value}`, value);
    assert.equal(image(`"${value}"`), `${value} z`);
    assert.equal(image(`!!str ${value}`), `${value} z`);
  }
  for (const text of [
    "nULL",
    "a1",
    "1a",
    "1.2.3",
    "yEs",
    "tRUE",
    "0xg",
    "0y1",
    "1e",
    "e3",
    "inf",
    "nan",
    ".infx",
    "1-2",
    "nully",
    "~a",
  ]) {
    assert.equal(image(text), `${text} z`, text);
  }
  for (const tag of ["int", "float", "bool"]) {
    assert.equal(image(`!!${tag} a`), "m.yaml:1: image under containers is not a string: a");
  }
  assert.equal(image("a\n b"), "m.yaml:1: image under containers spans several lines");
  assert.equal(image('"a\u2028b"'), "m.yaml:1: image under containers spans several lines");
  assert.equal(outcome("containers: [{name: a}]"), "no images found in m.yaml");
});
