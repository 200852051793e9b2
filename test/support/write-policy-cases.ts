import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { DAY, MONDAY, policyWorkshop } from "./policy-workshop.ts";

/**
 * Writes the evidence that the cases in fixtures/trust-policy are decided on, signed in a sandbox, and the policy and its cases
 * from their templates there. Run it with `node --test test/support/write-policy-cases.ts` after a change of either.
 */
const FOLDER = resolve(import.meta.dirname, "../../fixtures/trust-policy");
const URL = "https://r.example";
const BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1";
const SUMMARY = "https://slsa.dev/verification_summary/v1";

const provenance = (
  builder: string,
  { source = "app", ref = "refs/tags/v1", commit = "c", type = BUILD_TYPE } = {},
) => ({
  buildDefinition: {
    buildType: type,
    externalParameters: { workflow: { ref, repository: `https://github.com/acme/${source}`, path: "r.yml" } },
    resolvedDependencies: [
      { uri: `git+https://github.com/acme/${source}@${ref}`, digest: { gitCommit: commit.repeat(40) } },
    ],
  },
  runDetails: { builder: { id: `${URL}/${builder}` } },
});
const scan = (severity: string) => ({
  invocation: {},
  scanner: {
    uri: "trivy",
    result: { SchemaVersion: 2, Results: [{ Vulnerabilities: [{ VulnerabilityID: "CVE-1", Severity: severity }] }] },
  },
  metadata: { scanStartedOn: "2026-03-02T12:00:00Z", scanFinishedOn: "2026-03-02T12:00:00Z" },
});
const summary = ({
  result = "PASSED",
  verifier = "verifier",
  policy = "policy",
  content = "1",
  resource = "app",
  level = 3,
} = {}) => ({
  verifier: { id: `${URL}/${verifier}` },
  policy: { uri: `${URL}/${policy}`, digest: { sha256: content.repeat(64) } },
  resourceUri: `${URL}/${resource}`,
  verificationResult: result,
  verifiedLevels: [`SLSA_BUILD_LEVEL_${level}`],
});

test("write fixtures/trust-policy", async (t) => {
  const { cwd, read, write, tsign, push, key, person, job, services, at, setTime } = await policyWorkshop(t);
  const evidence = join(FOLDER, "evidence");
  rmSync(evidence, { recursive: true, force: true });
  mkdirSync(evidence);
  const keep = (name: string) => writeFileSync(join(evidence, name), readFileSync(join(cwd, name)));
  await tsign("generate-key-pair", "--output-key-prefix", "c");
  for (const name of ["a.pub", "b.pub", "c.pub", "root.json"]) keep(name);
  write("malware", "malware");
  const image = await push("app:v1");
  const malware = (await tsign("sandbox", "push", "malware:v1", "malware")).stdout.trim();
  const rekor1 = ["--yes", "--signing-config", "rekor1.json", "--trusted-root", "root.json"];
  const unlogged = ["--yes", "--use-signing-config=false", "--tlog-upload=false"];
  const sign = async (name: string, who: readonly string[], how: readonly string[] = services, of = image) => {
    await tsign("sign", ...who, ...how, "--bundle", `${name}.json`, of);
    keep(`${name}.json`);
  };
  await sign("a", key("a"));
  await sign("b", key("b"));
  await sign("c", key("c"));
  await sign("a-log1", key("a"), rekor1);
  await sign("a-unlogged", key("a"), unlogged);
  await sign("a-malware", key("a"), services, malware);
  await sign("a-entry", key("a"), rekor1);
  await sign("alice", person("alice@example.com"));
  await sign("bob", person("bob@example.com"));
  await sign("mallory", person("mallory@example.com"));
  await sign("eve", person("eve@other.example"));
  await sign("job", job());
  await sign("job-fork", job({ job_workflow_ref: "mallory/widget/.github/workflows/release.yml@refs/heads/main" }));
  await sign("job-issuer", job({ iss: `${at.ciIssuer}/other` }));
  await sign("job-self-hosted", job({ runner_environment: "self-hosted" }));
  const attest = async (name: string, type: string, predicate: unknown, who = "a") => {
    write("predicate.json", JSON.stringify(predicate));
    const of = ["--type", type, "--predicate", "predicate.json", "--bundle", `${name}.json`];
    await tsign("attest", ...key(who), ...services, ...of, image);
    keep(`${name}.json`);
  };
  const build = (name: string, ...of: Parameters<typeof provenance>) =>
    attest(`slsa-${name}`, "slsaprovenance1", provenance(...of));
  await build("good", "b1");
  await build("builder", "c1");
  await build("level", "b9");
  await build("source", "b1", { source: "fork" });
  await build("ref", "b1", { ref: "refs/heads/main" });
  await build("commit", "b1", { commit: "d" });
  await build("type", "b1", { type: "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1" });
  await attest("slsa-signer", "slsaprovenance1", provenance("b1"), "b");
  await attest("scan-low", "vuln", scan("LOW"));
  await attest("scan-critical", "vuln", scan("CRITICAL"));
  for (const [name, of] of Object.entries({
    good: {},
    failed: { result: "FAILED" },
    verifier: { verifier: "other" },
    policy: { policy: "other" },
    content: { content: "2" },
    resource: { resource: "other" },
    level: { level: 2 },
  })) {
    await attest(`vsa-${name}`, SUMMARY, summary(of));
  }
  await attest("vsa-signer", SUMMARY, summary(), "b");
  await attest("tests-passed", `${URL}/tests`, { result: "passed" });
  await attest("tests-failed", `${URL}/tests`, { result: "failed" });
  write("release.txt", "content");
  for (const who of ["a", "b"]) {
    await tsign("sign-blob", ...key(who), ...services, "--bundle", `file-${who}.json`, "release.txt");
    keep(`file-${who}.json`);
  }
  setTime(MONDAY + 30 * DAY);
  await sign("b-late", key("b"));
  const old = await push("old:v1");
  const legacy = ["--yes", "--use-signing-config=false", "--rekor-url", at.rekor1, "--trusted-root", "root.json"];
  await tsign("sign", ...key("a"), "--new-bundle-format=false", ...legacy, old);
  await tsign("save", "--dir", join(evidence, "legacy"), old);
  const entryOf = (name: string) => {
    const [{ logId, logIndex }] = JSON.parse(read(`${name}.json`)).verificationMaterial.tlogEntries;
    return { log: Buffer.from(logId.keyId, "base64").toString("hex"), index: String(logIndex) };
  };
  const values: Readonly<Record<string, string>> = {
    DIGEST: image.replace(/.*@/, ""),
    MALWARE: malware.replace(/.*@/, ""),
    LOG_ID: entryOf("a-entry").log,
    LOG_INDEX: entryOf("a-entry").index,
    ISSUER: at.issuer,
    CI_ISSUER: at.ciIssuer,
    REKOR2: entryOf("a").log,
  };
  for (const name of ["tsign.policy", "tsign.policy.test"]) {
    const template = readFileSync(join(FOLDER, `${name}.template`), "utf8");
    const text = template.replaceAll(/<([A-Z0-9_]+)>/g, (_, value) => values[value] ?? assert.fail(value));
    writeFileSync(join(FOLDER, `${name}.yaml`), text);
  }
});
