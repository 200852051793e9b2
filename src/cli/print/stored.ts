import type { Evidence } from "../../evidence/model.ts";
import type { Io } from "../../io/io.ts";
import { recordStored } from "../effects.ts";
import { writeLine } from "./signed-by.ts";
import { lookOf, mark, shortDigests } from "./style.ts";

type PrintIo = Pick<Io, "stderr" | "tty" | "env">;

/**
 * Prints on stderr what was stored where, and records it: `Stored signature: registry/repository@sha256:…, log entry 12`.
 *
 * @param stored.where a reference with the digest of what was stored, or a file
 * @param stored.evidence the signature, for its log entries
 */
export function printStored(
  io: PrintIo & Pick<Io, "signal">,
  stored: { kind: string; where: string; evidence?: Pick<Evidence, "log"> | undefined },
): void {
  const { kind, where, evidence } = stored;
  recordStored(io, { kind, where, logEntries: (evidence?.log ?? []).map(({ logIndex }) => String(logIndex)) });
  printDone(io, `Stored ${stored.kind}: ${stored.where}${logText(stored.evidence)}`);
}

/** `, log entry 12`; empty without a log. */
export function logText(evidence: Pick<Evidence, "log"> | undefined): string {
  const indices = (evidence?.log ?? []).map(({ logIndex }) => String(logIndex));
  if (indices.length === 0) return "";
  return `, log ${indices.length === 1 ? "entry" : "entries"} ${indices.join(" and ")}`;
}

/** Prints one line about something that was done, with a mark and short digests on a terminal. */
export function printDone(io: PrintIo, text: string): void {
  const look = lookOf(io, "stderr");
  if (look.terminal) writeLine(io.stderr, [mark("good", look), { text: ` ${shortDigests(text, look)}` }]);
  else io.stderr.write(`${text}\n`);
}

/** `1 attachment`, `2 attachments`. */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
