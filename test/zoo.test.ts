import assert from "node:assert/strict";
import { test } from "node:test";
import { temporaryFolder, testRegistry } from "./support/test-io.ts";
import { type Operation, PERSONALITIES } from "./zoo/personalities.ts";
import { zooRegistry } from "./zoo/registry.ts";
import { exhibits, tsign, visit } from "./zoo/run.ts";

/** Operations that need no new signature, which takes a while; `npm run suite zoo` does all of them, beside cosign. */
const QUICK: readonly Operation[] = [
  "verify bundle",
  "verify legacy",
  "verify unsigned",
  "tree",
  "copy",
  "download",
  "clean",
];
/** One registry of each family, and those on which much went wrong. */
const VISITED = [
  "listing-307-page",
  "listing-500",
  "listing-always-empty",
  "listing-pages-empty-first",
  "entry-unknown-digest",
  "entry-config-type",
  "head-404",
  "missing-tag-403",
  "gitlab-any",
  "gitlab-digest-wins",
  "patch-only",
  "location-elsewhere",
  "delete-202",
  "delete-405-no-api",
  "negotiate-basic",
  "empty-token",
  "tokens-for-three",
  "config-null",
];

test("the zoo has sixty registries at least, each named once", () => {
  const names = new Set(PERSONALITIES.map(({ name }) => name));
  assert.equal(names.size, PERSONALITIES.length);
  assert.ok(names.size >= 60, String(names.size));
  for (const name of VISITED) assert.ok(names.has(name), name);
});

test("on registries of the zoo every quick operation ends as it should", async (t) => {
  const cwd = temporaryFolder(t);
  const shown = await exhibits(await testRegistry(t), cwd);
  for (const personality of PERSONALITIES.filter(({ name }) => VISITED.includes(name))) {
    await t.test(`${personality.name}: ${personality.does}`, async (t) => {
      const registry = await zooRegistry(t, personality);
      const by = { program: tsign, registry, personality, cwd, exhibits: shown, name: personality.name };
      for (const [operation, { ending, said }] of await visit(by, QUICK)) {
        assert.equal(ending, personality.refused?.includes(operation) ? "refused" : "right", `${operation}: ${said}`);
      }
    });
  }
});
