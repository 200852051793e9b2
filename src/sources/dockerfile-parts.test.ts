import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { DockerfileArguments } from "./dockerfile-arguments.ts";
import { frontendImage } from "./dockerfile-frontend.ts";
import { heredocsOf, takesDocuments } from "./dockerfile-heredocs.ts";
import { directive, type Instruction, readInstructions } from "./dockerfile-lines.ts";
import { readSources } from "./dockerfile-options.ts";

/** An instruction on one line: `LINE KEYWORD [flags] rest`, and `=> trigger`. */
function show({ line, keyword, flags, rest, trigger }: Instruction): string {
  return `${line} ${keyword} [${flags.join("|")}] ${rest}${trigger ? ` => ${show(trigger)}` : ""}`;
}

const lines = (text: string) => readInstructions(text, "D").instructions.map(show);
const isInput = (message: string) => (error: unknown) => {
  assert.ok(error instanceof TsignError && error.code === "input", String(error));
  assert.equal(error.message, message);
  return true;
};
const refuses = (text: string, message: string) => assert.throws(() => lines(text), isInput(`D:${message}`));

test("readInstructions: an instruction -> its keyword, flags and the rest", () => {
  const cases: [text: string, shown: string[]][] = [
    ["", []],
    ["FROM a", ["1 FROM [] a"]],
    ["\uFEFFFROM a\n", ["1 FROM [] a"]],
    ["\n\nfrom\t\v\f a  b \r\n", ["3 FROM [] a  b"]],
    ["FROM a\uFEFFb", ["1 FROM [] a\uFEFFb"]],
    ["FROM a\r\r\nRUN b\r", ["1 FROM [] a", "2 RUN [] b"]],
    ["  RUN  a  ", ["1 RUN [] a"]],
    ["# c\n  # c\nRUN a # b", ["3 RUN [] a # b"]],
    ["RUN", ["1 RUN [] "]],
    ["RUN\n\n", ["1 RUN [] "]],
    ["COPY --from=a --x  b c", ["1 COPY [--from=a|--x] b c"]],
    ["COPY --from=a", ["1 COPY [--from=a] "]],
    ["COPY --from=a\t\n", ["1 COPY [--from=a] "]],
    ["COPY -a --b", ["1 COPY [] -a --b"]],
    ["COPY a --b", ["1 COPY [] a --b"]],
    ["COPY -- --a b", ["1 COPY [] --a b"]],
    ["COPY --a -- --b", ["1 COPY [--a] --b"]],
    ["COPY --", ["1 COPY [] "]],
    ["COPY --a='b c'\"d e\" f", ["1 COPY [--a=b cd e] f"]],
    ['COPY --a="b\'c" d', ["1 COPY [--a=b'c] d"]],
    ["COPY --a='b", ["1 COPY [--a=b] "]],
    ["COPY --a=\\ b\\' c", ["1 COPY [--a= b'] c"]],
    ["COPY --a='\\''", ["1 COPY [--a='] "]],
    ["COPY --''a b", ["1 COPY [--a] b"]],
    ["COPY --'' b", ["1 COPY [] b"]],
    ["COPY '--a' b", ["1 COPY [] '--a' b"]],
    ["COPY --a=\\\x7f b", ["1 COPY [--a=\x7f] b"]],
    ["COPY --a=\x7f b", ["1 COPY [--a=\x7f] b"]],
    ["COPY a\u00e9 --b", ["1 COPY [] a\u00e9 --b"]],
    ['# escape=`\nCOPY --a=`"\\ b', ['2 COPY [--a="\\] b']],
  ];
  for (const [text, shown] of cases) assert.deepEqual(lines(text), shown, JSON.stringify(text));
  refuses("COPY --a=\u00e9 b", "1: option contains a character that is not ASCII");
  refuses("RUN a\nCOPY --a=\\\u00e9 b", "2: option contains a character that is not ASCII");
  refuses("RUN a\n1 b", "2: 1 is not an instruction");
  refuses("RUN1 b", "1: RUN1 is not an instruction");
  refuses("-RUN b", "1: -RUN is not an instruction");
  refuses("RU\u00a0N b", "1: RU\u00a0N is not an instruction");
  refuses("RUN a\n\\\n", "2: an empty line is not an instruction");
});

test("readInstructions: continued lines -> joined", () => {
  const cases: [text: string, shown: string[]][] = [
    ["RUN a \\\nb", ["1 RUN [] a b"]],
    ["RUN a\\\nb", ["1 RUN [] ab"]],
    ["RUN a \\ \t\nb\nRUN c", ["1 RUN [] a b", "3 RUN [] c"]],
    ["RUN a \\\r\nb", ["1 RUN [] a b"]],
    ["RUN a \\\n  b \\\n  c", ["1 RUN [] a   b   c"]],
    ["RUN a \\\n\n \t\n# c\n  # c\nb\nRUN d", ["1 RUN [] a b", "7 RUN [] d"]],
    ["RUN a \\\n# c\n", ["1 RUN [] a"]],
    ["RUN a \\", ["1 RUN [] a"]],
    ["RUN a \\\n", ["1 RUN [] a"]],
    ["RUN a \\\\\nRUN b", ["1 RUN [] a \\\\", "2 RUN [] b"]],
    ["RUN a `\nRUN b", ["1 RUN [] a `", "2 RUN [] b"]],
    ["\\\nRUN a", ["1 RUN [] a"]],
    ["RU\\\nN a", ["1 RUN [] a"]],
    ["# c \\\nRUN a", ["2 RUN [] a"]],
    ["# escape=`\nRUN a `\nb \\\nRUN c", ["2 RUN [] a b \\", "4 RUN [] c"]],
    ["# escape=`\nRUN a ``\nRUN b", ["2 RUN [] a ``", "3 RUN [] b"]],
    ["RUN a \\\n \\\nb", ["1 RUN [] a  b"]],
  ];
  for (const [text, shown] of cases) assert.deepEqual(lines(text), shown, JSON.stringify(text));
});

test("readInstructions: a line of 65535 bytes -> read; a longer one -> refused", () => {
  const long = (bytes: number, character = "x") => `RUN ${character.repeat(bytes - 4)}`;
  assert.deepEqual(lines(`RUN a\n${long(65_535)}`)[0], "1 RUN [] a");
  refuses(`RUN a\n${long(65_536)}`, "2: line is longer than 65535 bytes");
  refuses(`RUN ${"\u20ac".repeat(22_000)}`, "1: line is longer than 65535 bytes");
  assert.equal(lines(`RUN ${"\u20ac".repeat(21_843)}`).length, 1);
  refuses(`RUN a \\\n${long(65_536)}`, "2: line is longer than 65535 bytes");
  refuses(`RUN <<E\n${long(65_536)}\nE`, "2: line is longer than 65535 bytes");
});

test("readInstructions: directives -> read before the first instruction; invalid ones -> refused", () => {
  const escaping = (text: string) => readInstructions(text, "D").escaping;
  for (const text of [
    "# escape=`",
    "#escape=`\r\n",
    "# ESCAPE \t= \f` ",
    "  # escape=`",
    "# syntax=a\n# check=b\n# escape=`",
    "# syntax=`\n#escape=`",
  ]) {
    assert.equal(escaping(`${text}\nRUN a`), "`", JSON.stringify(text));
  }
  for (const text of [
    "",
    "# escape=\\",
    "# other=a\n# escape=`",
    "\n# escape=`",
    "# escape\n# escape=`",
    "# escape=\n#",
  ]) {
    assert.equal(escaping(`${text}\nRUN a`), "\\", JSON.stringify(text));
  }
  assert.equal(escaping("# escape=`\nRUN a\n# escape=\\"), "`");
  refuses("# escape=a", '1: "a" is not a valid escape character');
  refuses("# check=a\n# escape=``", '2: "``" is not a valid escape character');
  refuses("# escape=  ", '1: " " is not a valid escape character');
  refuses("# syntax=a\n# Syntax=b", "2: duplicate directive syntax");
  refuses("# check=a\n# escape=`\n# check=b", "3: duplicate directive check");
});

test("directive: the name, and the value without white space around it", () => {
  assert.deepEqual(directive("# Syntax = a b \t", "#"), ["syntax", "a b"]);
  assert.deepEqual(directive("//a1=b", "//"), ["a1", "b"]);
  assert.deepEqual(directive("#a= ", "#"), ["a", " "]);
  assert.deepEqual(directive("#a==", "#"), ["a", "="]);
  for (const line of [" #a=b", "a=b", "#1=b", "#a-b=c", "#a b=c", "#a=", "#=b", "#a", "# # a=b", ""]) {
    assert.equal(directive(line, "#"), undefined, line);
  }
  assert.equal(directive("#a=b", "//"), undefined);
});

test("readInstructions: here-documents -> skipped; without an end marker -> refused", () => {
  const cases: [text: string, shown: string[]][] = [
    ["RUN <<E\nRUN x\nE\nRUN a", ["1 RUN [] <<E", "4 RUN [] a"]],
    ["RUN <<E\r\nRUN x\r\nE\r\nRUN a", ["1 RUN [] <<E", "4 RUN [] a"]],
    ["RUN <<E\n\tE\n E\nE\nRUN a", ["1 RUN [] <<E", "5 RUN [] a"]],
    ["RUN <<-E\nx\n\t\tE\nRUN a", ["1 RUN [] <<-E", "4 RUN [] a"]],
    ["RUN <<-E\n E\nE\nRUN a", ["1 RUN [] <<-E", "4 RUN [] a"]],
    ["RUN <<A <<B\nA\nB\nRUN a", ["1 RUN [] <<A <<B", "4 RUN [] a"]],
    [
      "COPY <<A /x\nA\nADD <<B /x\nB\nENV a <<C\nRUN a",
      ["1 COPY [] <<A /x", "3 ADD [] <<B /x", "5 ENV [] a <<C", "6 RUN [] a"],
    ],
    ["RUN <<E \\\n-x\nE\nRUN a", ["1 RUN [] <<E -x", "4 RUN [] a"]],
    ["RUN <<-xE\nx\tE\nxE\nRUN a", ["1 RUN [] <<-xE", "4 RUN [] a"]],
    ["RUN <<E\n# x\n\nE", ["1 RUN [] <<E"]],
    ['RUN ["<<E"]\nRUN a', ['1 RUN [] ["<<E"]', "2 RUN [] a"]],
  ];
  for (const [text, shown] of cases) assert.deepEqual(lines(text), shown, JSON.stringify(text));
  refuses("RUN a\nRUN <<E\n\nx", "2: here-document has no end marker E");
  refuses("RUN <<A <<B\nB\nA\n", "1: here-document has no end marker B");
  assert.deepEqual(lines("RUN <<${\nRUN a"), ["1 RUN [] <<${", "2 RUN [] a"], "a line that does not lex");
});

test("readInstructions: ONBUILD -> one instruction, read without the file's directives", () => {
  const cases: [text: string, shown: string[]][] = [
    ["ONBUILD RUN a", ["1 ONBUILD [] RUN a => 1 RUN [] a"]],
    ["RUN a\nonbuild copy --from=b c d", ["1 RUN [] a", "2 ONBUILD [] copy --from=b c d => 2 COPY [--from=b] c d"]],
    ["ONBUILD", ["1 ONBUILD [] "]],
    ["ONBUILD\vRUN a", ["1 ONBUILD [] RUN a => 1 RUN [] a"]],
    ["ONBUILD RUN <<E\nx\nE\nRUN a", ["1 ONBUILD [] RUN <<E => 1 RUN [] <<E", "4 RUN [] a"]],
    ["ONBUILD RUN a \\\n b", ["1 ONBUILD [] RUN a  b => 1 RUN [] a  b"]],
    ["# escape=`\nONBUILD RUN `\n a", ["2 ONBUILD [] RUN  a => 2 RUN [] a"]],
    ["# escape=`\nONBUILD COPY --a=\\b c", ["2 ONBUILD [] COPY --a=\\b c => 2 COPY [--a=b] c"]],
  ];
  for (const [text, shown] of cases) assert.deepEqual(lines(text), shown, JSON.stringify(text));
  for (const keyword of ["ONBUILD", "FROM", "MAINTAINER"]) {
    refuses(`RUN a\nONBUILD ${keyword} b`, `2: ONBUILD cannot contain ${keyword}`);
  }
  refuses("RUN a\nONBUILD 1", "2: 1 is not an instruction");
  const broken = "ONBUILD does not contain a valid instruction";
  refuses("RUN a\nONBUILD --x RUN b", `2: ${broken}`);
  refuses("# escape=`\nONBUILD RUN <<E \\\nE", `2: ${broken}`);
  refuses("# escape=`\nONBUILD RUN <<RUN \\\n'\nRUN", "2: ONBUILD must contain exactly one instruction");
  refuses("\\\n\vONBUILD RUN a", "1: ONBUILD must contain exactly one instruction");
});

test("takesDocuments, heredocsOf: a line -> its here-documents", () => {
  const takes = (keyword: string, rest: string) => takesDocuments({ keyword, rest });
  assert.deepEqual(
    [takes("RUN", "a"), takes("COPY", "a"), takes("ADD", "a"), takes("ENV", "a"), takes("run", "a")],
    [true, true, true, false, false],
  );
  assert.deepEqual(
    [
      takes("RUN", "[]"),
      takes("RUN", '["a"]'),
      takes("RUN", '["a"'),
      takes("RUN", ' ["a"]'),
      takes("RUN", '[ "a" ] b'),
    ],
    [false, false, true, true, true],
  );
  const found = (line: string) => heredocsOf(line).map(({ name, tabs }) => `${name}${tabs ? " tabs" : ""}`);
  const cases: [line: string, documents: string[]][] = [
    ["RUN a", []],
    ["RUN <<E", ["E"]],
    ["RUN <<-E", ["E tabs"]],
    ["RUN 12<<E", ["E"]],
    ["RUN a<<E", []],
    ["RUN a<<  E", []],
    ["RUN abcdefgh", []],
    ["RUN << E", ["E"]],
    ["RUN <<- E", []],
    ["RUN <<\t\rE", ["E"]],
    ["RUN <<'E F'", ["E F"]],
    ['RUN <<"E"F', ["EF"]],
    ["RUN <<\\E", ["E"]],
    ["RUN <<$E", ["$E"]],
    ["RUN <<", []],
    ["RUN <<''", []],
    ["RUN <<-", []],
    ["RUN <<<E", []],
    ["RUN <<E<F", []],
    ["RUN <<E>F", ["E>F"]],
    ["RUN '<<E'", []],
    ["RUN \\<<E", []],
    ["RUN <<A b <<-B", ["A", "B tabs"]],
    ["RUN <<E 'x", []],
  ];
  for (const [line, documents] of cases) assert.deepEqual(found(line), documents, line);
});

test("heredocsOf: braces that are nested too deep -> refused", () => {
  assert.throws(
    () => heredocsOf(`RUN ${"${A:-".repeat(41)}`),
    (error) => error instanceof TsignError && error.code === "limit",
  );
});

test("readSources: COPY --from and RUN --mount -> the names in them; anything unknown to BuildKit -> refused", () => {
  const sources = (keyword: string, ...flags: string[]) =>
    readSources({ keyword, flags, rest: "", line: 1 }, { where: "D:1", escaping: "\\" }).map(
      ({ name, mayBeIndex }) => `${name}${mayBeIndex ? " or a number" : ""}`,
    );
  assert.deepEqual(sources("COPY", "--from=a", "--chown=b"), ["a or a number"]);
  assert.deepEqual(sources("COPY", "--from=a\nb"), ["a\nb or a number"]);
  assert.deepEqual(sources("COPY", "--from=a=b"), ["a=b or a number"]);
  assert.deepEqual(sources("COPY", "--from="), []);
  assert.deepEqual(sources("COPY", "--from=a", "--chown=--from=b"), ["a or a number"]);
  assert.throws(
    () => sources("COPY", `--from=${"${A:-".repeat(41)}`),
    (error) => error instanceof TsignError && error.code === "limit",
  );
  assert.deepEqual(sources("RUN", "--mount=type=bind,from=a", "--mount=FROM=b,target=/c"), ["a", "b"]);
  assert.deepEqual(sources("RUN", "--mount=from=a\nb"), ["a\nb"]);
  assert.deepEqual(sources("RUN", "--mount=from=a=b"), ["a=b"]);
  assert.deepEqual(sources("RUN", "--mount=from="), []);
  assert.deepEqual(sources("RUN", "--mount=from"), []);
  assert.deepEqual(sources("RUN", "--mount=readonly,source=from"), []);
  const known: Record<string, string> = {
    ADD: "chown chmod link keep-git-dir checksum unpack exclude",
    COPY: "chown from chmod link exclude parents",
    FROM: "platform",
    HEALTHCHECK: "interval timeout start-period start-interval retries",
    RUN: "network security device",
  };
  for (const [keyword, names] of Object.entries(known)) {
    for (const name of names.split(" ")) assert.deepEqual(sources(keyword, `--${name}`.replace(/from$/, "from=")), []);
  }
  for (const name of "type from source src target dst destination readonly ro readwrite rw required size id".split(
    " ",
  )) {
    assert.deepEqual(sources("RUN", `--mount=${name}`), []);
  }
  for (const name of "sharing mode uid gid env".split(" ")) assert.deepEqual(sources("RUN", `--mount=${name}=1`), []);
  for (const keyword of "CMD ENTRYPOINT ENV EXPOSE LABEL MAINTAINER ONBUILD SHELL USER VOLUME WORKDIR".split(" ")) {
    assert.deepEqual(sources(keyword), []);
    assert.throws(() => sources(keyword, "--from=a"), isInput(`D:1: ${keyword} has no option --from`));
  }
  for (const keyword of ["ARG", "STOPSIGNAL"]) assert.deepEqual(sources(keyword, "--from=a", "--mount", "--x"), []);
  const variables = "COPY --from does not support variables, quotes or escapes; use a stage with its own FROM";
  const cases: [keyword: string, flags: string[], message: string][] = [
    ["COPIES", [], "unknown instruction COPIES"],
    ["COPY", ["--form=a"], "COPY has no option --form"],
    ["COPY", ["--"], "COPY has no option --"],
    ["FROM", ["--mount=from=a"], "FROM has no option --mount"],
    ["COPY", ["--from"], "--from has no value"],
    ["RUN", ["--mount"], "--mount has no value"],
    ["COPY", ["--from=a", "--from=b"], "duplicate option --from"],
    ["COPY", ["--from=$A"], variables],
    ["COPY", ["--from='a'"], variables],
    ["COPY", ["--from=a\\"], variables],
    ["COPY", ["--from='a"], variables],
    ["RUN", ["--mount=from=$A"], "RUN --mount does not support variables in from; use a stage with its own FROM"],
    ["RUN", ["--mount=form=a"], "RUN --mount has no option form"],
    ["RUN", ["--mount="], "invalid --mount options: "],
    ["RUN", ["--mount=type=bind,"], "RUN --mount has no option "],
    ["RUN", ['--mount=from="a"'], 'invalid --mount options: from="a"'],
    ["RUN", ['--mount="from=a'], 'invalid --mount options: "from=a'],
    ["RUN", ['--mount="from=a"b'], 'invalid --mount options: "from=a"b'],
    ["RUN", ['--mount="'], 'invalid --mount options: "'],
    ["RUN", ['--mount="from=a"",'], 'invalid --mount options: "from=a"",'],
    ["RUN", ['--mount="ro",'], "RUN --mount has no option "],
  ];
  for (const [keyword, flags, message] of cases)
    assert.throws(() => sources(keyword, ...flags), isInput(`D:1: ${message}`), message);
  assert.deepEqual(sources("RUN", '--mount="from=a"'), ["a"]);
  assert.deepEqual(sources("RUN", '--mount="ro","from=a,b""c",id=d'), ['a,b"c']);
  assert.deepEqual(sources("RUN", '--mount=ro,"from=""a"""'), ['"a"']);
  assert.deepEqual(sources("RUN", "--mount=from=a,from=b"), ["a", "b"]);
  const backtick = readSources(
    { keyword: "COPY", flags: ["--from=a\\b"], rest: "", line: 1 },
    { where: "D", escaping: "`" },
  );
  assert.deepEqual(backtick, [{ name: "a\\b", mayBeIndex: true }]);
});

test("frontendImage: a syntax directive in the first lines -> its image", () => {
  const found = (text: string) => frontendImage(text, "D");
  for (const text of [
    "# syntax=f",
    "#syntax = f a b\r\nFROM a",
    "# syntax=f\r\nFROM a",
    "\uFEFF# SYNTAX=f",
    "#!/x\n# syntax=f",
    "# escape=`\n# check=x\n# syntax=f",
  ]) {
    assert.equal(found(text), "f", JSON.stringify(text));
  }
  for (const text of [
    "",
    "FROM a\n# syntax=f",
    "\n# syntax=f",
    "# c\n# syntax=f",
    "# syntax",
    "#\uFEFF syntax=f",
    " # syntax=f",
    "# escape=`\n#!/x\n# syntax=f",
    "#!/x\n#!/x\n# syntax=f",
    "{}",
    '{"syntax": 1}',
    '{"syntax": "f"',
    '["syntax", "f"]',
    '{"other": "f"}',
  ]) {
    assert.equal(found(text), undefined, JSON.stringify(text));
  }
  assert.equal(found("# syntax=f\rg"), "f\rg");
  const hint = "write `# syntax=IMAGE` as the first line, or leave it out";
  const late = (text: string, line: number) =>
    assert.throws(
      () => found(text),
      (error) =>
        isInput(`D:${line}: not every version of BuildKit uses f as the frontend`)(error) &&
        error instanceof TsignError &&
        error.hint === hint,
      text,
    );
  late("# a=b\n# syntax=f", 2);
  late("#!/x\n# check=b\n# a=b\n# syntax=f g", 4);
  late("// syntax=f", 1);
  late("#!/x\n// escape=`\n// syntax=f", 3);
  const json = isInput("D requires the frontend f and is not a Dockerfile");
  assert.throws(() => found('{"syntax": "f"}'), json);
  assert.throws(() => found(' \n{"a": [], "syntax": "f"}\n'), json);
  const many = "# check=x\n".repeat(99);
  assert.equal(found(`${many}# syntax=f`), "f");
  assert.equal(found(`${many}# check=x\n# syntax=f`), undefined);
});

test("DockerfileArguments: arguments of ARG -> expanded in images", () => {
  const make = (env: Record<string, string> = {}, more: { escaping?: string; platform?: string } = {}) =>
    new DockerfileArguments({ env, escaping: "\\", ...more });
  const value = (rest: string, name: string, escaping = "\\") => {
    const args = make({}, { escaping });
    args.define(rest, "D:1");
    return args.expandImage(`x$${name}`, "D:2");
  };
  const cases: [rest: string, name: string, image: string][] = [
    ["A=b", "A", "xb"],
    ["A=b=c", "A", "xb=c"],
    ["A=b B=c", "B", "xc"],
    ["  A=b\t B=c  ", "B", "xc"],
    ["A=b B=$A-c", "B", "xb-c"],
    ["A=b A=c", "A", "xc"],
    ["A='b c'd", "A", "xb cd"],
    ['A="b c" B=d', "B", "xd"],
    ["A=\"b' c\" B='d\"e'", "B", 'xd"e'],
    ["A=b\\ c B=d", "A", "xb c"],
    ["A='b\\' B=c", "B", "xc"],
    ['A="b\\"c" B=d', "A", 'xb"c'],
    ["A=b\\", "A", "xb"],
    ["A=b\\\u{1F600}c", "A", "xb\u{1F600}c"],
    ["A=\\\u{1F600} B=c", "B", "xc"],
    ["A= B=c", "A", "x"],
    ["A=b$Z", "A", "xb"],
  ];
  for (const [rest, name, image] of cases) assert.equal(value(rest, name), image, rest);
  assert.equal(value("A=b` c", "A", "`"), "xb c");
  for (const [rest, message] of [
    ["", "ARG requires a name"],
    ["  ", "ARG requires a name"],
    ["=a", "ARG requires a name before ="],
    ["A='b", "cannot expand 'b: unclosed single quote"],
    ["A=${", "cannot expand ${: bad substitution"],
  ] as const) {
    assert.throws(() => make().define(rest, "D:1"), isInput(`D:1: ${message}`), rest);
  }
  const args = make({ A: "env", B: "env", C: "" });
  args.define("A=own B C D", "D:1");
  assert.equal(args.expandImage("i-$A-$B-x$C", "D:2"), "i-own-env-x");
  assert.deepEqual(args.notices, []);
  assert.equal(args.expandImage("i$D", "D:2"), "i");
  assert.deepEqual(args.notices, ["- build argument without a value is empty: D"]);
});

test("DockerfileArguments: an image with an argument that has no value -> refused", () => {
  const args = new DockerfileArguments({ env: {}, escaping: "\\" });
  args.define("E=", "D:1");
  const needs = (word: string, name: string) =>
    assert.throws(
      () => args.expandImage(word, "D:3"),
      (error) =>
        isInput(`D:3: the build argument ${name} has no value`)(error) &&
        error instanceof TsignError &&
        error.hint ===
          `give it a default with ARG before the first FROM, or declare it there and set the environment variable ${name}`,
      word,
    );
  for (const word of ["$N", "a:$N", "a:$N-b", "$N/a", "a@$N", "a:b@sha256:$N", "$N$M", "a/$N", "a:1$N@b:c"])
    needs(word, "N");
  needs("a:$M$N", "M");
  assert.throws(
    () => args.expandImage("$E", "D:3"),
    (error) => isInput("D:3: cannot resolve $E")(error) && error instanceof TsignError && error.hint === undefined,
  );
  const digest = `sha256:${"0aF".repeat(11)}`;
  for (const image of [
    "a$N",
    "a.b/c$N",
    "localhost:5000/abc/def$N",
    "a:1/b$N",
    "localhost:5000/a__b/c-d.e$N:v1.0_x-",
    `a$N@${digest}`,
    `reg.example/a$N:v@${digest}`,
    "A-1.b/c--d$N",
  ]) {
    assert.equal(args.expandImage(image, "D:3"), image.replace("$N", ""));
  }
  for (const word of [
    "a:b:c$N",
    "a$N/",
    "a$N:",
    "a b$N",
    "a__-b$N",
    `a:${"v".repeat(129)}$N`,
    "A$N",
    "a$N@sha256:00",
    "a$N@:00",
  ]) {
    needs(word, "N");
  }
  assert.equal(args.expandImage(`a:${"v".repeat(128)}$N`, "D:3"), `a:${"v".repeat(128)}`);
});

test("DockerfileArguments: the arguments for the platform and the target stage -> set", () => {
  const names = ["PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT"];
  const values = (args: DockerfileArguments, kind: string) =>
    names.map((name) => args.expandImage(`x$${kind}${name}`, "D:1").slice(1));
  const make = (env: Record<string, string>, platform?: string) =>
    new DockerfileArguments({ env, escaping: "\\", platform });
  for (const kind of ["BUILD", "TARGET"]) {
    assert.deepEqual(values(make({}), kind), ["linux/amd64", "linux", "", "amd64", ""]);
    assert.deepEqual(values(make({}, "a/b/c"), kind), ["a/b/c", "a", "", "b", "c"]);
    assert.deepEqual(values(make({}, "a"), kind), ["a", "a", "", "", ""]);
    assert.deepEqual(values(make({ [`${kind}ARCH`]: "z" }), kind), ["linux/amd64", "linux", "", "z", ""]);
  }
  const assumed = "- build platform assumed: linux/amd64";
  const notices = (word: string, env: Record<string, string> = {}, rest?: string) => {
    const args = make(env);
    if (rest !== undefined) args.define(rest, "D:1");
    args.expandImage(word, "D:2");
    args.expandImage(word, "D:3");
    return args.notices;
  };
  for (const kind of ["BUILD", "TARGET"]) {
    for (const name of names) assert.deepEqual(notices(`x$${kind}${name}`), [assumed], `${kind}${name}`);
  }
  assert.deepEqual(notices("x$TARGETSTAGE"), [
    "- build argument without a value is empty: TARGETSTAGE",
    "- build argument without a value is empty: TARGETSTAGE",
  ]);
  assert.deepEqual(notices("x$TARGETOS", { TARGETOS: "b" }), []);
  assert.deepEqual(notices("x$TARGETOS$TARGETARCH", { TARGETOS: "b" }), [assumed]);
  assert.deepEqual(notices("x$TARGETOS", {}, "TARGETOS=b"), []);
  assert.deepEqual(notices("x$TARGETOS", {}, "TARGETOS"), [assumed]);
  const stage = (name: string | undefined, env: Record<string, string> = {}) => {
    const args = make(env);
    args.setTargetStage(name);
    return args.expandImage("x$TARGETSTAGE", "D:1");
  };
  assert.deepEqual([stage("a"), stage(undefined), stage("a", { TARGETSTAGE: "b" })], ["xa", "xdefault", "xb"]);
});

test("DockerfileArguments: patterns that examine more than four million characters -> refused", () => {
  const args = new DockerfileArguments({ env: {}, escaping: "\\" });
  args.define(`L=${"x".repeat(40_000)}`, "D:1");
  for (let count = 0; count < 10; count++) args.expandImage("${L#yyyyyyyyy}", "D:2");
  args.define("S=x", "D:1");
  assert.throws(
    () => args.expandImage("${S#}", "D:2"),
    (error) =>
      error instanceof TsignError && error.code === "limit" && error.message === "D:2: patterns take too long to match",
  );
  assert.throws(
    () => new DockerfileArguments({ env: {}, escaping: "\\" }).expandImage(`${"${A:-".repeat(41)}`, "D:3"),
    (error) =>
      error instanceof TsignError && error.code === "limit" && /^D:3: variables are nested/.test(error.message),
  );
});
