import { printable, printableLines } from "../../format/printable.ts";
import type { Io, Lines, Output } from "../../io/io.ts";
import { type Secrets, withoutUserinfo } from "./secrets.ts";

/**
 * The one way out for text: what commands write to stdout and stderr through it holds no line of a stranger's, no character
 * that a terminal obeys, and no known secret. See `Lines` in io.ts for what a command may write.
 *
 * @param secrets what is replaced by `***` in text, not in data
 */
export function guardedOutput(
  io: Pick<Io, "stdout" | "stderr" | "tty">,
  secrets: Secrets,
): { stdout: Output; stderr: Lines } {
  const { stdout, stderr } = io;
  return {
    stdout: {
      write: (text) => stdout.write(lineOf(text, secrets)),
      // Asked late: to know it opens the stream.
      data: (content) => stdout.data(io.tty.stdout ? shownOnTerminal(content) : content),
    },
    stderr: { write: (text) => stderr.write(lineOf(withoutUserinfo(text), secrets)) },
  };
}

/** One line: a line feed at its end and tabs at its start stay, everything else that is no character to print is escaped. */
export function lineOf(text: string, secrets?: Secrets): string {
  const safe = secrets?.mask(text) ?? text;
  const end = safe.endsWith("\n") ? "\n" : "";
  const [, indent = "", rest = ""] = /^(\t*)(.*)$/s.exec(safe.slice(0, safe.length - end.length)) ?? [];
  return `${indent}${printable(rest)}${end}`;
}

/** A document keeps its lines; bytes that are no text are shown as what they would be as text. */
function shownOnTerminal(content: string | Uint8Array): string {
  return printableLines(typeof content === "string" ? content : Buffer.from(content).toString("utf8"));
}
