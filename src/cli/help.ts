import { flagName } from "./argv.ts";
import type { Command, Flag, Flags } from "./define.ts";
import { flagVariable } from "./environment.ts";
import { exitCodesOf, type FlagGroup, groupFlags, shownFlags, variablesOf } from "./flag-groups.ts";
import { type Entry, GROUPS, isListed, TABLE } from "./table.ts";
import { formatDuration } from "./values.ts";

const WIDTH = 100;

/** The help of one command, all of it from its definition. */
export function commandHelp(entry: Entry, command: Command, global: Flags): string {
  const sections = [
    wrap(command.about, 0),
    `Usage:\n  tsign ${entry.words.join(" ")} ${command.usage}`,
    command.examples.length > 0 ? `Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}` : "",
    ...groupFlags(command.flags).map((group) => flagSection(group, command.bindEnvironment !== false)),
    flagSection({ title: "Global flags", flags: shownFlags(global) }, false),
    environmentSection(command),
    exitCodeSection(command),
  ];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

/** The help of the program or of a group: its commands, a line each. */
export function groupHelp(prefix: readonly string[], global: Flags): string {
  const depth = prefix.length;
  const below = TABLE.filter(
    (entry) => isListed(entry, prefix) && prefix.every((word, index) => entry.words[index] === word),
  );
  const lines = new Map<string, string>();
  for (const entry of below) {
    const word = entry.words[depth] ?? "";
    lines.set(word, entry.words.length > depth + 1 ? (GROUPS[word]?.about ?? "") : entry.summary);
  }
  const width = Math.max(...[...lines.keys()].map((word) => word.length));
  const commands = [...lines].map(([word, summary]) => `  ${word.padEnd(width)}  ${summary}`);
  const title = GROUPS[prefix.join(" ")]?.about ?? "Sign and verify container images and files.";
  const name = ["tsign", ...prefix].join(" ");
  return `${[
    title,
    `Usage:\n  ${name} [command]`,
    `Commands:\n${commands.join("\n")}`,
    flagSection({ title: "Global flags", flags: shownFlags(global) }, false),
    `\`${name} [command] --help\` tells more about a command.`,
  ].join("\n\n")}\n`;
}

function flagSection({ title, flags }: FlagGroup, environment: boolean): string {
  const lines = flags.map(([key, flag]) => {
    const short = flag.short ? `-${flag.short}, ` : "    ";
    const notes = [defaultText(flag) && `default ${defaultText(flag)}`, environment ? flagVariable(key) : ""].filter(
      (note) => note !== "",
    );
    const about = notes.length > 0 ? `${flag.description} (${notes.join(", ")})` : flag.description;
    return `  ${short}--${flagName(key)}${valueName(flag)}\n${wrap(about, 8)}`;
  });
  return lines.length > 0 ? `${title}:\n${lines.join("\n")}` : "";
}

/** What stands for the value in usage: ` <text>`. */
export function valueName(flag: Flag): string {
  switch (flag.kind) {
    case "bool":
      return "";
    case "string":
    case "texts":
      return " <text>";
    case "strings":
      return " <text,…>";
    case "int":
      return " <number>";
    case "duration":
      return " <duration>";
    case "choice":
      return ` <${(flag.choices ?? []).filter((choice) => choice !== "").join("|")}>`;
  }
}

/** The default as a user would type it; empty when there is nothing to say. */
export function defaultText(flag: Flag): string {
  if (flag.kind === "duration") return formatDuration(Number(flag.default));
  if (Array.isArray(flag.default)) return flag.default.join(",");
  return flag.default === false || flag.default === "" ? "" : String(flag.default);
}

function environmentSection(command: Command): string {
  const variables = variablesOf(command);
  const width = Math.max(0, ...variables.map(({ name }) => name.length));
  const lines = variables.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`);
  return lines.length > 0 ? `Environment:\n${lines.join("\n")}` : "";
}

function exitCodeSection(command: Command): string {
  const lines = exitCodesOf(command).map(({ code, meaning }) => `  ${String(code).padStart(2)}  ${meaning}`);
  return lines.length > 0 ? `Exit codes:\n${lines.join("\n")}` : "";
}

function wrap(text: string, indent: number): string {
  const margin = " ".repeat(indent);
  return text
    .split("\n")
    .map((paragraph) => {
      const lines: string[] = [];
      let line = "";
      for (const word of paragraph.split(" ")) {
        if (line !== "" && margin.length + line.length + 1 + word.length > WIDTH) {
          lines.push(line);
          line = word;
        } else line = line === "" ? word : `${line} ${word}`;
      }
      return [...lines, line].map((each) => margin + each).join("\n");
    })
    .join("\n");
}
