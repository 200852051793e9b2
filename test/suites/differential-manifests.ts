import type { Choices } from "./differential-kit.ts";

const IMAGES = ["good", "evil", "a:1", "reg.io/p/q:2", "reg.io:5000/x"] as const;
const ALPHABET = [
  ..." \t\n\r:-#?|>&*!'\"[]{},%@`~<\\",
  "  ",
  "\n\n",
  "\r\n",
  ": ",
  " #",
  "- ",
  "---",
  "\n---\n",
  "\n...\n",
  "--- x",
  "<<: *x",
  "&x ",
  "*x",
  "!!str ",
  "!!omap ",
  "!!binary ",
  "|\n",
  ">-\n",
  "|2\n",
  "? ",
  "image: evil",
  "- image: evil",
  "\n- image: evil\n",
  "\u0085",
  "\u2028",
  "\u2029",
  "\ufeff",
  "\u00a0",
  "\0",
  "é",
  "yes",
  "0o17",
  "%YAML 1.1\n",
] as unknown as readonly [string, ...string[]];

/** A value to be written: text for a scalar that is written unchanged, a list, or pairs. */
type Value = string | Value[] | { readonly pairs: [string, Value][] };

class Writer {
  readonly choices: Choices;
  readonly #oddness: number;

  constructor(choices: Choices, oddness: number) {
    this.choices = choices;
    this.#oddness = oddness;
  }

  get odd(): boolean {
    return this.choices.chance(this.#oddness);
  }

  name(plain: string): string {
    const { choices } = this;
    if (!this.odd) return choices.chance(0.05) ? `"${plain}"` : plain;
    return choices.pick([
      `'${plain}'`,
      plain.toUpperCase(),
      `${plain[0]?.toUpperCase()}${plain.slice(1)}`,
      `"\\x${plain.charCodeAt(0).toString(16)}${plain.slice(1)}"`,
      `!!str ${plain}`,
      `? ${plain}\n`,
      `&k ${plain}`,
    ]);
  }

  image(): string {
    const { choices } = this;
    const image = choices.chance(0.2) ? choices.pick(IMAGES) : `i${choices.below(1e6)}`; // mostly one of its own
    if (!this.odd)
      return choices.one(
        () => image,
        () => image,
        () => `"${image}"`,
        () => `'${image}'`,
      );
    return choices.pick([
      `!!str ${image}`,
      `"${image}\\\n  x"`,
      `${image} # comment`,
      `${image}#no`,
      `${image}\t# c`,
      "~",
      "1.10",
      "yes",
      "0x1F",
      "2001-01-01",
      `&x ${image}`,
      "*x",
      `>-\n          ${image}`,
      `|\n          ${image}`,
      `|2-\n          ${image}`,
      `"${image}\u0085"`,
      `'${image}`,
      `[${image}]`,
      `${image}\n          more`,
      `!!binary Z29vZA==`,
      `"\\/${image}"`,
    ]);
  }

  text(): string {
    const { choices } = this;
    return choices.pick([
      "x",
      "some words of text",
      "http://a.b/c?d=e&f",
      '"quoted: # text"',
      "'it''s'",
      '"a\\tb"',
      "a:b",
      "1",
      "true",
      "",
      "|\n          line one\n          image: evil\n\n          # no comment\n        ",
      ">-\n          folded\n          text",
      "plain text that\n          goes on # and ends",
      '"text that\n          goes on"',
      "{}",
      "[]",
      "[a, 'b', {c: d}]",
      "{a: [1, 2], b: c}",
      "-1",
      "--flag=x",
      ":8080",
      "?x",
      "a # comment",
    ]);
  }

  container(): Value {
    const { choices } = this;
    const pairs: [string, Value][] = [];
    if (this.odd) pairs.push(["<<", choices.pick(["*x", "*c", "[*c, *x]", "{image: evil}", "&m {image: i1}"])]);
    pairs.push(["name", "c"]);
    if (!choices.chance(0.1)) pairs.push([this.name("image"), this.image()]);
    if (choices.chance(0.4)) pairs.push(["args", this.text()]);
    if (this.odd)
      pairs.push([
        choices.pick(["image", "Image", "<<", "'<<'", "~", "1"]),
        choices.pick([this.image(), "*c", "{image: evil}"]),
      ]);
    if (choices.chance(0.2)) pairs.reverse();
    if (this.odd)
      return choices.pick([
        "*c",
        "{image: evil}",
        "&c {name: x, image: good}",
        '{"image":"evil"}',
        "{image:evil}",
        "{image: evil, }",
        "- image: evil",
        "null",
        "{image: evil}: x",
      ]);
    return { pairs };
  }

  pod(): Value {
    const { choices } = this;
    const pairs: [string, Value][] = [];
    if (choices.chance(0.3)) pairs.push([this.name("initContainers"), choices.many(1, 2, () => this.container())]);
    pairs.push([this.name("containers"), choices.many(1, 3, () => this.container())]);
    if (choices.chance(0.2)) {
      const reference: Value = { pairs: [[this.name("reference"), this.image()]] };
      pairs.push([
        this.name("volumes"),
        [
          {
            pairs: [
              ["name", "v"],
              ["image", reference],
            ],
          },
        ],
      ]);
    }
    if (choices.chance(0.3)) pairs.push(["note", this.text()]);
    if (this.odd)
      pairs.push([
        choices.pick(["containers", "Containers", "1", "true", "<<"]),
        choices.pick(["[{image: evil}]", "*x", "{}", "!!seq [{image: evil}]"]),
      ]);
    return { pairs };
  }

  object(): Value {
    const { choices } = this;
    const meta: [string, Value] = [
      "metadata",
      {
        pairs: [
          ["name", "x"],
          [
            "annotations",
            {
              pairs: [
                ["a", this.text()],
                ["b", this.text()],
              ],
            },
          ],
        ],
      },
    ];
    const template = (): Value => ({ pairs: [["spec", this.pod()]] });
    return {
      pairs: [
        ["apiVersion", "v1"],
        ["kind", choices.pick(["Pod", "Deployment", "List"])],
        meta,
        choices.one<[string, Value]>(
          () => ["spec", this.pod()],
          () => ["spec", { pairs: [["template", template()]] }],
          () => ["items", [{ pairs: [["spec", this.pod()]] }]],
          () => ["template", template()],
        ),
      ],
    };
  }

  write(value: Value, indent: number): string {
    const { choices } = this;
    const pad = " ".repeat(indent);
    if (typeof value === "string") return value === "" ? "" : ` ${value}`;
    if (choices.chance(0.06)) return ` ${this.flow(value)}`;
    const comment = choices.chance(0.05)
      ? choices.pick([" # c", "\n# c", `\n${pad}# image: evil`, "\n", " &n", "   "])
      : "";
    if (Array.isArray(value)) {
      const at = choices.chance(0.4) && indent >= 2 ? indent - 2 : indent;
      return `${comment}\n${value.map((each) => `${" ".repeat(at)}-${this.item(each, at + 2)}`).join("\n")}`;
    }
    return `${comment}\n${value.pairs.map((pair) => `${pad}${this.pair(pair, indent)}`).join("\n")}`;
  }

  pair([key, value]: [string, Value], indent: number): string {
    return `${key}:${this.write(value, indent + (this.odd ? this.choices.below(4) : 2))}`;
  }

  item(value: Value, indent: number): string {
    if (typeof value === "string" || Array.isArray(value)) return this.write(value, indent);
    if (this.choices.chance(0.06)) return this.write(value, indent);
    return ` ${value.pairs.map((pair) => this.pair(pair, indent)).join(`\n${" ".repeat(indent)}`)}`;
  }

  flow(value: Value): string {
    const gap = this.choices.pick(["", "", " ", "\n "]);
    if (typeof value === "string") return value.includes("\n") || value === "" ? "x" : value.replace(/ #.*/, "");
    if (Array.isArray(value)) return `[${gap}${value.map((each) => this.flow(each)).join(`,${gap || " "}`)}${gap}]`;
    return `{${gap}${value.pairs.map(([key, each]) => `${key}: ${this.flow(each)}`).join(`,${gap || " "}`)}${gap}}`;
  }

  document(): string {
    const object = this.object();
    if (this.choices.chance(0.1)) return `${toJson(object)}\n`;
    const own = `i${this.choices.below(1e6)}`;
    const anchors = this.odd ? `x: &c\n  image: ${own}\ny: &x x${own}\n` : "";
    return `${anchors}${this.write(object, 0).replace(/^[^\n]*\n/, "")}\n`;
  }

  /** A few lines in which one reader finds an image and another does not. */
  trap(): string {
    const { choices } = this;
    const [one, other] = [`i${choices.below(1e6)}`, `i${choices.below(1e6)}`];
    const list = `containers: [{image: ${one}}]`;
    const end = choices.pick(["\r", "\u0085", "\u2028", "\u2029", "\n"]);
    const pad = () => " ".repeat(choices.below(5));
    return choices.pick([
      `t: &t {image: ${one}}\nu:\n  containers:\n  - image: ${other}\n    <<: *t\n`,
      `t: &t {image: ${one}}\nv: &v {image: ${other}}\nu:\n  containers:\n  - <<: *t\n    <<: *v\n`,
      `t: &t {image: ${one}}\nv: &v {image: ${other}}\nu: {containers: [{<<: [*t, *v]}]}\n`,
      `u:\n  containers:\n  - image: ${other} # c${end}  - name: b${end}    image: ${one}\n`,
      `u: ${choices.pick(["!!omap", "!!set", "!!pairs", "!!seq", "!x", "!"])}\n- ${list}\n`,
      `u: |${choices.pick(["", "1", "2", "-", "+1"])}\n${pad()}\n${pad()}text\n${pad()}${list}\n`,
      `u:\n- ${choices.pick(["|", ">", "|1", "|2-"])}\n${pad()}text\n${pad()}v: {${list}}\n`,
      `u: ${choices.pick(["x # c", "x", "'x'#c", '"x', "&a", "!!str", "- x", "[x", "{x: y"])}\n${pad()}${list}\n`,
      `u: {containers: [{image:${one}}, {"image":${one}}, {image: ${other}}]}\n`,
      `u: {${list}}\nu: {x: y}\n`,
      `u: {1: {${list}}, "1": {x: y}, yes: {x: y}, true: {${list}}}\n`,
      `u:\n- &a\n- ${list}\nv:\n${pad()}- x\n${pad()}${list}\n`,
      `u:\n${pad()}v:\n${pad()}  w: x\n${pad()}${list}\n`,
      `? ${choices.pick(["u", `{${list}}`])}\n: {${list}}\n`,
      `u: x\n${choices.pick(["---#c", "--- ", "...", "....", "--- #c", "%YAML 1.1"])}\n${list}\n`,
    ]);
  }

  stream(): string {
    const { choices } = this;
    if (this.#oddness > 0 && choices.chance(0.3))
      return choices.many(1, 2, () => this.trap()).join(choices.pick(["", "---\n"]));
    const documents = choices.many(1, 3, () => this.document());
    const head = choices.pick(["", "", "# note\n", "---\n"]);
    return (
      head +
      documents.join(this.odd ? choices.pick(["...\n", "--- \n", "---\t# c\n", "---#c\n", "--- x\n", "\n"]) : "---\n")
    );
  }
}

/** The same as JSON; a scalar that is not valid JSON becomes a string. */
function toJson(value: Value): string {
  if (typeof value === "string") return JSON.stringify(value.replace(/^["']|["']$/g, ""));
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  return `{${value.pairs.map(([key, each]) => `${JSON.stringify(key.replace(/^["']|["']$/g, ""))}:${toJson(each)}`).join(", ")}}`;
}

/** A stream of manifests that may contain everything that readers could interpret differently. */
export function oddManifest(choices: Choices): string {
  let text = new Writer(choices, choices.pick([0, 0.02, 0.08, 0.3])).stream();
  if (choices.chance(0.6)) text = choices.mutate(text, ALPHABET);
  if (choices.chance(0.05)) text = text.replaceAll("\n", choices.pick(["\r\n", "\r", "\u0085", "\u2028"]));
  return text;
}

/** A stream of manifests as people and programs write them. */
export function cleanManifest(choices: Choices): string {
  return new Writer(choices, 0).stream();
}
