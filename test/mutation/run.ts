import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Child, WorkerLost } from "./child.ts";
import { instrument, type Mutant } from "./mutants.ts";
import { type Equivalent, type Outcome, type Result, report } from "./report.ts";
import type { Setup } from "./worker.ts";

/**
 * Mutation testing: `npm run mutation [-- PATH…]`. Makes every change of mutants.ts, one at a time, and runs the tests that
 * execute the changed place until one fails. A change that no test detects is either equivalent, and listed in
 * equivalents.json with the reason, or shows that a test is missing. See docs/architecture.md, "Tests".
 */

const AREAS = ["src/verify", "src/trust", "src/evidence", "src/sources", "src/keys/verify.ts"];
/** Tests that run the sources in this process and are short. */
const TESTS = [
  "src/**/*.test.ts",
  "test/{advisories,advisories-more,attach-download,attest,attest-blob,attest-keyless,bundle-commands}.test.ts",
  "test/{hostile-evidence,mutations,sign-verify,signing-forms,sources,storage,swap-attestations,trust-files}.test.ts",
];
/** Test files that start processes. */
const NOT_IN_PROCESS = /child_process|bin\/tsign/;
/** Tests that take longer are not used. Milliseconds of CPU time. */
const SLOWEST = 2000;
/** Time limit of a test while it is recorded. Milliseconds. */
const RECORD_MILLISECONDS = 60_000;

export interface Options {
  readonly root: string;
  readonly paths: readonly string[];
  readonly tests: readonly string[];
  readonly workers: number;
  /** Interval of the changes that are made: 1 for all. */
  readonly every: number;
  /** Time added before a change counts as endless. Milliseconds. */
  readonly patience: number;
  /** Time limit for the tests of one change, by their time without it. Milliseconds of CPU time. */
  readonly budget: number;
  readonly say: (line: string) => void;
}

interface Known {
  readonly file: string;
  readonly milliseconds: number;
  readonly hits: ReadonlySet<number>;
  /** Number of changes it detected, by source. */
  readonly kills: Map<string, number>;
}

/** Makes every change and returns the outcomes. */
export async function mutationRun(options: Options): Promise<Result[]> {
  const { sources, mutants } = changesOf(options);
  options.say(`${mutants.length} changes in ${sources.length} files`);
  const setup: Setup = { root: options.root, sources, tests: options.tests, changes: mutants.length, active: 0 };
  const { tests, loadHits } = await recordTests(setup, options);
  const used = [...new Set(tests.map(({ file }) => file))].sort();
  options.say(`${tests.length} tests of ${used.length} files run through changed places`);
  const results = new Map<number, Result>();
  const covering = (mutant: Mutant) => tests.filter(({ hits }) => hits.has(mutant.id));
  const [dynamic, once]: [Mutant[], Mutant[]] = [[], []];
  const made = mutants.filter(({ id }) => id % options.every === 0);
  for (const mutant of made) {
    if (covering(mutant).length > 0) dynamic.push(mutant);
    else if (loadHits.has(mutant.id)) once.push(mutant);
    else results.set(mutant.id, { mutant, outcome: "not covered" });
  }
  let done = 0;
  const note = (mutant: Mutant, outcome: Outcome, test = "") => {
    results.set(mutant.id, { mutant, outcome, ...(test === "" ? {} : { test }) });
    if (++done % 100 === 0) options.say(`${done} of ${dynamic.length + once.length}`);
  };
  await inParallel(options.workers, dynamic, (queue) =>
    judgeAll({ setup: { ...setup, tests: used }, tests, options, note }, queue),
  );
  await inParallel(options.workers, once, async (queue) => {
    for (const mutant of queue) note(mutant, ...(await judgeOnce(mutant, { setup, tests, mutants, options })));
  });
  return mutants.flatMap(({ id }) => results.get(id) ?? []);
}

function changesOf({ root, paths }: Options) {
  const files = paths.flatMap((path) => {
    const isFolder = statSync(join(root, path)).isDirectory();
    return isFolder ? globSync(`${path}/**/*.ts`, { cwd: root }).sort() : [path];
  });
  const mutants: Mutant[] = [];
  const sources = files
    .filter((file) => !file.endsWith(".test.ts"))
    .map((file) => {
      const text = readFileSync(join(root, file), "utf8");
      const firstId = mutants.length + 1;
      mutants.push(...instrument(text, file, firstId).mutants);
      return { file, text, firstId };
    });
  return { sources, mutants };
}

/** Runs every test twice without changes. A test that fails, or passes only once, is not used. */
async function recordTests(setup: Setup, options: Options): Promise<{ tests: Test[]; loadHits: Set<number> }> {
  const loadHits = new Set<number>();
  const tests: Test[] = [];
  const first = new Child(setup);
  await first.load();
  const all = first.tests.map((_, index) => index);
  const ownTests = new Set(setup.sources.map(({ file }) => ownTestsOf(file)));
  options.say(`${all.length} tests are run unchanged`);
  let started = 0;
  await inParallel(options.workers, all, async (queue) => {
    const child = started++ === 0 ? first : new Child(setup);
    await child.load();
    for (const id of child.loadHits) loadHits.add(id);
    for (const index of queue) {
      if (index % 100 === 0) options.say(`test ${index}`);
      const known = await recordTest(child, index, { ...options, ownTests });
      if (known) tests.push(known);
    }
    child.stop();
  });
  const slow = [...tests].sort((one, other) => other.milliseconds - one.milliseconds).slice(0, 5);
  for (const { index, milliseconds } of slow)
    options.say(`${Math.round(milliseconds)} ms: ${index.replace("\0", ": ")}`);
  return { tests, loadHits };
}

/** Records a test. @returns undefined for a test that is not used */
async function recordTest(
  child: Child,
  test: number,
  { say, ownTests }: Pick<Options, "say"> & { ownTests: ReadonlySet<string> },
): Promise<Test | undefined> {
  const { file, name } = child.tests[test] ?? { file: "", name: "" };
  const run = () => child.ask({ kind: "record", test }, "recorded", RECORD_MILLISECONDS);
  try {
    const once = await run();
    if (once.error !== "") say(`left out, it fails: ${file}: ${name}: ${once.error.slice(0, 200)}`);
    if (once.error !== "" || once.milliseconds > SLOWEST) return undefined;
    if (once.hits.length === 0 && !ownTests.has(file)) return undefined;
    const twice = await run();
    if (twice.error !== "") say(`left out, it passes only once: ${file}: ${name}: ${twice.error.slice(0, 200)}`);
    if (twice.error !== "") return undefined;
    const milliseconds = Math.min(once.milliseconds, twice.milliseconds);
    return { index: `${file}\0${name}`, file, milliseconds, hits: new Set(twice.hits), kills: new Map() };
  } catch (error) {
    if (!(error instanceof WorkerLost)) throw error;
    say(`left out: ${file}: ${name}: ${error.message}`);
    return undefined;
  }
}

type Test = Known & { readonly index: string };

/** Returns the tests that execute a changed place, the most promising first, within the time budget. */
function chosen(mutant: Mutant, tests: readonly Test[], budget: number): Test[] {
  const price = ({ milliseconds, kills }: Test) => (milliseconds + 1) / (1 + (kills.get(mutant.file) ?? 0));
  const ordered = tests.filter(({ hits }) => hits.has(mutant.id)).sort((one, other) => price(one) - price(other));
  return affordable(ordered, budget);
}

/** Returns the first tests within the budget, at least one. */
function affordable(tests: readonly Test[], budget: number): Test[] {
  let left = budget;
  return tests.filter(({ milliseconds }, index) => {
    left -= milliseconds;
    return index === 0 || left >= 0;
  });
}

/** Returns the time limit for the tests of a change, on a busy machine. Milliseconds. */
const timeFor = (tests: readonly Test[], { patience }: Options) =>
  patience + 10 * tests.reduce((sum, { milliseconds }) => sum + milliseconds, 0);

async function judgeAll(
  run: {
    setup: Setup;
    tests: readonly Test[];
    options: Options;
    note: (mutant: Mutant, outcome: Outcome, test?: string) => void;
  },
  queue: Iterable<Mutant>,
): Promise<void> {
  const child = new Child(run.setup);
  for (const mutant of queue) {
    const selected = chosen(mutant, run.tests, run.options.budget);
    run.note(mutant, ...(await judgeBy(child, mutant, selected, run.options)));
  }
  child.stop();
}

/** Tests a change in a worker; again if the failure persists without it, because an earlier change may have caused it. */
async function judgeBy(
  child: Child,
  mutant: Mutant,
  tests: readonly Test[],
  options: Options,
): Promise<[Outcome, string]> {
  for (let attempt = 1; ; attempt++) {
    try {
      await child.load();
      const indexes = tests.map(({ index }) => child.tests.findIndex(({ file, name }) => `${file}\0${name}` === index));
      const answer = await child.ask(
        { kind: "mutant", id: mutant.id, tests: indexes },
        "judged",
        timeFor(tests, options),
      );
      if (answer.failed === undefined) return ["survived", ""];
      if (!answer.intact) child.stop();
      if (!answer.intact && attempt === 1) continue;
      const killer = tests[indexes.indexOf(answer.failed)];
      killer?.kills.set(mutant.file, (killer.kills.get(mutant.file) ?? 0) + 1);
      return ["killed", killer?.index.replace("\0", ": ") ?? ""];
    } catch (error) {
      if (!(error instanceof WorkerLost)) throw error;
      return [error.late ? "timed out" : "killed", error.late ? "" : "the process ended"];
    }
  }
}

/** Returns the tests beside a source. Those of a file with only constants execute no changed place. */
function ownTestsOf(source: string): string {
  return source.replace(/\.ts$/, ".test.ts");
}

/** Number of test files for a change that takes effect only while sources are loaded. */
const FILES_FOR_ONE = 5;

/** Tests a change of code that runs once, while its source is loaded, in its own process with the tests of the source. */
async function judgeOnce(
  mutant: Mutant,
  by: { setup: Setup; tests: readonly Test[]; mutants: readonly Mutant[]; options: Options },
): Promise<[Outcome, string]> {
  const own = new Set(by.mutants.filter(({ file }) => file === mutant.file).map(({ id }) => id));
  const ownTests = ownTestsOf(mutant.file);
  const touching = by.tests
    .filter(({ file, hits }) => file === ownTests || [...own].some((id) => hits.has(id)))
    .sort(
      (one, other) => overlap(other, own) / (other.milliseconds + 50) - overlap(one, own) / (one.milliseconds + 50),
    );
  const cheap = [...by.tests].sort((one, other) => one.milliseconds - other.milliseconds);
  const pool = touching.length > 0 ? touching : cheap;
  const files = [...new Set(pool.map(({ file }) => file))].slice(0, FILES_FOR_ONE);
  const tests = affordable(
    pool.filter(({ file }) => files.includes(file)),
    by.options.budget,
  );
  const child = new Child({ ...by.setup, tests: files, active: mutant.id });
  try {
    return await judgeBy(child, mutant, tests, by.options);
  } finally {
    child.stop();
  }
}

function overlap({ hits }: Test, ids: ReadonlySet<number>): number {
  let count = 0;
  for (const id of ids) if (hits.has(id)) count++;
  return count;
}

/** Runs a queue with several workers. */
async function inParallel<T>(workers: number, items: readonly T[], work: (queue: Iterable<T>) => Promise<void>) {
  const queue = items.values();
  await Promise.all(Array.from({ length: workers }, () => work(queue)));
}

/** Number of test files in one process. */
export function testFiles(root: string, patterns: readonly string[]): string[] {
  return globSync(patterns, { cwd: root })
    .sort()
    .filter((file) => !NOT_IN_PROCESS.test(readFileSync(join(root, file), "utf8")));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      root: { type: "string", default: resolve(import.meta.dirname, "../..") },
      json: { type: "string", default: "" },
      workers: { type: "string", default: "2" },
      budget: { type: "string", default: "2000" },
      every: { type: "string", default: "1" },
      tests: { type: "string", multiple: true, default: TESTS },
      patience: { type: "string", default: "15000" },
    },
  });
  const root = resolve(values.root);
  const say = (line: string) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
  const paths = positionals.length > 0 ? positionals.map((path) => relative(root, resolve(path))) : AREAS;
  const options = {
    root,
    paths,
    tests: testFiles(root, values.tests),
    workers: Number(values.workers),
    budget: Number(values.budget),
    every: Number(values.every),
    patience: Number(values.patience),
    say,
  };
  const results = await mutationRun(options);
  const list = join(import.meta.dirname, "equivalents.json");
  const equivalents: Equivalent[] = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : [];
  const { text, ok } = report(results, equivalents);
  if (values.json !== "") writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
  process.stdout.write(text);
  process.exitCode = ok ? 0 : 1;
}

if (import.meta.main) await main();
