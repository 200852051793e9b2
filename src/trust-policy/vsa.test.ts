import assert from "node:assert/strict";
import { test } from "node:test";
import { parseReference } from "../oci/ref.ts";
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
  assert.deepEqual(vsaFaults(summary(), whole, undefined), []);
  assert.deepEqual(
    vsaFaults(summary({ verifiedLevels: ["SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_4"] }), whole, undefined),
    [],
  );
  const bare = { verifiedLevels: undefined, policy: undefined, resourceUri: undefined };
  assert.deepEqual(vsaFaults(summary(bare), only, undefined), []);
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
    const faults = vsaFaults(summary(changed), whole, undefined);
    assert.equal(faults.length, 1, JSON.stringify(changed));
    assert.match(faults[0] ?? "", expected);
  }
  for (const statement of [undefined, null, [], "PASSED", {}, { predicate: [] }]) {
    assert.equal(vsaFaults(statement, whole, undefined).length, 6, JSON.stringify(statement));
  }
});

test("vsaFaults: resource of the image itself, by any spelling of its repository and no other", () => {
  const faults = (resourceUri: unknown, image: string | undefined) =>
    vsaFaults(
      summary({ resourceUri }),
      { ...only, resource: "own" },
      image === undefined ? undefined : parseReference(image),
    );
  for (const [uri, image] of [
    ["oci://r.example/prod/app", "r.example/prod/app:v1"],
    ["oci://r.example/prod/app", "R.Example:443/prod/app"],
    ["oci://index.docker.io/library/nginx", "nginx"],
    ["oci://docker.io/nginx", "nginx"],
    ["oci://[::1]:5000/app", "[0:0:0:0:0:0:0:1]:5000/app"],
  ] as const) {
    assert.deepEqual(faults(uri, image), [], `${uri} ${image}`);
  }
  for (const uri of [
    "oci://r.example/prod/other",
    "oci://r.example/prod/app/x",
    "oci://r.example/prod",
    "oci://r.example:5000/prod/app",
    "oci://evil.example/prod/app",
    "oci://r.example/prod/app:v1",
    "oci://r.example/prod/../prod/app",
    "oci://oci://r.example/prod/app",
    "https://r.example/prod/app",
    "OCI://r.example/prod/app",
    "r.example/prod/app",
    "oci://",
    "",
    7,
    undefined,
    ["oci://r.example/prod/app"],
  ]) {
    const [fault, ...others] = faults(uri, "r.example/prod/app");
    assert.match(fault ?? "", /^resourceUri mismatch: got .*, want oci:\/\/r\.example\/prod\/app$/, String(uri));
    assert.deepEqual(others, []);
  }
  assert.equal(faults("oci://", undefined).length, 1, "a file has no repository");
  assert.equal(faults("oci://r.example/prod/app", undefined).length, 1);
});
