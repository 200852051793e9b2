import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { checkPolicy } from "../src/trust-policy/check.ts";
import { readTrustPolicy } from "../src/trust-policy/read.ts";
import { OFFLINE, run, temporaryFolder, testRegistry } from "./support/test-io.ts";

const NOW = new Date("2026-03-02T12:00:00Z");
const SIGNERS = "version: 1\nsigners:\n  a: {key: a.pub}\n";

/** What checkPolicy finds, one line each. */
async function found(text: string): Promise<string> {
  const policy = await readTrustPolicy(text, "p.yaml");
  return checkPolicy(policy, NOW)
    .map(({ place, text: finding }) => `${place}: ${finding}`)
    .join("\n");
}

const rule = (images: string, more = "signatures: {signers: a}") => `  - {images: ${images}, ${more}}\n`;

test("checkPolicy: rules that never decide, and their twins that do", async () => {
  const shadowed = async (...rules: string[]) =>
    (
      (await found(`${SIGNERS}rules:\n${rules.map((each) => rule(each)).join("")}`)).match(
        /never decides|match all that "/g,
      ) ?? []
    ).length;
  assert.equal(await shadowed("r.example/**", "r.example/a"), 1);
  assert.equal(await shadowed("r.example/a", "r.example/**"), 0);
  assert.equal(await shadowed("r.example/*", "r.example/a/b"), 0);
  assert.equal(await shadowed("[r.example/a, r.example/b]", "[r.example/b, r.example/c]"), 1, "one pattern of two");
  assert.equal(await shadowed('"**"', "docker.io/nginx"), 1);
  assert.equal(await shadowed("docker.io/library/*", "docker.io/nginx"), 1);
  assert.equal(await shadowed('"r.example/a:v*"', "r.example/a"), 0, "a tag matches less");
  assert.equal(await shadowed('"r.example/a:v*"', '"r.example/a:v1"'), 1);
  assert.equal(await shadowed('"r.example/a:v1"', '"r.example/a:v*"'), 0);
  const files = `${SIGNERS}rules:\n  - {files: "*.tar.gz", signatures: {signers: a}}\n  - {files: a.tar.gz, signatures: {signers: a}}\n`;
  assert.match(await found(files), /p\.yaml:6:6: rule 2 never decides/);
});

test("checkPolicy: loose patterns, skipped checks, retired and unused signers", async () => {
  const clean = `${SIGNERS}rules:\n${rule("r.example/*")}`;
  assert.equal(await found(clean), "");
  const signer = (text: string) => `version: 1\nsigners:\n  a: ${text}\nrules:\n${rule("r.example/*")}`;
  const loose = 'identity: {glob: "https://github.com/**"}, issuer: https://i.example';
  assert.match(await found(signer(`{${loose}}`)), /signer a: identity glob .*owner/);
  assert.equal(await found(signer(`{${loose}, extensions: {sourceRepositoryURI: https://github.com/acme/app}}`)), "");
  assert.match(await found(signer(`{${loose}, extensions: {runnerEnvironment: github-hosted}}`)), /owner/);
  assert.match(await found(signer("{identity: a@r.example, issuer: {regexp: '.*'}}")), /issuer .*unrelated/);
  assert.match(await found(signer("{key: 'http://r.example/k.pub'}")), /without TLS/);
  assert.match(await found(signer("{key: a.pub, until: 2026-01-01}")), /a is retired since 2026-01-01/);
  assert.equal(await found(signer("{key: a.pub, until: 2027-01-01}")), "");
  const of = (more: string) => found(`${SIGNERS}rules:\n${rule("r.example/*", more)}`);
  assert.match(await of("signatures: {signers: a, log: insecure-skip}"), /skips the transparency log/);
  assert.match(await of("effect: audit, signatures: {signers: a}"), /refuses nothing: its effect is audit/);
  assert.match(await of("insecureAcceptAnything: true"), /accepts images without a signature\n.*signer a is not used/);
  assert.match(
    await found(`${SIGNERS}rules:\n${rule('"r.example/a:v1"')}`),
    /does not match images that are named by digest/,
  );
  assert.match(await found(`unmatched: audit\n${clean}`), /accepts every image that no rule matches/);
});

/** A folder with key pair a, a registry, and an image in it that a has signed. */
async function workshop(t: TestContext) {
  const cwd = temporaryFolder(t);
  const registry = await testRegistry(t);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  await tsign("generate-key-pair", "--output-key-prefix", "a");
  const image = (await tsign("sandbox", "push", "app:v1")).stdout.trim();
  assert.equal((await tsign("sign", "--key", "a.key", ...OFFLINE, image)).code, 0);
  const write = (text: string) => writeFileSync(join(cwd, "p.yaml"), text);
  return { cwd, registry, image, tsign, write };
}

test("policy check: findings on stdout; errors and --strict warnings -> exit 1", async (t) => {
  const { tsign, write, cwd } = await workshop(t);
  write(`${SIGNERS}rules:\n${rule("r.example/*")}`);
  const good = await tsign("policy", "check", "--strict", "p.yaml");
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "p.yaml: 1 rule, 1 signer, 0 errors, 0 warnings\n", ""]);
  write(`${SIGNERS}rules:\n${rule("r.example/**")}${rule("r.example/a")}`);
  const warned = await tsign("policy", "check", "p.yaml");
  assert.equal(warned.code, 0);
  assert.match(warned.stdout, /^p\.yaml:6:6: warning: rule 2 never decides/);
  assert.equal((await tsign("policy", "check", "--strict", "p.yaml")).code, 1);
  write(`version: 1\nsigners:\n  a: {key: absent.pub}\nrules:\n${rule("r.example/*")}`);
  const missing = await tsign("policy", "check", "--json", "--output-file", "out.json", "p.yaml");
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(
    JSON.parse(readFileSync(join(cwd, "out.json"), "utf8")).result.findings[0].text,
    /signer a: .*absent.pub/,
  );
  assert.equal((await tsign("policy", "check", "--skip-keys", "p.yaml")).code, 0);
  write("version: 1\nrules: []\n");
  const broken = await tsign("policy", "check", "p.yaml");
  assert.deepEqual([broken.code, broken.stdout], [1, ""]);
  assert.match(broken.stderr, /p\.yaml:2:1: rules: empty/);
});

test("policy explain: the rule, who signed, and what is missing", async (t) => {
  const { tsign, write, registry, image } = await workshop(t);
  await tsign("generate-key-pair", "--output-key-prefix", "b");
  const policy = (signers: string) =>
    write(
      `version: 1\nsigners: {a: {key: a.pub}, b: {key: b.pub}}\nrules:\n  - {name: own, images: "${registry}/*", signatures: {signers: ${signers}, log: insecure-skip}}\n`,
    );
  policy("{all: [a, b]}");
  const missed = await tsign("policy", "explain", "p.yaml", image);
  assert.equal(missed.code, 0, missed.stderr);
  assert.match(missed.stdout, /rule +own \(p\.yaml:4:6\)/);
  assert.match(missed.stdout, /decision +refused by own/);
  assert.match(missed.stdout, /missing +signatures: expected all of \(a, b\), found a/);
  assert.match(missed.stdout, /a: counts: key sha256:/);
  assert.match(missed.stdout, /b: does not verify: signature: /);
  policy("{any: [a, b]}");
  assert.match((await tsign("policy", "explain", "p.yaml", image)).stdout, /decision +accepted by own/);
  const json = JSON.parse((await tsign("policy", "explain", "--json", "p.yaml", image)).stdout).result;
  assert.deepEqual([json.decision.ok, json.decision.allowed, json.rule.name], [true, true, "own"]);
  const named = await tsign("policy", "explain", "--name-only", "p.yaml", "registry.invalid/app");
  assert.match(named.stdout, /rule +none; effect: enforce/);
});

test("verify --trust-policy: prints what verified, refuses with the reasons, and never less than the policy demands", async (t) => {
  const { tsign, write, registry, image, cwd } = await workshop(t);
  await tsign("generate-key-pair", "--output-key-prefix", "b");
  const policy = (signers: string, more = "") =>
    write(
      `version: 1\nsigners: {a: {key: a.pub}, b: {key: b.pub}}\nrules:\n  - {name: own, images: "${registry}/*"${more}, signatures: {signers: ${signers}, log: insecure-skip}}\n`,
    );
  const verify = (...more: string[]) => tsign("verify", "--trust-policy", "p.yaml", ...more, image);
  policy("a");
  const good = await verify();
  assert.equal(good.code, 0, good.stderr);
  assert.equal(JSON.parse(good.stdout)[0].critical.image["docker-manifest-digest"], image.split("@")[1]);
  assert.match(good.stderr, /satisfies own of p\.yaml/);
  policy("{all: [a, b]}");
  const refused = await verify();
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /is refused by own of p\.yaml: signatures: expected all of \(a, b\), found a/);
  assert.match(refused.stderr, /tsign policy explain p\.yaml/);
  for (const effect of ["warn", "audit"]) {
    policy("b", `, effect: ${effect}`);
    const passed = await verify();
    assert.deepEqual([passed.code, passed.stdout], [0, ""], "nothing is printed as verified");
    assert.match(passed.stderr, effect === "warn" ? /WARNING: .*does not satisfy/ : /does not satisfy/);
  }
  policy("a");
  for (const more of [
    ["--key", "a.pub"],
    ["--insecure-ignore-tlog"],
    ["-a", "x=y"],
    ["--check-claims=false"],
    ["--local-image"],
  ]) {
    const conflict = await verify(...more);
    assert.equal(conflict.code, 1);
    assert.match(conflict.stderr, /and --trust-policy cannot be used together/, more.join(" "));
  }
  const env = { TSIGN_TRUST_POLICY: "p.yaml", TSIGN_SANDBOX: registry };
  assert.equal((await run(["verify", image], { cwd, env })).code, 0);
  policy("b");
  assert.equal((await run(["verify", image], { cwd, env })).code, 1);
  const both = await run(["verify", "--key", "a.pub", "--insecure-ignore-tlog", image], { cwd, env });
  assert.match(both.stderr, /cannot be used together/, "a key does not outvote the policy of the environment");
  assert.equal((await run(["verify", image], { cwd, env: { ...env, TSIGN_TRUST_POLICY: "absent.yaml" } })).code, 1);
});

test("manifest verify --trust-policy: each image is decided by its own rule", async (t) => {
  const { tsign, write, registry, image, cwd } = await workshop(t);
  const other = (await tsign("sandbox", "push", "other:v1")).stdout.trim();
  const pod = (...images: string[]) =>
    writeFileSync(join(cwd, "pod.yaml"), `containers:\n${images.map((each) => `- image: ${each}\n`).join("")}`);
  const policy = (more: string) =>
    write(`${SIGNERS}rules:\n  - {images: "${registry}/app", signatures: {signers: a, log: insecure-skip}}\n${more}`);
  const verify = () => tsign("manifest", "verify", "--trust-policy", "p.yaml", "pod.yaml");
  policy("");
  pod(image);
  assert.equal((await verify()).code, 0);
  pod(image, other);
  const refused = await verify();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /other.* is refused by p\.yaml: no rule matches/);
  policy(`  - {images: "${registry}/other", insecureAcceptAnything: true}\n`);
  assert.equal((await verify()).code, 0);
});

test("docs/policy.md: every policy in it can be read, and checked without an error", async () => {
  const page = readFileSync(resolve(import.meta.dirname, "../docs/policy.md"), "utf8");
  const policies = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
  assert.ok(policies.length >= 3);
  for (const text of policies) {
    const findings = checkPolicy(await readTrustPolicy(text, "p.yaml"), NOW);
    assert.deepEqual(
      findings.filter(({ text: finding }) => /never decides/.test(finding)),
      [],
    );
  }
});
