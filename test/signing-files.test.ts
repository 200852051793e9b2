import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { LEGACY, NO_LOG, OFFLINE, run, temporaryFolder, testRegistry } from "./support/test-io.ts";

/** A folder with key pairs `a` and `b` and a file, a registry, and a small image in it. */
async function workshop(t: TestContext) {
  const cwd = temporaryFolder(t);
  const registry = await testRegistry(t);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  writeKeyPairs(cwd, "a", "b");
  writeFileSync(join(cwd, "blob"), "content");
  const image = (await tsign("sandbox", "push", "app:v1")).stdout.trim();
  const read = (name: string) => readFileSync(join(cwd, name), "utf8");
  const has = (name: string) => existsSync(join(cwd, name));
  return { cwd, tsign, image, read, has };
}

const OUTPUTS = ["--output-signature", "s", "--output-payload", "p", "--output-certificate", "c"];

test("sign: writes every requested file, in both forms", async (t) => {
  const { cwd, tsign, image, read } = await workshop(t);
  for (const form of [[], [LEGACY]]) {
    const signed = await tsign("sign", "--key", "a.key", ...OFFLINE, ...form, ...OUTPUTS, "--bundle", "b.json", image);
    assert.equal(signed.code, 0, signed.stderr);
    assert.equal(read("c"), read("a.pub"), "the public key stands for a certificate there is none of");
    for (const name of ["s", "p", "c", "b.json"]) assert.equal(statSync(join(cwd, name)).mode & 0o777, 0o600, name);
    assert.match(read("s"), /^[A-Za-z0-9+/]+=*$/);
    assert.ok(read("p").includes(image.split("sha256:")[1] ?? "?"));
  }
  const verify = (key: string, payload: string) =>
    tsign("verify-blob", "--key", key, NO_LOG, "--bundle", "b.json", payload);
  assert.equal((await verify("a.pub", "p")).code, 0, "the legacy bundle is of the payload");
  assert.equal((await verify("b.pub", "p")).code, 1);
  assert.equal((await verify("a.pub", "blob")).code, 1);
});

test("sign: several --sign-container-identity -> one signature per line", async (t) => {
  const { tsign, image, read, has } = await workshop(t);
  const names = ["--sign-container-identity", "x.example/a,x.example/b"];
  const files = [...OUTPUTS, "--bundle", "b.json"];
  const signed = await tsign("sign", "--key", "a.key", ...OFFLINE, LEGACY, "--upload=false", ...files, ...names, image);
  assert.equal(signed.code, 0, signed.stderr);
  for (const file of ["s", "p", "b.json"]) assert.equal(read(file).split("\n").length, 2, file);
  const digest = image.split("sha256:")[1];
  const recursive = await tsign("sign", "--key", "a.key", ...OFFLINE, LEGACY, "-r", "--output-certificate", "r", image);
  assert.equal(recursive.code, 0, recursive.stderr);
  assert.ok(has("r") && !has(`r-sha256-${digest}`), "one certificate for all images");
});

test("sign, sign-blob: output that cannot be written -> refused before signing", async (t) => {
  const { cwd, tsign, image, has } = await workshop(t);
  const other = (await tsign("sandbox", "push", "web:v1")).stdout.trim();
  const sign = ["sign", "--key", "a.key", ...OFFLINE];
  const blob = ["sign-blob", "--key", "a.key", ...OFFLINE];
  for (const [argv, reason] of [
    [[...sign, "--bundle", "b.json", image, other], /2 images cannot be signed into the one file of --bundle/],
    [[...sign, LEGACY, "--output-signature", "s", image, other], /the one file of --output-signature/],
    [[...sign, "--bundle", "none/b.json", image], /write none\/b.json: there is no folder none/],
    [[...sign, "--output-payload", ".", image], /write \.: is a directory/],
    [[...sign, LEGACY, "--payload", "none", image], /read none/],
    [[...sign, "--oidc-client-secret-file", "none", image], /read none/],
    [[...sign, "--format", "both", "--upload=false", "--bundle", "b.json", image], /discard the legacy signature/],
    [[...blob, LEGACY, "--output-certificate", "c", "blob"], /write certificate c: /],
    [[...blob, "--bundle", "b.json", "--rfc3161-timestamp", "t", "blob"], /write timestamp t: /],
    [[...blob, "--bundle", "none/b.json", "blob"], /there is no folder none/],
    [[...blob, LEGACY, "--output-certificate", "c", "blob", "blob"], /expected one file with an output file, found 2/],
  ] as const) {
    const before = readdirSync(cwd);
    const refused = await tsign(...argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, reason);
    assert.equal(refused.stdout, "");
    assert.deepEqual(readdirSync(cwd), before);
  }
  assert.equal(has("b.json"), false);
  for (const each of [image, other]) assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, each)).code, 10);
});

test("--output and --output-signature both get the signature", async (t) => {
  const { tsign, read } = await workshop(t);
  const signed = await tsign(...["sign-blob", "--key", "a.key", ...OFFLINE, LEGACY, "--output", "o"], "blob");
  assert.equal(signed.code, 0, signed.stderr);
  assert.equal(signed.stdout, "");
  const both = ["--output", "o", "--output-signature", "s"];
  assert.equal((await tsign("sign-blob", "--key", "a.key", ...OFFLINE, LEGACY, ...both, "blob")).code, 0);
  assert.equal(read("o"), read("s"));
});

test("verify-blob --signature: used with a legacy bundle, refused with a Sigstore bundle", async (t) => {
  const { tsign } = await workshop(t);
  const sign = (...flags: string[]) => tsign("sign-blob", "--key", "a.key", ...OFFLINE, ...flags, "blob");
  await sign("--bundle", "new.json");
  await sign(LEGACY, "--bundle", "old.json", "--output-signature", "s");
  await tsign("sign-blob", "--key", "a.key", ...OFFLINE, LEGACY, "--output-signature", "other", "a.pub");
  const verify = (...flags: string[]) => tsign("verify-blob", "--key", "a.pub", NO_LOG, ...flags, "blob");
  assert.equal((await verify("--bundle", "old.json", "--signature", "s")).code, 0);
  assert.equal((await verify("--bundle", "old.json", "--signature", "other")).code, 1);
  assert.equal((await verify("--bundle", "new.json")).code, 0);
  for (const flag of ["signature", "certificate-chain", "ca-roots", "ca-intermediates", "sct", "rfc3161-timestamp"]) {
    const refused = await verify("--bundle", "new.json", "--use-signed-timestamps", `--${flag}`, "a.pub");
    assert.equal(refused.code, 1, flag);
  }
  const roots = await verify("--bundle", "new.json", "--sct", "a.pub");
  assert.match(roots.stderr, /--sct cannot be used with a Sigstore bundle/);
  const twice = await verify("--certificate", "a.pub", "--signature", "s");
  assert.match(twice.stderr, /--certificate and --key cannot be used together/);
});

test("sign-blob: flags without effect -> warning names them", async (t) => {
  const { tsign, image } = await workshop(t);
  const sign = ["sign", "--key", "a.key", ...OFFLINE];
  for (const [flags, reason] of [
    [["--identity-token", "t", "--oidc-client-id", "me"], /--identity-token, --oidc-client-id are ignored: .* --key/],
    [["--rekor-url", "http://log.example"], /--rekor-url is ignored: nothing is logged/],
    [["--timestamp-server-name", "n"], /--timestamp-server-name is ignored: no timestamp authority/],
    [["--registry-username", "me"], /--registry-username is ignored without --registry-password/],
    [["--slot", "signature"], /--slot is ignored without --sk/],
    [[LEGACY, "--upload=false"], /discards the signature/],
  ] as const) {
    const signed = await tsign(...sign, ...flags, image);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, reason);
  }
  assert.doesNotMatch((await tsign(...sign, image)).stderr, /no effect/);
  const verified = await tsign("verify", "--key", "a.pub", NO_LOG, "--certificate-oidc-issuer", "i", image);
  assert.match(verified.stderr, /--certificate-oidc-issuer is ignored with --key/);
});

test("--format both: each file has its form, and both verify", async (t) => {
  const { tsign, image, read } = await workshop(t);
  const files = ["--upload=false", "--bundle", "b.json", "--output-signature", "s", "--output-payload", "p"];
  const signed = await tsign("sign", "--key", "a.key", ...OFFLINE, "--format", "both", ...files, image);
  assert.equal(signed.code, 0, signed.stderr);
  assert.match(read("p"), /cosign container image signature/);
  assert.ok(JSON.parse(read("b.json")).dsseEnvelope);
  assert.equal((await tsign("verify-blob", "--key", "a.pub", NO_LOG, "--signature", "s", "p")).code, 0);
  assert.equal((await tsign("verify-blob", "--key", "b.pub", NO_LOG, "--signature", "s", "p")).code, 1);
  assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, image)).code, 10, "nothing was stored");
});

test("P-384 key in memory: signs over SHA-256 on request", async () => {
  const { signerFromKey } = await import("../src/keys/signer.ts");
  const { verifySignature } = await import("../src/keys/index.ts");
  const { messageOf } = await import("../src/format/digest.ts");
  const signer = signerFromKey(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey);
  const bytes = Buffer.from("content");
  const made = await signer.sha256?.sign(bytes);
  assert.deepEqual(made?.digest.value, createHash("sha256").update(bytes).digest());
  const verify = (hash: "sha256" | "sha384") =>
    verifySignature({
      ...{ key: signer.publicKey, message: messageOf(bytes), hashes: [hash] },
      signature: made?.signature ?? bytes,
    });
  assert.equal(await verify("sha256"), true);
  assert.equal(await verify("sha384"), false);
  assert.equal(signerFromKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey).sha256, undefined);
});
