import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";

/**
 * Runs the tests of the folders below and prints how many of their branches, as counted by V8, were taken. Fails when a test
 * fails, when a folder is below the minimum, or when a file was not loaded.
 *
 * `npm run coverage`; `-- --lines` also prints the lines of branches that were not taken.
 */
const ROOT = resolve(import.meta.dirname, "..");
const FOLDERS = ["verify", "trust", "evidence", "services"];
const MIN_PERCENT = 95;

/** Tests of whole commands, in addition to the tests in the folders. */
const PROGRAM_TESTS = [
  "test/oidc.test.ts",
  "test/identity-tokens.test.ts",
  "test/trust-files.test.ts",
  "test/keyless.test.ts",
  "test/attest-keyless.test.ts",
  "test/log-commands.test.ts",
  "test/failures.test.ts",
  "test/service-errors.test.ts",
  "test/monitor-certificates.test.ts",
  "test/admission-pull-secrets.test.ts",
];

interface Coverage {
  taken: number;
  all: number;
  /** Lines at which branches start that were not taken. */
  missed: number[];
}

/** Reads the branches by file from an lcov report (`SF:` file, `BRDA:line,block,branch,times`). */
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

const reportFolder = mkdtempSync(join(tmpdir(), "tsign-coverage-"));
const report = join(reportFolder, "lcov");
const { status } = spawnSync(
  process.execPath,
  [
    "--test",
    "--test-concurrency=4",
    "--experimental-test-coverage",
    ...FOLDERS.map((folder) => `--test-coverage-include=src/${folder}/**`),
    "--test-reporter=lcov",
    `--test-reporter-destination=${report}`,
    "--test-reporter=./test/support/reporter.ts",
    "--test-reporter-destination=stdout",
    ...FOLDERS.map((folder) => `src/${folder}/**/*.test.ts`),
    ...PROGRAM_TESTS,
  ],
  { cwd: ROOT, stdio: "inherit" },
);
const files = readReport(readFileSync(report, "utf8"));
rmSync(reportFolder, { recursive: true });

let failed = status === 0 ? 0 : 1;
for (const folder of FOLDERS) {
  const sources = globSync(`src/${folder}/**/*.ts`, { cwd: ROOT }).map((file) => file.replaceAll("\\", "/"));
  const names = sources.filter((file) => !file.endsWith(".test.ts")).sort();
  const found = names.map((name) => ({ name, ...(files.get(name) ?? { taken: 0, all: 0, missed: [] }) }));
  // Files that contain only types are not in the report.
  const unloaded = names.filter(
    (name) => !files.has(name) && /^(export )?(async )?(function|class|const)/m.test(source(name)),
  );
  const [taken, all] = [sum(found.map((each) => each.taken)), sum(found.map((each) => each.all))];
  const share = (100 * taken) / all;
  const good = share >= MIN_PERCENT && unloaded.length === 0;
  process.stdout.write(
    `src/${folder}: ${taken} of ${all} branches taken, ${share.toFixed(2)} %${good ? "" : `, FAILED: the minimum is ${MIN_PERCENT} %`}\n`,
  );
  for (const name of unloaded) process.stdout.write(`  ${name} is not loaded by any test\n`);
  if (!good) failed++;
  if (good && !process.argv.includes("--lines")) continue;
  for (const { name, missed } of found.filter((each) => each.missed.length > 0)) {
    process.stdout.write(`  ${name}: ${missed.length} not taken, lines ${[...new Set(missed)].join(" ")}\n`);
  }
}
process.stdout.write(`${FOLDERS.length + 1 - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

function source(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
