import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { instrument } from "./mutation/mutants.ts";
import { report } from "./mutation/report.ts";
import { mutationRun } from "./mutation/run.ts";
import { temporaryFolder } from "./support/test-io.ts";

const SOURCE = `export const LIMIT: number = 2;

export function allowed(count: number, names: readonly string[]): boolean {
  if (names.some((name) => /^a+$/.test(name))) return count < LIMIT;
  return false;
}

export function unused(text: string): string {
  return text.trim();
}

export function double(count: number): number {
  return count * 2;
}

export function forever(count: number): number {
  let left = count;
  while (left > 0) left -= 1;
  return left;
}
`;
const TEST = `import assert from "node:assert/strict";
import { test } from "node:test";
import { allowed, double, forever } from "./source.ts";

test("allowed", () => {
  assert.equal(allowed(1, ["b", "aa"]), true);
  assert.equal(allowed(2, ["b", "aa"]), false);
  assert.equal(allowed(1, ["b", "xa"]), false);
  assert.equal(allowed(1, ["b", "ax"]), false);
});

test("forever", () => {
  forever(1);
  double(1);
});
`;

test("mutation: noticed change -> killed; unnoticed change -> reported", async (t) => {
  const root = temporaryFolder(t);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write("package.json", '{"type":"module"}');
  write("src/verify/source.ts", SOURCE);
  write("src/verify/source.test.ts", TEST);
  const results = await mutationRun({
    root,
    paths: ["src/verify"],
    tests: ["src/verify/source.test.ts"],
    workers: 1,
    budget: 1000,
    every: 1,
    patience: 1000,
    say: () => {},
  });
  const became = (original: string, replacement: string) =>
    results.find(({ mutant }) => mutant.original === original && mutant.replacement === replacement)?.outcome;
  assert.equal(became("count < LIMIT", "count <= LIMIT"), "killed");
  assert.equal(became("/^a+$/", "/a+$/"), "killed", "an anchor that a test needs");
  assert.equal(became("2", "2 + 1"), "killed", "what runs once, while the source is loaded");
  assert.equal(became("left -= 1", "left += 1"), "timed out", "a loop without an end");
  assert.equal(became("count * 2", "count / 2"), "survived", "what the tests run through and do not look at");
  assert.equal(became("text.trim()", "text"), "not covered");
  const { text, ok } = report(results, []);
  assert.equal(ok, false, "verify needs more");
  assert.match(text, /source\.ts:13: survived: operator: count \* 2 -> count \/ 2/);
  assert.match(text, /source\.ts:9: not covered: method: text\.trim\(\) -> text/);
});

test("mutation: equivalent -> matched by its text and not counted; stale entry -> named", () => {
  const { mutants } = instrument("export const a = (n: number) => n + 1;\n", "src/keys/a.ts", 1);
  const results = mutants.map(
    (mutant) => ({ mutant, outcome: mutant.operator === "operator" ? "survived" : "killed" }) as const,
  );
  const listed = {
    file: "src/keys/a.ts",
    context: "export const a = (n: number) => n + 1;",
    original: "n + 1",
    reason: "",
  };
  assert.match(report(results, []).text, /n \+ 1 -> n - 1/);
  const { text, ok } = report(results, [{ ...listed, replacement: "n - 1" }]);
  assert.doesNotMatch(text, /n \+ 1 -> n - 1/);
  assert.match(text, /100\.0 %/);
  assert.equal(ok, true);
  assert.equal(report(results, [{ ...listed, replacement: "n * 1" }]).ok, false);
});

test("mutation: places where parentheses would be a syntax error -> not mutated", () => {
  const source = `
import { b } from "./b.ts";
export const { c = 1, d: [e] = [2] } = b({ f: "g", "h-i": 1, [\`j\${1}\`]: 2, k() { return this?.l?.(1)?.m; } });
export class N { o = 1; static p?: string; get q() { return super.toString() + this.o; } }
for (const r of [1]) if (r) b(r); else delete b.s;
label: for (let t = 0; t < 1; t++) { switch (t) { case 0: break label; default: throw new Error(\`u \${t}\`); } }
export default async function* v(w: number, ...x: string[]): AsyncGenerator<number> { yield* [await w, x.length, -w, !w]; }
b\`tagged \${1}\`;
`;
  const { code, mutants } = instrument(source, "a.ts", 1);
  assert.ok(mutants.length > 30);
  assert.deepEqual(instrument(code, "a.ts", 1).mutants.length > mutants.length, true, "it parses again");
});
