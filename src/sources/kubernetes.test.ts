import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { manifestImages } from "./kubernetes.ts";

const pod = (image: string) => `{containers: [{name: c, image: "${image}"}]}`;

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
  for (const [text, images] of cases) assert.deepEqual(manifestImages(text, "m.yaml"), images, text);
});

test("a stream is read to its end, and every image named once", () => {
  const stream = `---\nspec: ${pod("a")}\n---\n# nothing\n---\nkind: ConfigMap\n---\nspec: ${pod("b")}\n...\n---\nspec: ${pod("a")}\n`;
  assert.deepEqual(manifestImages(stream, "m.yaml"), ["a", "b"]);
});

test("JSON objects need nothing between them", () => {
  const object = (image: string) => JSON.stringify({ note: '}{"\\', spec: { containers: [{ image }] } });
  for (const between of ["", "\n", " \n\n", "\n---\n"]) {
    const text = ["a", "b", "c"].map(object).join(between);
    assert.deepEqual(manifestImages(text, "m.json"), ["a", "b", "c"], JSON.stringify(between));
  }
  assert.deepEqual(manifestImages(`  ${object("a")}\n`, "m.json"), ["a"]);
  for (const text of [`${object("a")}}`, `${object("a")} x ${object("b")}`, object("a").slice(0, -1)]) {
    assert.throws(() => manifestImages(text, "m.json"), /m\.json is not YAML/, text);
  }
});

test("anchors and merge keys mean what they mean to Kubernetes", () => {
  const text = "x: &c {image: a}\nspec:\n  containers:\n  - <<: *c\n  - *c\n  - {<<: *c, image: b}\n";
  assert.deepEqual(manifestImages(text, "m.yaml"), ["a", "b"]);
});

test("a schema is no workload, and a container without an image names none", () => {
  const schema = "properties: {containers: {type: array}, volumes: {type: array}}";
  assert.deepEqual(manifestImages(`${schema}\nspec: {containers: [{name: c}, {image: a}]}`, "m.yaml"), ["a"]);
});

test("what cannot be understood is refused", () => {
  const bomb = `a: &a [x]\n${[..."bcdefghij"].map((name, index) => `${name}: &${name} [${Array(9).fill(`*${"abcdefghij"[index]}`).join(",")}]`).join("\n")}`;
  let deep = "1";
  for (let level = 0; level < 150; level++) deep = `{a: ${deep}}`;
  const cases: [text: string, reason: RegExp][] = [
    ["", /no images found in m\.yaml/],
    ["kind: ConfigMap", /no images found/],
    ["a: [", /m\.yaml is not YAML: /],
    ["spec: {containers: [{image: a}]}\n---\na: [", /is not YAML/],
    ["spec: {containers: [{image: a, image: b}]}", /is not YAML: Map keys must be unique/],
    ["spec: {containers: [{image: 1.10}]}", /an image under containers in m\.yaml is not text: 1\.1/],
    ["spec: {containers: [{image: {name: a}}]}", /is not text/],
    [`${bomb}\nspec: ${pod("a")}`, /cannot be read: .*alias/],
    [`${deep}`, /nested deeper than 100/],
  ];
  for (const [text, reason] of cases) {
    assert.throws(
      () => manifestImages(text, "m.yaml"),
      (error) => error instanceof TsignError && reason.test(error.message),
      text.slice(0, 80),
    );
  }
});
