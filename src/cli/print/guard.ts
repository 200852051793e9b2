import { printable, printableLines } from "../../format/printable.ts";
import type { Io, LineOptions, Lines, Output, Part, Terminal } from "../../io/io.ts";
import { type Secrets, withoutUserinfo } from "./secrets.ts";
import { StatusArea } from "./status.ts";
import { type Look, lookOf, paint, plain } from "./style.ts";
import { breaksOf } from "./wrap.ts";

type Guarded = Pick<Io, "stdout" | "stderr" | "tty" | "env"> & Partial<Pick<Io, "orderly">>;

/** The streams that commands get, and what only `main` does with them. */
export interface GuardedOutput {
  readonly stdout: Output;
  readonly stderr: Lines;
  readonly tty: Terminal;
  /** Writes the lines that were held back so far; with `quiet` they are dropped, and so are all others but errors. */
  begin(options: { quiet: boolean }): void;
  /** Removes the status lines; from now on nothing but what `begin`'s caller writes with `always` is shown. */
  end(): void;
}

/** Labels at the start of a line, and their styles. */
const LABELS = [
  { label: /^Error:/, style: "bad" },
  { label: /^WARNING:/, style: "caution" },
  { label: /^(?:hint|Note):/, style: "hint" },
  { label: /^Verified OK$/, style: "good" },
] as const;

/**
 * The one way out for text. What commands write to stdout and stderr through it cannot begin a line of its own and contains
 * neither control characters nor known secrets; styles, links and line breaks are added after that. See `Lines` in
 * io.ts for what a command may write.
 *
 * Until `begin`, lines for stderr are held back: --quiet is not known before the command line is read.
 *
 * @param secrets replaced by `***` in text, not in data
 */
export function guardedOutput(io: Guarded, secrets: Secrets): GuardedOutput {
  const area = new StatusArea(io);
  let state: "held" | "shown" | "quiet" | "ended" = "held";
  let held: string[] = [];
  let atStart = true;
  const show = (line: string) => {
    area.erase();
    io.stderr.write(line);
  };
  const stderr: Lines = {
    write(text, options) {
      const always = options?.always === true;
      if ((state === "quiet" || state === "ended") && !always) return;
      const safe = lineOf(withoutUserinfo(text), secrets);
      const parts = atStart ? safeParts(safe, options, secrets) : [{ text: safe }];
      atStart = safe.endsWith("\n");
      const line = laidOut(parts, { safe, look: lookOf(io, "stderr"), hanging: options?.hanging });
      if (state === "held" && !always) held.push(line);
      else show(line);
    },
  };
  return {
    stdout: {
      write(text, options) {
        if (state === "ended") return;
        area.erase();
        const safe = lineOf(text, secrets);
        io.stdout.write(options?.parts ? painted(safeParts(safe, options, secrets), lookOf(io, "stdout")) : safe);
      },
      data(content) {
        if (state === "ended") return;
        area.erase();
        // Asked late: to know it opens the stream.
        io.stdout.data(io.tty.stdout ? shownOnTerminal(content) : content);
      },
    },
    stderr,
    tty: area.terminal(),
    begin({ quiet }) {
      state = quiet ? "quiet" : "shown";
      if (!quiet) held.forEach(show);
      held = [];
      if (quiet) area.close();
    },
    end() {
      if (state === "held") held.forEach(show);
      held = [];
      area.close();
      state = "ended";
    },
  };
}

/** Returns one line: keeps a line feed at its end and tabs at its start, and escapes all other characters that are not printable. */
export function lineOf(text: string, secrets?: Secrets): string {
  const safe = secrets?.mask(text) ?? text;
  const end = safe.endsWith("\n") ? "\n" : "";
  const [, indent = "", rest = ""] = /^(\t*)(.*)$/s.exec(safe.slice(0, safe.length - end.length)) ?? [];
  return `${indent}${printable(rest)}${end}`;
}

/**
 * The parts of a line, each escaped; one without style where masking or escaping made them differ from the line, so that no
 * secret is shown because it stands in two parts.
 */
function safeParts(safe: string, options: LineOptions | undefined, secrets: Secrets): readonly Part[] {
  if (options?.parts) {
    const parts = options.parts.map((part) => ({ ...part, text: printable(secrets.mask(part.text)) }));
    const end = safe.endsWith("\n") ? [{ text: "\n" }] : [];
    return plain([...parts, ...end]) === safe ? [...parts, ...end] : [{ text: safe }];
  }
  for (const { label, style } of LABELS) {
    const [found] = label.exec(safe.trimEnd()) ?? [];
    if (found !== undefined) return [{ text: found, style }, { text: safe.slice(found.length) }];
  }
  return [{ text: safe }];
}

function painted(parts: readonly Part[], look: Look): string {
  return parts.map((part) => (part.text === "" || part.text === "\n" ? part.text : paint(part, look))).join("");
}

/** A line with its styles, broken at the terminal's width. Into a pipe or a file it goes in one piece. */
function laidOut(
  parts: readonly Part[],
  { safe, look, hanging }: { safe: string; look: Look; hanging: number | undefined },
): string {
  if (!look.terminal || !safe.endsWith("\n")) return painted(parts, look);
  const { at, indent } = breaksOf(safe.slice(0, -1), look.columns, hanging);
  return painted(at.length === 0 ? parts : withBreaks(parts, { at, indent }), look);
}

function withBreaks(parts: readonly Part[], { at, indent }: { at: readonly number[]; indent: number }): Part[] {
  const broken: Part[] = [];
  let offset = 0;
  for (const part of parts) {
    let from = 0;
    for (const index of at) {
      const position = index - offset;
      if (position < 0 || position >= part.text.length) continue;
      broken.push({ ...part, text: part.text.slice(from, position) }, { text: `\n${" ".repeat(indent)}` });
      from = position + 1;
    }
    broken.push({ ...part, text: part.text.slice(from) });
    offset += part.text.length;
  }
  return broken;
}

/** Escapes a document for a terminal, except for line feeds and tabs. Bytes that are not UTF-8 become replacement characters. */
function shownOnTerminal(content: string | Uint8Array): string {
  return printableLines(typeof content === "string" ? content : Buffer.from(content).toString("utf8"));
}
