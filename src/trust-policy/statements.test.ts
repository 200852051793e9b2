import assert from "node:assert/strict";
import { test } from "node:test";
import type { SlsaDemand, TextPattern, VulnerabilityDemand } from "./model.ts";
import { slsaFaults } from "./slsa.ts";
import { vulnerabilityFaults } from "./vulnerabilities.ts";

const exactly = (text: string): TextPattern => ({ text, matches: (value) => value === text });
const NOW = new Date("2026-03-02T12:00:00Z");
const APP = "https://github.com/acme/app";
const COMMIT = "c".repeat(40);

function slsa(statement: unknown, demand: Partial<Record<keyof SlsaDemand, string | number>>): string[] {
  const pattern = (value: string | number | undefined) => (value === undefined ? undefined : exactly(String(value)));
  const { builder, source, ref, buildType, commit, level } = demand;
  return slsaFaults(
    statement,
    {
      builder: pattern(builder),
      source: pattern(source),
      ref: pattern(ref),
      buildType: pattern(buildType),
      commit: commit as string | undefined,
      level: level as number | undefined,
    },
    [{ builder: exactly("b"), level: 3 }],
  );
}

const v02 = (uri: unknown, digest: unknown = { sha1: COMMIT }) => ({
  predicateType: "https://slsa.dev/provenance/v0.2",
  predicate: {
    builder: { id: "b" },
    buildType: "t",
    invocation: { configSource: { uri, digest } },
    materials: [{ uri: "git+https://github.com/acme/other" }],
  },
});

const v1 = (definition: Record<string, unknown>) => ({
  predicateType: "https://slsa.dev/provenance/v1",
  predicate: { buildDefinition: { buildType: "t", ...definition }, runDetails: { builder: { id: "b" } } },
});

test("slsaFaults: provenance v0.2, each part met and missed", () => {
  const good = v02("git+https://github.com/acme/app@refs/tags/v1");
  const met = { builder: "b", buildType: "t", source: APP, ref: "refs/tags/v1", commit: COMMIT, level: 3 };
  assert.deepEqual(slsa(good, met), []);
  for (const [field, value] of Object.entries({
    ...met,
    builder: "c",
    buildType: "x",
    source: `${APP}2`,
    ref: "v1",
    commit: "d",
    level: 4,
  })) {
    assert.equal(slsa(good, { [field]: value }).length, 1, field);
  }
  assert.equal(slsa(good, { source: "https://github.com/acme/other" }).length, 1, "a material is not the source");
  assert.deepEqual(slsa(v02(`git+${APP}.git@main`), { source: APP, ref: "main" }), []);
});

test("slsaFaults: what a provenance does not state, or states oddly, does not match", () => {
  for (const uri of [
    undefined,
    7,
    {},
    "",
    "git+https://user@github.com/acme/app@main",
    `${APP}/x@main`,
    `https://evil.example/?${APP}@main`,
  ]) {
    assert.equal(slsa(v02(uri), { source: APP }).length, 1, String(uri));
  }
  assert.equal(slsa(v02(`git+${APP}`), { ref: "refs/tags/v1" }).length, 1);
  assert.equal(
    slsa(v02(APP, { sha1: COMMIT, gitCommit: "d".repeat(40) }), { commit: COMMIT }).length,
    1,
    "two commits",
  );
  for (const statement of [undefined, null, [], {}, { predicate: 7 }, { predicateType: "x", predicate: {} }]) {
    assert.equal(slsa(statement, { builder: "b", source: APP, commit: COMMIT, level: 1 }).length, 4);
  }
});

test("slsaFaults: provenance v1 by its external parameters, not by its dependencies", () => {
  const dependencies = [{ uri: `git+${APP}@refs/heads/main`, digest: { gitCommit: COMMIT } }];
  const own = v1({
    externalParameters: { source: { uri: `git+${APP}@refs/heads/main`, digest: { gitCommit: COMMIT } } },
  });
  assert.deepEqual(slsa(own, { source: APP, ref: "refs/heads/main", commit: COMMIT }), []);
  assert.deepEqual(
    slsa(v1({ externalParameters: { source: `git+${APP}@refs/heads/main` }, resolvedDependencies: dependencies }), {
      commit: COMMIT,
    }),
    [],
  );
  const foreign = v1({
    externalParameters: { source: "git+https://evil.example/x" },
    resolvedDependencies: dependencies,
  });
  assert.equal(slsa(foreign, { source: APP }).length, 1);
  assert.equal(slsa(foreign, { commit: COMMIT }).length, 1);
  assert.equal(slsa(v1({ resolvedDependencies: dependencies }), { source: APP, commit: COMMIT }).length, 2);
  const two = [...dependencies, { uri: `git+${APP}@refs/heads/main`, digest: { gitCommit: "d".repeat(40) } }];
  assert.equal(
    slsa(v1({ externalParameters: { source: `git+${APP}@refs/heads/main` }, resolvedDependencies: two }), {
      commit: COMMIT,
    }).length,
    1,
  );
});

const scan = (result: unknown, time: unknown = "2026-03-01T12:00:00Z") => ({
  predicate: { scanner: { result }, metadata: { scanFinishedOn: time } },
});
const trivy = (...severities: unknown[]) => ({
  SchemaVersion: 2,
  Results: [{ Vulnerabilities: severities.map((Severity, index) => ({ VulnerabilityID: `CVE-${index}`, Severity })) }],
});
const grype = (...severities: unknown[]) => ({
  matches: severities.map((severity, index) => ({ vulnerability: { id: `CVE-${index}`, severity } })),
});

function faults(statement: unknown, demand: Partial<VulnerabilityDemand>): string[] {
  return vulnerabilityFaults(statement, { maxAge: undefined, worst: undefined, ignore: [], ...demand }, NOW);
}

test("vulnerabilityFaults: severities of Trivy and Grype, at every boundary", () => {
  for (const report of [trivy, grype]) {
    assert.deepEqual(faults(scan(report()), { worst: "none" }), []);
    assert.deepEqual(faults(scan(report("Low", "MEDIUM")), { worst: "medium" }), []);
    assert.equal(faults(scan(report("High")), { worst: "medium" }).length, 1);
    assert.deepEqual(faults(scan(report("Critical")), { worst: "critical" }), []);
    assert.equal(faults(scan(report("UNKNOWN")), { worst: "critical" }).length, 1, "unknown is worse than critical");
    assert.deepEqual(faults(scan(report("UNKNOWN")), { worst: "critical", ignore: ["CVE-0"] }), []);
    assert.equal(faults(scan(report("Low", 7)), { worst: "critical" }).length, 1, "cannot be read");
  }
  assert.deepEqual(faults(scan({ SchemaVersion: 2 }), { worst: "none" }), [], "Trivy found nothing");
  for (const result of [
    undefined,
    null,
    {},
    [],
    "",
    { Results: [] },
    { SchemaVersion: 1, Results: [] },
    { SchemaVersion: 2, Results: {} },
    { SchemaVersion: 2, Results: [{ Vulnerabilities: {} }] },
    { matches: {} },
    { SchemaVersion: 2, Results: {}, matches: [] },
  ]) {
    assert.equal(faults(scan(result), { worst: "critical" }).length, 1, JSON.stringify(result));
  }
});

test("vulnerabilityFaults: age of the scan, missing and future times", () => {
  const day = 86_400_000;
  assert.deepEqual(faults(scan(trivy()), { maxAge: day }), [], "exactly as old");
  assert.equal(faults(scan(trivy()), { maxAge: day - 1 }).length, 1);
  assert.deepEqual(faults(scan(trivy(), "2026-03-02T14:00:00+02:00"), { maxAge: 1000 }), []);
  for (const time of [
    null,
    "",
    "2026-03-02",
    "today",
    7,
    "2026-03-02T12:00:00",
    "2026-03-02T13:00:00Z",
    "2999-01-01T00:00:00Z",
  ]) {
    assert.equal(faults(scan(trivy(), time), { maxAge: 1000 * day }).length, 1, String(time));
  }
});
