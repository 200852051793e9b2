import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { LEGACY, NO_LOG, OFFLINE, run, temporaryFolder, testRegistry } from "./support/test-io.ts";

/** A folder with key pairs `a` and `b`, a registry, and a small image in it. */
async function workshop(context: TestContext, options = { referrers: true }) {
  const cwd = temporaryFolder(context);
  const registry = await testRegistry(context, options);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  writeKeyPairs(cwd, "a", "b");
  const pushed = await tsign("sandbox", "push", "app:v1");
  assert.equal(pushed.code, 0, pushed.stderr);
  const image = pushed.stdout.trim();
  return { cwd, env, registry, tsign, image, tag: image.replace(/@.*/, ":v1") };
}

const FORMS = { bundle: [], legacy: [LEGACY] } as const;

for (const [form, flags] of Object.entries(FORMS)) {
  for (const referrers of [true, false]) {
    test(`image signed as ${form} -> verifies with its key only${referrers ? "" : ", without the referrers API"}`, async (t) => {
      const { tsign, image, tag } = await workshop(t, { referrers });
      const signed = await tsign("sign", "--key", "a.key", ...OFFLINE, ...flags, image);
      assert.equal(signed.code, 0, signed.stderr);

      const good = await tsign("verify", "--key", "a.pub", NO_LOG, tag);
      assert.equal(good.code, 0, good.stderr);
      const [entry, ...others] = JSON.parse(good.stdout);
      assert.equal(others.length, 0);
      assert.equal(entry.critical.image["docker-manifest-digest"], image.split("@")[1]);

      const other = await tsign("verify", "--key", "b.pub", NO_LOG, image);
      assert.equal(other.code, form === "legacy" ? 12 : 1);
      assert.match(other.stderr, /signature: not valid for this key/);
      assert.equal(other.stdout, "");
    });
  }
}

test("verify: signatures in both forms -> one valid signature is enough", async (t) => {
  const { tsign, image } = await workshop(t);
  await tsign("sign", "--key", "a.key", ...OFFLINE, LEGACY, image);
  await tsign("sign", "--key", "b.key", ...OFFLINE, image);
  for (const key of ["a.pub", "b.pub"]) {
    const verified = await tsign("verify", "--key", key, NO_LOG, image);
    assert.equal(verified.code, 0, verified.stderr);
    assert.equal(JSON.parse(verified.stdout).length, 1);
    assert.match(
      verified.stderr,
      /did not verify:\n.*signature: not valid for this key/,
      "the other one is named, with its reason",
    );
  }
});

test("verify: unsigned, missing and changed image -> different exit codes", async (t) => {
  const { tsign, image, tag, cwd } = await workshop(t);
  assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, image)).code, 10);
  assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, tag.replace(":v1", ":absent"))).code, 11);
  await tsign("sign", "--key", "a.key", ...OFFLINE, image);
  writeFileSync(join(cwd, "other"), "changed");
  await tsign("sandbox", "push", "app:v1", "other");
  const changed = await tsign("verify", "--key", "a.pub", NO_LOG, tag);
  assert.equal(changed.code, 10);
  assert.match(changed.stderr, /no signatures found/);
});

test("annotations: signed by sign -a, printed, and required by verify -a", async (t) => {
  const { tsign, image } = await workshop(t);
  for (const flags of [[], [LEGACY]]) {
    await tsign("sign", "--key", "a.key", ...OFFLINE, ...flags, "-a", "env=prod,tier=1", image);
  }
  const good = await tsign("verify", "--key", "a.pub", NO_LOG, "-a", "env=prod", image);
  assert.equal(good.code, 0, good.stderr);
  assert.deepEqual(
    JSON.parse(good.stdout).map((entry: { optional: unknown }) => entry.optional),
    [
      { env: "prod", tier: "1" },
      { env: "prod", tier: "1" },
    ],
  );
  for (const demand of ["env=test", "owner=me"]) {
    const bad = await tsign("verify", "--key", "a.pub", NO_LOG, "-a", demand, image);
    assert.equal(bad.code, 12);
    assert.match(bad.stderr, /claims: missing or incorrect annotation/);
  }
});

test("sign: same payload and key twice, legacy form -> stored once", async (t) => {
  const { tsign, image } = await workshop(t);
  for (const key of ["a.key", "a.key", "b.key"]) await tsign("sign", "--key", key, ...OFFLINE, LEGACY, image);
  const listed = await tsign("download", "signature", image);
  assert.equal(listed.stdout.trim().split("\n").length, 2);
});

test("verify: several images -> each verified; one failure fails the command", async (t) => {
  const { tsign, image } = await workshop(t);
  await tsign("sign", "--key", "a.key", ...OFFLINE, image);
  const unsigned = (await tsign("sandbox", "push", "web:v1")).stdout.trim();
  const both = await tsign("verify", "--key", "a.pub", NO_LOG, unsigned, image);
  assert.equal(both.code, 10);
  assert.equal(both.stdout.trim().split("\n").length, 1, "the good one is printed all the same");
});

test("every kind of key -> signs and verifies in every form without further flags", async (t) => {
  const { tsign, cwd } = await workshop(t);
  const kinds = {
    rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
    p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
    ed25519: generateKeyPairSync("ed25519"),
  };
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "tampered"), "contend");
  for (const [kind, { privateKey }] of Object.entries(kinds)) {
    writeFileSync(join(cwd, `${kind}.pem`), privateKey.export({ type: "pkcs8", format: "pem" }));
    const imported = await tsign("import-key-pair", "--key", `${kind}.pem`, "-o", kind);
    assert.equal(imported.code, 0, imported.stderr);
    for (const [form, flags] of Object.entries(FORMS)) {
      const image = (await tsign("sandbox", "push", `${kind}-${form}:v1`)).stdout.trim();
      assert.equal((await tsign("sign", "--key", `${kind}.key`, ...OFFLINE, ...flags, image)).code, 0);
      const verified = await tsign("verify", "--key", `${kind}.pub`, NO_LOG, image);
      assert.equal(verified.code, 0, `${kind} ${form}: ${verified.stderr}`);
      assert.notEqual((await tsign("verify", "--key", "a.pub", NO_LOG, image)).code, 0);

      const bundle = ["--bundle", `${kind}-${form}.json`];
      assert.equal((await tsign("sign-blob", "--key", `${kind}.key`, ...OFFLINE, ...flags, ...bundle, "blob")).code, 0);
      const good = await tsign("verify-blob", "--key", `${kind}.pub`, NO_LOG, ...bundle, "blob");
      assert.equal(good.code, 0, `${kind} ${form}: ${good.stderr}`);
      assert.equal((await tsign("verify-blob", "--key", `${kind}.pub`, NO_LOG, ...bundle, "tampered")).code, 1);
      assert.equal((await tsign("verify-blob", "--key", "a.pub", NO_LOG, ...bundle, "blob")).code, 1);
    }
  }
});

test("verify-blob: public key in a legacy bundle -> does not replace --key or an identity", async (t) => {
  const { tsign, cwd } = await workshop(t);
  writeFileSync(join(cwd, "blob"), "content");
  const signed = await tsign("sign-blob", "--key", "b.key", ...OFFLINE, LEGACY, "blob");
  const cert = Buffer.from((await tsign("public-key", "--key", "b.key")).stdout).toString("base64");
  writeFileSync(join(cwd, "b.json"), JSON.stringify({ base64Signature: signed.stdout.trim(), cert }));
  assert.equal((await tsign("verify-blob", "--key", "b.pub", NO_LOG, "--bundle", "b.json", "blob")).code, 0);
  const other = await tsign("verify-blob", "--key", "a.pub", NO_LOG, "--bundle", "b.json", "blob");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /different key than --key/);
  const who = ["--certificate-identity", "me@example.com", "--certificate-oidc-issuer", "https://issuer.example"];
  const root = ["--insecure-ignore-sct", "--ca-roots", join(import.meta.dirname, "../fixtures/certs/root.pem")];
  const identity = await tsign("verify-blob", ...who, NO_LOG, ...root, "--bundle", "b.json", "blob");
  assert.equal(identity.code, 1);
  assert.match(identity.stderr, /without a certificate to identify the signer/);
});

test("unsupported requests -> refused in one line", async (t) => {
  const { tsign, image } = await workshop(t);
  const cases: [string[], RegExp][] = [
    [["sign", "--key", "awskms:///alias/x", ...OFFLINE, image], /awskms:\/\/ requires a package that is not installed/],
    [["sign", "--sk", ...OFFLINE, image], /pkcs11js|PKCS#11/],
    [["verify", "--key", "a.pub", NO_LOG, "--payload", "a.pub", image], /--payload is for --signature/],
    [["sign", "--key", "a.key", "--rekor-url", "https://rekor.example", image], /service URLs and use signing config/],
    [["sign", "--key", "a.key", "--signing-config", "a.pub", image], /not a valid signing config/],
    [
      ["sign", "--key", "a.key", ...OFFLINE, "--timestamp-client-cert", "a.pub", image],
      /--timestamp-client-cert requires --timestamp-client-key/,
    ],
  ];
  for (const [argv, reason] of cases) {
    const refused = await tsign(...argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, reason);
    assert.equal(refused.stderr.split("\n").filter((line) => line.startsWith("Error: ")).length, 1);
  }
});

test("verify --local-image: any failure -> exit code 1, as cosign's", async (t) => {
  const { tsign, image } = await workshop(t);
  await tsign("save", "--dir", "unsigned", image);
  await tsign("sign", "--key", "a.key", ...OFFLINE, LEGACY, image);
  await tsign("save", "--dir", "signed", image);
  const verify = (key: string, folder: string) => tsign("verify", "--key", key, NO_LOG, "--local-image", folder);
  assert.equal((await verify("a.pub", "signed")).code, 0);
  const other = await verify("b.pub", "signed");
  assert.equal(other.code, 1);
  assert.match(other.stderr, /not valid for this key/);
  const unsigned = await verify("a.pub", "unsigned");
  assert.equal(unsigned.code, 1);
  assert.match(unsigned.stderr, /no signatures found/);
});
