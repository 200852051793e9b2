import { flagName } from "../parser/argv.ts";
import type { Command, Flag, Flags, LoadCommand } from "../parser/define.ts";
import { globalFlagsOf, PROGRAM_FLAGS } from "../parser/global-flags.ts";
import { type Entry, TABLE } from "../table.ts";
import { deprecatedFlags, exitCodesOf, groupFlags, shownFlags } from "./flag-groups.ts";
import { commandsBelow, GROUPS, type Group } from "./groups.ts";
import { environmentRows, flagNotes, valueName } from "./help.ts";
import { wrapExamples } from "./layout.ts";

/** A manual page: a file name and its roff text, in the macros of man(7). */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** Width of a manual page on a terminal of 80 columns, without its margins. */
const MARGINS = { columns: 72, indent: 0 };

/** Returns the pages of the program and of each group and command, generated from the definitions. */
export async function manPages(global: Flags, load: LoadCommand): Promise<ManPage[]> {
  const groups = Object.keys(GROUPS).map((word) => ({ file: `${pageName([word])}.1`, text: groupPage(word, global) }));
  const commands = TABLE.filter((entry) => !entry.internal).map(async (entry) => ({
    file: `${pageName(entry.words)}.1`,
    text: commandPage(entry, await load(entry)),
  }));
  return [{ file: "tsign.1", text: programPage() }, ...groups, ...(await Promise.all(commands))];
}

function programPage(): string {
  const listed = commandsBelow([]).filter(({ word }) => word !== "help");
  return page("tsign", "sign and verify container images and files", [
    section("SYNOPSIS", `${bold("tsign")} ${italic("command")} [${italic("flags")}] [${italic("arguments")}]`),
    section(
      "DESCRIPTION",
      roff("Signs container images and files with a key or keylessly, and verifies signatures and attestations."),
    ),
    section("COMMANDS", listed.map(({ word, summary }) => commandRow([word], summary)).join("\n")),
    section("OPTIONS", options(shownFlags(PROGRAM_FLAGS), PROGRAM_FLAGS)),
    section(
      "ENVIRONMENT",
      roff(
        "COSIGN_<FLAG> variables set most flags: COSIGN_TRUSTED_ROOT sets --trusted-root. `tsign env` prints the others.",
      ),
    ),
    section(
      "EXIT STATUS",
      roff("0 for success, 1 for a failure, 130 after Ctrl-C. The pages of the commands list other codes."),
    ),
  ]);
}

function groupPage(word: string, global: Flags): string {
  const { about, deprecated } = GROUPS[word] as Group;
  const below = TABLE.filter((entry) => entry.words[0] === word);
  return page(pageName([word]), about, [
    section("SYNOPSIS", `${bold(`tsign ${word}`)} ${italic("command")} [${italic("flags")}] [${italic("arguments")}]`),
    section("DESCRIPTION", roff(`${about}.`)),
    deprecated ? section("STATUS", roff(`Deprecated: ${deprecated}.`)) : "",
    section("COMMANDS", below.map(({ words, summary }) => commandRow(words, summary)).join("\n")),
    section("GLOBAL OPTIONS", options(shownFlags(global), global)),
    section("SEE ALSO", bold("tsign(1)")),
  ]);
}

function commandRow(words: readonly string[], summary: string): string {
  return tagged(bold(`${pageName(words)}(1)`), roff(summary));
}

function commandPage(entry: Entry, command: Command): string {
  const global = globalFlagsOf(command);
  const name = entry.words.join(" ");
  const deprecated = deprecatedFlags(command.flags);
  const variables = environmentRows(command).map(([variable, about]) => tagged(bold(variable), roff(about)));
  const codes = exitCodesOf(command).map(({ code, meaning }) => tagged(bold(String(code)), roff(meaning)));
  return page(pageName(entry.words), entry.summary, [
    section("SYNOPSIS", `${bold(`tsign ${name}`)} ${roff(command.usage)}`),
    section("DESCRIPTION", paragraphs(command.about)),
    command.deprecated ? section("STATUS", roff(`Deprecated: ${command.deprecated}.`)) : "",
    ...groupFlags(command.flags).map(({ title, flags }) =>
      section(title === "Flags" ? "OPTIONS" : title.toUpperCase(), options(flags, command.flags)),
    ),
    section("GLOBAL OPTIONS", options(shownFlags(global), global)),
    deprecated.length > 0 ? section("DEPRECATED OPTIONS", options(deprecated, command.flags)) : "",
    variables.length > 0 ? section("ENVIRONMENT", variables.join("\n")) : "",
    section("EXIT STATUS", codes.join("\n")),
    section("EXAMPLES", `.EX\n${verbatim(wrapExamples(command.examples, MARGINS))}\n.EE`),
    section("SEE ALSO", relatedPages(entry).map(bold).join(",\n")),
  ]);
}

/** The program's page, and those of a subcommand's group and its other subcommands. */
function relatedPages({ words }: Entry): string[] {
  const [word = ""] = words;
  if (words.length === 1) return ["tsign(1)"];
  const others = TABLE.filter((other) => other.words[0] === word && other.words !== words);
  return ["tsign(1)", `${pageName([word])}(1)`, ...others.map((other) => `${pageName(other.words)}(1)`)];
}

function pageName(words: readonly string[]): string {
  return `tsign-${words.join("-")}`;
}

function page(name: string, summary: string, sections: readonly string[]): string {
  const head = `.TH "${name.toUpperCase()}" "1" "" "tsign" "tsign manual"`;
  const parts = [head, section("NAME", `${verbatim(name)} \\- ${verbatim(summary)}`), ...sections];
  return `${parts.filter((part) => part !== "").join("\n")}\n`;
}

function section(title: string, body: string): string {
  return `.SH "${title}"\n${body}`;
}

function options(rows: readonly [string, Flag][], flags: Flags): string {
  return rows
    .map(([key, flag]) => {
      const short = flag.short ? `${bold(`-${flag.short}`)}, ` : "";
      const value = valueName(key, flags).trim();
      const term = `${short}${bold(`--${flagName(key)}`)}${value === "" ? "" : ` ${italic(value.slice(1, -1))}`}`;
      const notes = [flagNotes(flag), flag.deprecated ? `deprecated: ${flag.deprecated}` : ""].filter(
        (note) => note !== "",
      );
      return tagged(term, roff(notes.length > 0 ? `${flag.description} (${notes.join("; ")})` : flag.description));
    })
    .join("\n");
}

function tagged(term: string, body: string): string {
  return `.TP\n${term}\n${body}`;
}

function paragraphs(text: string): string {
  return text.split("\n").map(roff).join("\n.PP\n");
}

/** Escapes text for roff, with code in bold. Flags, variables and paths are never hyphenated at a line's end. */
function roff(text: string): string {
  return escaped(text, /[^\s`]*[-_/][^\s`]*/g).replace(/`([^`]*)`/g, "\\fB$1\\fR");
}

/** Escapes text for roff that is printed line by line. */
function verbatim(text: string): string {
  return escaped(text, /$^/g);
}

/** Minus signs stay minus signs, no line begins like a request, and the words of a pattern are not hyphenated. */
function escaped(text: string, unbroken: RegExp): string {
  return text
    .replaceAll("\\", "\\e")
    .replace(unbroken, "\\%$&")
    .replaceAll("-", "\\-")
    .replaceAll("…", "\\[u2026]")
    .replace(/^([.'])/gm, "\\&$1");
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}
