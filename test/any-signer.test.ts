import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { verifyForAny } from "../src/images/any-signer.ts";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import type { Policy } from "../src/verify/model.ts";
import type { Verdict } from "../src/verify/verify.ts";
import { KINDS } from "./support/fake-service.ts";
import { PASSWORD } from "./support/passwords.ts";
import { testSigstore } from "./support/sandbox.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

test("verify --key several times: any of them is accepted, and named", async (t) => {
  const { ok, tsign, cwd, registry } = await storageWorkshop(t);
  for (const prefix of ["b", "c"]) await ok("generate-key-pair", "--output-key-prefix", prefix);
  const image = `${registry}/app:v1`;
  writeFileSync(join(cwd, "content"), "app");
  await ok("sandbox", "push", "app:v1", "content");
  for (const form of [[LEGACY], []]) await ok("sign", "--key", "b.key", "-y", ...OFFLINE, ...form, image);
  const verify = (...keys: string[]) => tsign("verify", ...keys.flatMap((key) => ["--key", key]), NO_LOG, image);
  for (const keys of [
    ["a.pub", "b.pub"],
    ["b.pub", "a.pub"],
    ["a.pub", "c.pub", "b.pub", "b.pub"],
  ]) {
    const { code, stdout, stderr } = await verify(...keys);
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).length, 2, "each signature is printed once");
    assert.deepEqual(stderr.match(/^Accepted by .*$/gm), ["Accepted by --key b.pub"]);
  }
  const { code, stdout, stderr } = await verify("a.pub", "c.pub");
  assert.equal(code, 12);
  assert.equal(stdout, "");
  assert.match(stderr, /none verified/);
  assert.doesNotMatch(stderr, /Accepted/);
  assert.doesNotMatch((await verify("b.pub")).stderr, /Accepted/, "one key needs no name");
  assert.equal((await verify("b.pub", "absent.pub")).code, 1, "a key that cannot be read is not left out");
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, LEGACY, image);
  const both = await verify("b.pub", "a.pub");
  assert.deepEqual(both.stderr.match(/^Accepted by .*$/gm), ["Accepted by --key b.pub", "Accepted by --key a.pub"]);
  writeFileSync(join(cwd, "p"), "{}");
  await ok("attest", "--key", "c.key", "-y", ...OFFLINE, "--predicate", "p", image);
  const attested = (...keys: string[]) =>
    tsign("verify-attestation", ...keys.flatMap((key) => ["--key", key]), NO_LOG, image);
  assert.match((await attested("a.pub", "c.pub")).stderr, /^Accepted by --key c\.pub$/m);
  assert.notEqual((await attested("a.pub", "b.pub")).code, 0);
});

const [ALICE, BOB] = ["alice@example.com", "bob@example.com"];

/** An image that Alice signed, and a command that verifies it. */
async function keyless(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "rekor1.json"), sigstore.signingConfig.rekor1);
  const store = await openRegistry(
    testIo({ cwd, io: sigstore.io }),
    parseReference(`${sigstore.registry}/app:v1`),
    PLAIN_REGISTRY,
  );
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("app"), tag: "v1" });
  const image = `${sigstore.registry}/app@${digest}`;
  const tsign = (...argv: string[]) => run(argv, { cwd, io: sigstore.io });
  const signed = await tsign(
    ...["sign", "--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", "rekor1.json"],
    ...["--trusted-root", "root.json", image],
  );
  assert.equal(signed.code, 0, signed.stderr);
  const verify = (...who: string[]) => tsign("verify", "--trusted-root", "root.json", ...who, image);
  return { issuer: sigstore.at.issuer, verify };
}

test("verify --certificate-identity several times: any of them, each with its issuer", async (t) => {
  const { issuer, verify } = await keyless(t);
  const other = "https://issuer.example";
  const identities = (...names: string[]) => names.flatMap((name) => ["--certificate-identity", name]);
  const issuers = (...urls: string[]) => urls.flatMap((url) => ["--certificate-oidc-issuer", url]);
  for (const who of [
    [...identities(BOB, ALICE), ...issuers(issuer)],
    [...identities(ALICE, BOB), ...issuers(issuer, other)],
    [...identities(BOB, ALICE), ...issuers(other, issuer)],
    [...identities(BOB, "carol@example.com", ALICE), ...issuers(issuer, other, issuer)],
    [...identities(ALICE, BOB), "--certificate-oidc-issuer-regexp", "^https?://"],
  ]) {
    const { code, stderr } = await verify(...who);
    assert.equal(code, 0, stderr);
    assert.deepEqual(stderr.match(/^Accepted by .*$/gm), [`Accepted by --certificate-identity ${ALICE}`]);
  }
  const patterns = ["^bob@", "^alice@example\\.com$"].flatMap((text) => ["--certificate-identity-regexp", text]);
  const matched = await verify(...patterns, ...issuers(issuer));
  assert.equal(matched.code, 0, matched.stderr);
  assert.match(matched.stderr, /^Accepted by --certificate-identity-regexp \^alice@example\\+\.com\$$/m);
  assert.doesNotMatch(matched.stderr, /\^bob@ may match/, "a pattern that did not match is not warned of");
  for (const who of [
    [...identities(BOB, "carol@example.com"), ...issuers(issuer)],
    [...identities(ALICE, BOB), ...issuers(other, issuer)],
    [...identities(ALICE, BOB), ...issuers(other)],
    [...identities(ALICE, BOB), ...issuers(issuer), "--certificate-github-workflow-name", "x"],
  ]) {
    const { code, stdout } = await verify(...who);
    assert.equal(code, 1, who.join(" "));
    assert.equal(stdout, "");
  }
});

test("verify-blob --key several times: keys of any kind, in both forms and for attestations", async (t) => {
  const cwd = temporaryFolder(t);
  const kinds = ["P-256", "P-384", "Ed25519", "RSA 2048"] as const;
  for (const kind of kinds) {
    const name = kind.replace(" ", "");
    const key = (KINDS[kind] ?? assert.fail(kind))();
    writeFileSync(join(cwd, `${name}.pem`), key.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const files = ["--key", `${name}.pem`, "--output-key-prefix", name];
    const imported = await run(["import-key-pair", ...files], { cwd, env: PASSWORD });
    assert.equal(imported.code, 0, imported.stderr);
  }
  const names = kinds.map((kind) => kind.replace(" ", ""));
  const tsign = (...argv: string[]) => run(argv, { cwd, env: PASSWORD });
  writeFileSync(join(cwd, "file"), "content");
  writeFileSync(join(cwd, "other"), "other content");
  writeFileSync(join(cwd, "predicate"), "{}");
  const keysOf = (list: readonly string[]) => list.flatMap((name) => ["--key", `${name}.pub`]);
  for (const [index, name] of names.entries()) {
    const signed = await tsign(
      "sign-blob",
      "--key",
      `${name}.key`,
      "-y",
      ...OFFLINE,
      "--bundle",
      `${name}.json`,
      "file",
    );
    assert.equal(signed.code, 0, signed.stderr);
    const others = names.filter((each) => each !== name);
    for (const list of [names, names.toReversed()]) {
      const verified = await tsign("verify-blob", ...keysOf(list), NO_LOG, "--bundle", `${name}.json`, "file");
      assert.equal(verified.code, 0, `${name} by ${list}: ${verified.stderr}`);
      assert.deepEqual(verified.stderr.match(/^Accepted by .*$/gm), [`Accepted by --key ${name}.pub`]);
      const changed = await tsign("verify-blob", ...keysOf(list), NO_LOG, "--bundle", `${name}.json`, "other");
      assert.equal(changed.code, 1);
      assert.doesNotMatch(changed.stderr, /Accepted|Verified/);
    }
    const refused = await tsign("verify-blob", ...keysOf(others), NO_LOG, "--bundle", `${name}.json`, "file");
    assert.equal(refused.code, 1, name);
    assert.doesNotMatch(refused.stderr, /Accepted|Verified/);
    if (index > 0) continue;
    const attest = ["attest-blob", "--key", `${name}.key`, "-y", ...OFFLINE, "--predicate", "predicate"];
    assert.equal((await tsign(...attest, "--bundle", "att.json", "file")).code, 0);
    const attested = (list: readonly string[], file: string) =>
      tsign("verify-blob-attestation", ...keysOf(list), NO_LOG, "--bundle", "att.json", file);
    assert.match(
      (await attested(names.toReversed(), "file")).stderr,
      /^Accepted by --key P-256\.pub$[\s\S]*^Verified OK$/m,
    );
    assert.equal((await attested(names, "other")).code, 1);
    assert.equal((await attested(others, "file")).code, 1);
  }
});

test("verify: signers that do not fit together -> refused as a usage error", async (t) => {
  const { issuer, verify } = await keyless(t);
  for (const [who, error] of [
    [
      ["--certificate-identity", ALICE, "--certificate-oidc-issuer", issuer, "--certificate-oidc-issuer", "x"],
      /--certificate-oidc-issuer is set 2 times for 1 identity/,
    ],
    [
      [ALICE, BOB, "c"]
        .flatMap((name) => ["--certificate-identity", name])
        .concat(["a", "b"].flatMap((url) => ["--certificate-oidc-issuer", url])),
      /--certificate-oidc-issuer is set 2 times for 3 identities/,
    ],
    [["--certificate-identity", ALICE, "--certificate-identity", BOB], /--certificate-oidc-issuer.* is required/],
    [["--key", "a", "--certificate-identity", ALICE], /exactly one of/],
    [["--certificate-identity", ALICE, "--certificate-identity-regexp", BOB], /exactly one of/],
    [["--key", "a", "--key", "b", "--sk"], /--key and --sk cannot be used together/],
  ] as const) {
    const { code, stderr } = await verify(...who);
    assert.equal(code, 1);
    assert.match(stderr, error);
  }
  const twice = ["--certificate-oidc-issuer", issuer, "--certificate-oidc-issuer", issuer];
  assert.equal((await verify("--certificate-identity", ALICE, ...twice)).code, 0, "the same issuer twice is one");
});

test("verifyForAny: an error of one signer -> thrown unless another verifies", async () => {
  const [one, two] = [{ kind: "key" }, { kind: "key" }] as unknown as [Policy["signer"], Policy["signer"]];
  const refusal = (...checks: unknown[]) =>
    ({ ok: false, checks, failed: { name: "signature" } }) as unknown as Verdict;
  const good = { ok: true } as unknown as Verdict;
  const { signal } = new AbortController();
  const verify = (...results: (Verdict | Error)[]) =>
    verifyForAny(
      [one, two],
      async (_, index) => {
        const result = results[index];
        if (result instanceof Error || result === undefined) throw result;
        return result;
      },
      signal,
    );
  const [far, near] = [refusal(1, 2), refusal(1)];
  assert.equal(await verify(near, good), good);
  assert.equal(await verify(new Error("down"), good), good);
  assert.equal(await verify(near, far), far);
  assert.equal(await verify(far, near), far);
  await assert.rejects(verify(far, new Error("down")), /down/);
  await assert.rejects(verify(new Error("down"), far), /down/);
  const stop = new AbortController();
  stop.abort();
  const stopped = verifyForAny([one, two], () => Promise.reject(new Error("stopped")), stop.signal);
  await assert.rejects(stopped, /stopped/);
});
