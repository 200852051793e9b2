import type { Io, Part, Style } from "../../io/io.ts";

/** How text looks on one of the two output streams. */
export interface Look {
  /** Whether the stream is a terminal: long lines are wrapped, digests shortened, tables aligned. */
  readonly terminal: boolean;
  /** Whether styles are written as colour and weight. */
  readonly colour: boolean;
  /** Whether ✓ and ├── can be shown. */
  readonly unicode: boolean;
  /** Whether the terminal shows hyperlinks (OSC 8). */
  readonly links: boolean;
  /** Characters that fit on a line. */
  readonly columns: number;
}

/** A narrower terminal is treated as this wide. */
const MIN_COLUMNS = 30;

/** SGR parameters (ECMA-48 8.3.117) that begin a style. */
const SGR: Readonly<Record<Style, string>> = {
  strong: "1",
  faint: "2",
  good: "32",
  bad: "1;31",
  caution: "1;33",
  hint: "36",
};
const RESET = "\u001b[0m";

/** Characters of a mark, and what stands for it without Unicode. */
const MARKS = { good: ["✓", "ok"], bad: ["✗", "x"], caution: ["!", "!"] } as const;

/** Terminals that are known to show hyperlinks, by TERM_PROGRAM. */
const LINKING_PROGRAMS = new Set(["ghostty", "iTerm.app", "vscode", "WezTerm"]);
const LINKING_TERMS = /^(?:alacritty|foot|xterm-ghostty|xterm-kitty)/;

/**
 * How text looks on a stream. FORCE_COLOR (other than 0 or false) asks for colour anywhere, NO_COLOR (not empty) and
 * TERM=dumb switch it off, otherwise a terminal has it (no-color.org, force-color.org).
 */
export function lookOf({ tty, env }: Pick<Io, "tty" | "env">, stream: "stdout" | "stderr"): Look {
  const dumb = env["TERM"] === "dumb";
  const terminal = tty[stream];
  const colour = isColourForced(env) ?? (terminal && !dumb && !env["NO_COLOR"]);
  return {
    terminal,
    colour,
    unicode: !dumb && hasUnicode(env),
    links: terminal && colour && hasLinks(env),
    columns: Math.max(MIN_COLUMNS, tty.columns),
  };
}

function isColourForced(env: Io["env"]): boolean | undefined {
  const forced = env["FORCE_COLOR"];
  if (forced === undefined || forced === "") return undefined;
  return forced !== "0" && forced !== "false";
}

/** Whether the locale's character set is UTF-8 (POSIX locale variables, by precedence), or the terminal is Windows Terminal. */
function hasUnicode(env: Io["env"]): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return /utf-?8/i.test(locale) || Boolean(env["WT_SESSION"]);
}

/** Terminals that are not known to hide the address of a link would print it as text, so only known ones count. */
function hasLinks(env: Io["env"]): boolean {
  const term = env["TERM"] ?? "";
  if (env["TMUX"] || env["STY"] || /^(?:screen|tmux)/.test(term)) return false;
  return (
    LINKING_PROGRAMS.has(env["TERM_PROGRAM"] ?? "") ||
    LINKING_TERMS.test(term) ||
    Number(env["VTE_VERSION"] ?? 0) >= 5000 ||
    Boolean(env["WT_SESSION"])
  );
}

/** A mark in front of a line: ✓ ✗ !, or ok, x, !. */
export function mark(kind: keyof typeof MARKS, { unicode }: Pick<Look, "unicode">): Part {
  return { text: MARKS[kind][unicode ? 0 : 1], style: kind };
}

/**
 * The bytes for text in a style, and for a link where the terminal shows them.
 *
 * @param text without control characters
 */
export function paint({ text, style, link }: Part, { colour, links }: Pick<Look, "colour" | "links">): string {
  const styled = colour && style !== undefined ? `\u001b[${SGR[style]}m${text}${RESET}` : text;
  const isSafe = links && link !== undefined && /^https?:\/\/[!-~]+$/.test(link);
  return isSafe ? `\u001b]8;;${link}\u001b\\${styled}\u001b]8;;\u001b\\` : styled;
}

/** The text of parts, without their styles. */
export function plain(parts: readonly Part[]): string {
  return parts.map(({ text }) => text).join("");
}

/** `sha256:0123456789ab` on a terminal, the whole digest elsewhere; text around digests stays. */
export function shortDigests(text: string, { terminal }: Pick<Look, "terminal">): string {
  return terminal ? text.replace(/\b(sha(?:256|384|512)[:-][0-9a-f]{12})[0-9a-f]{52,}/g, "$1") : text;
}
