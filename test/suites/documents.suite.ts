import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { TOOLS } from "../../scripts/tools.ts";
import { COSIGN, folder, LEGACY, must, NO_LOG, OFFLINE, pushImage, registries, run, TSIGN } from "./support.ts";

const ROOT = resolve(import.meta.dirname, "../..");
/** Numbers that cosign changes, because it reads them as doubles. */
const BEYOND_DOUBLES = "9007199254740993";

/** npm's own description of this project's dependencies. */
async function sbom(format: "spdx" | "cyclonedx"): Promise<string> {
  return (await must("npm", ["sbom", "--sbom-format", format], { cwd: ROOT, env: npmSettings() })).stdout;
}

/** npm needs the environment for its registry, proxy and certificate authorities. */
function npmSettings(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (value ? [[name, value]] : [])));
}

/** The SLSA v1 provenance that GitHub's own library writes for a job, from the stack's GitHub token. */
async function provenance(): Promise<string> {
  const file = process.env["STACK_ENV"] ?? assert.fail("set STACK_ENV to the file that `stack env` names");
  const show = `. "$0" && printf '%s\\n%s' "$STACK_GHA_TOKEN_URL" "$STACK_ISSUER"`;
  const [tokenUrl = "", issuer = ""] = (await must("sh", ["-c", show, file], { cwd: ROOT })).stdout.split("\n");
  const kept = join(TOOLS, "actions-attest-3.2.0");
  if (!existsSync(kept)) {
    const work = `${kept}.${process.pid}`;
    mkdirSync(work, { recursive: true });
    writeFileSync(join(work, "package.json"), "{}");
    await must("npm", ["install", "--no-audit", "@actions/attest@3.2.0"], { cwd: work, env: npmSettings() });
    renameSync(work, kept);
  }
  const script = `import { buildSLSAProvenancePredicate } from "@actions/attest";
    const { params } = await buildSLSAProvenancePredicate(process.env.ISSUER);
    process.stdout.write("\\n#" + JSON.stringify(params));`;
  const made = await must(process.execPath, ["--input-type=module", "-e", script], {
    cwd: kept,
    env: {
      ACTIONS_ID_TOKEN_REQUEST_URL: tokenUrl,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "any",
      GITHUB_SERVER_URL: "https://github.com",
      ISSUER: issuer,
    },
  });
  return made.stdout.split("\n#")[1] ?? assert.fail("no predicate");
}

const withBigNumber = (json: string) => json.replace("{", `{"serial":${BEYOND_DOUBLES},`);

/** Returns the predicate of a statement as text, because JSON.parse would hide a changed number. */
function predicateText(statement: string): string {
  const at = statement.indexOf('"predicate":');
  assert.ok(at > 0);
  return statement.slice(at + '"predicate":'.length).replace(/\}\s*$/, "");
}

const compact = (json: string) => json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, text: string | undefined) => text ?? "");

for (const [form, flags] of [
  ["bundle", []],
  ["legacy", [LEGACY]],
] as const) {
  test(`real documents are stored and returned unchanged, ${form} form`, async (t) => {
    const cwd = folder(t);
    const { ref } = await registries(t);
    await must(TSIGN, ["generate-key-pair"], { cwd });
    const documents = {
      spdxjson: await sbom("spdx"),
      cyclonedx: await sbom("cyclonedx"),
      slsaprovenance1: await provenance(),
    };
    for (const [type, text] of Object.entries(documents)) {
      const document = withBigNumber(text);
      writeFileSync(join(cwd, "document.json"), document);
      const image = await pushImage(ref, "app", cwd);
      const about = ["--type", type, "--predicate", "document.json", image];
      await must(TSIGN, ["attest", "--key", "cosign.key", ...OFFLINE, ...flags, ...about], { cwd });
      const verify = ["verify-attestation", "--key", "cosign.pub", NO_LOG, ...flags, "--type", type, image];
      for (const verifier of [TSIGN, COSIGN]) await must(verifier, verify, { cwd });
      const downloads = [];
      for (const program of [TSIGN, COSIGN]) {
        const { stdout } = await must(program, ["download", "attestation", image], { cwd });
        const { payload, dsseEnvelope } = JSON.parse(stdout);
        downloads.push(payload ?? dsseEnvelope.payload);
      }
      assert.equal(downloads[0], downloads[1], `${type}: both programs see the same payload`);
      const statement = Buffer.from(downloads[0], "base64").toString("utf8");
      assert.equal(compact(predicateText(statement)), compact(document), `${type}: the predicate is the document`);
      assert.ok(statement.includes(BEYOND_DOUBLES), type);
    }
  });

  test(`SBOM of 64 MB -> stored; too large -> refused before storing, ${form} form`, async (t) => {
    const cwd = folder(t);
    const { ref } = await registries(t);
    await must(TSIGN, ["generate-key-pair"], { cwd });
    const filler = "x".repeat(1000);
    const packages = Array.from({ length: 64_000 }, (_, index) => ({ name: `package-${index}`, comment: filler }));
    writeFileSync(join(cwd, "sbom.json"), JSON.stringify({ spdxVersion: "SPDX-2.3", packages }));
    const image = await pushImage(ref, "app", cwd);
    const about = ["--type", "spdxjson", "--predicate", "sbom.json", image];
    const attest = ["attest", "--key", "cosign.key", ...OFFLINE, ...flags, ...about];
    const small = await run(TSIGN, attest, { cwd, env: { COSIGN_MAX_ATTACHMENT_SIZE: "8M" } });
    assert.notEqual(small.code, 0);
    assert.match(small.stderr, /COSIGN_MAX_ATTACHMENT_SIZE/);
    assert.match((await must(TSIGN, ["tree", image], { cwd })).stdout, /No Supply Chain/, "nothing was stored");
    const env = { COSIGN_MAX_ATTACHMENT_SIZE: "200M" };
    await must(TSIGN, attest, { cwd, env });
    const verify = ["verify-attestation", "--key", "cosign.pub", NO_LOG, ...flags, "--type", "spdxjson", image];
    const verified = await must(TSIGN, verify, { cwd, env });
    assert.ok(verified.stdout.length > 64_000_000);
    const downloaded = await must(TSIGN, ["download", "attestation", image], { cwd, env });
    assert.ok(downloaded.stdout.length > 64_000_000, "the whole of it came through the pipe");
    JSON.parse(downloaded.stdout);
  });
}
