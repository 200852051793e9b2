import assert from "node:assert/strict";
import { test } from "node:test";
import type { TextPattern, VsaDemand } from "./model.ts";
import { vsaFaults } from "./vsa.ts";

const [VERIFIER, POLICY, PLACE] = ["https://r.example/verifier", "https://r.example/policy", "r.example/app"];
const exactly = (text: string): TextPattern => ({ text, matches: (value) => value === text });
const only: VsaDemand = {
  verifier: exactly(VERIFIER),
  policy: undefined,
  policyDigests: undefined,
  resource: undefined,
  level: undefined,
};
const [HEX, OTHER] = ["1".repeat(64), "2".repeat(64)];
const whole: VsaDemand = {
  ...only,
  policy: exactly(POLICY),
  policyDigests: [`sha256:${OTHER}`, `sha256:${HEX}`],
  resource: exactly(PLACE),
  level: 3,
};

const summary = (changed: Record<string, unknown> = {}) => ({
  predicate: {
    verifier: { id: VERIFIER },
    policy: { uri: POLICY, digest: { sha256: HEX } },
    resourceUri: PLACE,
    verificationResult: "PASSED",
    verifiedLevels: ["SLSA_BUILD_LEVEL_3"],
    ...changed,
  },
});

test("vsaFaults: a summary that passed for the demanded verifier, policy, resource and level -> no fault", () => {
  assert.deepEqual(vsaFaults(summary(), whole), []);
  assert.deepEqual(vsaFaults(summary({ verifiedLevels: ["SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_4"] }), whole), []);
  const bare = { verifiedLevels: undefined, policy: undefined, resourceUri: undefined };
  assert.deepEqual(vsaFaults(summary(bare), only), []);
});

test("vsaFaults: failed, other verifier, policy or resource, missing level -> one fault each", () => {
  const cases: readonly [Record<string, unknown>, RegExp][] = [
    [{ verificationResult: "FAILED" }, /^verificationResult mismatch: got FAILED, want PASSED$/],
    [{ verificationResult: undefined }, /^verificationResult mismatch: got none/],
    [{ verificationResult: "passed" }, /^verificationResult mismatch/],
    [{ verificationResult: ["PASSED"] }, /^verificationResult mismatch/],
    [{ verifier: { id: `${VERIFIER}2` } }, /^verifier\.id mismatch: got https:\/\/r\.example\/verifier2, want/],
    [{ verifier: VERIFIER }, /^verifier\.id mismatch: got none/],
    [{ verifier: undefined }, /^verifier\.id mismatch: got none/],
    [{ policy: { uri: "https://r.example/other", digest: { sha256: HEX } } }, /^policy\.uri mismatch/],
    [{ policy: { digest: { sha256: HEX } } }, /^policy\.uri mismatch: got none/],
    [{ policy: { uri: POLICY, digest: { sha256: "3".repeat(64) } } }, /^policy\.digest mismatch: got 333/],
    [{ policy: { uri: POLICY, digest: { sha512: HEX } } }, /^policy\.digest mismatch: got none/],
    [{ policy: { uri: POLICY, digest: HEX } }, /^policy\.digest mismatch: got none/],
    [{ policy: { uri: POLICY } }, /^policy\.digest mismatch: got none/],
    [{ resourceUri: "r.example/other" }, /^resourceUri mismatch/],
    [{ resourceUri: undefined }, /^resourceUri mismatch: got none/],
    [{ verifiedLevels: ["SLSA_BUILD_LEVEL_2"] }, /^verifiedLevels mismatch: got SLSA build level 2, want at least 3$/],
    [{ verifiedLevels: [] }, /^verifiedLevels mismatch/],
    [{ verifiedLevels: [["SLSA_BUILD_LEVEL_3"]] }, /^verifiedLevels mismatch/],
    [{ verifiedLevels: undefined }, /^verifiedLevels mismatch/],
    [{ verifiedLevels: "SLSA_BUILD_LEVEL_3" }, /^verifiedLevels mismatch/],
    [{ verifiedLevels: ["SLSA_SOURCE_LEVEL_3", "SLSA_BUILD_LEVEL_5", "xSLSA_BUILD_LEVEL_3"] }, /^verifiedLevels/],
  ];
  for (const [changed, expected] of cases) {
    const faults = vsaFaults(summary(changed), whole);
    assert.equal(faults.length, 1, JSON.stringify(changed));
    assert.match(faults[0] ?? "", expected);
  }
  for (const statement of [undefined, null, [], "PASSED", {}, { predicate: [] }]) {
    assert.equal(vsaFaults(statement, whole).length, 6, JSON.stringify(statement));
  }
});
