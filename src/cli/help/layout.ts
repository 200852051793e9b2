import type { Io } from "../../io/io.ts";
import { lookOf } from "../print/style.ts";

/** The terminal that text is laid out for. */
export interface Screen {
  /** Line width in characters. */
  readonly columns: number;
  /** Whether headings are bold. */
  readonly styled: boolean;
}

/** Longer lines are hard to read. */
const MAX_COLUMNS = 120;
/** Width from which terms and their texts stand side by side. */
const SIDE_BY_SIDE_COLUMNS = 60;

/** Returns the user's terminal: 80 columns without one. Headings are bold where stdout has colour. */
export function screenOf(io: Pick<Io, "tty" | "env">): Screen {
  const { columns, colour } = lookOf(io, "stdout");
  return { columns: Math.min(MAX_COLUMNS, columns), styled: colour };
}

/** Returns a heading with lines below it; empty if there are no lines. */
export function section(title: string, body: string, screen: Screen): string {
  if (body === "") return "";
  return `${screen.styled ? `\u001b[1m${title}:\u001b[22m` : `${title}:`}\n${body}`;
}

export type Row = readonly [term: string, text: string];

/**
 * Returns terms on the left with their texts on the right; on a narrow screen, each text stands below its term. A term that is
 * too long for the left column stands on a line of its own.
 *
 * @param indent column of the texts, see `textColumn`
 */
export function table(rows: readonly Row[], { columns }: Screen, indent = textColumn(rows, columns)): string {
  return rows
    .flatMap(([term, text]) => {
      const lines = wrap(text, { columns, indent }).split("\n");
      const fits = columns >= SIDE_BY_SIDE_COLUMNS && term.length + 4 <= indent;
      const [first = "", ...more] = lines;
      return fits ? [`  ${term}`.padEnd(indent) + first.trimStart(), ...more] : [`  ${term}`, ...lines];
    })
    .map((line) => line.trimEnd())
    .join("\n");
}

/** Returns the column in which the texts of a table start: right of the start of every term. */
export function textColumn(rows: readonly Row[], columns: number): number {
  const starts = rows.map(([term]) => 2 + term.length - term.trimStart().length);
  const beside = Math.max(4, ...starts) + 4;
  if (columns < SIDE_BY_SIDE_COLUMNS) return Math.min(beside, 8);
  const widest = Math.floor(columns * 0.38);
  const lengths = rows.map(([term]) => term.length).filter((length) => length <= widest);
  const longest = Math.max(0, ...lengths);
  return lengths.length === rows.length ? longest + 4 : Math.max(beside, longest + 4);
}

/** Breaks text between words, each paragraph on its own. In a paragraph like `  term  text`, further lines start below the text. */
export function wrap(text: string, { columns, indent }: { columns: number; indent: number }): string {
  const margin = " ".repeat(indent);
  return text
    .split("\n")
    .flatMap((paragraph) => breakParagraph(paragraph, columns - indent))
    .map((line) => (line === "" ? "" : margin + line))
    .join("\n");
}

function breakParagraph(paragraph: string, width: number): string[] {
  const [, term = "", text = paragraph] = /^( +\S+ {2,})(\S.*)$/.exec(paragraph) ?? [];
  const hanging = Math.min(term.length, Math.floor(width / 2));
  const [first = "", ...more] = breakLines(splitWords(text), width - hanging);
  if (term.length > hanging) return [term.trimEnd(), ...[first, ...more].map((line) => " ".repeat(hanging) + line)];
  return [term + first, ...more.map((line) => " ".repeat(hanging) + line)];
}

/** Splits text at blanks, but not inside short `code`. */
function splitWords(text: string): string[] {
  return text.match(/(?:`[^`]{1,30}`|\S)+/g) ?? [""];
}

/** Breaks a usage line between its words; further lines are indented by four more characters. */
export function wrapUsage(line: string, { columns }: Screen): string {
  const [first = "", ...more] = breakLines(splitWords(line), columns - 6);
  return [`  ${first}`, ...more.map((each) => `      ${each}`)].join("\n");
}

/** Breaks the lines of examples, with an empty line before each comment but the first. */
export function wrapExamples(lines: readonly string[], margins: { columns: number; indent: number }): string {
  return lines
    .map((line, index) => (index > 0 && line.startsWith("#") ? "\n" : "") + wrapCommand(line, margins))
    .join("\n");
}

/**
 * Breaks a command line, or a comment, so that a shell still reads it as the same: before flags and arguments, never between
 * a flag and the word after it, and never inside quotes.
 */
export function wrapCommand(line: string, { columns, indent }: { columns: number; indent: number }): string {
  const margin = " ".repeat(indent);
  if (line.startsWith("#")) {
    const lines = breakLines(splitWords(line.slice(1).trim()), columns - indent - 2);
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
