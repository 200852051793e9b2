import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { dockerfileImages } from "./dockerfile.ts";

const find = (
  text: string,
  { env = {}, baseOnly = false }: { env?: Record<string, string>; baseOnly?: boolean } = {},
) => dockerfileImages(text, { path: "D", env, baseOnly }).images;

test("every image of a build is found, none twice", () => {
  const cases: [text: string, images: string[]][] = [
    ["FROM a", ["a"]],
    ["from a\nFrOm b AS x\n", ["a", "b"]],
    ["FROM --platform=$BUILDPLATFORM a AS x\nFROM x\nFROM X", ["a"]],
    ["FROM a\nFROM a", ["a"]],
    ["FROM scratch\nCOPY --from=b /x /x", ["b"]],
    ["FROM a AS s\nCOPY --from=s . .\nCOPY --from=0 . .\nCOPY --chown=1:1 --from=b . .", ["a", "b"]],
    ["FROM a\nCOPY --from=1 . .", ["a", "1"]],
    ["FROM a\nRUN --mount=type=bind,target=/x,from=b --mount=type=cache,FROM=c true", ["a", "b", "c"]],
    ["FROM a\nONBUILD COPY --from=b . .", ["a", "b"]],
    ["FROM a AS s\nFROM b AS s\nFROM s", ["a", "b"]],
    ['FROM "a"\nCOPY "--from=b" . .\nCOPY --fro\\m=c . .', ["a", "b", "c"]],
    ["\uFEFFFROM a\r\nFROM b\r\n", ["a", "b"]],
  ];
  for (const [text, images] of cases) assert.deepEqual(find(text), images, text);
});

test("what looks like an instruction and is none counts for nothing", () => {
  assert.deepEqual(find("# FROM x\n  # FROM y\nFROM a\nRUN echo FROM b \\\n FROM c"), ["a"]);
  assert.deepEqual(find("FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c"), ["a", "c"]);
  assert.deepEqual(find("FROM a\nRUN <<-'EOF' cat\nFROM b\n\tEOF\nFROM c"), ["a", "c"]);
  assert.deepEqual(find("FROM a\nCOPY <<one <<two /x\nFROM b\none\nFROM c\ntwo\nFROM d"), ["a", "d"]);
});

test("what does not look like an instruction and is one counts", () => {
  assert.deepEqual(find("FROM \\\n# note\n\n  a \\\n  AS x"), ["a"]);
  assert.deepEqual(find("FROM a\nRUN true \\\\\nFROM b"), ["a", "b"], "two backslashes continue nothing");
  assert.deepEqual(find('FROM a\nRUN echo "<<x"\nFROM b\nRUN true && \\\nx'), ["a", "b"], "quoted");
  assert.deepEqual(find("FROM a\nRUN echo ' <<x '\nFROM b\nRUN true && \\\nx"), ["a", "b"], "quoted");
  assert.deepEqual(find('FROM a\nRUN echo \\" <<x\nFROM b\nx\nFROM c'), ["a", "c"], "a quote that is escaped");
  assert.deepEqual(find("FROM a\nENV X=<<x\nFROM b\nx"), ["a", "b"], "ENV takes no here-documents");
  assert.deepEqual(find("FROM a\nRUN echo $((1<<x))\nFROM b\nx"), ["a", "b"]);
  assert.deepEqual(find("# escape=`\nFROM a\nRUN dir C:\\\nFROM `\nb"), ["a", "b"]);
  assert.deepEqual(find("# note\n# escape=`\nFROM a\\\n:v1"), ["a:v1"], "after a comment it is no directive");
});

test("build arguments have their default, else the environment's value", () => {
  const arg = "ARG V=v1\nARG W\nFROM a:$V\nFROM b:${W}";
  assert.deepEqual(find(arg, { env: { V: "v9", W: "w1" } }), ["a:v1", "b:w1"]);
  assert.deepEqual(find("ARG A=x B=${A}y\nFROM i:$B"), ["i:xy"]);
  assert.deepEqual(find("FROM i:${V:-latest}"), ["i:latest"]);
  assert.deepEqual(find("FROM i:${V-latest}", { env: { V: "1" } }), ["i:1"]);
  assert.deepEqual(find("FROM i${V:+-debug}", { env: { V: "1" } }), ["i-debug"]);
  assert.deepEqual(find("FROM a\nARG S=$NONE\nARG T=b\nRUN --mount=from=$T true"), ["a", "b"]);
});

test("what ARG and ENV set holds in its stage, and elsewhere where the build knows nothing else", () => {
  assert.deepEqual(find("FROM a\nENV T=b\nCOPY --from=$T . ."), ["a", "b"]);
  assert.deepEqual(find("FROM a\nENV T b:1\nCOPY --from=$T . ."), ["a", "b:1"]);
  assert.deepEqual(find("FROM a\nARG T=b\nENV T=c\nCOPY --from=$T . ."), ["a", "c"]);
  assert.deepEqual(find("ENV A=a B=b\nFROM $A\nFROM $B"), ["a", "b"]);
  assert.deepEqual(find("FROM a\nARG T=b\nFROM $T"), ["a", "b"]);
  assert.deepEqual(find("ARG T=c\nFROM a\nENV T=b\nFROM $T"), ["a", "c"], "what FROM sees comes first");
  assert.deepEqual(find("FROM a\nENV T=b\nFROM $T", { env: { T: "c" } }), ["a", "c"]);
  for (const text of ["ARG T\nFROM a\nENV T=b\nFROM $T", "FROM a\nARG TARGETARCH=b\nFROM $TARGETARCH"]) {
    assert.throws(() => find(text), /the build argument T\w* has no value/, "the build is given it");
  }
  assert.throws(() => find("FROM $T\nENV T=b"), /D:1: the build argument T has no value/);
});

test("--base-image-only: what the last stage stands on", () => {
  const base = (text: string) => find(text, { baseOnly: true });
  assert.deepEqual(base("FROM a AS s\nFROM b\nCOPY --from=s . ."), ["b"]);
  assert.deepEqual(base("FROM a AS s\nFROM b AS t\nFROM s AS u\nFROM u"), ["a"]);
  assert.deepEqual(base("FROM a AS s\nFROM scratch\nCOPY --from=s . ."), ["a"]);
});

test("a Dockerfile that cannot be understood is refused", () => {
  const cases: [text: string, reason: RegExp][] = [
    ["", /no images found in D/],
    ["RUN true", /no images found in D/],
    ["FROM scratch", /no images found in D/],
    ["FROM", /D:1: FROM takes an image/],
    ["\nFROM a b", /D:2: FROM takes an image, and AS a name/],
    ["FROM a # note", /FROM takes an image/],
    ["FROM a:$V", /the build argument V has no value/],
    ["ARG V=\nFROM $V", /cannot tell what \$V is/],
    ["FROM ${V/a/b}", /cannot tell what/],
    ["FROM a\nRUN <<EOF\nFROM b", /D:2: the here-document has no end, EOF/],
    ["# escape=x\nFROM a", /"x" cannot be the escape/],
  ];
  for (const [text, reason] of cases) {
    assert.throws(
      () => find(text),
      (error) => error instanceof TsignError && error.code === "input" && reason.test(error.message),
      text,
    );
  }
});

test("what is passed over is said", () => {
  const { notices } = dockerfileImages("FROM a AS s\nFROM scratch\nCOPY --from=s . .", {
    path: "D",
    env: {},
    baseOnly: false,
  });
  assert.deepEqual(notices, ["- scratch image ignored", "- stage reference ignored: s"]);
});
