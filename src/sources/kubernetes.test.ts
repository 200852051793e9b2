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
/** A pod of two containers, written as most manifests are, with something put into it. */
const two = (text: string) =>
  `kind: Pod\nspec:\n  containers:\n  - name: a\n    image: good${text}\n  - name: b\n    image: evil\n`;

test("images of every kind of workload are found", () => {
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

test("a stream is read to its end, and every image named once", () => {
  const stream = `---\nspec: ${pod("a")}\n---\n# nothing\n---  # note\nkind: ConfigMap\n---\nspec: ${pod("b")}\n...\n---\nspec: ${pod("a")}\n`;
  assert.deepEqual(find(stream), ["a", "b"]);
  assert.deepEqual(find(`\uFEFF${two("").replaceAll("\n", "\r\n")}`), ["good", "evil"]);
});

test("the usual ways of writing YAML are read", () => {
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

test("JSON objects need nothing between them", () => {
  const object = (image: string) => JSON.stringify({ note: '}{"\\/\u{1F600}', spec: { containers: [{ image }] } });
  for (const between of ["", "\n", " \n\n", "\n---\n"]) {
    const text = ["a", "b", "c"].map(object).join(between);
    assert.deepEqual(find(text), ["a", "b", "c"], JSON.stringify(between));
  }
  assert.deepEqual(find(`  ${object("a")}\n`), ["a"]);
  assert.deepEqual(find(JSON.stringify(JSON.parse(object("a")), null, "\t")), ["a"]);
  for (const text of [`${object("a")}}`, `${object("a")} x ${object("b")}`, object("a").slice(0, -1)])
    refuses(text, /m\.yaml:\d+: /);
  refuses('{"spec":{"containers":[{"image":"a","image":"b"}]}}', /has the key "image" twice/);
});

test("anchors and merge keys mean what they mean to Kubernetes", () => {
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

test("fields are found in any case, as decoders into structures find them", () => {
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

test("a line that ends for some readers only is refused, with the line", () => {
  for (const [name, character] of [
    ["000D", "\r"],
    ["0085", "\u0085"],
    ["2028", "\u2028"],
    ["2029", "\u2029"],
  ]) {
    refuses(
      two(` # c${character}  - name: c${character}    image: evil2`),
      new RegExp(`m\\.yaml:5: U\\+${name}.* ends the line for some`),
    );
    if (character !== "\r") refuses(two(`${character}`), /m\.yaml:5: /);
    const quoted = `containers: [{image: a}]\nnote: "x${character}y"\n`;
    assert.deepEqual(find(quoted), ["a"], "in quotes it ends nothing");
    refuses(`containers: [{image: "a${character}"}]`, /goes over more than one line/);
  }
});

test("what readers of YAML take for different things is refused, with the line", () => {
  const cases: [text: string, reason: RegExp][] = [
    ["c: &c {image: b}\ncontainers:\n- image: a\n  <<: *c", /:4: << stands in quotes, twice or behind another key/],
    ["c: &c {image: b}\ncontainers:\n- <<: *c\n  <<: *c", /:4: << stands/],
    ["c: &c {image: b}\ncontainers:\n- '<<': *c", /:3: << stands/],
    ["containers:\n- <<: x", /:2: << takes mappings only/],
    ["containers: !!omap\n- image: a", /:1: only the tags !!str/],
    ["containers: !!set {image: a}", /only the tags/],
    ["containers: !<tag:yaml.org,2002:seq> [{image: a}]", /only the tags/],
    ["containers: !!binary Z29vZA==", /only the tags/],
    ["containers: !!seq {image: a}", /!!seq stands before something else/],
    ["%YAML 1.1\n---\ncontainers: [{image: a}]", /:1: directives change/],
    ["containers: [{image: a}]\n---#x\nb: c", /:2: --- is read as the start of a document by some/],
    ["containers: [{image: a}]\n--- {b: c}", /:2: ---/],
    ["containers: [{image: a}]\n...\nb: c", /:3: --- is missing after \.\.\./],
    ["containers: [{image: a}]\n...x", /:2: \.\.\. is read as the end/],
    ["containers:\n- image: a\n? x\n: y", /:3: keys with \?/],
    ["containers:\n- {image: a, image: b}", /:2: the key "image" stands twice/],
    ['containers:\n- image: a\n  "image": b', /:3: the key "image" stands twice/],
    ["containers: [{image:a}]", /no space behind its colon/],
    ["containers: [image: a]", /a comma or \] is expected/],
    ["containers: [{image: a},#c\n]", /a comment has no space before it/],
    ['containers: [{image: "a"}]#c', /what follows the value/],
    ["containers:\n- image: a\n\timage: b", /:3: a tab stands/],
    ["containers:\n-\timage: a", /:2: a tab stands/],
    ["containers:\n- image: a\n x: b", /:3: /],
    ["a: |\n    \n  text\ncontainers: [{image: a}]", /:3: the empty lines before the text are indented further/],
    ["a: |0\n  x", /\|0 does not begin a block/],
    ["a: b: c", /:1: what follows the value/],
    ["a: - b", /:1: a list begins on the line of its key/],
    ["a: &a.b c", /the name of an anchor/],
    ["a: &a\nb: *c", /:2: there is no anchor c/],
    ["a: &a [*a]", /no anchor a before/],
    ["&a b: c", /what follows the value/],
    ["*a : c", /there is no anchor/],
    ["a: @b", /a value cannot begin with @/],
    ["a: 'b", /:1: the quotes are not closed/],
    ['a: "\\y"', /\\y is not an escape/],
    ['a: "\\ud83d\\ude00"', /\\ud83d is not a character/],
    ["a: [", /:1: the \] is missing/],
    ["a: b\u0000", /:1: U\+0000 \(null\) cannot stand in YAML/],
    ["a: b\n\uFEFFc: d", /:2: U\+FEFF/],
  ];
  for (const [text, reason] of cases) refuses(text, reason);
  refuses(Buffer.from(two(""), "utf16le"), /goes|cannot stand|UTF-16/);
  refuses(Buffer.from(`\uFEFF${two("")}`, "utf16le"), /m\.yaml is UTF-16 text/);
  refuses(Buffer.from([...Buffer.from("a: b\nc: "), 0xff]), /m\.yaml:2: the line is not UTF-8/);
});

test("a schema is no workload, and a container without an image names none", () => {
  const schema = "properties: {containers: {type: array}, volumes: {type: array}}";
  assert.deepEqual(find(`${schema}\nspec: {containers: [{name: c}, {image: a}, {image: ~}, {image: }]}`), ["a"]);
});

test("an image that is no text is refused", () => {
  for (const image of ["1.10", "yes", "on", "0x1F", "1_000", "-.inf", "true", "!!int 1"]) {
    refuses(`spec: {containers: [{image: ${image}}]}`, /an image under containers in m\.yaml is not text: /);
    if (!image.startsWith("!")) assert.deepEqual(find(`spec: {containers: [{image: "${image}"}]}`), [image]);
  }
  assert.deepEqual(find("spec: {containers: [{image: !!str 1.10}]}"), ["1.10"]);
  refuses("spec: {containers: [{image: {name: a}}]}", /is not text/);
  refuses("containers:\n- image: a\n    b", /goes over more than one line/);
  refuses("", /no images found in m\.yaml/);
  refuses("kind: ConfigMap", /no images found/);
});

test("what grows, nests or repeats without end is read or refused in time", () => {
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
  refuses(`${chain.join("")}containers: [{<<: *a2999}]`, /<< brings in too many keys/);
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
