import { flagName } from "../parser/argv.ts";
import type { Command, Flag, Flags } from "../parser/define.ts";
import { flagVariable } from "../parser/environment.ts";
import { PROGRAM_FLAGS } from "../parser/global-flags.ts";
import { formatDuration } from "../parser/values.ts";
import type { Entry } from "../table.ts";
import { deprecatedFlags, exitCodesOf, groupFlags, shownFlags, variablesOf } from "./flag-groups.ts";
import { flagValue } from "./flag-values.ts";
import { commandsBelow, deprecatedWords, GROUPS, SECTIONS } from "./groups.ts";
import { type Row, type Screen, section, table, textColumn, wrap, wrapExamples, wrapUsage } from "./layout.ts";

const PROGRAM_EXAMPLES = [
  "# Sign an image keylessly (opens a browser to log in)",
  "tsign sign registry.example/app@sha256:…",
  "# Verify who signed an image",
  "tsign verify --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example registry.example/app:v1",
  "# Show the artifacts attached to an image",
  "tsign tree registry.example/app:v1",
];

export interface HelpOptions {
  /** The flags of every command. */
  readonly global: Flags;
  readonly screen: Screen;
}

/** Returns the help text of a command, generated from its definition. */
export function commandHelp(entry: Entry, command: Command, { global, screen }: HelpOptions): string {
  const name = entry.words.join(" ");
  const groups = [...groupFlags(command.flags), { title: "Global flags", flags: shownFlags(global) }];
  const known = { ...command.flags, ...global };
  const flags = groups.map((group) => ({ title: group.title, rows: flagRows(group.flags, known) }));
  const deprecated = { title: "Deprecated flags", rows: deprecatedRows(deprecatedFlags(command.flags)) };
  const codes = exitCodesOf(command).map(({ code, meaning }): Row => [String(code), meaning]);
  return page([
    text(command.about, screen),
    command.deprecated ? text(`Deprecated: ${command.deprecated}.`, screen) : "",
    examples(command.examples, screen),
    usage(`tsign ${name} ${command.usage}`, screen),
    ...alignedTables([...flags, deprecated], screen),
    section("Environment", table(environmentRows(command), screen), screen),
    section("Exit codes", table(codes, screen), screen),
  ]);
}

/** Returns the help text of the program or of a group of commands. */
export function groupHelp(prefix: readonly string[], { global, screen }: HelpOptions): string {
  const program = prefix.length === 0;
  const group = GROUPS[prefix.join(" ")];
  const name = ["tsign", ...prefix].join(" ");
  const flags = program ? PROGRAM_FLAGS : global;
  const commands = commandsBelow(prefix).map(({ word, summary }): Row => [word, summary]);
  const sections = program
    ? SECTIONS.map(({ title, words }) => ({
        title,
        rows: words.flatMap((each) => commands.filter(([word]) => word === each)),
      }))
    : [{ title: "Commands", rows: commands }];
  return page([
    text(group ? `${group.about}.` : "Sign and verify container images and files.", screen),
    group?.deprecated ? text(`Deprecated: ${group.deprecated}.`, screen) : "",
    ...(program ? [examples(PROGRAM_EXAMPLES, screen)] : []),
    usage(`${name} <command> [flags] [arguments]`, screen),
    ...alignedTables(sections, screen),
    section("Global flags", table(flagRows(shownFlags(flags), flags), screen), screen),
    program ? text(`Deprecated commands: ${deprecatedWords().join(", ")}.`, screen) : "",
    text(`Run \`tsign help ${[...prefix, "<command>"].join(" ")}\` for details of a command.`, screen),
    program ? text("Run `tsign help <code>` for an explanation of an error code, such as no-match.", screen) : "",
  ]);
}

function text(paragraphs: string, { columns }: Screen): string {
  return wrap(paragraphs, { columns, indent: 0 });
}

function page(sections: readonly string[]): string {
  return `${sections.filter((each) => each !== "").join("\n\n")}\n`;
}

function usage(line: string, screen: Screen): string {
  return section("Usage", wrapUsage(line.trim(), screen), screen);
}

function examples(lines: readonly string[], screen: Screen): string {
  return section("Examples", wrapExamples(lines, { columns: screen.columns, indent: 2 }), screen);
}

/** Returns sections of tables whose texts all start in the same column. */
function alignedTables(tables: readonly { title: string; rows: readonly Row[] }[], screen: Screen): string[] {
  const indent = textColumn(
    tables.flatMap(({ rows }) => rows),
    screen.columns,
  );
  return tables.map(({ title, rows }) => section(title, table(rows, screen, indent), screen));
}

function flagRows(rows: readonly [string, Flag][], flags: Flags): Row[] {
  return rows.map(([key, flag]) => {
    const short = flag.short ? `-${flag.short}, ` : "    ";
    const notes = flagNotes(flag);
    return [`${short}--${flagName(key)}${valueName(key, flags)}`, `${flag.description}${notes && ` (${notes})`}`];
  });
}

function deprecatedRows(rows: readonly [string, Flag][]): Row[] {
  return rows.map(([key, flag]) => [`    --${flagName(key)}`, flag.deprecated ?? ""]);
}

/** Returns the placeholder of a flag's value in usage, such as ` <file>`; empty for a boolean flag. */
export function valueName(key: string, flags: Flags): string {
  const { kind } = flags[key] as Flag;
  if (kind === "bool") return "";
  return ` <${flagValue(key, flags).name}${kind === "strings" ? ",…" : ""}>`;
}

/** Returns notes about a flag: choices that its placeholder does not show, its default, and whether it may be repeated. */
export function flagNotes(flag: Flag): string {
  const choices = flag.kind === "choice" ? [] : (flag.choices ?? []).filter((choice) => choice !== "");
  const value = defaultText(flag);
  return [
    choices.length > 3 ? `${flag.closed ? "one of" : "such as"} ${choices.join(", ")}` : "",
    value && `default ${value}`,
    flag.kind === "texts" ? "may be repeated" : "",
  ]
    .filter((note) => note !== "")
    .join("; ");
}

/** Returns the default of a flag as a user would type it; empty if it is the zero value. */
export function defaultText(flag: Flag): string {
  if (flag.default === "") return "";
  if (flag.kind === "duration") return formatDuration(Number(flag.default));
  if (Array.isArray(flag.default)) return flag.default.join(",");
  return flag.default === false ? "" : String(flag.default);
}

/** Returns the variables that a command reads, starting with the rule for the variables of its flags. */
export function environmentRows(command: Command): [name: string, about: string][] {
  const [sample] = shownFlags(command.flags).filter(([, { secret, kind }]) => !secret && kind !== "bool");
  const rule: [string, string][] =
    sample && command.bindEnvironment !== false
      ? [["COSIGN_<FLAG>", `value of a flag that is not set: ${flagVariable(sample[0])} for --${flagName(sample[0])}`]]
      : [];
  return [...rule, ...variablesOf(command).map(({ name, about }): [string, string] => [name, about])];
}
