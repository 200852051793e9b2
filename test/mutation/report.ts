import type { Mutant } from "./mutants.ts";

export type Outcome = "killed" | "timed out" | "survived" | "not covered";

/** The outcome of a change; `test` is the one that failed. */
export interface Result {
  readonly mutant: Mutant;
  readonly outcome: Outcome;
  readonly test?: string;
}

/** A change that no test can detect, identified by its text. */
export interface Equivalent {
  readonly file: string;
  /** The line, trimmed. */
  readonly context: string;
  readonly original: string;
  readonly replacement: string;
  readonly reason: string;
}

/** Areas with the share of changes that tests must detect. */
const REQUIRED: Readonly<Record<string, number>> = { "src/verify": 0.95, "src/trust": 0.95 };

interface Sum {
  changes: number;
  killed: number;
  late: number;
  survived: number;
  uncovered: number;
  equivalent: number;
}

/**
 * Writes a table by folder, and every surviving change.
 *
 * @returns `ok` is false below the required share, and for a listed equivalent without a matching change
 */
export function report(results: readonly Result[], equivalents: readonly Equivalent[]): { text: string; ok: boolean } {
  const sums = new Map<string, Sum>();
  const survivors: string[] = [];
  const met = new Set<Equivalent>();
  for (const { mutant, outcome } of results) {
    const sum = sumFor(sums, areaOf(mutant.file));
    sum.changes++;
    if (outcome === "killed") sum.killed++;
    else if (outcome === "timed out") sum.late++;
    const listed = equivalents.find((each) => isFor(each, mutant));
    if (listed) met.add(listed);
    if (outcome !== "survived" && outcome !== "not covered") continue;
    if (listed) sum.equivalent++;
    else {
      sum[outcome === "survived" ? "survived" : "uncovered"]++;
      survivors.push(describe(mutant, outcome));
    }
  }
  const files = new Set(results.map(({ mutant }) => mutant.file));
  const stale = equivalents.filter((each) => files.has(each.file) && !met.has(each));
  const below = [...sums].filter(([area, sum]) => scoreOf(sum) < (REQUIRED[area] ?? 0));
  const text = [
    ...survivors,
    "",
    tableOf(sums),
    ...below.map(([area]) => `${area}: less than ${percent(REQUIRED[area] ?? 0)} of the changes were found`),
    ...stale.map(
      ({ file, context, original }) =>
        `equivalents.json names a change that there is not: ${file}: ${original} in ${context}`,
    ),
    "",
  ].join("\n");
  return { text, ok: below.length === 0 && stale.length === 0 };
}

function isFor(equivalent: Equivalent, mutant: Mutant): boolean {
  return (["file", "context", "original", "replacement"] as const).every(
    (field) => equivalent[field] === mutant[field],
  );
}

function areaOf(file: string): string {
  return file.split("/").slice(0, 2).join("/");
}

function sumFor(sums: Map<string, Sum>, area: string): Sum {
  const sum = sums.get(area) ?? { changes: 0, killed: 0, late: 0, survived: 0, uncovered: 0, equivalent: 0 };
  sums.set(area, sum);
  return sum;
}

/** Returns the share of detectable changes that were detected. */
function scoreOf({ changes, killed, late, equivalent }: Sum): number {
  return changes === equivalent ? 1 : (killed + late) / (changes - equivalent);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

function describe({ file, line, operator, original, replacement }: Mutant, outcome: Outcome): string {
  const short = (text: string) => text.replaceAll(/\s+/g, " ").slice(0, 120);
  return `${file}:${line}: ${outcome}: ${operator}: ${short(original)} -> ${short(replacement) || "nothing"}`;
}

function tableOf(sums: ReadonlyMap<string, Sum>): string {
  const head = ["folder", "changes", "killed", "timed out", "survived", "not covered", "equivalent", "score"];
  const total: Sum = { changes: 0, killed: 0, late: 0, survived: 0, uncovered: 0, equivalent: 0 };
  for (const sum of sums.values()) for (const key of Object.keys(total) as (keyof Sum)[]) total[key] += sum[key];
  const rows = [...sums, ["all", total] as const].map(([area, sum]) => {
    const { changes, killed, late, survived, uncovered, equivalent } = sum;
    return [area, ...[changes, killed, late, survived, uncovered, equivalent].map(String), percent(scoreOf(sum))];
  });
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join("  "),
    )
    .join("\n");
}
