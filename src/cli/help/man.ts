import { flagName } from "../parser/argv.ts";
import type { Command, Flag, Flags, LoadCommand } from "../parser/define.ts";
import { type Entry, TABLE } from "../table.ts";
import { deprecatedFlags, exitCodesOf, groupFlags, shownFlags } from "./flag-groups.ts";
import { isListed } from "./groups.ts";
import { environmentRows, flagNotes, valueName } from "./help.ts";
import { wrapCommand } from "./layout.ts";

/** A manual page: a file name and its roff, in the macros of man(7). */
export interface ManPage {
  readonly file: string;
  readonly text: string;
}

/** What a manual page leaves of a terminal of 80 columns. */
const MARGINS = { columns: 72, indent: 0 };

/** A page for the program and one for each command, all of it from the definitions. */
export async function manPages(global: Flags, load: LoadCommand): Promise<ManPage[]> {
  const pages = TABLE.filter((entry) => !entry.internal).map(async (entry) => ({
    file: `${pageName(entry)}.1`,
    text: commandPage(entry, await load(entry), global),
  }));
  return [{ file: "tsign.1", text: programPage(global) }, ...(await Promise.all(pages))];
}

function programPage(global: Flags): string {
  const listed = TABLE.filter((entry) => isListed(entry, []));
  const commands = listed.map((entry) => tagged(bold(`tsign-${entry.words.join("-")}(1)`), roff(entry.summary)));
  return page("tsign", "sign and verify container images and files", [
    section("SYNOPSIS", `${bold("tsign")} ${italic("command")} [${italic("flags")}] [${italic("arguments")}]`),
    section(
      "DESCRIPTION",
      roff("Signs container images and files with keys or with an identity, and verifies what was signed."),
    ),
    section("COMMANDS", commands.join("\n")),
    section("OPTIONS OF EVERY COMMAND", options(shownFlags(global), global)),
    section(
      "ENVIRONMENT",
      roff("Most flags can be set by a variable: --trusted-root by COSIGN_TRUSTED_ROOT. `tsign env` lists the others."),
    ),
    section(
      "EXIT STATUS",
      roff("0 for success, 1 for a failure, 130 after Ctrl-C; pages of commands name other codes."),
    ),
  ]);
}

function commandPage(entry: Entry, command: Command, global: Flags): string {
  const name = entry.words.join(" ");
  const deprecated = deprecatedFlags(command.flags);
  const variables = environmentRows(command).map(([variable, about]) => tagged(bold(variable), roff(about)));
  const codes = exitCodesOf(command).map(({ code, meaning }) => tagged(bold(String(code)), roff(meaning)));
  const related = TABLE.filter(
    (other) => other !== entry && other.words.length > 1 && other.words[0] === entry.words[0],
  ).map((other) => bold(`${pageName(other)}(1)`));
  return page(pageName(entry), entry.summary, [
    section("SYNOPSIS", `${bold(`tsign ${name}`)} ${roff(command.usage)}`),
    section("DESCRIPTION", paragraphs(command.about)),
    command.deprecated ? section("STATUS", roff(`Deprecated: ${command.deprecated}.`)) : "",
    ...groupFlags(command.flags).map(({ title, flags }) =>
      section(title === "Flags" ? "OPTIONS" : title.toUpperCase(), options(flags, command.flags)),
    ),
    section("OPTIONS OF EVERY COMMAND", options(shownFlags(global), global)),
    deprecated.length > 0 ? section("DEPRECATED OPTIONS", options(deprecated, command.flags)) : "",
    variables.length > 0 ? section("ENVIRONMENT", variables.join("\n")) : "",
    codes.length > 0 ? section("EXIT STATUS", codes.join("\n")) : "",
    section("EXAMPLES", `.EX\n${command.examples.map((line) => roff(wrapCommand(line, MARGINS))).join("\n")}\n.EE`),
    section("SEE ALSO", [bold("tsign(1)"), ...related].join(",\n")),
  ]);
}

function pageName({ words }: Entry): string {
  return `tsign-${words.join("-")}`;
}

function page(name: string, summary: string, sections: readonly string[]): string {
  const head = `.TH "${name.toUpperCase()}" "1" "" "tsign" "tsign manual"`;
  const parts = [head, section("NAME", `${roff(name)} \\- ${roff(summary)}`), ...sections];
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

/** Text as roff takes it: escapes, hyphens that stay hyphens, no line that begins like a request, code in bold. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/`([^`]*)`/g, "\\fB$1\\fR")
    .replaceAll("…", "\\[u2026]")
    .replace(/^([.'])/gm, "\\&$1");
}

function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}
