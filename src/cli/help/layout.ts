import type { Io } from "../../io/io.ts";

/** What text for a terminal is laid out for. */
export interface Screen {
  /** Characters a line may have. */
  readonly columns: number;
  /** Whether titles are bold. */
  readonly styled: boolean;
}

/** Lines longer than this are hard to read, however wide the terminal is. */
const WIDEST = 100;
const NARROWEST = 30;
/** Where a term and its text do not fit side by side any more. */
const NARROW = 60;
/** A longer term stands on a line of its own. */
const LONGEST_TERM = 31;

/** The user's terminal; without one, 80 columns and no style. NO_COLOR and TERM=dumb are respected. */
export function screenOf({ tty, env }: Pick<Io, "tty" | "env">): Screen {
  const columns = Math.min(WIDEST, Math.max(NARROWEST, tty.columns));
  return { columns, styled: tty.stdout && !env["NO_COLOR"] && env["TERM"] !== "dumb" };
}

/** A title with lines below it; nothing when there are none. */
export function section(title: string, body: string, screen: Screen): string {
  if (body === "") return "";
  return `${screen.styled ? `\u001b[1m${title}:\u001b[22m` : `${title}:`}\n${body}`;
}

/** Terms on the left with their texts on the right; below each other where the screen is narrow. */
export function table(rows: readonly (readonly [term: string, text: string])[], { columns }: Screen): string {
  const lengths = rows.map(([term]) => term.length).filter((length) => length <= LONGEST_TERM);
  const indent = columns < NARROW ? 8 : 2 + Math.max(0, ...lengths) + 2;
  return rows
    .flatMap(([term, text]) => {
      const lines = wrap(text, { columns, indent }).split("\n");
      const fits = columns >= NARROW && term.length + 4 <= indent;
      const [first = "", ...more] = lines;
      return fits ? [`  ${term}`.padEnd(indent) + first.trimStart(), ...more] : [`  ${term}`, ...lines];
    })
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Text broken between words, each paragraph on its own; one that begins with a blank stays as it is. */
export function wrap(text: string, { columns, indent }: { columns: number; indent: number }): string {
  const margin = " ".repeat(indent);
  return text
    .split("\n")
    .flatMap((paragraph) =>
      paragraph.startsWith(" ") ? [paragraph] : breakLines(paragraph.split(" "), columns - indent),
    )
    .map((line) => (line === "" ? "" : margin + line))
    .join("\n");
}

/**
 * A command line, or a comment, that a shell reads as the same when it is broken: before flags and arguments, never
 * between a flag and what follows it, and never inside quotes.
 */
export function wrapCommand(line: string, { columns, indent }: { columns: number; indent: number }): string {
  const margin = " ".repeat(indent);
  if (line.startsWith("#")) {
    const lines = breakLines(line.slice(1).trim().split(" "), columns - indent - 2);
    return lines.map((each) => `${margin}# ${each}`).join("\n");
  }
  if (indent + line.length <= columns) return margin + line;
  const [first = "", ...more] = breakLines(commandParts(line), columns - indent - 6);
  return [margin + first, ...more.map((each) => `${margin}    ${each}`)].join(" \\\n");
}

function commandParts(line: string): string[] {
  const words = line.match(/(?:[^\s"'(]|"[^"]*"|'[^']*'|\([^)]*\))+/g) ?? [];
  const parts: string[] = [];
  for (const word of words) {
    const last = parts.at(-1);
    const joined =
      last !== undefined && /^(-\S*|\||<|>|tsign)$/.test(last.split(" ").at(-1) ?? "") && !word.startsWith("-");
    if (joined || parts.length === 0) parts.splice(-1, 1, last === undefined ? word : `${last} ${word}`);
    else parts.push(word);
  }
  return parts;
}

function breakLines(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of words) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
