import fc from "fast-check";
import { dockerfileImages } from "../../../src/sources/dockerfile.ts";
import { pinImages, readImages } from "../../../src/sources/images.ts";
import { manifestImages } from "../../../src/sources/kubernetes.ts";
import { refusal } from "../judge.ts";
import { changes, mutate } from "../mutate.ts";
import { Finding, type Target } from "../target.ts";
import { bytesOf, type Node } from "../tree.ts";

/**
 * Composes texts of meaningful lines and changes them. The reader must end in time with images or a refusal; the differential
 * suites compare the images with those of other programs.
 */
function text(by: {
  name: string;
  documents: readonly string[];
  lines: readonly string[];
  /** Most lines put into a document. */
  most: number;
  /** Separator of two documents. */
  between: readonly string[];
  read: (text: string) => readonly string[];
}): Target {
  const { name, read } = by;
  const leaf = (line: string): Node => ({ kind: "bytes", bytes: Buffer.from(line) });
  const lines = by.lines.map(leaf);
  const documents = by.documents.map((each) => each.split("\n").map(leaf));
  const input = fc.record({
    base: fc.nat(documents.length - 1),
    more: fc.array(fc.record({ line: fc.nat(lines.length - 1), at: fc.nat(200) }), { maxLength: by.most, size: "max" }),
    list: changes(),
    repeat: fc.integer({ min: 1, max: 20 }),
  });
  return {
    name,
    reaches: "read",
    inputs: () =>
      input.map(({ base, more, list, repeat }) => {
        const items = more.reduce<readonly Node[]>(
          (all, { line, at }) => all.toSpliced(at % (all.length + 1), 0, lines[line] as Node),
          documents[base] ?? [],
        );
        const whole: Node = {
          kind: "lines",
          items: Array.from({ length: repeat }, () => [...items, ...by.between.map(leaf)]).flat(),
        };
        return { form: "text", document: bytesOf(mutate(whole, list, lines)), setting: null };
      }),
    judge({ document }) {
      try {
        for (const image of read(Buffer.from(document).toString())) {
          if (typeof image !== "string" || image === "") throw new Finding(`"${image}" is an image`);
        }
        return "read";
      } catch (error) {
        return refusal(error);
      }
    },
  };
}

const DOCKERFILE = [
  ...[
    "FROM alpine:3.20",
    "FROM a.example/b@sha256:${HASH} AS base",
    "FROM base",
    "FROM --platform=$BUILDPLATFORM golang AS build",
  ],
  ...["FROM ${IMAGE:-nginx}", "FROM $A", 'FROM "quoted" AS q', "from scratch", "FROM", "FROM x AS", "FROM x as y z"],
  ...[
    "ARG A=alpine",
    "ARG A=$A$A",
    "ARG IMAGE",
    "ARG B='x y' C=\"$A\"",
    `ARG HASH=${"0".repeat(64)}`,
    "ENV A=nginx B=$A",
    "ENV A nginx",
  ],
  ...[
    "COPY --from=build /a /b",
    "COPY --from=nginx:1 /a /b",
    "COPY --from=0 /a /b",
    "COPY --link --from=$A . .",
    "COPY <<EOF /x",
  ],
  ...[
    "RUN --mount=type=bind,from=nginx,target=/x true",
    "RUN --mount=from=$A,source=/ ls",
    "RUN <<EOF",
    "EOF",
    "RUN <<-'A' <<B",
    "A",
    "B",
  ],
  ...[
    "RUN echo \\",
    "  && true \\",
    "# comment",
    "",
    "  ",
    "\\",
    "`",
    "# escape=`",
    "# syntax=docker/dockerfile:1",
    "# check=skip=all",
  ],
  ...[
    "ONBUILD COPY --from=x a b",
    "ONBUILD FROM x",
    "LABEL a=b",
    "HEALTHCHECK CMD x",
    'SHELL ["x"]',
    "ADD --from=x a b",
    "\ufeffFROM x",
  ],
  ...[
    "FROM ${A%:*}",
    "FROM ${A##*/}",
    "FROM ${A/x/y}",
    "FROM ${A:+$B}",
    "FROM $$",
    "FROM \\$A",
    "FROM ${",
    "FROM ${A:?no}",
    "FROM\tx\v",
  ],
];

const YAML = [
  ...[
    "apiVersion: v1",
    "kind: Pod",
    "metadata: {name: x}",
    "spec:",
    "  containers:",
    "  - image: nginx",
    "    image: redis:7",
  ],
  ...[
    "  - {image: a.example/b, name: c}",
    "  initContainers: &a",
    "  - image: &i alpine",
    "  ephemeralContainers: *a",
    "    image: *i",
  ],
  ...[
    "    <<: *a",
    "    <<: [*a, *a]",
    "---",
    "...",
    "%YAML 1.1",
    "- &b [*b, *b]",
    "a: &a [x,x,x,x,x,x,x,x,x]",
    "b: &b [*a,*a,*a,*a,*a]",
  ],
  ...[
    "c: &c [*b,*b,*b,*b,*b]",
    "d: [*c,*c,*c,*c,*c]",
    '{"spec":{"containers":[{"image":"x"}]}}',
    "? [complex]",
    ": value",
    "  image: |",
    "    x",
  ],
  ...[
    "  image: >-",
    "  image: !!binary eA==",
    "  image: 0x10",
    "  image: ~",
    "  image: 'single'",
    '  image: "\\x41"',
    "  volumes:",
  ],
  ...[
    "  - image: {reference: nginx, pullPolicy: Always}",
    "# comment",
    "\timage: x",
    "  image : x",
    "  ? image\n  : x",
    "kind: List",
    "items:",
  ],
  ...[
    "- spec: {containers: [{image: y}]}",
    "  template: {spec: {containers: [{image: z}]}}",
    "\ufeffimage: x",
    "image: x # y",
    "image: x#y",
  ],
];

const DOCKERFILES = [
  "FROM alpine:3.20",
  "# syntax=docker/dockerfile:1\nARG V=3.20\nFROM alpine:${V} AS base\nRUN true\nFROM base\nCOPY --from=nginx:1 /a /b\nCOPY --from=base /x /y",
  'FROM golang:1 AS build\nWORKDIR /src\nRUN --mount=type=bind,from=redis,target=/r \\\n  go build \\\n  -o /app\nFROM scratch\nCOPY --from=build /app /app\nENTRYPOINT ["/app"]',
  "FROM a.example/b:1\nRUN <<EOF\nFROM hidden\nEOF\nCOPY <<-'X' /y\n\tFROM hidden\n\tX\nONBUILD COPY --from=busybox /a /b",
];

const MANIFESTS = [
  "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  initContainers:\n  - name: i\n    image: busybox:1\n  containers:\n  - name: c\n    image: nginx",
  "apiVersion: v1\nkind: List\nitems:\n- kind: Deployment\n  spec:\n    template:\n      spec:\n        containers:\n        - {name: c, image: a.example/b:1}\n---\nkind: Pod\nspec:\n  containers:\n  - image: redis",
  '{"kind":"Pod","spec":{"containers":[{"image":"nginx"}]}}\n{"kind":"Pod","spec":{"containers":[{"image":"redis"}]}}',
  "kind: Pod\nspec:\n  x: &a {image: nginx}\n  containers:\n  - <<: *a\n    name: b\n  - *a",
];

const IMAGE_FILES = [
  "# images of a release\nnginx:1.29\na.example/b@sha256:${HASH}\n\nregistry.example/team/app:v1 # the app".replace(
    "${HASH}",
    "0".repeat(64),
  ),
  'services:\n  web:\n    image: nginx:1.29\n    depends_on: [db]\n  db:\n    image: "postgres:18"\n  built:\n    build: .\n    image: a.example/built',
  'name: x\nservices: {web: {image: nginx}, api: {image: "${REGISTRY:-a.example}/api:${TAG}"}}\nvolumes: {data: {}}',
  "resources:\n- deployment.yaml\nimages:\n- name: nginx\n  newTag: '1.29'\n- name: app\n  newName: a.example/app\n  digest: sha256:x",
  "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages:\n- {name: app, newName: b.example/app, newTag: v2}",
  '["nginx", "a.example/b:v1"]',
  '[{"image": "nginx"}, {"image": "a.example/b:v1", "name": "b"}]',
  ...MANIFESTS,
  ...DOCKERFILES,
];

const IMAGE_LINES = [
  ...["nginx", "nginx:1.29 # web", "# comment", "", "a.example:5000/b:c@sha256:1", "FROM nginx", "ARG A", "---", "..."],
  ...[
    "{{ .Values.image }}",
    "image: {{ .Values.image }}",
    "- ${IMAGE}",
    "image: $IMAGE",
    "image: $$x",
    "    image: ${A:?no}",
  ],
  ...[
    "services:",
    "  web: &w",
    "  api: *w",
    "    <<: *w",
    "    image: redis",
    "    image: 'it''s'",
    '    image: "a\\x41"',
  ],
  ...["    image: >-", "      nginx", "    build: {context: .}", "    extends: {service: web}", "include: [x.yaml]"],
  ...[
    "images:",
    "- name: x",
    "  newTag: 'y'",
    "  newTag: 1.20",
    "  newName: z",
    "  digest: sha256:0",
    "  tagSuffix: -x",
  ],
  ...[
    '"nginx",',
    '["x"]',
    "[",
    "]",
    '{"image": "y"}',
    "null",
    "\ufeffnginx",
    "nginx\r",
    "\tnginx",
    "kind: Kustomization",
  ],
];

/** Replaces every tag by a digest, and reads the result. What follows an `@` is judged when the image is opened. */
function pinned(document: string): readonly string[] {
  const options = { path: "images", env: {} };
  const read = readImages(document, options);
  const digest = `sha256:${"a".repeat(64)}`;
  const text = pinImages(document, { read, options, digestOf: () => digest });
  const images = readImages(text, { ...options, format: read.format }).images.map(({ image }) => image);
  for (const image of images) if (!image.includes("@")) throw new Finding(`${image} is not pinned`);
  return images;
}

export const SOURCE_TARGETS: readonly Target[] = [
  text({
    ...{ name: "dockerfiles", documents: DOCKERFILES, lines: DOCKERFILE, most: 30, between: [] },
    read(document) {
      const options = { path: "Dockerfile", env: { IMAGE: "redis", A: "busybox" } };
      dockerfileImages(document, { ...options, baseOnly: false });
      return dockerfileImages(document, { ...options, baseOnly: true }).images;
    },
  }),
  text({
    ...{ name: "kubernetes", documents: MANIFESTS, lines: YAML, most: 2, between: ["---"] },
    read: (document) => manifestImages(document, "manifest.yaml"),
  }),
  text({
    ...{ name: "image files", documents: IMAGE_FILES, lines: IMAGE_LINES, most: 4, between: [] },
    read: (document) => readImages(document, { path: "images", env: {} }).images.map(({ image }) => image),
  }),
  text({
    ...{ name: "pinned files", documents: IMAGE_FILES, lines: IMAGE_LINES, most: 3, between: [] },
    read: pinned,
  }),
];
