import { flagName } from "./argv.ts";
import type { Command, Flag } from "./define.ts";
import { flagVariable } from "./environment.ts";
import { exitCodesOf, groupFlags, variablesOf } from "./flag-groups.ts";
import { defaultText, valueName } from "./help.ts";
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
    ...groupFlags(command.flags).map(({ title, flags }) => flagTable(title, flags, bound)),
    flagTable("Deprecated flags, which still work", hidden, bound),
    environment(command),
    exitCodes(command),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function flagTable(title: string, flags: readonly [string, Flag][], bound: boolean): string {
  if (flags.length === 0) return "";
  const rows = flags.map(([key, flag]) => {
    const name = `\`--${flagName(key)}${valueName(flag)}\`${flag.short ? `, \`-${flag.short}\`` : ""}`;
    const value = defaultText(flag) === "" ? "" : `\`${defaultText(flag)}\``;
    return `| ${name.replaceAll("|", "\\|")} | ${value} | ${bound ? `\`${flagVariable(key)}\`` : ""} | ${flag.description} |`;
  });
  return `## ${title}\n\n| flag | default | variable | meaning |\n|---|---|---|---|\n${rows.join("\n")}`;
}

function environment(command: Command): string {
  const rows = variablesOf(command).map(({ name, about }) => `| \`${name}\` | ${about} |`);
  return rows.length > 0 ? `## Environment\n\n| variable | meaning |\n|---|---|\n${rows.join("\n")}` : "";
}

function exitCodes(command: Command): string {
  const rows = exitCodesOf(command).map(({ code, meaning }) => `| ${code} | ${meaning} |`);
  return rows.length > 0 ? `## Exit codes\n\n| code | when |\n|---|---|\n${rows.join("\n")}` : "";
}
