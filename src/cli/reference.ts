import { flagName } from "./argv.ts";
import type { Command, Flag } from "./define.ts";
import { flagVariable } from "./environment.ts";
import { defaultText, shownFlags, valueName } from "./help.ts";
import { TABLE } from "./table.ts";

/** One page of the reference: a file name and its Markdown. */
export interface Page {
  readonly file: string;
  readonly text: string;
}

/** The reference, a page for each command and one that lists them, all of it from the definitions. */
export async function referencePages(): Promise<Page[]> {
  const pages: Page[] = [];
  for (const { words, load } of TABLE) {
    const { default: command } = await load();
    pages.push({ file: `${words.join("-")}.md`, text: commandPage(words.join(" "), command) });
  }
  const index = TABLE.map(({ words, summary }) => `- [${words.join(" ")}](${words.join("-")}.md): ${summary}`);
  const title = "# Commands\n\nGenerated from the definitions by `npm run docs`.\n\n";
  return [{ file: "README.md", text: `${title}${index.join("\n")}\n` }, ...pages];
}

function commandPage(name: string, command: Command): string {
  const bound = command.bindEnvironment !== false;
  const hidden = Object.entries(command.flags).filter(([, flag]) => flag.deprecated !== undefined);
  const sections = [
    `# tsign ${name}`,
    command.about,
    `    tsign ${name} ${command.usage}`.trimEnd(),
    command.deprecated ? `Deprecated: ${command.deprecated}.` : "",
    command.examples.length > 0 ? `## Examples\n\n${command.examples.map((line) => `    ${line}`).join("\n")}` : "",
    flagTable("Flags", shownFlags(command.flags), bound),
    flagTable("Deprecated flags, which still work", hidden, bound),
    exitCodes(command),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function flagTable(title: string, flags: readonly [string, Flag][], bound: boolean): string {
  if (flags.length === 0) return "";
  const rows = flags.map(([key, flag]) => {
    const name = `\`--${flagName(key)}${valueName(flag)}\`${flag.short ? `, \`-${flag.short}\`` : ""}`;
    const value = defaultText(flag) === "" ? "" : `\`${defaultText(flag)}\``;
    const notes = flag.unavailable ? ` *Not in this version: needs ${flag.unavailable}.*` : "";
    return `| ${name.replaceAll("|", "\\|")} | ${value} | ${bound ? `\`${flagVariable(key)}\`` : ""} | ${flag.description}${notes} |`;
  });
  return `## ${title}\n\n| flag | default | variable | meaning |\n|---|---|---|---|\n${rows.join("\n")}`;
}

function exitCodes({ exitCodes = {} }: Command): string {
  const rows = Object.entries(exitCodes).sort((a, b) => a[1] - b[1]);
  if (rows.length === 0) return "";
  const table = rows.map(([code, exit]) => `| ${exit} | ${code} |`);
  return `## Exit codes\n\n| code | when |\n|---|---|\n| 0 | success |\n| 1 | any other failure |\n${table.join("\n")}`;
}
