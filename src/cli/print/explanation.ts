import { printable } from "../../format/printable.ts";
import { nearestFirst } from "../../images/candidates.ts";
import type { Failure, ImageVerdict } from "../../images/verdict.ts";
import type { Io, Part } from "../../io/io.ts";
import type { Check } from "../../verify/model.ts";
import { writeLine } from "./signed-by.ts";
import { type Look, lookOf, mark, shortDigests } from "./style.ts";

/** Signatures that are explained for an image. */
const MAX_EXPLAINED = 25;

/**
 * Prints the checks of every signature of an image as a tree: those that verified first, then the others, the one that passed
 * the most checks first.
 */
export function printExplanation(io: Pick<Io, "stderr" | "tty" | "env">, verdict: ImageVerdict): void {
  const look = lookOf(io, "stderr");
  const nodes = [
    ...verdict.verified.map(({ origin, checks }) => ({ ok: true, where: origin.where, checks, failure: undefined })),
    ...nearestFirst(verdict.failures).map((failure) => ({
      ok: false,
      where: failure.origin.where,
      checks: failure.checks,
      failure,
    })),
  ];
  const count = `${nodes.length} ${nodes.length === 1 ? "candidate" : "candidates"}`;
  writeLine(io.stderr, [{ text: `${shortDigests(verdict.image, look)}: ${count}`, style: "strong" }]);
  const shown = nodes.slice(0, MAX_EXPLAINED);
  for (const [index, { ok, where, checks, failure }] of shown.entries()) {
    const isLast = index === shown.length - 1;
    const name = shortDigests(printable(where), look);
    writeLine(io.stderr, [{ text: branch(isLast, look) }, mark(ok ? "good" : "bad", look), { text: ` ${name}` }]);
    const lines = checks.length > 0 ? checks.map((check) => checkLine(check, look)) : [unreadableLine(failure, look)];
    for (const [position, parts] of lines.entries()) {
      const indent = stem(isLast, look) + branch(position === lines.length - 1, look);
      writeLine(io.stderr, [{ text: indent }, ...parts], { hanging: indent.length + 4 });
    }
  }
  if (nodes.length > shown.length) writeLine(io.stderr, [{ text: `${nodes.length - shown.length} more` }]);
}

function checkLine({ name, outcome, detail, expected, actual }: Check, look: Look): Part[] {
  const kind = outcome === "passed" ? "good" : outcome === "failed" ? "bad" : "caution";
  const isCompared = expected !== undefined && actual !== undefined && !detail.includes(expected);
  const compared = isCompared ? ` (want ${expected}, got ${actual})` : "";
  const skipped = outcome === "skipped" ? "not checked: " : "";
  const text = ` ${name}: ${skipped}${printable(`${detail}${compared}`)}`;
  return [mark(kind, look), { text: shortDigests(text, look) }];
}

function unreadableLine(failure: Failure | undefined, look: Look): Part[] {
  const text = failure ? `${failure.check}: ${failure.reason}` : "no checks";
  return [mark("bad", look), { text: ` ${shortDigests(text, look)}` }];
}

function branch(isLast: boolean, { unicode }: Look): string {
  if (!unicode) return isLast ? "`-- " : "|-- ";
  return isLast ? "└── " : "├── ";
}

function stem(isLast: boolean, { unicode }: Look): string {
  return isLast ? "    " : unicode ? "│   " : "|   ";
}
