import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { COSIGN, COSIGN_2, folder, LEGACY, must, NO_LOG, pushImage, registries, run, TSIGN } from "./support.ts";

const DAY = "2026-01-02T03:04:05Z";
/** A predicate for each --type. */
const PREDICATES: Record<string, unknown> = {
  custom: { tested: true },
  slsaprovenance: {
    builder: { id: "https://ci.example" },
    buildType: "https://ci.example/make",
    metadata: { reproducible: true },
  },
  slsaprovenance02: { builder: { id: "https://ci.example" }, buildType: "https://ci.example/make" },
  slsaprovenance1: {
    buildDefinition: { buildType: "https://ci.example/make", externalParameters: { ref: "main" } },
    runDetails: { builder: { id: "https://ci.example" } },
  },
  link: {
    _type: "link",
    name: "build",
    command: ["make"],
    materials: {},
    products: {},
    byproducts: {},
    environment: {},
  },
  spdx: "SPDXVersion: SPDX-2.3\nDocumentName: app\n",
  spdxjson: { spdxVersion: "SPDX-2.3", SPDXID: "SPDXRef-DOCUMENT", name: "app", packages: [] },
  cyclonedx: { bomFormat: "CycloneDX", specVersion: "1.6", version: 1, components: [] },
  vuln: {
    invocation: { parameters: null, uri: "https://ci.example/1", event_id: "1", "builder.id": "ci" },
    scanner: { uri: "pkg:github/scanner", version: "1", db: { uri: "", version: "" }, result: {} },
    metadata: { scanStartedOn: DAY, scanFinishedOn: DAY },
  },
  openvex: {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://ci.example/vex",
    author: "ci",
    timestamp: DAY,
    version: 1,
    statements: [],
  },
  "https://ci.example/type": { any: ["thing"] },
};

/** cosign 2 reads bundles only with a trusted root, even if it needs nothing from it. */
const BUNDLES_IN_2 = ["--new-bundle-format", "--trusted-root", "root.json"];
/** cosign cannot read its own attestation of an SPDX document in tag-value form, which is not JSON (docs/differences.md). */
const CANNOT: Record<string, readonly string[]> = { bundle: [COSIGN, COSIGN_2], legacy: [COSIGN] };

/** The statement of an image's only attestation, without the fields that differ between two signings. */
async function statementOf(image: string, cwd: string): Promise<Record<string, unknown>> {
  const { stdout } = await must(COSIGN, ["download", "attestation", image], { cwd });
  const { payload, dsseEnvelope } = JSON.parse(stdout);
  const statement = JSON.parse(Buffer.from(payload ?? dsseEnvelope.payload, "base64").toString());
  assert.deepEqual(statement.subject, [{ name: image.split("@")[0], digest: { sha256: image.split("sha256:")[1] } }]);
  if (statement.predicate.Timestamp) statement.predicate.Timestamp = "now";
  return { ...statement, subject: "the image" };
}

interface Program {
  readonly name: string;
  readonly attest: readonly string[];
}
const NO_SERVICES = ["--use-signing-config=false", "--tlog-upload=false", "-y"];
const SIGNERS: Record<"bundle" | "legacy", readonly Program[]> = {
  bundle: [
    { name: TSIGN, attest: NO_SERVICES },
    { name: COSIGN, attest: NO_SERVICES },
  ],
  legacy: [
    { name: TSIGN, attest: [...NO_SERVICES, LEGACY] },
    { name: COSIGN, attest: [...NO_SERVICES, LEGACY] },
    { name: COSIGN_2, attest: ["--tlog-upload=false", "-y"] },
  ],
};

for (const form of ["bundle", "legacy"] as const) {
  test(`attestations of every type with a key, ${form} form: each program verifies the others'`, async (t) => {
    const cwd = folder(t);
    const { ref } = await registries(t);
    for (const key of ["a", "b"]) await must(TSIGN, ["generate-key-pair", "--output-key-prefix", key], { cwd });
    writeFileSync(
      join(cwd, "root.json"),
      JSON.stringify({ mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1" }),
    );
    const wrong: string[] = [];
    for (const [type, predicate] of Object.entries(PREDICATES)) {
      writeFileSync(join(cwd, "p"), typeof predicate === "string" ? predicate : JSON.stringify(predicate));
      const statements = new Map<string, Record<string, unknown>>();
      for (const signer of SIGNERS[form]) {
        const image = await pushImage(ref, "app", cwd);
        const attest = ["attest", "--key", "a.key", ...signer.attest, "--type", type, "--predicate", "p", image];
        const signed = await run(signer.name, attest, { cwd });
        if (signed.code !== 0) {
          wrong.push(`${type}: ${signer.name} does not attest: ${signed.stderr.trim().split("\n").at(-1)}`);
          continue;
        }
        statements.set(signer.name, await statementOf(image, cwd));
        for (const verifier of [TSIGN, COSIGN, COSIGN_2]) {
          const format = form === "bundle" && verifier === COSIGN_2 ? BUNDLES_IN_2 : [];
          const verify = (key: string, wanted: string) =>
            run(verifier, ["verify-attestation", "--key", key, NO_LOG, ...format, "--type", wanted, image], { cwd });
          const good = await verify("a.pub", type);
          const expected = !(type === "spdx" && CANNOT[form]?.includes(verifier));
          if ((good.code === 0) !== expected)
            wrong.push(
              `${type}: ${verifier} exits with ${good.code} for what ${signer.name} attested: ${good.stderr.trim().split("\n").at(-1)}`,
            );
          if ((await verify("b.pub", type)).code === 0)
            wrong.push(`${type}: ${verifier} takes another key for ${signer.name}'s`);
          if ((await verify("a.pub", "https://ci.example/other")).code === 0)
            wrong.push(`${type}: ${verifier} takes another type for ${signer.name}'s`);
        }
      }
      assert.deepEqual(statements.get(TSIGN), statements.get(COSIGN), `${type}: the statement is cosign's`);
    }
    assert.deepEqual(wrong, []);
  });
}

for (const { form, flags, count } of [
  { form: "bundle", flags: [], count: 4 },
  { form: "legacy", flags: [LEGACY], count: 3 },
]) {
  test(`several predicates on one image, and --replace, ${form} form: both programs find each by its type`, async (t) => {
    const cwd = folder(t);
    const { ref } = await registries(t);
    await must(TSIGN, ["generate-key-pair"], { cwd });
    const image = await pushImage(ref, "app", cwd);
    const attest = (program: string, type: string, n: number, ...more: string[]) => {
      writeFileSync(join(cwd, "p"), JSON.stringify({ n }));
      const about = ["--type", type, "--predicate", "p", ...more, image];
      return must(program, ["attest", "--key", "cosign.key", ...NO_SERVICES, ...flags, ...about], { cwd });
    };
    const seen = async (program: string, type: string) => {
      const about = ["--key", "cosign.pub", NO_LOG, "--type", type, image];
      const { stdout } = await must(program, ["verify-attestation", ...about], { cwd });
      const payloads = stdout.trim().split("\n");
      return payloads
        .map((line) => JSON.parse(Buffer.from(JSON.parse(line).payload, "base64").toString()).predicate.n)
        .sort();
    };
    await attest(TSIGN, "openvex", 1);
    await attest(COSIGN, "https://ci.example/a", 2);
    await attest(COSIGN, "https://ci.example/b", 3);
    await attest(TSIGN, "https://ci.example/b", 4);
    for (const program of [TSIGN, COSIGN]) {
      assert.deepEqual(await seen(program, "https://ci.example/a"), [2]);
      assert.deepEqual(await seen(program, "https://ci.example/b"), [3, 4]);
    }
    await attest(TSIGN, "https://ci.example/b", 5, "--replace");
    // cosign has --replace for the legacy form only (docs/differences.md).
    await attest(COSIGN, "https://ci.example/a", 6, "--replace");
    for (const program of [TSIGN, COSIGN]) {
      assert.deepEqual(await seen(program, "openvex"), [1]);
      assert.deepEqual(await seen(program, "https://ci.example/a"), form === "bundle" ? [2, 6] : [6]);
      assert.deepEqual(await seen(program, "https://ci.example/b"), [5]);
    }
    const { stdout } = await must(TSIGN, ["download", "attestation", image], { cwd });
    assert.equal(stdout.trim().split("\n").length, count);
  });
}
