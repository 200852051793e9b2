import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { writePem } from "../src/format/pem.ts";
import { subjectAlternativeName } from "../src/sandbox/oidc/identity.ts";
import { implicit, utf8String } from "../src/sandbox/pki/der.ts";
import { extension } from "../src/sandbox/pki/x509.ts";
import { foundry } from "./support/authorities.ts";
import { encryptedKey, writeKeyPairs } from "./support/key-pairs.ts";
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
  writeKeyPairs(cwd, ...names, "keys/stolen");
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

/** Writes key pairs with certificates of an own authority, whose certificate is in ca.pem. */
function ownAuthority(write: (name: string, text: string) => void) {
  const { newKey, make } = foundry();
  const root = newKey();
  const ca = { name: "own root", issuer: "own root", issuerKey: root, at: MONDAY };
  write("ca.pem", writePem("CERTIFICATE", make({ ...ca, key: root })));
  /** @param issuer the OIDC issuer in the certificate; an own authority usually writes none */
  return (name: string, email: string, issuer?: string) => {
    const key = newKey();
    const identity = { subject: email, generalName: implicit(1, Buffer.from(email)), extensions: [] };
    const more = [
      subjectAlternativeName(identity),
      ...(issuer === undefined ? [] : [extension("1.3.6.1.4.1.57264.1.8", utf8String(issuer))]),
    ];
    write(`${name}.key`, encryptedKey(key.privateKey, { N: 32_768, r: 8, p: 1 }));
    write(`${name}.pem`, writePem("CERTIFICATE", make({ ...ca, name: undefined, key, more })));
    return ["--key", `${name}.key`, "--certificate", `${name}.pem`, "--certificate-chain", "ca.pem"];
  };
}

test("docs/policy.md: the file with an own authority, groups and denied signers accepts and refuses what it says", async (t) => {
  const { use, push, sign, key, person, attemptWith, write, read, at, files, setTime, cwd } = await page(t);
  writeKeyPairs(cwd, "old");
  write("stolen.pub", read("keys/stolen.pub"));
  write("tuf_root.json", files["tuf_root.json"]);
  const member = ownAuthority(write);
  const [alice, bob] = [member("alice", "alice@example.com"), member("bob", "bob@example.com")];
  use("{atLeast: 2, of: team}");
  // The new key is on the page; the private one of the test stands for it.
  const page_ = read("tsign.policy.yaml");
  const pem = read("release.pub").trim().replaceAll(/^/gm, "      ").trimStart();
  const inline = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/;
  assert.match(page_, inline);
  write("tsign.policy.yaml", page_.replace(inline, pem).replace("until: 2026-06-30", "until: 2026-03-03"));
  // The logs that an own authority's signers use are those of the TUF repository.
  const tuf = { TUF_MIRROR: at.tuf, TUF_ROOT_JSON: "tuf_root.json", TUF_ROOT: "tuf" };
  const verify = (image: string) => attemptWith(tuf, "verify", "--trust-policy", "tsign.policy.yaml", image);
  let count = 0;
  const signed = async (...who: (readonly string[])[]) => {
    const image = await push(`own/app${++count}:v1`, `app ${count}`);
    for (const each of who) await sign(each, image);
    return image;
  };
  const expect = async (image: string, refusal?: RegExp) => {
    const ended = await verify(image);
    assert.deepEqual([ended.code, ended.stdout === ""], refusal ? [1, true] : [0, false], ended.stderr);
    if (refusal) assert.match(ended.stderr, refusal);
  };
  const good = await signed(key("release"), alice, bob);
  await expect(good);
  await expect(await signed(key("old"), alice, bob));
  await expect(await signed(key("release"), alice), /expected all of/);
  await expect(await signed(alice, bob), /expected all of/);
  await expect(await signed(key("keys/stolen"), alice, bob), /expected all of/);
  await expect(await signed(key("release"), alice, member("again", "Alice@example.com")), /expected all of/);
  await expect(await signed(key("release"), alice, member("other", "eve@other.example")), /expected all of/);
  await expect(await signed(key("release"), alice, member("left", "mallory@example.com")), /expected all of/);
  await expect(
    await signed(key("release"), alice, member("issued", "carol@example.com", at.issuer)),
    /expected all of/,
  );
  await expect(await signed(key("release"), alice, person("dave@example.com")), /expected all of/);
  write("tsign.policy.yaml", read("tsign.policy.yaml").replace(`sha256:${"0".repeat(64)}`, good.replace(/.*@/, "")));
  await expect(good, /denied digest: malware/);
  setTime(MONDAY + DAY);
  const late = await signed(key("old"));
  setTime(MONDAY);
  for (const who of [alice, bob]) await sign(who, late);
  await expect(late, /expected all of/);
});

test("docs/policy.md: the file with cases passes them, refuses what they refuse, and fails when its rule is loosened", async (t) => {
  const { use, push, sign, key, attempt, tsign, read, write } = await page(t);
  use("tests:");
  const image = (await push("prod/app:v1")).replace(/@.*/, "");
  await sign(key("release"), `${image}:v1`);
  await tsign("save", "--dir", "saved/app", `${image}:v1`);
  await tsign("policy", "test", "tsign.policy.yaml");
  await tsign("verify", "--trust-policy", "tsign.policy.yaml", `${image}:v1`);
  const bare = await push("prod/bare:v1", "bare");
  await sign(key("promotion"), bare);
  const refused = await attempt("verify", "--trust-policy", "tsign.policy.yaml", bare);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /expected release, found no signature that counts/);
  const elsewhere = await push("other/app:v1");
  await sign(key("release"), elsewhere);
  assert.match((await attempt("verify", "--trust-policy", "tsign.policy.yaml", elsewhere)).stderr, /no rule matches/);
  const policy = read("tsign.policy.yaml");
  for (const [loosened, fault] of [
    [policy.replace("signatures: {signers: release}", "insecureAcceptAnything: true"), /got accept, want refuse/],
    [policy.replace("release: {key: release.pub}", "release: {key: promotion.pub}"), /got refuse .*, want accept/],
    [policy.replace("/prod/**, signatures", "/none/**, signatures"), /no rule matches/],
  ] as const) {
    assert.notEqual(loosened, policy);
    write("loosened.yaml", loosened);
    const failed = await attempt("policy", "test", "loosened.yaml");
    assert.equal(failed.code, 1);
    assert.match(failed.stdout + failed.stderr, fault);
  }
});

test("docs/policy.md: the file of the next stage refuses an image without the summary, or with another one", async (t) => {
  const { use, push, attest, key, verify, tsign, write, local, setTime, attempt } = await page(t);
  use("          policy: https://git.example");
  const type = "https://slsa.dev/verification_summary/v1";
  const whole = {
    verifier: { id: "https://ci.example/promotion" },
    policy: { uri: "https://git.example/tsign.policy.yaml" },
    resourceUri: local("oci://registry.example/prod/app"),
    verificationResult: "PASSED",
    verifiedLevels: [],
  };
  let count = 0;
  const attested = async (changed: object, signer = "promotion") => {
    const image = await push(`prod/app${++count}:v1`, `app ${count}`);
    await attest(key(signer), type, { ...whole, ...changed }, image);
    return image;
  };
  const good = await attested({});
  assert.ok(await verify(good));
  for (const [changed, signer] of [
    [{ verificationResult: "FAILED" }],
    [{ verifier: { id: "https://ci.example/other" } }],
    [{ policy: { uri: "https://git.example/other.yaml" } }],
    [{ resourceUri: local("oci://registry.example/staging/app") }],
    [{}, "release"],
  ] as const) {
    assert.ok(!(await verify(await attested(changed, signer))), JSON.stringify([changed, signer]));
  }
  const bare = await push("prod/bare:v1", "bare");
  assert.ok(!(await verify(bare)), "not attested");
  write("summary.json", (await tsign("download", "attestation", good)).stdout);
  await tsign("attach", "attestation", "--attestation", "summary.json", bare);
  assert.match(
    (await attempt("verify-attestation", "--trust-policy", "tsign.policy.yaml", bare)).stderr,
    /subject|digest/,
  );
  setTime(MONDAY + 91 * DAY);
  assert.ok(!(await verify(good)), "too old");
});
