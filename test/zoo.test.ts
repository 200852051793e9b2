import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_LOG, OFFLINE, temporaryFolder, testRegistry } from "./support/test-io.ts";
import { type Operation, PERSONALITIES } from "./zoo/personalities.ts";
import { zooRegistry } from "./zoo/registry.ts";
import { exhibits, tsign, visit } from "./zoo/run.ts";

/** Operations that need no new signature, which is slow; `npm run suite zoo` runs all of them and compares with cosign. */
const QUICK: readonly Operation[] = [
  "verify bundle",
  "verify legacy",
  "verify unsigned",
  "tree",
  "copy",
  "download",
  "clean",
];
/** One registry of each family, and those with many problems. */
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
  "location-below",
  "delete-202",
  "delete-405-no-api",
  "negotiate-basic",
  "empty-token",
  "tokens-for-three",
  "config-null",
];

test("zoo: at least sixty registries, each named once", () => {
  const names = new Set(PERSONALITIES.map(({ name }) => name));
  assert.equal(names.size, PERSONALITIES.length);
  assert.ok(names.size >= 60, String(names.size));
  for (const name of VISITED) assert.ok(names.has(name), name);
});

test("zoo: every quick operation -> expected result", async (t) => {
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

test("zoo: registries that list late -> sign succeeds only if the signature verifies at once", async (t) => {
  const cwd = temporaryFolder(t);
  const shown = await exhibits(await testRegistry(t), cwd);
  for (const personality of PERSONALITIES.filter(({ name }) => name.startsWith("listing-lags"))) {
    const registry = await zooRegistry(t, personality);
    const by = { program: tsign, registry, personality, cwd, exhibits: shown, name: personality.name };
    for (const [operation, { ending, said }] of await visit(by, ["sign bundle", "attest"])) {
      assert.equal(ending, "right", `${personality.name}, ${operation}: ${said}`);
    }
    // A registry that lists another signature but not the new one, for a short or a very long time.
    const copied = await tsign(["copy", shown.bundle, `${registry.honest}/lag/app:v1`], { cwd, docker: cwd });
    assert.equal(copied.code, 0, copied.stderr);
    const image = `${registry.quirky}/lag/app${shown.bundle.slice(shown.bundle.indexOf("@"))}`;
    await tsign(["generate-key-pair", "--output-key-prefix", "late"], { cwd, docker: cwd });
    const signed = await tsign(["sign", "--key", "late.key", ...OFFLINE, "-y", image], { cwd, docker: cwd });
    const verified = await tsign(["verify", "--key", "late.pub", NO_LOG, image], { cwd, docker: cwd });
    const expected = personality.name === "listing-lags" ? 0 : 1;
    assert.deepEqual([signed.code, verified.code === 0 ? 0 : 1], [expected, expected], signed.stderr);
    if (expected === 1) assert.match(signed.stderr, /^Error: .* does not list it as a referrer/m);
  }
});
