import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { test } from "node:test";
import { faultsOf } from "../scripts/check-commits.ts";

const ROOT = resolve(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

/** Paths in code that a text names: `src/verify/verify.ts`, `cli/table.ts` of src/, `test/zoo/`. Patterns and placeholders do not count. */
function namedFiles(text: string): string[] {
  const named = [...text.matchAll(/`([\w.@-]+\/[\w./@-]*)`/g)].map(([, path = ""]) => path);
  return named.filter((path) => /^(src|test|scripts|fixtures|docs|bin|policy-engine|\.ci|\.github)\/|\.ts$/.test(path));
}

const exists = (path: string) => existsSync(join(ROOT, path)) || existsSync(join(ROOT, "src", path));

const TEXTS = [
  "SECURITY.md",
  "CONTRIBUTING.md",
  "README.md",
  ...globSync("docs/*.md", { cwd: ROOT }),
  "test/suites/README.md",
];

test("SECURITY.md, CONTRIBUTING.md, README.md, docs/: every named file exists", () => {
  const wrong = TEXTS.flatMap((text) =>
    namedFiles(read(text))
      .filter((path) => !exists(path) && !path.startsWith("dist/"))
      .map((path) => `${text}: ${path}`),
  );
  assert.deepEqual(wrong, []);
  assert.deepEqual(namedFiles("see `src/none.ts`, `a/b`, `src/x/<name>.ts` and `cli/none.ts`"), [
    "src/none.ts",
    "cli/none.ts",
  ]);
  assert.ok(!exists("src/none.ts") && exists("verify/verify.ts"));
});

test("SECURITY.md, CONTRIBUTING.md, README.md, docs/: every linked file exists", () => {
  const links = [...TEXTS, "CHANGELOG.md"].flatMap((text) =>
    [...read(text).matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, to = ""]) => ({ text, to })),
  );
  assert.ok(links.length > 40, `${links.length} links`);
  const broken = links.filter(({ text, to }) => !existsSync(join(ROOT, dirname(text), to)));
  assert.deepEqual(broken, []);
});

test("documentation, changelog and scripts contain no markers of a merge conflict", () => {
  const marker = /^(?:<{7}|>{7})(?: |$)/m;
  const others = globSync(["*.{md,json}", "{docs,deploy,examples,test/suites}/**/*.{md,json,yaml,yml,sh,tpl}"], {
    cwd: ROOT,
  });
  assert.ok(others.includes("CHANGELOG.md") && others.includes("docs/reference/README.md"), others.join(" "));
  const marked = [...others, ".ci/run"].filter((path) => marker.test(read(path)));
  assert.deepEqual(marked, []);
  assert.match(`a\n${"<".repeat(7)} HEAD\n`, marker);
});

test("every `npm run` in the documentation is a script, and every suite is a file", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const runs = [...TEXTS, "CHANGELOG.md"].flatMap((text) =>
    [...read(text).matchAll(/npm run ([a-z][a-z:-]*)(?: '?([a-z][a-z*-]*)'?)?/g)].map(
      ([line, script = "", word = ""]) => ({
        line: `${text}: ${line}`,
        script,
        suite: script === "suite" ? word : undefined,
      }),
    ),
  );
  assert.ok(runs.length > 60, `${runs.length} lines`);
  for (const { line, script, suite } of runs) {
    assert.ok(scripts[script] !== undefined, line);
    if (suite) assert.ok(globSync(`test/suites/${suite}.suite.ts`, { cwd: ROOT }).length > 0, line);
  }
});

/** Run by hand: the programs that they compare with take ten and more minutes of a processor to build. */
const NOT_IN_GATE = [
  "exported-policies.suite.ts",
  "exported-policies-tools.sh",
  "controllers.suite.ts",
  "controllers-tools.sh",
];
/** A part of other scripts. */
const SOURCED = "go-programs.sh";

test("every suite is in the list of suites and in the CI gate", () => {
  const suites = globSync("test/suites/*.{suite.ts,sh}", { cwd: ROOT })
    .map((path) => basename(path))
    .filter((name) => name !== SOURCED);
  assert.ok(suites.length > 40, `${suites.length} suites`);
  const [list, gate] = [read("test/suites/README.md"), read(".ci/run")];
  const patterns = (text: string, start: string) =>
    [...text.matchAll(new RegExp(`${start} '?([a-z*-]+)'?`, "g"))].map(([, name = ""]) => name);
  for (const [text, start] of [
    [list, "npm run suite"],
    [gate, "node_suite"],
  ] as const) {
    const names = patterns(text, start);
    const missing = suites.filter((file) =>
      file.endsWith(".sh")
        ? !text.includes(`test/suites/${file}`)
        : !names.some((name) => new RegExp(`^${name.replace("*", ".*")}\\.suite`).test(file)),
    );
    assert.deepEqual(missing.sort(), text === gate ? NOT_IN_GATE.toSorted() : [], start);
  }
});

test("threat model: every row names a test that npm test or the CI gate runs", () => {
  const rows = read("SECURITY.md")
    .split("\n")
    .filter((line) => /^\|.*\|.*\|.*\|.*\|$/.test(line) && !line.startsWith("|---"))
    .slice(1);
  assert.ok(rows.length >= 22, `${rows.length} rows`);
  const gate = read(".ci/run");
  for (const row of rows) {
    const tests = namedFiles(row).filter((path) => path.startsWith("test/") || path.startsWith("src/"));
    assert.ok(
      tests.some((path) => /\.(test|suite)\.ts$/.test(path)),
      row,
    );
    for (const path of tests) {
      const [, suite] = /^test\/suites\/([a-z-]+)\.suite\.ts$/.exec(path) ?? [];
      const fuzz = path.startsWith("test/fuzz/") && gate.includes("npm run --silent fuzz");
      const patterns = [...gate.matchAll(/node_suite '?([a-z*-]+)'?/g)].map(([, name = ""]) => name);
      const called = patterns.some(
        (name) => suite !== undefined && new RegExp(`^${name.replace("*", ".*")}$`).test(suite),
      );
      assert.ok(path.endsWith(".test.ts") || fuzz || called, `${path} is run by nothing`);
    }
  }
});

test("commit messages: `area: imperative` of at most 72 characters, then an empty line and a body", () => {
  for (const good of [
    "verify: refuse a key of no curve",
    "keys, trust: read x\n\nBecause y.\n",
    "Merge branch a into b",
    ".ci: run it",
  ])
    assert.deepEqual(faultsOf(good), [], good);
  for (const bad of [
    "refuse a key",
    "verify: Refuse a key",
    "verify: refused a key",
    "verify: refusing a key",
    "verify: refuse a key.",
    `verify: ${"a ".repeat(40)}`,
    "verify: refuse a key\nbecause of x",
    "Verify: refuse a key",
  ])
    assert.equal(faultsOf(bad).length > 0, true, bad);
});
