import { printable } from "../../format/printable.ts";

/** A line of an outline, and what is below it. */
export interface Node {
  readonly text: string;
  /** Whether unprintable characters of the value are shown as escapes. */
  readonly isEscaped?: boolean;
  readonly below: readonly Node[];
}

/** `label: value`, or `label:` above other lines. Whatever comes from outside is made safe for a terminal. */
export function node(label: string, value: string | number | bigint, ...below: (Node | undefined)[]): Node;
export function node(label: string, value: undefined, ...below: (Node | undefined)[]): Node;
export function node(label: string, value: string | number | bigint | undefined, ...below: (Node | undefined)[]): Node {
  const text = value === undefined || value === "" ? `${label}:` : `${label}: ${value}`;
  const shown = printable(text);
  return { text: shown, isEscaped: shown !== text, below: below.filter((each) => each !== undefined) };
}

/** Something a bundle should not be, or lacks. */
export function warning(text: string): Node {
  return { text: `[!] WARNING: ${text}`, below: [] };
}

/** How long something is that says nothing when printed. */
export function present(label: string, bytes: Uint8Array, what = "Present "): Node {
  return node(label, `${what}(${bytes.length} bytes)`);
}

/** Whether a line of the outline shows unprintable characters as escapes. */
export function hasEscapes(nodes: readonly Node[]): boolean {
  return nodes.some(({ isEscaped, below }) => isEscaped === true || hasEscapes(below));
}

/** The lines of the outline, two spaces a level. */
export function render(nodes: readonly Node[], depth = 0): string[] {
  return nodes.flatMap(({ text, below }) => [`${"  ".repeat(depth)}- ${text}`, ...render(below, depth + 1)]);
}

/** `2024-12-16T18:42:56Z`. */
export function timeText(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
