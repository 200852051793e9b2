import type { Choices } from "./differential-kit.ts";

/** A set of policies and the statement that they evaluate. */
export interface PolicySet {
  readonly files: Readonly<Record<string, string>>;
  readonly input: Readonly<Record<string, number>>;
}

/** A set in which every file is a policy or used by one, and whether all policies are satisfied. */
export interface CleanSet extends PolicySet {
  readonly allowed: boolean;
}

const FIELDS = ["a", "b", "c"] as const;
const inputOf = (choices: Choices) => Object.fromEntries(FIELDS.map((field) => [field, choices.below(2)]));

/** A condition and whether the input satisfies it. */
function condition(choices: Choices, input: Readonly<Record<string, number>>): [text: string, holds: boolean] {
  const field = choices.pick(FIELDS);
  const value = choices.below(2);
  const equal = input[field] === value;
  const x = `x${choices.below(1_000_000)}`; // declared once in a body
  return choices.pick([
    [`input.${field} == ${value}`, equal],
    [`input.${field} != ${value}`, !equal],
    [`not input.${field} == ${value}`, !equal],
    [`[1 | input.${field} == ${value}] == [1]`, equal],
    [`some ${x}; input[${x}] == ${value}; ${x} == "${field}"`, equal],
    [`{"${field}": ${value}}["${field}"] == input.${field}`, equal],
  ]);
}

/**
 * One to three policies, each with its own conditions, some of them in a library of another package or in a helper of
 * package signature.
 */
export function cleanSet(choices: Choices): CleanSet {
  const input = inputOf(choices);
  const files: Record<string, string> = {};
  let allowed = true;
  for (let index = 0; index <= choices.below(3); index++) {
    const [first, holds] = condition(choices, input);
    const [second, alsoHolds] = condition(choices, input);
    const header = `package signature\n${choices.pick(["", "default allow = false\n", "import rego.v1\n"])}`;
    const body = (text: string) => (header.includes("rego.v1") ? `allow if { ${text} }\n` : `allow { ${text} }\n`);
    const name = `policy${index}.rego`;
    choices.one(
      () => {
        files[name] = header + body(`${first}; ${second}`);
        allowed &&= holds && alsoHolds;
      },
      () => {
        files[name] = header + body(first) + body(second);
        allowed &&= holds || alsoHolds;
      },
      () => {
        files[`library${index}.rego`] = `package library${index}\nok { ${first} }\n`;
        files[name] = header + body(`data.library${index}.ok; ${second}`);
        allowed &&= holds && alsoHolds;
      },
      () => {
        files[`library${index}.rego`] = `package library${index}\nok { ${first} }\n`;
        files[name] = header.replace("\n", `\nimport data.library${index} as lib\n`) + body(`not lib.ok`);
        allowed &&= !holds;
      },
      () => {
        files[`helper${index}.rego`] = `package signature\nhelper${index} { ${first} }\nhelper${index} { ${second} }\n`;
        files[name] = header + body(`helper${index}`);
        allowed &&= holds || alsoHolds;
      },
    );
  }
  const names = Object.keys(files);
  const from = choices.below(names.length);
  const turned = [...names.slice(from), ...names.slice(0, from)];
  return { files: Object.fromEntries(turned.map((name) => [name, files[name] ?? ""])), input, allowed };
}

const PACKAGES = [
  "signature",
  "signature",
  "signature",
  "signature",
  "lib",
  "lib.inner",
  "signature.sub",
  "other",
] as const;
const NAMES = ["allow", "allow", "allow", "ok", "helper", "trusted", "deny"] as const;
const TOKENS = [
  "\n",
  " ",
  "not ",
  "default ",
  "allow",
  "ok",
  "{",
  "}",
  "[",
  "]",
  "==",
  "=",
  ":=",
  "data.",
  "input.",
  ".",
  ";",
  "true",
  "false",
  "else",
  "import ",
  "package ",
  "with input as {}",
  "#",
  "_",
  "1",
] as const;

function reference(choices: Choices): string {
  const path = choices.pick(PACKAGES);
  const name = choices.pick(NAMES);
  return choices.pick([
    name,
    `data.${path}.${name}`,
    `data.${path}[n]`,
    `data[n].${name}`,
    `data.${path}`,
    `lib.${name}`,
    `l.${name}`,
    `sub.${name}`,
  ]);
}

function expression(choices: Choices, input: Readonly<Record<string, number>>): string {
  const [text] = condition(choices, input);
  return choices.one(
    () => text,
    () => text,
    () => reference(choices),
    () => reference(choices),
    () => `not ${reference(choices)}`,
    () => `count(${reference(choices)}) ${choices.pick(["==", ">"])} 0`,
    () => `${reference(choices)} with input as {"a": 1, "b": 1, "c": 1}`,
    () => `${reference(choices)} with ${reference(choices)} as true`,
    () => `x := ${reference(choices)}; x`,
    () => "true",
    () => "false",
  );
}

function rule(choices: Choices, input: Readonly<Record<string, number>>): string {
  const name = choices.pick(NAMES);
  const body = () => choices.many(1, 2, () => expression(choices, input)).join("; ");
  return choices.one(
    () => `${name} { ${body()} }`,
    () => `${name} { ${body()} }`,
    () => `${name} { ${body()} }`,
    () => `${name} = ${choices.pick(["true", "false", "1"])} { ${body()} }`,
    () => `${name} = true`,
    () => `default ${name} = ${choices.pick(["true", "false"])}`,
    () => `default ${name} = ${choices.pick(["true", "false"])}`,
    () => `${name} = false { ${body()} } else = true { ${body()} }`,
    () => `${name}[n] { n := "x"; ${body()} }`,
    () => `${name}[n] = true { n := "x"; ${body()} }`,
    () => `${name}(x) { ${body()} }`,
    () => `${name}.x = true { ${body()} }`,
  );
}

const IMPORTS = [
  "import data.lib",
  "import data.lib as l",
  "import data.library0",
  "import data.signature.sub",
  "import data.other.ok",
  "import data.signature.helper0",
  "import data.signature",
  "import input.a",
  "import data.lib.inner as lib",
] as const;

function oddFile(choices: Choices, input: Readonly<Record<string, number>>): string {
  const imports = choices.many(0, 1, () => choices.pick(IMPORTS));
  const rules = choices.many(1, 3, () => rule(choices, input));
  return `${[`package ${choices.pick(PACKAGES)}`, ...imports, ...rules].join("\n")}\n`;
}

/** A valid set to which rules and files were added, or whose files were moved to another package or changed anywhere. */
export function oddSet(choices: Choices): PolicySet {
  const { files, input } = cleanSet(choices);
  const odd: Record<string, string> = { ...files };
  for (let count = choices.below(4); count > 0; count--) {
    const name = choices.pick(Object.keys(odd) as [string, ...string[]]);
    const text = odd[name] ?? "";
    const change = choices.one(
      () => text + rule(choices, input),
      () => text + rule(choices, input),
      () => text.replace(/^package \S+/, `package ${choices.pick(PACKAGES)}`),
      () => text.replace(/^(package .*\n)/, (line) => `${line}${choices.pick(IMPORTS)}\n`),
      () => text.replaceAll(choices.pick(["allow", "ok", "helper0", "helper1", "library0"]), choices.pick(NAMES)),
      () => text.replace(choices.pick(["==", "!=", "; ", "not ", "input."]), () => choices.pick(TOKENS)),
      () => choices.mutate(text, TOKENS),
      () => undefined,
    );
    if (change !== undefined) odd[name] = change;
    else odd[`other${count}.rego`] = choices.chance(0.3) ? text : oddFile(choices, input);
  }
  return { files: odd, input };
}
