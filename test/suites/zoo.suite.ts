import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { testRegistry } from "../support/test-io.ts";
import { type Ending, OPERATIONS, PERSONALITIES, type Personality } from "../zoo/personalities.ts";
import { zooRegistry } from "../zoo/registry.ts";
import { cosign, type Endings, type Exhibits, exhibits, type Program, tsign, visit } from "../zoo/run.ts";

/** TSIGN_ZOO: parts of the names of the registries to visit, separated by commas; all by default. */
const PARTS = (process.env["TSIGN_ZOO"] ?? "").split(",");
const WANTED = PERSONALITIES.filter(({ name }) => PARTS.some((part) => name.includes(part)));
/** Registries visited at a time. */
const KEEPERS = 4;
const RANK: Readonly<Record<Ending, number>> = { wrong: 0, refused: 1, right: 2 };
const SHOWN: Readonly<Record<Ending, string>> = { wrong: "WRONG", refused: "refused", right: "right" };

/** The results of both programs on one registry. */
interface Row {
  readonly personality: Personality;
  readonly tsign: Endings;
  readonly cosign: Endings;
}

async function visitBoth(personality: Personality, shown: { cwd: string; exhibits: Exhibits }): Promise<Row> {
  const closing: (() => unknown)[] = [];
  const registry = await zooRegistry({ after: (close) => void closing.push(close as () => unknown) }, personality);
  const slug = personality.name.replaceAll(/\W+/g, "-").toLowerCase();
  try {
    const one = (program: Program, name: string) =>
      visit({ program, registry, personality, ...shown, name: `${name}-${slug}` }, OPERATIONS);
    return { personality, tsign: await one(tsign, "tsign"), cosign: await one(cosign, "cosign") };
  } finally {
    for (const close of closing) await close();
  }
}

function print(rows: readonly Row[]): void {
  console.log("registry                  operation         tsign    cosign");
  for (const { personality, ...by } of rows) {
    const differing = OPERATIONS.filter(
      (each) => ending(by.tsign, each) !== "right" || ending(by.cosign, each) !== "right",
    );
    if (differing.length === 0) console.log(`${personality.name.padEnd(25)} all right         in both`);
    for (const operation of differing) {
      const [ours, theirs] = [ending(by.tsign, operation), ending(by.cosign, operation)];
      console.log(
        `${personality.name.padEnd(25)} ${operation.padEnd(17)} ${SHOWN[ours].padEnd(8)} ${SHOWN[theirs]}${
          ours === "right" ? "" : `   ${by.tsign.get(operation)?.said}`
        }`,
      );
    }
  }
}

function ending(endings: Endings, operation: (typeof OPERATIONS)[number]): Ending {
  return endings.get(operation)?.ending ?? assert.fail(`${operation} was not done`);
}

test("zoo: expected result on every registry, never worse than cosign's", {
  timeout: 1_800_000,
}, async (context) => {
  const cwd = mkdtempSync(join(tmpdir(), "tsign-zoo-"));
  context.after(() => rmSync(cwd, { recursive: true, force: true }));
  const shown = { cwd, exhibits: await exhibits(await testRegistry(context), cwd) };
  const version = await cosign(["version"], { cwd, docker: cwd });
  assert.match(version.stdout, /GitVersion:\s+v?3\.1\.2/, "cosign 3.1.2 is on the PATH");
  const rows: Row[] = new Array(WANTED.length);
  const queue = WANTED.entries();
  await Promise.all(
    Array.from({ length: KEEPERS }, async () => {
      for (const [index, personality] of queue) rows[index] = await visitBoth(personality, shown);
    }),
  );
  print(rows);
  const count = { better: 0, equal: 0, worse: 0 };
  for (const row of rows) {
    for (const operation of OPERATIONS) {
      const [ours, theirs] = [RANK[ending(row.tsign, operation)], RANK[ending(row.cosign, operation)]];
      count[ours > theirs ? "better" : ours < theirs ? "worse" : "equal"]++;
    }
  }
  console.log(
    `${rows.length} registries, ${rows.length * OPERATIONS.length} operations: tsign is better in ${count.better}, equal in ${count.equal}, worse in ${count.worse}`,
  );
  for (const { personality, ...by } of rows) {
    await context.test(`${personality.name}: ${personality.does}`, () => {
      for (const operation of OPERATIONS) {
        const expected: Ending = personality.refused?.includes(operation) ? "refused" : "right";
        const { ending: actual, said } = by.tsign.get(operation) ?? assert.fail();
        assert.equal(actual, expected, `${operation}: ${said}`);
        const theirs = ending(by.cosign, operation);
        assert.ok(RANK[actual] >= RANK[theirs], `${operation}: ${actual}, and ${theirs} in cosign`);
      }
    });
  }
});
