import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { DAY, MONDAY, policyWorkshop } from "./support/policy-workshop.ts";

/** The examples of docs/policy.md, run against images and files that are signed as the page says. */

const PAGE = readFileSync(resolve(import.meta.dirname, "../docs/policy.md"), "utf8");
const POLICIES = [...PAGE.matchAll(/```yaml\n(.*?)```/gs)].map(([, text = ""]) => text);
const COMMANDS = [...PAGE.matchAll(/^ {4}tsign (.+)$/gm)].map(([, line = ""]) => line);
const BUILDER = "https://github.com/acme/builder/.github/workflows/build.yml@refs/tags/v1";
const RELEASE = "acme/widget/.github/workflows/release.yml@refs/tags/v1";

/** A workshop with the page's keys, whose registry and issuers stand for those of the page. */
async function page(t: TestContext) {
  const shop = await policyWorkshop(t);
  const { cwd, write, registry, at, tsign, sign, services, attempt, job } = shop;
  mkdirSync(join(cwd, "keys"));
  copyFileSync(join(cwd, "root.json"), join(cwd, "trusted_root.json"));
  const names = ["release", "promotion", "keys/payments-2025", "keys/payments-2026", "keys/security", "keys/promotion"];
  for (const name of [...names, "keys/stolen"]) await tsign("generate-key-pair", "--output-key-prefix", name);
  const local = (text: string) =>
    text
      .replaceAll(/(registry|mirror)\.example(?=\/)/g, registry)
      .replaceAll("https://token.actions.githubusercontent.com", at.ciIssuer)
      .replaceAll("https://accounts.acme.example", at.issuer);
  /** Writes a policy of the page that contains a text. */
  const use = (part: string, file = "tsign.policy.yaml") => {
    const text = POLICIES.find((each) => each.includes(part)) ?? assert.fail(part);
    const trust = text.includes("trust:") ? "" : "trust: {default: {trustedRoot: trusted_root.json}}\n";
    write(file, local(text).replace("version: 1\n", `version: 1\n${trust}`));
  };
  const release = () => job({ job_workflow_ref: RELEASE, runner_environment: "github-hosted" });
  const attest = (who: readonly string[], type: string, predicate: unknown, image: string) => {
    write("predicate.json", JSON.stringify(predicate));
    return tsign("attest", ...who, "--type", type, "--predicate", "predicate.json", ...services, image);
  };
  const provenance = (builder: string) => ({
    buildDefinition: {
      buildType: "https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1",
      externalParameters: { workflow: { repository: "https://github.com/acme/app", ref: "refs/tags/v1" } },
    },
    runDetails: { builder: { id: builder } },
  });
  const verify = async (image: string, policy = "tsign.policy.yaml") =>
    (await attempt("verify-attestation", "--trust-policy", policy, image)).code === 0;
  const signed = async (image: string, policy = "tsign.policy.yaml") =>
    (await attempt("verify", "--trust-policy", policy, image)).code === 0;
  return { ...shop, local, use, release, attest, provenance, verify, signed, sign };
}

test("docs/policy.md: every command line runs, in the order of the page", async (t) => {
  const { use, local, push, sign, key, release, attest, provenance, tsign, attempt, services, write, read } =
    await page(t);
  const images = ["prod/app", "staging/app", "staging/payments/api", "app", "api"];
  for (const name of images) {
    const image = (await push(`${name}:v1`)).replace(/@.*/, ":v1");
    await sign(key("release"), image);
    await sign(release(), image);
  }
  await attest(release(), "slsaprovenance1", provenance(BUILDER), local("registry.example/prod/app:v1"));
  write("app.tar.gz", "content");
  await tsign("sign-blob", ...key("release"), ...services, "--bundle", "app.sigstore.json", "app.tar.gz");
  const release1 = (rule: string) =>
    write(
      "tsign.policy.yaml",
      local(
        `version: 1\ntrust: {default: {trustedRoot: root.json}}\nsigners: {release: {key: release.pub}, ci: {identity: {glob: "**"}, issuer: https://token.actions.githubusercontent.com}}\nrules: [{${rule}}]\n`,
      ),
    );
  const left = [...COMMANDS];
  /** Runs the command of the page that begins so. */
  const example = async (start: string, more: readonly string[] = []) => {
    const line = left.find((each) => each.startsWith(start)) ?? assert.fail(start);
    left.splice(left.indexOf(line), 1);
    const ended = await attempt(...local(line).split(" "), ...more);
    assert.equal(ended.code, 0, `${line}: ${ended.stderr}`);
    return ended;
  };
  use("name: everything else");
  await example("policy check");
  const explained = await example("policy explain");
  assert.match(explained.stdout, /image is not named by its digest/);
  release1(
    'images: "**", signatures: {signers: {all: [release, ci]}}, attestations: [{type: slsaprovenance1, signers: ci}]',
  );
  await example("verify --trust-policy");
  await example("verify-attestation");
  release1('files: "*.tar.gz", signatures: {signers: release}');
  await example("verify-blob");
  release1('images: "**", signatures: {signers: release}');
  await example("copy --trust-policy", ["--force"]);
  await example("copy --trust-policy tsign.policy.yaml --attest", ["--force", ...services]);
  use("          policy: https://git.example", "next.yaml");
  await tsign("verify-attestation", "--trust-policy", "next.yaml", local("registry.example/prod/app:v1"));
  const refused = await attempt(
    "verify-attestation",
    "--trust-policy",
    "next.yaml",
    local("registry.example/prod/other:v1"),
  );
  assert.equal(refused.code, 1);
  use("payments-2025");
  write("old.policy.yaml", read("tsign.policy.yaml"));
  await example("policy check");
  await example("policy explain");
  await example("policy diff");
  await example("policy init", ["--trusted-root", "root.json"]);
  for (const name of ["app", "api"]) {
    await tsign("verify", "--trust-policy", "tsign.policy.yaml", local(`registry.example/${name}:v1`));
  }
  write(
    "policies.yaml",
    "apiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nmetadata: {name: p}\nspec:\n  images: [{glob: registry.example/**}]\n  authorities: [{keyless: {url: https://fulcio.example, identities: [{issuer: https://i.example, subject: a@example.com}]}}]\n",
  );
  await example("policy import");
  await example("policy export");
  assert.deepEqual(left, []);
});

test("docs/policy.md: the first rules, and those for attestations, accept and refuse what the page says", async (t) => {
  const { use, push, sign, key, release, attest, provenance, signed, verify } = await page(t);
  use("name: everything else");
  const image = await push("prod/app:v1");
  await sign(key("release"), image);
  assert.ok(!(await signed(image)), "the release key alone");
  await sign(release(), image);
  assert.ok(await signed(image));
  assert.ok(!(await signed(image.replace(/@.*/, ":v1"))), "not named by its digest");

  use("vulnerabilities: {maxAge: 7d");
  const generator = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/g.yml@refs/tags/v2";
  const scan = (id: string, Severity: string) => ({
    invocation: {},
    scanner: {
      uri: "trivy",
      result: { SchemaVersion: 2, Results: [{ Vulnerabilities: [{ VulnerabilityID: id, Severity }] }] },
    },
    metadata: { scanStartedOn: "2026-03-02T12:00:00Z", scanFinishedOn: "2026-03-02T12:00:00Z" },
  });
  const attestations: readonly (readonly [string, unknown, unknown])[] = [
    ["slsaprovenance1", provenance("https://builder.example"), provenance(generator)],
    ["vuln", scan("CVE-2026-0002", "HIGH"), scan("CVE-2026-0001", "HIGH")],
    ["https://example.com/tests", { result: "failed" }, { result: "passed" }],
  ];
  for (const [missed] of attestations) {
    const content = `without ${missed}`;
    const app = await push(`${missed.replace(/.*\//, "")}:v1`, content);
    for (const [type, bad, good] of attestations) await attest(release(), type, type === missed ? bad : good, app);
    assert.ok(!(await verify(app)), content);
  }
  const app = await push("app:v1");
  for (const [type, , good] of attestations) await attest(release(), type, good, app);
  assert.ok(await verify(app));
});

test("docs/policy.md: a company's file during a rotation, with a stolen key, and a promotion that production demands", async (t) => {
  const {
    use,
    push,
    sign,
    key,
    person,
    release,
    attest,
    provenance,
    signed,
    verify,
    attempt,
    tsign,
    services,
    setTime,
    write,
  } = await page(t);
  use("payments-2025");
  const key2025 = key("keys/payments-2025");
  const key2026 = key("keys/payments-2026");
  const people = () => [person("alice@acme.example"), person("bob@acme.example")];
  const images = { old: [key2025], rotated: [key2026], stolen: [key("keys/stolen")], late: [key2025] };
  const names = Object.keys(images) as (keyof typeof images)[];
  const pushed = new Map<string, string>();
  for (const name of names) pushed.set(name, await push(`staging/payments/${name}:v1`, name));
  const image = (name: string) => pushed.get(name) ?? assert.fail(name);
  for (const name of names) {
    if (name === "late") setTime(MONDAY + 2 * DAY);
    for (const who of [...images[name], ...people()]) await sign(who, image(name));
  }
  for (const [name, accepted] of [
    ["old", true],
    ["rotated", true],
    ["stolen", false],
    ["late", false],
  ] as const) {
    assert.equal(await signed(image(name)), accepted, name);
  }
  const single = await push("staging/payments/single:v1", "single");
  for (const who of [key2026, person("alice@acme.example"), person("mallory@acme.example")]) await sign(who, single);
  assert.ok(!(await signed(single)), "a denied person does not count as the second");

  const summary = ["--verifier-id", "https://ci.example/promotion", "--policy-uri", "https://git.example/p.yaml"];
  const promote = (name: string, signer = "keys/promotion") => {
    const to = image(name).replace("/staging/", "/prod/").replace(/@.*/, ":v1");
    const attesting = ["--attest-decision", ...summary, ...key(signer), ...services];
    return attempt("copy", "--force", "--trust-policy", "tsign.policy.yaml", ...attesting, image(name), to);
  };
  const inProduction = (name: string) => image(name).replace("/staging/", "/prod/");
  for (const name of ["stolen", "late"]) {
    assert.equal((await promote(name)).code, 1);
    assert.ok(!(await verify(inProduction(name))));
  }
  assert.equal((await promote("rotated", "keys/security")).code, 0);
  assert.ok(!(await verify(inProduction("rotated"))), "attested by another key");
  const promoted = await promote("rotated");
  assert.equal(promoted.code, 0, promoted.stderr);
  assert.ok(await verify(inProduction("rotated")));
  assert.ok(!(await verify(inProduction("rotated").replace(/@.*/, ":v1"))), "not named by its digest");
  await tsign("copy", image("old"), inProduction("old").replace(/@.*/, ":v1"));
  assert.ok(!(await verify(inProduction("old"))), "copied without a decision");

  const app = await push("staging/app:v1", "app");
  await sign(release(), app);
  await attest(release(), "slsaprovenance1", provenance("https://builder.example"), app);
  assert.ok(!(await signed(app)), "another builder");
  await attest(release(), "slsaprovenance1", provenance(BUILDER), app);
  assert.ok(await signed(app));
  const foreign = await push("nginx:v1", "nginx");
  assert.ok(!(await signed(foreign)), "not the first three rules");
  await sign(key("keys/security"), foreign);
  assert.ok(await signed(foreign));
  write("acme-1.tar.gz", "content");
  const file = async (who: readonly string[]) => {
    await tsign("sign-blob", ...who, ...services, "--bundle", "file.json", "acme-1.tar.gz");
    return attempt("verify-blob", "--trust-policy", "tsign.policy.yaml", "--bundle", "file.json", "acme-1.tar.gz");
  };
  assert.match((await file(release())).stderr, /Verified OK/);
  assert.equal((await file(key("keys/security"))).code, 1);
});
