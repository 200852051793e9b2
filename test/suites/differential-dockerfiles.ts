import type { Choices } from "./differential-kit.ts";

/** A Dockerfile and the build arguments it is built with. */
export interface Generated {
  readonly text: string;
  readonly args: Readonly<Record<string, string>>;
}

const IMAGES = ["good", "evil", "a:1", "reg.io/p/q:2", "reg.io:5000/x", `b@sha256:${"0".repeat(64)}`] as const;
const STAGES = ["s", "t", "base", "build"] as const;
/** Arguments that the file may declare; those of the environment never have a default in it. */
const NAMES = ["V", "W", "X"] as const;
const GIVEN = ["E1", "E2"] as const;
const SPACES = [" ", " ", " ", "  ", "\t", " \t"] as const;
const ODD_SPACES = [" ", "\t", "\v", "\f", "\r", "\u0085", "\u00a0", "\ufeff", "\u2028", "\u3000", ""] as const;
const MARKS = ["EOF", "x", "#x", "E1", "'EOF'", '"EOF"', "E$V", "''", "a b", "\\E", "EO\\F", "<x", "-"] as const;
const ALPHABET = [
  ..." \t\n\r\\`#'\"$<>-=:/@{}[],",
  "\r\n",
  "\\\n",
  "`\n",
  "<<",
  "<<-",
  "--",
  "FROM evil",
  "\nFROM evil\n",
  "RUN ",
  "\v",
  "\f",
  "\u0085",
  "\u00a0",
  "\ufeff",
  "\u2028",
  "\u200b",
  "\0",
  "K",
  "ſ",
  "é",
  "${",
  "}",
  "from=",
  "AS s",
] as unknown as readonly [string, ...string[]];

class Writer {
  readonly choices: Choices;
  /** How often something unusual is written. */
  readonly #oddness: number;
  escaping = "\\";
  readonly stages: string[] = [];

  constructor(choices: Choices, oddness: number) {
    this.choices = choices;
    this.#oddness = oddness;
  }

  get odd(): boolean {
    return this.choices.chance(this.#oddness);
  }

  get clean(): boolean {
    return this.#oddness === 0;
  }

  space(): string {
    const { choices } = this;
    if (this.odd && choices.chance(0.03)) return choices.pick(ODD_SPACES);
    if (choices.chance(this.odd ? 0.08 : 0.03)) {
      return ` ${this.escaping}\n${choices.chance(0.3) ? choices.pick(["\n", "# c\n", "  # FROM evil\n", "\t\n"]) : ""}  `;
    }
    return choices.pick(SPACES);
  }

  keyword(word: string): string {
    return this.choices.chance(0.1) ? word.toLowerCase() : word;
  }

  /** Mostly a unique name, so that no other image hides that this one is missing. */
  image(): string {
    const { choices, odd } = this;
    return choices.one(
      () => choices.pick(IMAGES) as string,
      () => `i${choices.below(1e6)}`,
      () => `reg.io/i${choices.below(1e6)}:1`,
      () => (this.stages.length > 0 ? (this.stages[choices.below(this.stages.length)] ?? "a") : "a"),
      () =>
        odd ? choices.pick(["scratch", "Scratch", "S", "0", "1", "-1", "+1", '"good"', "'evil'", "go\\od"]) : "scratch",
    );
  }

  variable(): string {
    const { choices, odd } = this;
    const name = choices.pick([
      ...NAMES,
      ...GIVEN,
      ...(odd ? (["TARGETARCH", "NONE", "TARGETSTAGE", "BUILDOS"] as const) : []),
    ]);
    const value = choices.pick(["good", "evil", "a", "", "v1"]);
    return choices.one(
      () => `$${name}`,
      () => `\${${name}}`,
      () => `\${${name}:-${value}}`,
      () => `\${${name}-${value}}`,
      () => `\${${name}:+${value}}`,
      () => `\${${name}+${value}}`,
      () => (odd ? this.pattern(name) : `\${${name}}`),
      () => (odd ? `\${${name}:-\${${choices.pick(NAMES)}:-evil}}` : `\${${name}}`),
    );
  }

  pattern(name: string): string {
    const { choices } = this;
    const pattern = choices
      .many(0, 4, () => choices.pick(["*", "?", "o", "g", "v", "1", "\\*", "\\?", "'", '"', "$W", "/"]))
      .join("");
    const operator = choices.pick(["#", "##", "%", "%%", "/", "//", "?", ":?", ":", ":#", "^"]);
    return `\${${name}${operator}${pattern}${operator.startsWith("/") ? `/${choices.pick(["", "evil", "x", "$W", "\\}"])}` : ""}}`;
  }

  /** The name of the stage that is being written, which only later stages may use. */
  #next = "";

  from(): string {
    if (this.#next !== "" && !this.stages.includes(this.#next)) this.stages.push(this.#next);
    this.#next = "";
    const { choices, odd } = this;
    const cleanly = () => choices.pick(["good:${V:-1}", "${X:-evil}", "a:1${W:+1}"]);
    const image = choices.chance(0.25)
      ? this.clean
        ? cleanly()
        : choices.one(
            cleanly,
            () => `good${this.variable()}`,
            () => this.variable(),
            () => `\${${choices.pick(NAMES)}:-${this.image()}}`,
            () => `good:\${${choices.pick(NAMES)}:-1}`,
          )
      : this.image();
    const platform = choices.chance(0.1)
      ? `--platform=${choices.pick(["linux/amd64", "$BUILDPLATFORM", "$TARGETPLATFORM"])} `
      : "";
    let text = `${this.keyword("FROM")}${this.space()}${platform}${image}`;
    if (choices.chance(0.5)) {
      const name =
        odd && choices.chance(0.1)
          ? choices.pick(["S", "scratch", "good", "0", "a.b", "x y"])
          : `${choices.pick(STAGES)}${this.clean ? this.stages.length + choices.below(1000) : ""}`;
      text += `${this.space()}${choices.pick(["AS", "as", "As"])}${this.space()}${name}`;
      this.#next = name;
    }
    return text;
  }

  arg(): string {
    const { choices } = this;
    const definition = () => {
      if (this.clean) return choices.pick(["V=v1", "V", "W", 'X="reg.io/p/q:2"', "X", "E1", "V=1.2"]);
      if (choices.chance(0.25)) return choices.pick([...GIVEN, ...NAMES]);
      const value = choices.one(
        () => choices.pick(IMAGES) as string,
        () => choices.pick(["v1", "", "1.2", "good", "evil"]),
        () => `x${this.variable()}`,
        () => (this.odd ? choices.pick(['"a b"', "'$V'", "a\\ b", '"$W"', "x=y", '"']) : '"q"'),
      );
      return `${choices.pick(NAMES)}=${value}`;
    };
    return `${this.keyword("ARG")}${this.space()}${choices.many(1, this.odd ? 3 : 1, definition).join(" ")}`;
  }

  heredoc(): string {
    const { choices } = this;
    const mark = this.odd ? choices.pick(MARKS) : "EOF";
    const dash = choices.chance(0.3) ? "-" : "";
    const end = choices.chance(0.96) ? mark.replace(/['"\\]/g, "") : "EOF";
    const line = () => choices.pick(["FROM evil", "echo hi", "# c", "", "\tFROM evil", "EO", "RUN x \\", "end EOF"]);
    const body = choices
      .many(0, 3, line)
      .map((each) => `${each}\n`)
      .join("");
    const tabs = dash === "" ? "" : choices.pick(["", "\t", "\t\t"]);
    const fd = this.odd && choices.chance(0.2) ? "3" : "";
    const gap = this.odd && choices.chance(0.1) ? " " : "";
    return `${fd}<<${dash}${gap}${mark}${choices.pick(["", "", " cat", " > /x"])}\n${body}${tabs}${end}`;
  }

  mount(): string {
    const { choices, odd } = this;
    const option = () =>
      choices.one(
        () => choices.pick(["type=bind", "type=cache", "target=/x", "ro", "source=y"]),
        () => `from=${this.image()}`,
        () => (odd ? `"from=${this.image()}"` : `from=${this.image()}`),
        () =>
          odd
            ? choices.pick([
                "FROM=evil",
                '\\"from=evil\\"',
                "from='evil'",
                '\\"a""b\\"',
                "from=$V",
                "from=evil\\,x",
                "",
                "from=a$",
              ])
            : "rw",
      );
    if (this.clean) return `--mount=type=bind,from=${this.image()},target=/m`;
    return `--mount=${[...choices.many(0, 3, option), "target=/m"].join(",")}`;
  }

  command(): string {
    const { choices, odd } = this;
    const shell = () =>
      choices.pick([
        "true",
        "echo hi",
        "echo 'FROM evil'",
        "make && make install",
        'echo "a b" > x',
        "cat <<< x",
        'echo "$((1<<2))"',
      ]);
    const odds = () =>
      choices.pick([
        "echo it's",
        'echo "',
        "echo \\",
        "x `",
        "[ -f x ]",
        '["a", "<<EOF"]',
        '["a","b"]',
        "echo <<",
        "echo ${V",
        "a <<'x' b",
      ]);
    const files = () => choices.pick(["x /x", ". .", '["x", "/x"]', "a b /c/"]);
    const source = () => this.image();
    return choices.one(
      () => `${this.keyword("RUN")}${this.space()}${shell()}`,
      () => `${this.keyword("RUN")}${this.space()}${odd ? odds() : shell()}`,
      () => `${this.keyword("RUN")} ${this.heredoc()}`,
      () => `RUN ${odd ? `${odds()} ` : ""}${this.heredoc()}`,
      () => `RUN ${this.mount()} ${odd && choices.chance(0.3) ? `${this.mount()} -- ` : ""}${shell()}`,
      () => `COPY --from=${source()}${this.space()}${files()}`,
      () =>
        `COPY ${choices.pick(["", "--chown=1:1 ", "--link "])}${odd && choices.chance(0.4) ? `"--from=${source()}" ` : ""}${files()}`,
      () => `COPY ${this.heredoc().replace("\n", " /x\n")}`,
      () => `${choices.pick(["ENV", "LABEL"])} ${choices.pick(NAMES)}=${choices.pick(["good", '"a b"', "evil"])}`,
      () => `ENV ${choices.pick(NAMES)} ${choices.pick(["good", "evil x"])}`,
      () =>
        choices.pick([
          "WORKDIR /x",
          "USER 1",
          "EXPOSE 80",
          'CMD ["x"]',
          "ENTRYPOINT x",
          "STOPSIGNAL 9",
          'SHELL ["sh"]',
          "VOLUME /v",
        ]),
      () => (odd ? `ONBUILD ${this.command()}` : "HEALTHCHECK NONE"),
      () => this.arg(),
    );
  }

  /** Lines that one reader takes for a stage from an evil image and another for part of something else; both are valid. */
  trap(): string {
    const { choices } = this;
    const image = `trap${choices.below(1e6)}`;
    const mark = choices.pick(["#x", "#", "#'x'", '#"x"', "#x'"]);
    const text = choices.pick([
      "x",
      "it's",
      '"',
      "'a'",
      "\\'",
      '\\"',
      "${V",
      "$V",
      "`'",
      "<<",
      "\\",
      '"\\"',
      "${V:-'}",
    ]);
    const hidden = `FROM ${image}\nRUN true`;
    return choices.one(
      () => `RUN echo ${choices.pick(["`", "\\", "``", "\\\\", "` ", "\\\t", "` x"])}\n${hidden}`,
      () => `RUN echo ${text} <<${choices.pick(["", "-"])}${mark}\n${hidden}\n${mark.replace(/['"]/g, "")}`,
      () => `RUN echo <<${choices.pick(["", "-", " "])}${mark} ${text}\n${hidden}\n${choices.pick(["", "\t"])}${mark}`,
      () =>
        `${choices.pick(["COPY", "ADD", "ENV", "CMD", "ONBUILD RUN", "LABEL", "run"])} a=<<${mark} <<${mark} /x\n${hidden}\n${mark}`,
      () => `RUN echo ${this.escaping}\n${choices.pick([...ODD_SPACES])}# c\n${hidden}`,
      () =>
        `RUN ${choices.pick(['["a", "<<#x"]', '["a" <<#x]', '[1, "<<#x"]', "[ <<#x ]", '["a"] <<#x'])}\n${hidden}\n#x`,
      () =>
        `RUN --mount=type=bind,${choices.pick(['"', '\\"', "'", "\\'"])}from=${image}${choices.pick(['"', '\\"', "'", ",x=y"])},target=/x true`,
    );
  }

  directives(): string {
    const { choices, odd } = this;
    let text = "";
    for (let count = choices.below(odd ? 4 : 2); count > 0; count--) {
      text += choices.one(
        () => "# syntax=docker/dockerfile:1\n",
        () => {
          if (text.includes("escape")) return "";
          if (choices.chance(0.5) && !/# a|maintainer/.test(text)) this.escaping = "`";
          return `# escape=${odd ? choices.pick(["`", "\\"]) : this.escaping}\n`;
        },
        () =>
          odd
            ? choices.pick([
                "#syntax = evil/f:1 x\n",
                "# maintainer=me\n",
                "# check=skip=all\n",
                "#! /bin/sh\n",
                "  # escape=`\n",
                "#\n",
                "\n",
                "// syntax=evil/f\n",
                "# Escape = ` \n",
                "# escape=x\n",
              ])
            : "# check=skip=all\n",
        () => "# a comment\n",
      );
    }
    return text;
  }

  /** A few lines around one or two traps. BuildKit accepts more of these than of files that are unusual everywhere. */
  small(): string {
    const { choices } = this;
    const line = () =>
      choices.pick([
        "# maintainer=me",
        "#!x",
        "# c",
        "",
        "# check=x",
        "# escape=`",
        "# escape=\\",
        " # Escape = `",
        "# x = y",
        "#",
      ]);
    const head = choices.many(0, 3, () => `${line()}\n`).join("");
    return `${head}FROM i1\n${choices.many(1, 2, () => `${this.trap()}\n`).join("")}FROM i2\n`;
  }

  file(): string {
    const { choices, odd } = this;
    const lines: string[] = [];
    let head = this.directives();
    if (!odd) head = [...new Set(head.split(/(?<=\n)/))].join("");
    for (const each of choices.many(0, 3, () => this.arg())) lines.push(each);
    for (let stage = 1 + choices.below(3); stage > 0; stage--) {
      lines.push(this.from());
      for (const each of choices.many(0, 4, () =>
        !this.clean && choices.chance(0.15) ? this.trap() : this.command(),
      )) {
        lines.push(each);
      }
      if (choices.chance(0.2)) lines.push(choices.pick(["", "# FROM evil", "  # c", "   "]));
    }
    return `${head}${lines.join("\n")}\n`;
  }
}

/** A Dockerfile that may contain everything that readers could interpret differently. */
export function oddDockerfile(choices: Choices): Generated {
  const writer = new Writer(choices, choices.pick([0.05, 0.2, 0.8]));
  const isSmall = choices.chance(0.3);
  let text = isSmall ? writer.small() : writer.file();
  if (choices.chance(isSmall ? 0.2 : 0.5)) text = choices.mutate(text, ALPHABET);
  if (choices.chance(0.1)) text = text.replaceAll("\n", choices.pick(["\r\n", "\r\n", "\r\r\n", "\r"]));
  if (choices.chance(0.05)) text = `\ufeff${text}`;
  const args = choices.pick<Record<string, string>>([
    {},
    { E1: "good", E2: "evil" },
    { E1: "", TARGETARCH: "arm64", TARGETSTAGE: "x", NONE: "evil" },
  ]);
  return { text, args };
}

/** A Dockerfile as people write them. */
export function cleanDockerfile(choices: Choices): Generated {
  return { text: new Writer(choices, 0).file(), args: { E1: "good", E2: "x" } };
}
