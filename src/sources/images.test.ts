import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import type { ImageFormat } from "./image-formats.ts";
import { type ImageSourceOptions, pinImages, readImages } from "./images.ts";

const options = (format?: ImageFormat): ImageSourceOptions => ({ path: "f", format, env: {} });
const read = (text: string, format?: ImageFormat) => readImages(text, options(format));
/** `format: image@line image@line`, or the error. */
const found = (text: string, format?: ImageFormat): string => {
  try {
    const { format: is, images } = read(text, format);
    return `${is}: ${images.map(({ image, line }) => `${image}@${line}`).join(" ")}`;
  } catch (error) {
    assert.ok(error instanceof TsignError && ["input", "limit"].includes(error.code), String(error));
    return error.message;
  }
};
const finds = (cases: readonly (readonly [text: string, found: string])[], format?: ImageFormat) => {
  for (const [text, expected] of cases) assert.equal(found(text, format), expected, JSON.stringify(text));
};

test("readImages: a list, one image on a line -> each with its line", () => {
  finds([
    ["a", "list: a@1"],
    ["\uFEFFa\r\nb:1\r\n", "list: a@1 b:1@2"],
    ["# images\n\n  r.example/a:1 # first\n\tb@sha256:0\n", "list: r.example/a:1@3 b@sha256:0@4"],
    ["localhost:5000/a#b\n", "f:1: localhost:5000/a#b is not an image reference"],
    ["[::1]:5000/a", "f:1: a value cannot begin with :"],
    ["a\n[::1]:5000/a", "list: a@1 [::1]:5000/a@2"],
    ["a b", "f:1: unknown format"],
    ["a\nb c", "f:2: expected one image on a line"],
    ["a\n\n- b", "f:3: expected one image on a line"],
    ["a\nb,c", "f:2: b,c is not an image reference"],
    ['a\n"b"', 'f:2: "b" is not an image reference'],
    ["a\rb", "f:1: a\rb is not an image reference"],
    ["a\n\u200bb", "f:2: \u200bb is not an image reference"],
    ["a\n${R}/b", "f:2: unexpanded variable in ${R}/b"],
    ["$R/a", "f:1: unexpanded variable in $R/a"],
    ["a\n{{.Image}}", "f:2: unexpanded template: {{.Image}}"],
    ["{{ .Image }}", "f:1: unexpanded template: {{ .Image }}"],
    ["", "no images found in f"],
    ["# nothing\n\n", "no images found in f"],
  ]);
  finds([["- a", "f:1: expected one image on a line"]], "list");
});

test("readImages: arrays of JSON and YAML", () => {
  finds([
    ['["a", "b:1"]', "json: a@1 b:1@1"],
    ['[\n  "a",\n  "\\u0062"\n]\n', "json: a@2 b@3"],
    ["- a\n- 'b'\n", "json: a@1 b@2"],
    ["[a, b]", "json: a@1 b@1"],
    ["[]", "no images found in f"],
    ['["a", 1]', "f:1: item of the array is not a string: 1"],
    ['["a", null]', "f:1: item of the array is not an image reference"],
    ["- a\n- 1.10", "f:2: item of the array is not a string: 1.10"],
    ['["a"]["b"]', "f:1: expected one document of format json, found several"],
    ["- a\n---\n- b", "f:3: expected one document of format json, found several"],
    ['["a", {"image": "b"}]', "f:1: unknown format"],
    ['[["a"]]', "f:1: unknown format"],
    ['["a",', "f:1: missing ]"],
    ['["a:${TAG}"]', "f:1: unexpanded variable in a:${TAG}"],
  ]);
  finds(
    [
      ["{a: b}", "f:1: expected an array of images"],
      ['["a", {"image": "b"}]', "f:1: item of the array is not an image reference"],
    ],
    "json",
  );
});

const POD = "apiVersion: v1\nkind: Pod\nspec:\n";

test("readImages: Kubernetes objects -> the images of their containers with lines", () => {
  finds([
    [`${POD}  containers:\n  - image: a\n  initContainers: [{image: b}]`, "kubernetes: b@6 a@5"],
    [`# Source: chart/x.yaml\n---\n# empty\n---\n${POD}  containers:\n  - image: "a"`, "kubernetes: a@9"],
    [`${POD}  volumes:\n  - image: {reference: a}`, "kubernetes: a@5"],
    ['{"apiVersion":"v1","kind":"List","items":[\n{"spec":{"containers":[{"image":"a"}]}}]}', "kubernetes: a@2"],
    ['{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"image":"a"}]}}'.repeat(2), "kubernetes: a@1 a@1"],
    ['[{"apiVersion":"v1","kind":"Pod","containers":[{"image":"a"}]}]', "kubernetes: a@1"],
    [`${POD}  containers:\n  - image: a\n---\nspec:\n  containers:\n  - image: b`, "f:7: unknown format"],
    ["apiVersion: v1\nspec: {containers: [{image: a}]}", "f:1: unknown format"],
    ["kind: Pod\nspec: {containers: [{image: a}]}", "f:1: unknown format"],
    [`${POD}  x: y`, "no images found in f"],
    [`${POD}  containers:\n  - image: a:\${TAG}`, "f:5: unexpanded variable in a:${TAG}"],
    [`${POD}  containers:\n  - image: $(IMAGE)`, "f:5: unexpanded variable in $(IMAGE)"],
    [`${POD}  containers:\n  - image: ENC{{x}}`, "f:5: unexpanded template: ENC{{x}}"],
    [`${POD}  containers:\n  - image: "{{ .Values.image }}"`, "f:5: unexpanded template: {{ .Values.image }}"],
  ]);
  finds([["spec: {containers: [{image: a}]}", "kubernetes: a@1"]], "kubernetes");
});

test("readImages: templates of a chart -> refused with the line, also where YAML reads them", () => {
  for (const [line, text] of [
    [5, "  - image: {{ .Values.image }}"],
    [5, "  {{- range .Values.containers }}"],
    [6, "  - name: a\n    {{- toYaml .Values.image | nindent 4 }}\n    image: b"],
    [5, "  - name: a\n      {{- toYaml .Values.image | nindent 4 }}\n    image: b"],
    [5, "    {{- toYaml .Values.containers | nindent 4 }}"],
  ] as const) {
    assert.match(found(`${POD}  containers:\n${text}`), new RegExp(`^f:${line}: unexpanded template: `), text);
  }
  assert.match(found(`${POD}  containers: "{{ .Values.containers }}"`), /^f:4: unexpanded template: /);
  assert.match(found("{{- if .Values.x }}\napiVersion: v1"), /^f:1: unexpanded template: /);
  finds([
    [
      'apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec: {containers: [{image: a, args: ["{{inputs.x}}"]}]}',
      "kubernetes: a@3",
    ],
    [`${POD}  containers:\n  - image: a\n    args:\n    - |\n      {{ x }}\n      y`, "kubernetes: a@5"],
  ]);
});

test("readImages: image fields of custom resources -> a notice names them", () => {
  const text =
    "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nspec:\n  image: q.example/p:v2\n  containers:\n  - image: a\n";
  assert.deepEqual(read(text).notices, [
    "WARNING: f:4: q.example/p:v2 is not the image of a container; it is not verified",
  ]);
  assert.deepEqual(read(`${POD}  containers:\n  - image: a`).notices, []);
});

test("readImages: no images -> the reason and a hint, where one is known", () => {
  const errorOf = (text: string) => {
    try {
      return read(text);
    } catch (error) {
      const { message, hint } = error as TsignError;
      return [message, hint];
    }
  };
  const prometheus = "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nspec: ";
  const custom = "name the images of custom resources in a list, one a line";
  const rendered = "verify the output of `kustomize build`";
  const built = "verify the base images of a service that is built: `tsign dockerfile verify DOCKERFILE`";
  const cases: [text: string, reason: string, hint: string | undefined][] = [
    [`${prometheus}{image: "q.example/p:v2"}`, "", custom],
    [`${prometheus}{version: v2}`, "", undefined],
    ["kind: Kustomization\nresources: [a.yaml]", "", rendered],
    ["kind: Kustomization\nnamePrefix: a", "", undefined],
    ["services: {web: {build: .}}", ": services without an image: web (built)", built],
    [
      "services: {web: {build: {context: a}}, db: {provider: {type: x}}}",
      ": services without an image: web (built), db (run by a provider)",
      built,
    ],
    ["services: {}\nname: x", "", undefined],
  ];
  for (const [text, reason, hint] of cases) assert.deepEqual(errorOf(text), [`no images found in f${reason}`, hint]);
});

test("readImages: compose files", () => {
  finds([
    ["services:\n  web:\n    image: a:1\n  db: {image: b}\n", "compose: a:1@3 b@4"],
    ["version: '3'\nservices: {web: {image: a, build: .}}", "compose: a@2"],
    ["x-a: &a\n  image: a\nservices:\n  w:\n    <<: *a\n    ports: ['80']", "compose: a@2"],
    [
      "services:\n  w: {image: a, volumes: ['x:/y', {type: image, source: b, target: /b}, {type: bind, source: c}]}",
      "compose: a@2 b@2",
    ],
    ["services: {w: {image: a, pre_start: [{image: b}], post_start: [{command: x}]}}", "compose: a@1 b@1"],
    ["services: {w: {image: a}}\nmodels: {m: {model: ai/x}}", "compose: a@1 ai/x@2"],
    ['{"name":"x","services":{"w":{"image":"a","command":null}}}', "compose: a@1"],
    ["services: {w: {build: .}}", "no images found in f: services without an image: w (built)"],
    ["services:\n  w: {build: .}\n  x: {ports: []}\n", "f:3: service x has neither an image nor a build"],
    ["services:\n  w: {image: a}\n  x:\n", "f:3: service x is not a mapping"],
    ["services: {w: {image: ''}}", "f:1: service w has neither an image nor a build"],
    ["services: {w: {build: , image: }}", "f:1: service w has neither an image nor a build"],
    ["services:\n  w:\n    image: a\n    extends:\n      file: b.yaml", "f:5: extends names services of other files"],
    ["include: [b.yaml]\nservices: {w: {image: a}}", "f:1: include names services of other files"],
    ["services:\n  w:\n    image: ${R:-docker.io}/a", "f:3: unexpanded variable in ${R:-docker.io}/a"],
    ["services:\n  w:\n    image: a:$$x", "f:3: unexpanded variable in a:$$x"],
    ["services:\n  w:\n    image: 1.5", "f:3: services.w.image is not a string: 1.5"],
    ["services:\n  w:\n    image: [a]", "f:3: services.w.image is not a string"],
    [
      "services: {w: {image: a}}\n---\nservices: {w: {image: b}}",
      "f:3: expected one document of format compose, found several",
    ],
    ["services: [a]", "f:1: unknown format"],
    ["services: {w: {image: a}}\ncontainers: [{image: b}]", "f:2: a compose file has no element containers"],
    ["x-b: [{image: b}]\nservices: {w: {image: a}}\nvolumes: {v: }", "compose: a@2"],
    ["services: {web: {type: ClusterIP}}", "f:1: service web has neither an image nor a build"],
    [
      "services:\n  w: !reset null",
      "f:2: unsupported tag: only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are supported",
    ],
  ]);
  finds([["services: [a]", "f:1: services is not a mapping"]], "compose");
  const { notices } = read("services: {w: {image: a}, b: {build: .}, p: {provider: {type: x}}}");
  assert.deepEqual(notices, [
    "WARNING: service b is built here; the images of its Dockerfile are not verified",
    "WARNING: service p is run by a provider, and is not verified",
  ]);
});

test("readImages: images of a kustomization", () => {
  finds([
    [
      "images:\n- name: a\n  newTag: v1\n- name: b\n  newName: r.example/c\n  digest: sha256:0",
      "kustomize: a:v1@2 r.example/c@sha256:0@4",
    ],
    ["kind: Kustomization\nimages: [{name: a, newTag: '1.10'}]", "kustomize: a:1.10@2"],
    [
      "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: [{name: a, newTag: v, digest: sha256:0}]",
      "kustomize: a@sha256:0@3",
    ],
    ["images: [{name: a, newTag: v}]\ncontainers: [{image: b}]", "f:2: a kustomization has no field containers"],
    ["kind: Kustomization\nimageTags: [{name: a, newTag: v}]", "f:2: a kustomization has no field imageTags"],
    ["images: [{name: a, newTag: v}]\nnamePrefix: x", "kustomize: a:v@1"],
    ["images:\n- name: a", "f:2: the tag of a is in the resources"],
    ["images:\n- name: a\n  newName: b", "f:2: the tag of b is in the resources"],
    ["images:\n- newTag: v", "f:2: entry of images has no name"],
    ["images:\n- name: a\n  newTag: 1.10", "f:3: newTag is not a string: 1.10"],
    ["images:\n- name: a\n  newTag: v:1", "f:2: newTag v:1 is not a valid tag"],
    ["images:\n- name: a\n  newTag: ${V}", "f:3: unexpanded variable in ${V}"],
    ["images:\n- {name: a, newTag: v, tagSuffix: -x}", "f:2: tagSuffix is not supported"],
    ["images:\n- {repository: a, newTag: v}", "f:1: unknown format"],
    ["kind: Kustomization\nresources: [a.yaml]", "no images found in f"],
    [
      "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {images: [{name: a, newTag: v}]}",
      "no images found in f",
    ],
    ["services: {w: {image: a}}\nimages: [{name: a, newTag: v}]", "f:1: could be kustomize or compose"],
  ]);
  const { notices } = read("resources: [b.yaml]\nimages: [{name: a, newTag: v}]");
  assert.match(notices.join(), /^WARNING: f: other images in its resources are not verified/);
});

test("readImages: Dockerfiles", () => {
  finds([
    ["FROM a\nCOPY --from=b:1 . .", "dockerfile: a@1 b:1@2"],
    ["# c\n\nARG V=1\nfrom a:$V", "dockerfile: a:1@4"],
    ["ARG V\nFROM a:$V", "f:2: the build argument V has no value"],
    ["FROM a b", "f:1: expected FROM IMAGE [AS NAME]"],
    ["FROM: a", "f:1: unknown format"],
    ["RUN x\nFROM a", "f:1: unknown format"],
  ]);
  finds([["FROM a", "dockerfile: a@1"]], "dockerfile");
  finds([["RUN x\nFROM a", "f:1: RUN before the first FROM"]], "dockerfile");
});

test("readImages: documents of different formats, and of none, are refused", () => {
  const pod = `${POD}  containers: [{image: a}]\n`;
  finds([
    [`${pod}---\nservices: {w: {image: b}}`, "f:6: format compose after a document of format kubernetes"],
    [`services: {w: {image: b}}\n---\n${pod}`, "f:3: format kubernetes after a document of format compose"],
    [`${pod}---\n- b`, "f:6: format json after a document of format kubernetes"],
    ["image: {repository: a, tag: v}", "f:1: unknown format"],
    ["name: a\nservices: x", "f:1: unknown format"],
    ["a: b: c", "f:1: unexpected text after a value"],
  ]);
  assert.equal(found("x".repeat(8 * 1024 * 1024 + 1)), "f is larger than 8388608 bytes");
});

test("readImages: many images -> read in time", () => {
  for (const [text, count] of [
    ["r.example/a:1\n".repeat(200_000), 200_000],
    [`${POD}  containers:\n${"  - image: a\n".repeat(100_000)}`, 100_000],
    [`{"apiVersion":"v1","kind":"Pod","containers":[${Array(50_000).fill('\n{"image":"a"}').join(",")}]}`, 50_000],
    [`FROM a\n${"COPY --from=b:1 . .\n".repeat(20_000)}`, 20_001],
  ] as const) {
    const start = process.cpuUsage();
    assert.equal(read(text).images.length, count);
    const { user, system } = process.cpuUsage(start);
    assert.ok((user + system) / 1e6 < 4, `${(user + system) / 1e6} s of CPU`);
  }
});

const DIGEST = `sha256:${"0".repeat(64)}`;
/** The pinned text with D for the digest, or the error. */
const pin = (text: string, format?: ImageFormat): string => {
  try {
    const pinned = pinImages(text, { read: read(text, format), options: options(format), digestOf: () => DIGEST });
    return pinned.replaceAll(DIGEST, "D");
  } catch (error) {
    assert.ok(error instanceof TsignError && error.code === "input", String(error));
    return error.message;
  }
};

test("pinImages: tags -> digests, and every other byte is kept", () => {
  const cases: [text: string, pinned: string][] = [
    ["a # c\nb:1\r\n\n  r.example:5000/c  # d", "a@D # c\nb@D\r\n\n  r.example:5000/c@D  # d"],
    ["\uFEFFa:1", "\uFEFFa@D"],
    [`a@${DIGEST}\nb`, "a@D\nb@D"],
    ['[ "a:1" ,\n\t"\\u0062" ]\n', '[ "a@D" ,\n\t"b@D" ]\n'],
    [
      `\uFEFF${POD}  containers:\r\n  # note\r\n  - image:   'a:1'   # x\r\n  - {image: "b", name: b:1}\r\n  - image: >-\r\n      c:1\r\n`,
      `\uFEFF${POD}  containers:\r\n  # note\r\n  - image:   'a@D'   # x\r\n  - {image: "b@D", name: b:1}\r\n  - image: >-\r\n      c@D\r\n`,
    ],
    [
      "services:\n  w: {image: &i a:1} # &i\n  x:\n    image: *i\n",
      "services:\n  w: {image: &i a@D} # &i\n  x:\n    image: *i\n",
    ],
    [
      'images:\n- name: a\n  newTag: v1 # x\n- {"name": "b", "newTag": "v1"}\n- newTag:  \'1\'\n  name: c\n',
      'images:\n- name: a\n  digest: D # x\n- {"name": "b", "digest": "D"}\n- digest:  \'D\'\n  name: c\n',
    ],
    [
      '# syntax=x/y:1\nFROM --platform=linux/amd64 a:1 AS a # x\nCOPY --from="b:1" . .\nRUN --mount=from=c:1,target=/x \\\n# c:1\n  --mount=type=cache,from=c:1 c:1\nFROM a\n'.replace(
        " # x",
        "",
      ),
      '# syntax=x/y@D\nFROM --platform=linux/amd64 a@D AS a\nCOPY --from="b@D" . .\nRUN --mount=from=c@D,target=/x \\\n# c:1\n  --mount=type=cache,from=c@D c:1\nFROM a\n',
    ],
  ];
  for (const [text, pinned] of cases) assert.equal(pin(text), pinned);
});

test("pinImages: an image that is not written as one text -> refused with the line", () => {
  const hinted = "by its digest: the name has a build argument";
  assert.equal(pin("ARG V=1\nFROM a:$V"), `f:2: cannot replace a:1 ${hinted}`);
  assert.equal(pin("FROM \\\n  a:1"), "FROM \\\n  a@D");
  assert.equal(pin("images:\n- name: a\n  newTag: !!str v"), "f:2: cannot replace a:v by its digest");
  assert.equal(pin("images:\n- name: a\n  newTag: |-\n    v"), "f:2: cannot replace a:v by its digest");
});
