import assert from "node:assert/strict";
import { resolve } from "node:path";
import { test } from "node:test";
import { fakePolicyEngine } from "./support/policy-engine.ts";
import { run } from "./support/test-io.ts";

const cwd = resolve(import.meta.dirname, "../fixtures/trust-policy");

test("policy test --complete: every demand met and missed, and without any of the demands a case fails", async () => {
  const ended = await run(["policy", "test", "--complete", "--json", "tsign.policy.yaml"], {
    cwd,
    io: fakePolicyEngine(cwd),
  });
  const { cases, unneeded } = JSON.parse(ended.stdout).result;
  const failed = cases.filter(({ faults }: { faults: readonly string[] }) => faults.length > 0);
  assert.deepEqual(failed, []);
  assert.deepEqual(unneeded, []);
  assert.ok(cases.length >= 60);
});
