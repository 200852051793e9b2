import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { type DockerfileOptions, dockerfileImages } from "./dockerfile.ts";
import { isDockersFrontend } from "./dockerfile-frontend.ts";

const read = (text: string | Uint8Array, options: Partial<DockerfileOptions> = {}) =>
  dockerfileImages(text, { path: "D", env: {}, baseOnly: false, ...options });
const find = (text: string, options: Partial<DockerfileOptions> = {}) => read(text, options).images;
const refuses = (text: string | Uint8Array, reason: RegExp, options: Partial<DockerfileOptions> = {}) =>
  assert.throws(
    () => read(text, options),
    (error) => error instanceof TsignError && ["input", "limit"].includes(error.code) && reason.test(error.message),
    typeof text === "string" ? text.slice(0, 200) : "bytes",
  );

test("dockerfileImages: a build -> each of its images once", () => {
  const cases: [text: string, images: string[]][] = [
    ["FROM a", ["a"]],
    ["from a\nFrOm b AS x\n", ["a", "b"]],
    ["FROM --platform=$BUILDPLATFORM a AS x\nFROM x\nFROM x", ["a"]],
    ["FROM a\nFROM a", ["a"]],
    ["FROM scratch\nCOPY --from=b /x /x", ["b"]],
    ["FROM a AS s\nCOPY --from=s . .\nCOPY --from=0 . .\nCOPY --chown=1:1 --from=b . .", ["a", "b"]],
    ["FROM a\nCOPY --from=1 . .", ["a", "1"]],
    ["FROM a\nRUN --mount=type=bind,target=/x,from=b --mount=type=cache,FROM=c true", ["a", "b", "c"]],
    ["FROM a\nONBUILD COPY --from=b . .", ["a", "b"]],
    ["FROM a AS s\nFROM b AS s\nFROM s", ["a", "b"]],
    ['FROM "a"\nCOPY --from="b" . .\nCOPY --fro\\m=c . .', ["a", "b", "c"]],
    ['FROM a\nCOPY "--from=b" . .', ["a"]], // to BuildKit it is a file

    ["\uFEFFFROM a\r\nFROM b\r\n", ["a", "b"]],
  ];
  for (const [text, images] of cases) assert.deepEqual(find(text), images, text);
});

test("dockerfileImages: stage names -> case matters in FROM only, and numbers count in COPY only", () => {
  assert.deepEqual(find("FROM a AS S\nCOPY --from=s . .\nRUN --mount=from=S true"), ["a"]);
  assert.deepEqual(find("FROM a AS x\nFROM X"), ["a", "X"], "BuildKit refuses X as an image");
  assert.deepEqual(find("FROM a AS x\nRUN --mount=from=0 true"), ["a", "0"]);
  assert.deepEqual(find("FROM a AS x\nCOPY --from=+0 . .\nCOPY --from=-1 . ."), ["a", "-1"]);
  assert.deepEqual(find("FROM a\nCOPY --from=b . .\nFROM c AS b"), ["a", "b", "c"], "a later stage is none yet");
  refuses("FROM a AS 1", /D:1: 1 is not a valid stage name/);
});

test("dockerfileImages: text that only looks like an instruction -> ignored", () => {
  assert.deepEqual(find("# FROM x\n  # FROM y\nFROM a\nRUN echo FROM b \\\n FROM c"), ["a"]);
  assert.deepEqual(find("FROM a\nRUN <<EOF\nFROM b\nEOF\nFROM c"), ["a", "c"]);
  assert.deepEqual(find("FROM a\nRUN <<-'EOF' cat\nFROM b\n\tEOF\nFROM c"), ["a", "c"]);
  assert.deepEqual(find("FROM a\nCOPY <<one <<two /x\nFROM b\none\nFROM c\ntwo\nFROM d"), ["a", "d"]);
  assert.deepEqual(find("FROM a\nONBUILD RUN <<EOF\nFROM b\nEOF\nFROM c"), ["a", "c"]);
  assert.deepEqual(find("FROM a\nRUN 3<< EOF\nFROM b\nEOF\nFROM c"), ["a", "c"]);
});

test("dockerfileImages: an instruction that does not look like one -> read", () => {
  assert.deepEqual(find("FROM \\\n# note\n\n  a \\\n  AS x"), ["a"]);
  assert.deepEqual(find("FROM a\nRUN true \\\\\nFROM b"), ["a", "b"], "two backslashes continue nothing");
  assert.deepEqual(find('FROM a\nRUN echo "<<x"\nFROM b\nRUN true && \\\nx'), ["a", "b"], "quoted");
  assert.deepEqual(find("FROM a\nRUN echo ' <<x '\nFROM b\nRUN true && \\\nx"), ["a", "b"], "quoted");
  assert.deepEqual(find('FROM a\nRUN echo \\" <<x\nFROM b\nx\nFROM c'), ["a", "c"], "a quote that is escaped");
  refuses("FROM a\nENV X=<<x\nFROM b\nx", /D:4: unknown instruction X/);
  assert.deepEqual(find("FROM a\nENV X=<<x\nFROM b\n# x"), ["a", "b"], "ENV takes no here-documents");
  assert.deepEqual(find("FROM a\nRUN echo $((1<<x))\nFROM b"), ["a", "b"]);
  assert.deepEqual(find("# escape=`\nFROM a\nRUN dir C:\\\nFROM `\nb"), ["a", "b"]);
  assert.deepEqual(find("# note\n# escape=`\nFROM a\\\n:v1"), ["a:v1"], "after a comment it is no directive");
});

test("dockerfileImages: a directive after an unknown one -> ignored", () => {
  const file = (head: string) => `${head}\nFROM a\nRUN echo \`\nFROM b\nRUN true\n`;
  for (const head of [
    "# maintainer=me\n# escape=`",
    "\n# escape=`",
    "# c\n# escape=`",
    "#!/x\n# escape=`",
    "FROM x\n# escape=`",
  ]) {
    assert.ok(find(file(head)).includes("b"), head);
  }
  for (const head of ["# escape=`", "# check=skip=all\n#Escape = ` ", "  # escape=`", "# check= \n# escape=`"]) {
    assert.deepEqual(find(file(head)), ["a"], head);
  }
  refuses(file("# escape=`\n# escape=`"), /D:2: duplicate directive escape/);
  refuses(file("# escape=x"), /D:1: "x" is not a valid escape character/);
});

test("dockerfileImages: invalid shell syntax, an empty name or a JSON list -> no here-document", () => {
  assert.deepEqual(find("FROM a\nRUN echo <<#x it's\nFROM b\nRUN true\n#x"), ["a", "b"]);
  assert.deepEqual(find("FROM a\nRUN echo <<#x its\nFROM b\nRUN true\n#x"), ["a"], "this one lexes");
  assert.deepEqual(find("FROM a\nRUN cat <<''\nFROM b\n"), ["a", "b"]);
  assert.deepEqual(find('FROM a\nRUN ["x", "<<E"]\nFROM b\n'), ["a", "b"]);
  assert.deepEqual(find("FROM a\nRUN cat <<<x\nFROM b\n"), ["a", "b"]);
  assert.deepEqual(find("# escape=`\nFROM a\nRUN echo \\' <<x\nFROM b\nx"), ["a"], "its escape is always a backslash");
  refuses("FROM a\nRUN <<EOF\nFROM b", /D:2: here-document has no end marker EOF/);
  refuses("FROM a\nRUN <<'EO\nFROM b\nEO", /unknown instruction EO/);
});

test("dockerfileImages: the options of a mount -> comma-separated values with quotes", () => {
  const mount = (options: string) => find(`FROM a\nRUN --mount=${options} true`);
  assert.deepEqual(mount('type=bind,\\"from=b\\",target=/x'), ["a", "b"]);
  assert.deepEqual(mount('\\"source=x,y\\",from=b'), ["a", "b"]);
  assert.deepEqual(mount('\\"source=a\\"\\"b,from=c\\",target=/x'), ["a"], "in quotes it is no option");
  assert.deepEqual(mount('"from=b"'), ["a", "b"], "these quotes are the instruction's");
  for (const options of ['from=\\"b\\"', '\\"from=b', '\\"from=b\\"x', "", "from=$X,ro", "form=b"]) {
    refuses(`FROM a\nARG X\nRUN --mount=${options} true`, /D:3: .*--mount/);
  }
});

test("dockerfileImages: variables, quotes or escapes in COPY --from, or --from in another instruction -> refused", () => {
  for (const name of ["$T", "\\'b\\'", '\\"b\\"', "b\\\\c", "${T:-b}", "b\u00e9"]) {
    refuses(`FROM a\nENV T=b\nCOPY --from=${name} . .`, /D:3: /);
  }
  refuses("FROM a\nADD --from=b . .", /D:2: ADD has no option --from/);
  refuses("FROM a\nCOPY --from=b --from=c . .", /duplicate option --from/);
  refuses("FROM a\nCOPY --form=b . .", /COPY has no option --form/);
  refuses("FROM a\nINCLUDE b", /D:2: unknown instruction INCLUDE/);
  assert.deepEqual(find("FROM a\nCOPY -- --from=b /x"), ["a"], "after -- it is a file");
  assert.deepEqual(find("FROM a\nRUN -- --mount=from=b"), ["a"]);
  assert.deepEqual(find("ARG --from=x T=b\nFROM $T"), ["b"], "ARG passes over options");
});

test("dockerfileImages: ONBUILD -> read without the file's directives, as in a later build", () => {
  assert.deepEqual(find("# escape=`\nFROM a\nONBUILD COPY --from=b\\c . ."), ["a", "bc"]);
  assert.deepEqual(find("FROM a\nONBUILD RUN --mount=from=b <<EOF\nx\nEOF"), ["a", "b"]);
  refuses("FROM a\nONBUILD ONBUILD RUN x", /ONBUILD cannot contain ONBUILD/);
  refuses("FROM a\nONBUILD FROM b", /ONBUILD cannot contain FROM/);
});

test("dockerfileImages: a build argument -> its default, otherwise the environment's value", () => {
  const arg = "ARG V=v1\nARG W\nFROM a:$V\nFROM b:${W}";
  assert.deepEqual(find(arg, { env: { V: "v9", W: "w1" } }), ["a:v1", "b:w1"]);
  assert.deepEqual(find("ARG A=x B=${A}y\nFROM i:$B"), ["i:xy"]);
  assert.deepEqual(find("FROM i:${V:-latest}"), ["i:latest"]);
  assert.deepEqual(find("ARG V\nFROM i:${V-latest}", { env: { V: "1" } }), ["i:1"]);
  assert.deepEqual(find("ARG V\nFROM i${V:+-debug}", { env: { V: "1" } }), ["i-debug"]);
  assert.deepEqual(find("ARG V=\nFROM i:${V-x}y${V:-z}"), ["i:yz"]);
  assert.deepEqual(find("ARG V='a b' W='c'\nFROM $W"), ["c"]);
});

test("dockerfileImages: an argument in FROM -> only those declared before the first FROM count", () => {
  const env = { T: "good" };
  assert.deepEqual(find("FROM a AS one\nARG T=a\nFROM ${T:-evil}"), ["a", "evil"]);
  assert.deepEqual(find("FROM a\nENV T=a\nFROM ${T:-evil}", { env }), ["a", "evil"]);
  assert.deepEqual(find("FROM ${T:-evil}", { env }), ["evil"], "it is not declared");
  assert.deepEqual(find("ARG T\nFROM ${T:-evil}", { env }), ["good"]);
  assert.deepEqual(find("ARG T=c\nFROM a\nARG T=b\nFROM $T"), ["a", "c"]);
  refuses("ENV A=a\nFROM $A", /D:1: ENV before the first FROM/);
});

test("dockerfileImages: an argument without a value -> empty, with a notice; without an image left -> refused", () => {
  const { images, notices } = read("ARG S\nFROM a$S");
  assert.deepEqual(images, ["a"]);
  assert.deepEqual(notices, ["- build argument without a value is empty: S"]);
  for (const text of [
    "ARG V\nFROM a:$V",
    "FROM $V",
    "ARG V\nFROM a:$V-slim",
    "FROM $V/a",
    "FROM a\nENV V=b\nFROM $V",
  ]) {
    refuses(text, /D:\d: the build argument V has no value/);
  }
  refuses("ARG V=\nFROM $V", /D:2: cannot resolve \$V/);
});

test("dockerfileImages: the arguments for the platform -> have values", () => {
  const text = "FROM a AS x-linux\nFROM b AS x-windows\nFROM x-$TARGETOS AS x\nFROM c-$BUILDARCH$TARGETVARIANT";
  assert.deepEqual(find(text), ["a", "b", "c-amd64"]);
  assert.deepEqual(find(text, { platform: "linux/arm/v7" }), ["a", "b", "c-armv7"]);
  assert.deepEqual(find(text, { env: { TARGETOS: "windows", BUILDARCH: "s390x" } }), ["a", "b", "c-s390x"]);
  assert.deepEqual(
    find(text, { env: { TARGETOS: "plan9" } }),
    ["a", "b", "x-plan9", "c-amd64"],
    "no stage has that name",
  );
  assert.deepEqual(
    read(text).notices.filter((notice) => /platform/.test(notice)),
    ["- build platform assumed: linux/amd64"],
  );
  assert.deepEqual(find("ARG TARGETARCH=x\nFROM a-$TARGETARCH"), ["a-x"]);
  assert.deepEqual(find("FROM a-$TARGETSTAGE AS last"), ["a-last"]);
  assert.deepEqual(find("FROM a-$TARGETSTAGE"), ["a-default"]);
});

test("dockerfileImages: patterns in arguments -> match as in the shell", () => {
  const cases: [expression: string, value: string][] = [
    ["${V#*-}", "b-c"],
    ["${V##*-}", "c"],
    ["${V%-*}", "a-b"],
    ["${V%%-*}", "a"],
    ["${V#a-?-}", "c"],
    ["${V/-/_}", "a_b-c"],
    ["${V//-/_}", "a_b_c"],
    ["${V//-?/x}", "axx"],
    ["${V#x}", "a-b-c"],
    ["${V/b*/d}", "a-d"],
    ["${V:+${W:-w}}", "w"],
    ['"${V}"', "a-b-c"],
    ["${V}'$V'", "a-b-c$V"],
  ];
  for (const [expression, value] of cases)
    assert.deepEqual(find(`ARG V=a-b-c\nARG T=${expression}\nFROM i${"$T"}`), [`i${value}`]);
  for (const expression of ["${V", "${V!x}", "${V:#x}", "${}", "${V?unset}", "${A#\\x}", "'", '"', "${V//a/\\$1}"]) {
    refuses(`FROM i${expression}`, /D:1: cannot expand/);
  }
});

test("isDockersFrontend: Docker's own frontends -> true; any other -> false", () => {
  for (const own of ["docker/dockerfile:1", "docker/dockerfile", "docker.io/docker/dockerfile:1.7-labs"]) {
    assert.equal(isDockersFrontend(own), true, own);
  }
  assert.equal(isDockersFrontend("index.docker.io/docker/dockerfile-upstream:master"), true);
  const others = [
    "dockerfile:1",
    "evil/docker/dockerfile:1",
    "reg.example/docker/dockerfile:1",
    "docker/dockerfile2:1",
  ];
  for (const other of [...others, "docker/dockerfile/x:1", "docker.io.evil/docker/dockerfile", "Docker/dockerfile"]) {
    assert.equal(isDockersFrontend(other), false, other);
  }
});

test("dockerfileImages: a syntax directive where BuildKit finds it -> the frontend is one of the images", () => {
  const found = (head: string, options: Partial<DockerfileOptions> = {}) => read(`${head}FROM a\n`, options);
  for (const head of [
    "# syntax=f\n",
    "#syntax = f \n",
    "#Syntax=f x y\r\n",
    "#!/x\n# syntax=f\n",
    "# check=x\n# syntax=f\n",
    "\uFEFF# syntax=f\n",
  ]) {
    assert.deepEqual(found(head).images, ["f", "a"], head);
  }
  for (const head of ["# c\n# syntax=f\n", "\n# syntax=f\n", " # syntax=f\n", "# syntaxes=f\n"]) {
    assert.deepEqual(found(head).images, ["a"], head);
  }
  assert.deepEqual(found("# syntax=f\n", { baseOnly: true }).images, ["f", "a"]);
  const ignored = found("# syntax=f\n", { ignoreFrontend: () => true });
  assert.deepEqual([ignored.images, ignored.frontend], [["a"], "f"]);
  assert.deepEqual(find("# syntax=a\nFROM a", { ignoreFrontend: () => true }), ["a"], "it is built on as well");
  refuses("# maintainer=me\n# syntax=f\nFROM a", /D:2: not every version of BuildKit uses f as the frontend/);
  refuses("// syntax=f\nFROM a", /D:1: not every version of BuildKit uses f/);
  refuses('{"syntax": "f"}', /D requires the frontend f/);
});

test("dockerfileImages: baseOnly -> the base image of the last stage", () => {
  const base = (text: string) => find(text, { baseOnly: true });
  assert.deepEqual(base("FROM a AS s\nFROM b\nCOPY --from=s . ."), ["b"]);
  assert.deepEqual(base("FROM a AS s\nFROM b AS t\nFROM s AS u\nFROM u"), ["a"]);
  assert.deepEqual(base("FROM a AS s\nFROM scratch\nCOPY --from=s . .\nCOPY --from=b . ."), ["a"]);
});

test("dockerfileImages: a character that parsers read differently -> refused, with its line and name", () => {
  const bad = [
    "\u0085",
    "\u2028",
    "\u2029",
    "\uFEFF",
    "\v",
    "\f",
    "\0",
    "\u200B",
    "\u202E",
    "\u2066",
    "\r",
    "\u00A0",
    "\u3000",
    "\x7f",
  ];
  for (const character of bad) {
    refuses(`FROM a\nRUN echo${character}x\n`, /D:2: U\+[0-9A-F]{4}.* is read differently/);
    refuses(`FROM a\nRUN echo \\\n${character}# c\nFROM b\nRUN true\n`, /D:3: U\+/);
    refuses(`FROM${character}a\nFROM b`, /D:1: U\+/);
    refuses(`# c\nFROM a\nRUN echo${character}x\n`, /D:3: U\+/);
  }
  for (const character of ["\u0085", "\u2028", "\uFEFF", "\u202E", "\r"]) {
    refuses(`FROM a\n# c${character}FROM b\n`, /D:2: U\+/);
  }
  refuses("FROM a\r\r\n", /D:1: U\+000D \(carriage return\)/);
  assert.deepEqual(find("# caf\u00e9\u00a0\u3000 \u{1F469}\u200D\u{1F4BB}\nFROM a\nLABEL x=\u00fc\u{1F600}\u200D\n"), [
    "a",
  ]);
  refuses(Buffer.from([...Buffer.from("FROM a\n# \n"), 0xe9]), /D:3: line is not valid UTF-8/);
  refuses(Buffer.from("\uFEFFFROM a", "utf16le"), /D is UTF-16 text/);
});

test("dockerfileImages: an invalid Dockerfile -> refused", () => {
  const cases: [text: string, reason: RegExp][] = [
    ["", /no images found in D/],
    ["RUN true", /D:1: RUN before the first FROM/],
    ["FROM scratch", /no images found in D/],
    ["FROM", /D:1: expected FROM IMAGE/],
    ["\nFROM a b", /D:2: expected FROM IMAGE \[AS NAME\]/],
    ["FROM a # note", /expected FROM IMAGE/],
    ["FROM a\nFOO x", /D:2: unknown instruction FOO/],
    ["FROM a\n\u00ef", /D:2: \u00ef is not an instruction/],
    ["FROM a\n\\\n", /D:2: an empty line is not an instruction/],
  ];
  for (const [text, reason] of cases) refuses(text, reason);
});

test("dockerfileImages: endless growth, nesting or repetition -> refused without delay", () => {
  const doubled = `ARG A=aaaaaaaaaaaaaaaa\n${"ARG A=$A$A\n".repeat(40)}FROM $A`;
  refuses(doubled, /D:\d+: build argument is longer than 65536 characters/);
  refuses(`FROM ${"${A:-".repeat(100)}${"}".repeat(100)}`, /nested deeper than 40/);
  refuses(`ARG V=${"ab".repeat(20_000)}\n${"ARG W=${V##*a*b*c}\n".repeat(1000)}FROM a`, /patterns take too long/);
  refuses(`FROM a\nRUN ${"x".repeat(70_000)}`, /D:2: line is longer than 65535 bytes/);
  refuses("x".repeat(5_000_000), /larger than 4194304 bytes/);
  const many: [name: string, text: string][] = [
    ["stages", Array.from({ length: 60_000 }, (_, index) => `FROM a AS s${index}\n`).join("")],
    ["continuations", `FROM a\nRUN x \\\n${"y \\\n".repeat(400_000)}z`],
    ["comments in a continuation", `FROM a\nRUN x \\\n${"# y\n".repeat(400_000)}z`],
    ["spaces", `FROM a\n${`RUN x${" ".repeat(60_000)}<<x${" ".repeat(5)}y\nx\n`.repeat(50)}`],
    ["here-documents", `FROM a\n${"RUN <<A\nA\n".repeat(100_000)}`],
    ["arguments", `${"ARG A=$B$C$D\n".repeat(200_000)}FROM a`],
    ["copies", `FROM a AS s\n${"COPY --from=s x y\n".repeat(150_000)}`],
    ["quotes", `FROM a\nRUN ${'"\\'.repeat(20_000)}"<<\n`],
    ["backslashes", `FROM a\n${`RUN ${"\\ ".repeat(30_000)}x\n`.repeat(60)}`],
  ];
  for (const [name, text] of many) {
    const start = process.cpuUsage();
    assert.ok(find(text).includes("a"), name);
    const { user, system } = process.cpuUsage(start);
    assert.ok((user + system) / 1e6 < 2, `${name}: ${(user + system) / 1e6} s of CPU`);
  }
});

test("dockerfileImages: ignored names -> notices", () => {
  const { notices } = read("FROM a AS s\nFROM scratch\nCOPY --from=s . .");
  assert.deepEqual(notices, ["- scratch image ignored", "- stage reference ignored: s"]);
});

/** The images of a Dockerfile, or the error's message. */
const outcome = (text: string, options: Partial<DockerfileOptions> = {}): string => {
  try {
    return find(text, options).join(" ");
  } catch (error) {
    return error instanceof TsignError ? error.message : String(error);
  }
};

test("dockerfileImages: FROM without an image, or with an invalid stage name -> refused", () => {
  for (const name of ["x", "X", "a-b_c.1", "as"])
    assert.equal(outcome(`FROM a AS ${name}\nFROM ${name.toLowerCase()}`), "a");
  for (const name of ["1a", "-a", "a/b", "a:b", "_a", "a$B"]) {
    assert.equal(outcome(`FROM b\nFROM a AS ${name}`), `D:2: ${name} is not a valid stage name`);
  }
  for (const rest of ["a AS", "a IS b", "a AS b c", "a b", "a AS b # c", ""]) {
    assert.equal(outcome(`FROM ${rest}`), "D:1: expected FROM IMAGE [AS NAME]", rest);
  }
  assert.equal(outcome("FROM a\t as  b\nFROM b"), "a");
});

test("dockerfileImages: a number in COPY --from -> the stage with that number", () => {
  const copies = (name: string) => outcome(`FROM a\nFROM b\nCOPY --from=${name} . .`);
  for (const stage of ["0", "1", "+1", "-0", "00", "000000000000001"]) assert.equal(copies(stage), "a b", stage);
  for (const image of ["2", "-1", "0000000000000001", "1a", "a1", "++1"])
    assert.equal(copies(image), `a b ${image}`, image);
});

test("dockerfileImages: an error -> has the line of its instruction", () => {
  assert.equal(outcome("\nENV a=b\nFROM a"), "D:2: ENV before the first FROM");
  assert.equal(outcome("ARG A=a\nFROM $A\nARG A=b\n\nFROM ${A"), "D:5: cannot expand ${A: unsupported modifier ");
  assert.equal(outcome("FROM a\nONBUILD COPY --form=b c"), "D:2: COPY has no option --form");
  assert.equal(outcome("FROM a\nONBUILD COPY --from=b c"), "a b");
  assert.equal(outcome("ARG\nFROM a"), "D:1: ARG requires a name");
  assert.equal(outcome("FROM scratch"), "no images found in D");
  assert.equal(outcome("# syntax=f\nFROM scratch"), "no images found in D");
});

test("dockerfileImages: baseOnly with scratch, or with a stage based on another -> the image below it", () => {
  const base = (text: string) => outcome(text, { baseOnly: true });
  assert.equal(base("FROM a\nFROM b\nCOPY --from=c . ."), "b");
  assert.equal(base("FROM a AS x\nFROM b\nFROM x"), "a");
  assert.equal(base("FROM scratch AS x\nFROM a\nFROM x"), "a");
  assert.equal(base("FROM scratch\nCOPY --from=a . ."), "no images found in D");
});

test("dockerfileImages: each character that parsers read differently -> refused; any other -> accepted", () => {
  const codes = [
    ...[
      0, 1, 8, 0x0b, 0x0c, 0x0e, 0x1f, 0x7f, 0x80, 0x9f, 0x61c, 0x180e, 0x200b, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a,
    ],
    ...[0x202e, 0x2060, 0x2066, 0x2069, 0xfeff],
  ];
  const spaces = [0xa0, 0x1680, 0x2000, 0x200a, 0x202f, 0x205f, 0x3000];
  const name = (code: number) => `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const code of [...codes, ...spaces]) {
    const message = outcome(`FROM a\n# c\n\nRUN x${String.fromCodePoint(code)}`);
    assert.ok(message.startsWith(`D:4: ${name(code)}`), `${name(code)}: ${message}`);
    assert.ok(message.endsWith(" is read differently by different Dockerfile parsers"), message);
  }
  for (const code of codes) {
    assert.ok(outcome(`FROM a\n# ${String.fromCodePoint(code)}`).startsWith(`D:2: ${name(code)}`), name(code));
  }
  for (const code of spaces) {
    const space = String.fromCodePoint(code);
    assert.equal(outcome(`# ${space}\n \t#${space}\nFROM a\n#${space}`), "a", name(code));
    assert.ok(outcome(`FROM a\nRUN b # ${space}`).startsWith(`D:2: ${name(code)}`), name(code));
    assert.ok(outcome(`FROM a\n${space}# c`).startsWith(`D:2: ${name(code)}`), name(code));
  }
  for (const code of [9, 0x7e, 0xa1, 0x61b, 0x200d, 0x2010, 0x2030, 0x206a, 0xfffd]) {
    assert.equal(outcome(`FROM a\nRUN x${String.fromCodePoint(code)}`), "a", name(code));
  }
  assert.equal(outcome("FROM a\r\nRUN b\r\n"), "a");
  assert.ok(outcome("FROM a\nRUN b\rRUN c").startsWith("D:2: U+000D"));
  assert.ok(outcome("FROM a\nRUN b\r").startsWith("D:2: U+000D"));
  assert.equal(outcome("\uFEFFFROM a"), "a");
  assert.ok(outcome("\vFROM a").startsWith("D:1: U+000B"));
  assert.ok(outcome("\uFEFF\uFEFFFROM a").startsWith("D:1: U+FEFF"));
  assert.ok(outcome("FROM a\n\uFEFFRUN b").startsWith("D:2: U+FEFF"));
  assert.throws(() => read("FROM a\n\v"), { hint: "remove the character" });
});

test("dockerfileImages: a Dockerfile of 4 MiB -> read; a larger one -> refused", () => {
  const size = 4 * 1024 * 1024;
  const text = `FROM a\n${`#${"x".repeat(65_000)}\n`.repeat(70)}`;
  assert.equal(outcome(text.slice(0, size)), "a");
  assert.equal(outcome(text.slice(0, size + 1)), `D is larger than ${size} bytes`);
});
