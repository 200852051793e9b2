/**
 * Imports every policy below folders, and prints how many are imported whole and which parts have no equal:
 *
 *     npm run --silent policy-imports -- FOLDER…
 *
 * Meant for the published examples of other programs.
 */
import { globSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { TsignError } from "../src/errors.ts";
import { type Imported, importPolicy } from "../src/trust-policy/import/index.ts";
import { readTrustPolicy } from "../src/trust-policy/read.ts";

/** From the best to the worst. */
const CLASSES = ["whole", "stricter", "partly refused", "refused", "not read"] as const;
type Class = (typeof CLASSES)[number];

interface Result {
  readonly file: string;
  readonly form: string;
  readonly class: Class;
  /** What has no equal: `kind: text`. */
  readonly parts: readonly string[];
}

/** It is true of every policy of Kyverno. */
const DEFAULT = /^Kyverno admits images that no (?:rule|policy) matches/;

async function importFile(folder: string, name: string): Promise<Result | undefined> {
  const file = relative(process.cwd(), join(folder, name));
  try {
    const read = importPolicy(readFileSync(join(folder, name), "utf8"), name, { anyRepository: false });
    await readTrustPolicy(JSON.stringify(read.policy), name);
    const parts = read.notes
      .filter(({ kind, text }) => (kind === "refused" || kind === "stricter") && !DEFAULT.test(text))
      .map(({ kind, text }) => `${kind}: ${text}`);
    return { file, form: read.form, class: classOf(read, parts), parts: [...new Set(parts)] };
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    if (/unknown form of policy/.test(error.message)) return undefined;
    return { file, form: "", class: "not read", parts: [error.message] };
  }
}

function classOf({ policy }: Imported, parts: readonly string[]): Class {
  if (parts.every((part) => part.startsWith("stricter"))) return parts.length === 0 ? "whole" : "stricter";
  return policy.rules.every(({ refuse }) => refuse !== undefined) ? "refused" : "partly refused";
}

/** A part without what is particular to one file: names, numbers, quoted texts. */
function common(part: string): string {
  return part
    .replace(/"[^"]*"/g, '"…"')
    .replace(/: \S+ refuses its images$/, "")
    .replace(/signatures by \S+ do not count/, "its signatures do not count");
}

function counted(texts: readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].sort(([one, a], [other, b]) => b - a || (one < other ? -1 : 1));
}

function print(results: readonly Result[], others: number): void {
  const lines = results.map((each) => `${each.class.padEnd(14)} ${each.form.padEnd(22)} ${each.file}`);
  process.stdout.write(
    `${lines.join("\n")}\n\n${"form".padEnd(40)}${CLASSES.map((each) => each.padStart(16)).join("")}\n`,
  );
  for (const [form] of counted(results.map((each) => each.form))) {
    const counts = CLASSES.map((kind) => results.filter((each) => each.form === form && each.class === kind).length);
    process.stdout.write(`${(form || "-").padEnd(40)}${counts.map((count) => String(count).padStart(16)).join("")}\n`);
  }
  process.stdout.write(`\n${others} files are not policies\n\nfiles  part without an equal\n`);
  for (const [part, count] of counted(results.flatMap((each) => [...new Set(each.parts.map(common))])))
    process.stdout.write(`${String(count).padStart(5)}  ${part}\n`);
}

const folders = process.argv.slice(2);
if (folders.length === 0) {
  process.stderr.write("Usage: npm run --silent policy-imports -- FOLDER…\n");
  process.exit(1);
}
const results: Result[] = [];
let others = 0;
for (const folder of folders) {
  for (const name of globSync("**/*.{yaml,yml,json,sh}", { cwd: folder }).sort()) {
    const result = await importFile(folder, name);
    if (result) results.push(result);
    else others++;
  }
}
print(results, others);
