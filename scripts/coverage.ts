import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";

/**
 * Runs the tests that pass through the rooms below and says how many of their branches, as V8 counts them, were taken. Fails
 * when a test fails, when a room is below the floor, or when a file of a room was not even loaded.
 *
 * `npm run coverage`; `-- --lines` also lists the lines of branches that were not taken.
 */
const ROOT = resolve(import.meta.dirname, "..");
const ROOMS = ["verify", "trust", "evidence", "services"];
const FLOOR = 95;

/** Beside the tests of the rooms themselves: whole commands that take their ways. */
const PROGRAM_TESTS = [
  "test/oidc.test.ts",
  "test/identity-tokens.test.ts",
  "test/trust-files.test.ts",
  "test/keyless.test.ts",
  "test/attest-keyless.test.ts",
];

interface Coverage {
  taken: number;
  all: number;
  /** Lines where a branch begins that was not taken. */
  missed: number[];
}

/** Branches by file, of a report in lcov's format (`SF:` file, `BRDA:line,block,branch,times`). */
function readReport(text: string): Map<string, Coverage> {
  const files = new Map<string, Coverage>();
  let current: Coverage = { taken: 0, all: 0, missed: [] };
  for (const line of text.split("\n")) {
    if (line.startsWith("SF:")) {
      current = { taken: 0, all: 0, missed: [] };
      files.set(relative(ROOT, resolve(ROOT, line.slice(3))).replaceAll("\\", "/"), current);
    }
    const branch = /^BRDA:(\d+),\d+,\d+,(\d+|-)$/.exec(line);
    if (!branch) continue;
    current.all++;
    if (Number(branch[2]) > 0) current.taken++;
    else current.missed.push(Number(branch[1]));
  }
  return files;
}

const folder = mkdtempSync(join(tmpdir(), "tsign-coverage-"));
const report = join(folder, "lcov");
const { status } = spawnSync(
  process.execPath,
  [
    "--test",
    "--test-concurrency=4",
    "--experimental-test-coverage",
    ...ROOMS.map((room) => `--test-coverage-include=src/${room}/**`),
    "--test-reporter=lcov",
    `--test-reporter-destination=${report}`,
    "--test-reporter=./test/support/reporter.ts",
    "--test-reporter-destination=stdout",
    ...ROOMS.map((room) => `src/${room}/**/*.test.ts`),
    ...PROGRAM_TESTS,
  ],
  { cwd: ROOT, stdio: "inherit" },
);
const files = readReport(readFileSync(report, "utf8"));
rmSync(folder, { recursive: true });

let failed = status === 0 ? 0 : 1;
for (const room of ROOMS) {
  const sources = globSync(`src/${room}/**/*.ts`, { cwd: ROOT }).map((file) => file.replaceAll("\\", "/"));
  const names = sources.filter((file) => !file.endsWith(".test.ts")).sort();
  const found = names.map((name) => ({ name, ...(files.get(name) ?? { taken: 0, all: 0, missed: [] }) }));
  // A file of nothing but types is in no report.
  const unloaded = names.filter(
    (name) => !files.has(name) && /^(export )?(async )?(function|class|const)/m.test(source(name)),
  );
  const [taken, all] = [sum(found.map((each) => each.taken)), sum(found.map((each) => each.all))];
  const share = (100 * taken) / all;
  const good = share >= FLOOR && unloaded.length === 0;
  process.stdout.write(
    `src/${room}: ${taken} of ${all} branches taken, ${share.toFixed(2)} %${good ? "" : `, FAILED: the floor is ${FLOOR} %`}\n`,
  );
  for (const name of unloaded) process.stdout.write(`  ${name} is loaded by no test\n`);
  if (!good) failed++;
  if (good && !process.argv.includes("--lines")) continue;
  for (const { name, missed } of found.filter((each) => each.missed.length > 0)) {
    process.stdout.write(`  ${name}: ${missed.length} not taken, lines ${[...new Set(missed)].join(" ")}\n`);
  }
}
process.stdout.write(`${ROOMS.length + 1 - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

function source(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
