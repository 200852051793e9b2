import { flagName } from "./argv.ts";
import type { Command, Flag, Flags } from "./define.ts";
import { flagVariable } from "./environment.ts";
import { type Entry, GROUPS, isListed, TABLE } from "./table.ts";
import { formatDuration } from "./values.ts";

const WIDTH = 100;

/** The help of one command, all of it from its definition. */
export function commandHelp(entry: Entry, command: Command, global: Flags): string {
  const sections = [
    wrap(command.about, 0),
    `Usage:\n  tsign ${entry.words.join(" ")} ${command.usage}`,
    command.examples.length > 0 ? `Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}` : "",
    flagSection("Flags", command.flags, command.bindEnvironment !== false),
    flagSection("Global flags", global, false),
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
    flagSection("Global flags", global, false),
    `\`${name} [command] --help\` tells more about a command.`,
  ].join("\n\n")}\n`;
}

/** Flags that help shows: the deprecated ones only work. */
export function shownFlags(flags: Flags): [string, Flag][] {
  return Object.entries(flags)
    .filter(([, flag]) => flag.deprecated === undefined)
    .sort(([a], [b]) => (flagName(a) < flagName(b) ? -1 : 1));
}

function flagSection(title: string, flags: Flags, environment: boolean): string {
  const lines = shownFlags(flags).map(([key, flag]) => {
    const short = flag.short ? `-${flag.short}, ` : "    ";
    const notes = [
      defaultText(flag) && `default ${defaultText(flag)}`,
      environment ? flagVariable(key) : "",
      flag.unavailable ? "not in this version" : "",
    ].filter((note) => note !== "");
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

function exitCodeSection(command: Command): string {
  const codes = Object.entries(command.exitCodes ?? {});
  if (codes.length === 0) return "";
  const lines = codes.sort((a, b) => a[1] - b[1]).map(([code, exit]) => `  ${exit}  ${code}`);
  return `Exit codes:\n  0  success\n  1  any other failure\n${lines.join("\n")}`;
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
