import { flagName } from "../parser/argv.ts";
import type { Command, Flag, LoadCommand } from "../parser/define.ts";
import { flagVariable } from "../parser/environment.ts";
import { type Entry, TABLE } from "../table.ts";
import { deprecatedFlags, exitCodesOf, groupFlags } from "./flag-groups.ts";
import { SECTIONS } from "./groups.ts";
import { defaultText, environmentRows, flagNotes, valueName } from "./help.ts";
import { wrapExamples } from "./layout.ts";

/** One page of the reference: a file name and its Markdown text. */
export interface Page {
  readonly file: string;
  readonly text: string;
}

/** Line width of examples, in characters. */
const EXAMPLES = { columns: 110, indent: 4 };

/** Returns the pages of the reference, one for each command and an index, generated from the definitions. */
export async function referencePages(load: LoadCommand): Promise<Page[]> {
  const pages: Page[] = [];
  for (const entry of TABLE) {
    pages.push({ file: `${entry.words.join("-")}.md`, text: commandPage(entry.name, await load(entry)) });
  }
  return [indexPage(), ...pages];
}

/** Returns the index page: the commands in the sections of the program's help, then hidden ones. */
function indexPage(): Page {
  const listed = SECTIONS.map(({ title, words }) => ({ title, entries: entriesOf(words) }));
  const shown = new Set(listed.flatMap(({ entries }) => entries));
  const hidden = TABLE.filter((entry) => !shown.has(entry));
  const sections = [...listed, { title: "Deprecated and hidden commands", entries: hidden }].map(
    ({ title, entries }) => {
      const lines = entries.map(({ words, summary }) => `- [${words.join(" ")}](${words.join("-")}.md): ${summary}`);
      return `## ${title}\n\n${lines.join("\n")}`;
    },
  );
  const title = "# Commands\n\nGenerated from the definitions by `npm run docs`.";
  return { file: "README.md", text: `${[title, ...sections].join("\n\n")}\n` };
}

function entriesOf(words: readonly string[]): Entry[] {
  return words.flatMap((word) => TABLE.filter((entry) => entry.words[0] === word));
}

function commandPage(name: string, command: Command): string {
  const { examples, flags } = command;
  const sections = [
    `# tsign ${name}`,
    command.about,
    command.deprecated ? `Deprecated: ${command.deprecated}.` : "",
    `    tsign ${name} ${command.usage}`.trimEnd(),
    `## Examples\n\n${wrapExamples(examples, EXAMPLES)}`,
    ...groupFlags(flags).map((group) => flagTable(group.title, group.flags, command)),
    flagTable("Deprecated flags", deprecatedFlags(flags), command),
    markdownTable(
      "Environment",
      ["variable", "meaning"],
      environmentRows(command).map(([name, about]) => [`\`${name}\``, about]),
    ),
    markdownTable(
      "Exit codes",
      ["code", "when"],
      exitCodesOf(command).map(({ code, meaning }) => [String(code), meaning]),
    ),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function flagTable(title: string, rows: readonly [string, Flag][], { flags, bindEnvironment }: Command): string {
  const deprecated = rows.some(([, flag]) => flag.deprecated !== undefined);
  const cells = rows.map(([key, flag]) => {
    const name = `\`--${flagName(key)}${valueName(key, flags)}\`${flag.short ? `, \`-${flag.short}\`` : ""}`;
    const value = defaultText(flag) === "" ? "" : `\`${defaultText(flag)}\``;
    const notes = flagNotes({ ...flag, default: "" });
    const about = notes === "" ? flag.description : `${flag.description} (${notes})`;
    const variable = bindEnvironment === false ? "" : `\`${flagVariable(key)}\``;
    return [name, value, variable, about, ...(deprecated ? [flag.deprecated ?? ""] : [])];
  });
  return markdownTable(title, ["flag", "default", "variable", "meaning", ...(deprecated ? ["instead"] : [])], cells);
}

/** Returns a Markdown table under a title; empty if there are no rows. */
function markdownTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  if (rows.length === 0) return "";
  return `## ${title}\n\n${[line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n")}`;
}
