import assert from "node:assert/strict";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { attachReferrer, descriptorOf, storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

/*
 * What scripts of cosign's documentation rely on; regressions found by test/suites/documentation.sh.
 */

const BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";

test("bundle attached by another tool with an artifact type only -> found, verified and removed", async (t) => {
  const { cwd, ok, tsign, image, digest, sign, store } = await storageWorkshop(t);
  await sign("--upload=false", "--bundle", "b.json");
  const attach = async (layer: string) =>
    attachReferrer(store, await descriptorOf(store, digest), {
      layer,
      layerType: "application/vnd.oci.image.layer.v1.tar",
      more: { artifactType: BUNDLE_TYPE },
    });
  await attach("no bundle at all");
  const none = await tsign("verify", "--key", "a.pub", NO_LOG, image);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /unreadable/);
  await attach(readFileSync(join(cwd, "b.json"), "utf8"));
  await ok("verify", "--key", "a.pub", NO_LOG, image);
  writeKeyPairs(cwd, "b");
  assert.equal((await tsign("verify", "--key", "b.pub", NO_LOG, image)).code, 1);
  await ok("clean", "--force", image);
  assert.equal((await tsign("verify", "--key", "a.pub", NO_LOG, image)).code, 10);
});

test("payload of any kind -> verifies only with --check-claims=false", async (t) => {
  const { cwd, ok, tsign, image } = await storageWorkshop(t);
  const signed = async (payload: string) => {
    writeFileSync(join(cwd, "payload"), payload);
    await ok("clean", "--force", image);
    await ok("sign", "--key", "a.key", ...OFFLINE, LEGACY, "--payload", "payload", image);
    const verify = ["verify", "--key", "a.pub", NO_LOG, image];
    assert.equal((await tsign(...verify)).code, 12, payload);
    assert.equal((await ok(...verify, "--check-claims=false", "-o", "text")).stdout, `${payload}\n`);
    return ok(...verify, "--check-claims=false");
  };
  const empty = { identity: { "docker-reference": "" }, image: { "docker-manifest-digest": "" }, type: "" };
  const object = await signed('{"optional":{"a":"b"},"other":1}');
  assert.deepEqual(JSON.parse(object.stdout), [{ critical: empty, optional: { a: "b" } }]);
  assert.deepEqual(JSON.parse((await signed("null")).stdout), [{ critical: empty, optional: null }]);
  for (const payload of ["plain text", "[1]", '{"critical":{"image":{"docker-manifest-digest":3}}}']) {
    const shown = await signed(payload);
    assert.equal(shown.stdout, "", payload);
    assert.match(shown.stderr, /cannot print the payload as JSON/);
  }
  writeKeyPairs(cwd, "b");
  const other = await tsign("verify", "--key", "b.pub", NO_LOG, "--check-claims=false", image);
  assert.equal(other.code, 12);
});

test("verify --local-image: altered image -> digest mismatch, exit code 1", async (t) => {
  const { cwd, ok, tsign, image, digest, sign } = await storageWorkshop(t);
  await sign(LEGACY);
  await ok("save", "--dir", "saved", image);
  writeKeyPairs(cwd, "b");
  const verify = (key: string) => tsign("verify", "--key", key, NO_LOG, "--local-image", "saved");
  assert.equal((await verify("a.pub")).code, 0);
  assert.equal((await verify("b.pub")).code, 1);
  appendFileSync(join(cwd, "saved/blobs/sha256", digest.replace("sha256:", "")), " ");
  const altered = await verify("a.pub");
  assert.equal(altered.code, 1);
  assert.equal(altered.stdout, "");
  assert.match(altered.stderr, /digest mismatch/);
});

test("signing config without an OIDC issuer: --identity-token -> accepted; login -> refused", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "blob"), "content");
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(
    join(cwd, "config.json"),
    JSON.stringify({ ...JSON.parse(sigstore.signingConfig.rekor1), oidcUrls: [] }),
  );
  const sign = (...more: string[]) =>
    run(
      [
        ...["sign-blob", "--yes", "--signing-config", "config.json", "--trusted-root", "root.json"],
        ...["--bundle", "b.json", ...more, "blob"],
      ],
      { cwd, io: sigstore.io },
    );
  const login = await sign("--fulcio-auth-flow", "device");
  assert.equal(login.code, 1);
  assert.match(login.stderr, /no OIDC issuer in the signing config/);
  const signed = await sign("--identity-token", sigstore.mint("alice@example.com"));
  assert.equal(signed.code, 0, signed.stderr);
});

test("trusted-root create: authority that ends before its certificates begin -> written, and never trusted", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  for (const [name, text] of Object.entries(sigstore.files)) writeFileSync(join(cwd, name), text);
  const create = (period: string) =>
    run(["trusted-root", "create", "--fulcio", `url=https://f,certificate-chain=fulcio_chain.pem${period}`], { cwd });
  const ended = await create(",end-time=2001-01-01T00:00:00Z");
  assert.equal(ended.code, 0, ended.stderr);
  const [{ validFor }] = JSON.parse(ended.stdout).certificateAuthorities;
  assert.equal(validFor.end, "2001-01-01T00:00:00Z");
  assert.ok(Date.parse(validFor.start) > Date.parse(validFor.end), "as its certificates say");
  const contradiction = await create(",start-time=2002-01-01T00:00:00Z,end-time=2001-01-01T00:00:00Z");
  assert.match(contradiction.stderr, /end-time is before start-time/);
});

test("README: the commands with a key and no service -> Verified OK", async (t) => {
  const cwd = temporaryFolder(t);
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
  const [, block = ""] = /With a key and no service:\n\n((?: {4}.*\n)+)/.exec(readme) ?? [];
  const lines = [...block.matchAll(/^ {4}\$ tsign (.*)$/gm)].map(([, line = ""]) => line);
  assert.equal(lines.length, 4);
  writeFileSync(join(cwd, "app.tar.gz"), "content");
  const env = { COSIGN_PASSWORD: "pw" };
  for (const line of lines) {
    const outcome = await run(line.split(" "), { cwd, env });
    assert.equal(outcome.code, 0, `${line}: ${outcome.stderr}`);
    if (line === lines.at(-1)) assert.match(outcome.stderr, /^Verified OK$/m);
  }
  writeFileSync(join(cwd, "app.tar.gz"), "contend");
  assert.equal((await run((lines.at(-1) ?? "").split(" "), { cwd, env })).code, 1);
});

test("README: the tour's commands print the lines that it shows", async (t) => {
  const home = temporaryFolder(t);
  const sigstore = await testSigstore();
  const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8").replaceAll(/\s+/g, " ");
  writeFileSync(join(home, "tuf_root.json"), sigstore.files["tuf_root.json"]);
  const env = { HOME: home, TUF_MIRROR: sigstore.at.tuf, TUF_ROOT_JSON: "tuf_root.json", COSIGN_YES: "true" };
  const tsign = async (...argv: string[]) => {
    const { code, stdout, stderr } = await run(argv, { cwd: home, env, io: sigstore.io });
    return { code, text: `${stdout} ${stderr}`.replaceAll(/\s+/g, " ") };
  };
  const shown = (text: string, lines: readonly string[]) => {
    for (const line of lines) {
      assert.ok(readme.includes(line), `README does not show: ${line}`);
      assert.ok(text.includes(line), `${line} is not in: ${text}`);
    }
  };
  const io = testIo({ cwd: home, io: sigstore.io });
  const ref = parseReference(`${sigstore.registry}/app:v1`);
  const { digest } = await pushImage(await openRegistry(io, ref, PLAIN_REGISTRY), {
    file: "app",
    content: Buffer.from("image"),
    tag: "v1",
  });
  const image = `${sigstore.registry}/app@${digest}`;
  const signed = await tsign("sign", "--identity-token", sigstore.mint("alice@example.com"), image);
  assert.equal(signed.code, 0, signed.text);
  shown(signed.text, [
    "Note: your identity alice@example.com and the signature become part of public records at ",
    ", which cannot be undone",
    "Certificate identity: alice@example.com",
    "Certificate issuer: http",
    "Pushing signature to: ",
    "To verify: tsign verify --certificate-identity alice@example.com --certificate-oidc-issuer http",
  ]);
  const verify = (identity: string) =>
    tsign("verify", "--certificate-identity", identity, "--certificate-oidc-issuer", sigstore.at.issuer, image);
  const good = await verify("alice@example.com");
  assert.equal(good.code, 0, good.text);
  shown(good.text, ["Signed by alice@example.com (issuer http", " (timestamp authority), log entry 0 in "]);
  const bad = await verify("mallory@example.com");
  assert.equal(bad.code, 1, bad.text);
  shown(bad.text, [
    "identity: certificate identity mismatch: got alice@example.com (issuer ",
    "Error: no matching signatures: 1 found for ",
    ", none verified (identity: certificate identity mismatch: ",
    "hint: check --certificate-identity; list the signers with `tsign tree --signers ",
  ]);
});
