import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { testSigstore } from "./support/sandbox.ts";
import { LEGACY, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const ROOT = ["--trusted-root", "root.json"];
const KINDS = {
  p256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: () => generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: () => generateKeyPairSync("ec", { namedCurve: "P-521" }),
  rsa: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ed25519: () => generateKeyPairSync("ed25519"),
} as const;

/** A sandbox with an image app:v1, a folder with keys of every kind and a file, and a function that runs tsign there. */
async function workshop(t: TestContext, kinds: readonly (keyof typeof KINDS)[]) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const write = (name: string, content: string | Buffer) => writeFileSync(join(cwd, name), content);
  write("blob", "content");
  write("root.json", sigstore.trustedRoot);
  for (const [name, text] of Object.entries(sigstore.signingConfig)) write(`${name}.json`, text);
  const tsign = (argv: readonly string[], options: { stdin?: string } = {}) =>
    run([...argv], { cwd, io: sigstore.io, env: { COSIGN_PASSWORD: "" }, ...options });
  for (const kind of kinds) {
    write(`${kind}.pem`, KINDS[kind]().privateKey.export({ type: "pkcs8", format: "pem" }));
    assert.equal((await tsign(["import-key-pair", "--key", `${kind}.pem`, "-o", kind])).code, 0);
  }
  const push = async (tag: string) => {
    const image = `${sigstore.registry}/app:${tag}`;
    const store = await openRegistry(testIo({ io: sigstore.io }), parseReference(image), PLAIN_REGISTRY);
    const { digest } = await pushImage(store, { file: "hello", content: Buffer.from(tag), tag });
    return `${sigstore.registry}/app@${digest}`;
  };
  const read = (name: string) => readFileSync(join(cwd, name), "utf8");
  return { sigstore, tsign, push, read, write };
}

for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
  test(`${kind} key: signs images in every form that Rekor v1 records, each logged once`, async (t) => {
    const { sigstore, tsign, push } = await workshop(t, [...new Set([kind, "p256"] as const)]);
    for (const [format, entries] of [
      ["bundle", 1],
      ["both", 2],
      ["legacy", 1],
    ] as const) {
      const image = await push(format);
      const before = sigstore.requests.length;
      const signing = ["sign", "--key", `${kind}.key`, "--signing-config", "rekor1.json", ...ROOT, "--format", format];
      const signed = await tsign([...signing, image]);
      assert.equal(signed.code, 0, signed.stderr);
      const logged = sigstore.requests.slice(before).filter((each) => each === "POST /api/v1/log/entries");
      assert.equal(logged.length, entries, format);
      const known = ["p256", "rsa"].includes(kind) || format === "bundle";
      assert.equal(/cosign verifies logged signatures .* sha256 only/.test(signed.stderr), !known, signed.stderr);
      const verified = await tsign(["verify", "--key", `${kind}.pub`, ...ROOT, image]);
      assert.equal(verified.code, 0, verified.stderr);
      assert.equal(JSON.parse(verified.stdout).length, entries);
      if (kind !== "p256") assert.notEqual((await tsign(["verify", "--key", "p256.pub", ...ROOT, image])).code, 0);
    }
  });
}

test("sign: --identity-token -> no issuer required; no token and no issuer -> refused", async (t) => {
  const { sigstore, tsign, push, write } = await workshop(t, []);
  const { oidcUrls: _issuers, ...config } = JSON.parse(sigstore.signingConfig.rekor1);
  write("config.json", JSON.stringify(config));
  const signing = ["sign", "--yes", "--signing-config", "config.json", ...ROOT, await push("v1")];
  const signed = await tsign([...signing, "--identity-token", sigstore.mint("alice@example.com")]);
  assert.equal(signed.code, 0, signed.stderr);
  const refused = await tsign([...signing, "--fulcio-auth-flow=device"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /no OIDC issuer in the signing config/);
});

test("sign: no log and no timestamp -> warning that the signature verifies until the certificate expires", async (t) => {
  const { sigstore, tsign, push } = await workshop(t, []);
  const image = await push("v1");
  const services = ["--use-signing-config=false", "--tlog-upload=false", "--fulcio-url", sigstore.at.fulcio];
  const token = sigstore.mint("alice@example.com");
  const signed = await tsign(["sign", "--yes", ...services, "--identity-token", token, ...ROOT, image]);
  assert.equal(signed.code, 0, signed.stderr);
  assert.match(signed.stderr, /WARNING: no timestamp or log entry will be recorded/);
  const who = ["--certificate-identity", "alice@example.com", "--certificate-oidc-issuer", sigstore.at.issuer];
  assert.equal((await tsign(["verify", ...who, ...ROOT, "--insecure-ignore-tlog", image])).code, 0);
  assert.equal((await tsign(["verify", ...who, ...ROOT, image])).code, 1);
});

test("verify --certificate: untrusted -> exit 1; signature of another certificate -> exit 12", async (t) => {
  const { sigstore, tsign, push } = await workshop(t, []);
  const image = await push("v1");
  const signing = ["sign", "--yes", "--signing-config", "rekor1.json", ...ROOT, "--format", "legacy"];
  const sign = (email: string, file: string) =>
    tsign([...signing, "--identity-token", sigstore.mint(email), "--output-certificate", file, image]);
  assert.equal((await sign("alice@example.com", "alice.pem")).code, 0);
  const other = [...signing, "--upload=false", "--output-signature", "s", "--output-certificate", "bob.pem", image];
  assert.equal((await tsign([...other, "--identity-token", sigstore.mint("bob@example.com")])).code, 0);
  const verify = (certificate: string, email: string) => {
    const who = ["--certificate-identity", email, "--certificate-oidc-issuer", sigstore.at.issuer];
    return tsign(["verify", ...who, ...ROOT, "--insecure-ignore-tlog", "--certificate", certificate, image]);
  };
  assert.equal((await verify("alice.pem", "alice@example.com")).code, 0);
  assert.equal((await verify("alice.pem", "bob@example.com")).code, 1);
  assert.equal((await verify("bob.pem", "bob@example.com")).code, 12);
});

test("--format both: one certificate for one identity", async (t) => {
  const { sigstore, tsign, push } = await workshop(t, []);
  const image = await push("v1");
  const token = sigstore.mint("alice@example.com");
  const signing = ["sign", "--yes", "--identity-token", token, "--signing-config", "rekor1.json", ...ROOT];
  const signed = await tsign([...signing, "--format", "both", image]);
  assert.equal(signed.code, 0, signed.stderr);
  assert.equal(sigstore.requests.filter((each) => /signingCert/.test(each)).length, 1);
  const verify = (email: string) => {
    const who = ["--certificate-identity", email, "--certificate-oidc-issuer", sigstore.at.issuer];
    return tsign(["verify", ...who, ...ROOT, image]);
  };
  const good = await verify("alice@example.com");
  assert.equal(JSON.parse(good.stdout).length, 2, good.stderr);
  assert.notEqual((await verify("mallory@example.com")).code, 0);
});

test("legacy form with Rekor v2: --format -> refused; --new-bundle-format=false -> warning", async (t) => {
  const { sigstore, tsign, read } = await workshop(t, ["p256"]);
  const signing = ["sign-blob", "--key", "p256.key", "--signing-config", "rekor2.json", ...ROOT, "--bundle", "b.json"];
  for (const format of ["legacy", "both"]) {
    const before = sigstore.requests.length;
    const refused = await tsign([...signing, "--format", format, "blob"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /requires a Rekor v1 log/);
    assert.equal(sigstore.requests.length, before, "nothing was signed");
  }
  const old = await tsign([...signing, LEGACY, "blob"]);
  assert.equal(old.code, 0, old.stderr);
  assert.match(old.stderr, /WARNING: the legacy form cannot contain a Rekor v2 log entry .*\n(.*\n)*Wrote bundle/);
  assert.equal(JSON.parse(read("b.json")).rekorBundle, undefined);
});

test("sign: logged legacy signature that cosign cannot verify -> confirmation, with a signing config too", async (t) => {
  const { tsign } = await workshop(t, ["p256", "p384"]);
  const sign = (kind: string, answer: string, ...flags: string[]) => {
    const signing = ["sign-blob", "--key", `${kind}.key`, "--signing-config", "rekor1.json", ...ROOT, LEGACY];
    return tsign([...signing, "--bundle", "b.json", ...flags, "blob"], { stdin: answer });
  };
  assert.equal((await sign("p384", "y\n")).code, 0);
  assert.equal((await sign("p384", "", "--yes")).code, 0);
  const declined = await sign("p384", "n\n");
  assert.equal(declined.code, 1);
  assert.match(declined.stderr, /over sha384; cosign .*\n.*\n.*\n?Error: user declined the prompt/);
  assert.equal((await sign("p256", "n\n")).code, 0, "an ordinary key is not asked about");
});

test("verify -o text: prints the extensions of a workflow's certificate", async (t) => {
  const { sigstore, tsign, push } = await workshop(t, []);
  const image = await push("v1");
  const signing = ["sign", "--yes", "--identity-token", sigstore.mintJob(), "--signing-config", "rekor1.json", ...ROOT];
  assert.equal((await tsign([...signing, "--format", "legacy", image])).code, 0);
  const who = ["--certificate-identity-regexp", "^https://", "--certificate-oidc-issuer", sigstore.at.ciIssuer];
  const { code, stdout, stderr } = await tsign(["verify", ...who, ...ROOT, "-o", "text", image]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^\{"critical":/);
  for (const name of ["Trigger", "SHA", "Name", "Repository", "Ref"]) {
    assert.match(stderr, new RegExp(`^GitHub Workflow ${name}: \\S`, "m"));
  }
});
