import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { fuzz, inputOf, judgeOne, type Kept } from "./fuzz/engine.ts";
import { mutate, numbers } from "./fuzz/mutate.ts";
import { Finding, type Target } from "./fuzz/target.ts";
import { TARGETS } from "./fuzz/targets.ts";
import { bytesOf, readTree, replaceAt } from "./fuzz/tree.ts";
import type { World } from "./fuzz/world.ts";
import { temporaryFolder } from "./support/test-io.ts";

const CORPUS = join(import.meta.dirname, "../fixtures/fuzz");

for (const name of existsSync(CORPUS) ? readdirSync(CORPUS).filter((file) => file.endsWith(".json")) : []) {
  const kept = JSON.parse(readFileSync(join(CORPUS, name), "utf8")) as Kept;
  test(`fixtures/fuzz/${name} -> expected verdict: ${kept.reason.split("\n")[0]}`, async () => {
    const target = TARGETS.find((each) => each.name === kept.target) ?? assert.fail(`no target ${kept.target}`);
    await judgeOne(target, inputOf(kept));
  });
}

/** A target with a bug: it accepts a certain document wrongly. */
function faulty(judge: (document: Uint8Array) => void): Target {
  const inputs = () =>
    fc.uint8Array({ maxLength: 40, size: "max" }).map((document) => ({ document, form: "", setting: null }));
  return {
    name: "faulty",
    reaches: "read",
    inputs,
    judge({ document }) {
      judge(document);
      return "read";
    },
  };
}

const BOUNDS = { seconds: 5, count: 2000, seed: 1 };
const NO_WORLD = undefined as unknown as World;

test("fuzz: violated property -> found, minimized, saved and replayed", async (t) => {
  const target = faulty((document) => {
    if (document.some((byte) => byte > 0x7f)) throw new Finding("not ASCII");
  });
  const report = await fuzz(target, NO_WORLD, { ...BOUNDS, folder: temporaryFolder(t) });
  const { reason, file } = report.finding ?? assert.fail("nothing was found");
  assert.equal(reason, "not ASCII");
  const kept = JSON.parse(readFileSync(file, "utf8")) as Kept;
  assert.equal(inputOf(kept).document.length, 1, "the smallest document that shows it");
  await assert.rejects(judgeOne(target, inputOf(kept)), /not ASCII/);
});

test("fuzz: unexpected exception -> finding with its origin", async (t) => {
  const target = faulty((document) => {
    if (document.length > 30) throw new RangeError("Maximum call stack size exceeded");
  });
  const { finding } = await fuzz(target, NO_WORLD, { ...BOUNDS, folder: temporaryFolder(t) });
  assert.match(finding?.reason ?? "", /^internal: RangeError: Maximum call stack/);
  assert.match(finding?.reason ?? "", /at \S+ \(test\/fuzz-corpus\.test\.ts:/, "by a path of the project");
});

test("fuzz: too much time or memory -> finding", async (t) => {
  const folder = temporaryFolder(t);
  let burnt = 0;
  // Minimizing judges many inputs: without limits this test would take minutes and 6 GB.
  const slow = { ...faulty((document) => document.length > 30 && burnt++ < 2 && burn(0.15)), cpuSeconds: 0.1 };
  assert.match((await fuzz(slow, NO_WORLD, { ...BOUNDS, folder })).finding?.reason ?? "", /s of CPU time$/);
  const kept: Uint8Array[] = [];
  const large = faulty(({ length }) => length > 30 && kept.length < 2 && kept.push(Buffer.alloc(300 * 1024 * 1024, 1)));
  assert.match((await fuzz(large, NO_WORLD, { ...BOUNDS, folder })).finding?.reason ?? "", /MiB of memory$/);
});

test("fuzz: all properties hold -> no finding, all inputs counted", async (t) => {
  const report = await fuzz(
    faulty(() => {}),
    NO_WORLD,
    { ...BOUNDS, folder: temporaryFolder(t) },
  );
  assert.equal(report.finding, undefined);
  assert.equal(report.inputs, BOUNDS.count);
});

test("fuzz: target that refuses every input -> finding", async (t) => {
  const target: Target = { ...faulty(() => {}), judge: () => "refused" };
  const { finding } = await fuzz(target, NO_WORLD, { ...BOUNDS, folder: temporaryFolder(t) });
  assert.match(finding?.reason ?? "", /^none of 2000 inputs was read$/);
});

function burn(seconds: number): void {
  const before = process.cpuUsage();
  while (process.cpuUsage(before).user / 1e6 < seconds) Math.random();
}

const inner = Buffer.from(JSON.stringify({ a: [1, "two"], pem: "x" })).toString("base64");
const DOCUMENT = Buffer.from(JSON.stringify({ wrapped: `${inner}`, lines: "one\ntwo 3\n", "": null }));

test("fuzz: document tree includes encoded content, and serializes to the same bytes", () => {
  const tree = readTree(DOCUMENT);
  assert.deepEqual(Buffer.from(bytesOf(tree)), DOCUMENT);
  const changed = replaceAt(tree, [0, 0, 0, 0, 1], () => [{ kind: "literal", text: "3" }]);
  const { wrapped } = JSON.parse(Buffer.from(bytesOf(changed)).toString());
  assert.deepEqual(JSON.parse(Buffer.from(wrapped, "base64").toString()), { a: [1, 3], pem: "x" });
});

test("fuzz: certificate tree serializes to the same bytes, and its values can be changed", () => {
  const pem = readFileSync(new URL("../fixtures/certs/leaf.pem", import.meta.url));
  const tree = readTree(pem);
  assert.equal(tree.kind, "pem");
  assert.deepEqual(Buffer.from(bytesOf(tree)), pem);
});

test("fuzz: same mutations -> same document; different mutations -> different documents", () => {
  const tree = readTree(DOCUMENT);
  const random = numbers(7);
  const made = new Set<string>();
  for (let round = 0; round < 300; round++) {
    const change = { how: random(999), at: random(1e9), from: random(1e9), donor: random(999), amount: random(0xffff) };
    const [one, two] = [bytesOf(mutate(tree, [change], [tree])), bytesOf(mutate(tree, [change], [tree]))];
    assert.deepEqual(one, two);
    made.add(Buffer.from(one).toString("latin1"));
  }
  assert.ok(made.size > 100, `${made.size} documents`);
});
