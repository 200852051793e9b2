import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Io } from "../src/io/io.ts";
import { type Asked, type FakeReply, KINDS, pemOf, serviceIo, signDigestDer } from "./support/fake-service.ts";
import { NO_LOG, OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const TOKEN = "hvs.very-secret";
const ENV = { VAULT_ADDR: "http://vault.test:8200", VAULT_TOKEN: TOKEN, COSIGN_PASSWORD: "pw" };

/** A Vault with one key, which exists once it was created. */
function vault() {
  const key = KINDS["P-384"]?.() ?? assert.fail();
  let there = false;
  const answer = ({ method, path, json }: Asked): FakeReply => {
    if (path === "/v1/sys/capabilities-self") return { json: { data: { "transit/keys/k": ["read"] } } };
    if (method === "POST" && path === "/v1/transit/keys/k") {
      there = true;
      return { status: 204 };
    }
    if (!there) return { status: 404, json: { errors: [] } };
    if (method === "GET") return { json: { data: { type: "ecdsa-p384", keys: { 1: { public_key: pemOf(key) } } } } };
    const signature = signDigestDer(key, Buffer.from(String(json["input"]), "base64"), "sha384");
    return { json: { data: { signature: `vault:v1:${Buffer.from(signature).toString("base64")}` } } };
  };
  return serviceIo(answer, { env: ENV }).io;
}

test("every command with --key accepts a key in a key service", async (context) => {
  const cwd = temporaryFolder(context);
  const { http, sleep } = vault();
  const tsign = (...argv: string[]) => run(argv, { cwd, env: ENV, io: { http, sleep } });
  writeFileSync(join(cwd, "blob"), "content");
  const missing = await tsign("sign-blob", "--key", "hashivault://k", ...OFFLINE, "--bundle", "b.json", "blob");
  assert.match(missing.stderr, /key not found: transit\/keys\/k/);
  assert.ok(!existsSync(join(cwd, "b.json")));
  const made = await tsign("generate-key-pair", "--kms", "hashivault://k", "--output-key-prefix", "release");
  assert.deepEqual([made.code, made.stderr], [0, "Public key written to release.pub\n"]);
  assert.equal(statSync(join(cwd, "release.pub")).mode & 0o777, 0o600);
  const shown = await tsign("public-key", "--key", "hashivault://k");
  assert.equal(shown.stdout, readFileSync(join(cwd, "release.pub"), "utf8"));
  const signed = await tsign("sign-blob", "--key", "hashivault://k", ...OFFLINE, "--bundle", "b.json", "blob");
  assert.equal(signed.code, 0, signed.stderr);
  for (const key of ["hashivault://k", "release.pub"]) {
    const verify = () => tsign("verify-blob", "--key", key, NO_LOG, "--bundle", "b.json", "blob");
    writeFileSync(join(cwd, "blob"), "content");
    assert.equal((await verify()).code, 0);
    writeFileSync(join(cwd, "blob"), "other content");
    assert.notEqual((await verify()).code, 0);
  }
});

test("key test: signs once and prints the facts of the key as text or JSON, without secrets", async (context) => {
  const cwd = temporaryFolder(context);
  const { http, sleep } = vault();
  const tsign = (...argv: string[]) => run(argv, { cwd, env: ENV, io: { http, sleep } });
  const absent = await tsign("key", "test", "hashivault://k");
  assert.deepEqual([absent.code, absent.stdout], [1, ""]);
  await tsign("generate-key-pair", "--kms", "hashivault://k");
  const text = await tsign("key", "test", "hashivault://k");
  assert.equal(text.code, 0, text.stderr);
  assert.match(
    text.stdout,
    /^key: +transit\/keys\/k \(ecdsa-p384\), version 1\nservice: +Vault\nalgorithm: +ECDSA P-384\nhash: +sha384\n/,
  );
  assert.match(
    text.stdout,
    /permissions: sign: yes, and the signature verifies\npermissions: transit\/keys\/k: read\n/,
  );
  const { stdout } = await tsign("key", "test", "hashivault://k", "--output", "json");
  assert.equal(JSON.parse(stdout).hash, "sha384");
  assert.ok(!`${text.stdout}${text.stderr}${stdout}`.includes(TOKEN));
  const generated = await tsign("generate-key-pair", "--output-key-prefix", "own");
  assert.equal(generated.code, 0, generated.stderr);
  const file = await tsign("key", "test", "own.key");
  assert.match(file.stdout, /service: +key file\nalgorithm: +ECDSA P-256/);
  for (const argv of [[], ["missing.key"], ["own.key", "--sk"], ["github://own/repo"]]) {
    assert.equal((await tsign("key", "test", ...argv)).code, 1, argv.join(" "));
  }
});

test("generate-key-pair: refuses a service that cannot create keys, without the PIN in the error", async (context) => {
  const cwd = temporaryFolder(context);
  const tsign = (...argv: string[]) => run(["generate-key-pair", ...argv], { cwd, env: ENV });
  const token = "pkcs11:token=t;object=o?module-path=/m.so&pin-value=24682468";
  const cases: [string[], RegExp][] = [
    [["--kms", token], /create key .*: not supported by PKCS#11.*\nhint: .*vendor's tool/],
    [
      ["--kms", "gitlab://a/b"],
      /create key gitlab:\/\/a\/b: not supported by GitLab\nhint: .*tsign generate-key-pair gitlab:\/\/a\/b/,
    ],
    [["--kms", "cosign.key"], /not a key service: "cosign.key"/],
    [["hashivault://k"], /not supported by .*Vault.*\nhint: .*tsign generate-key-pair --kms hashivault:\/\/k/],
    [["place"], /not a key service: "place"/],
  ];
  for (const [argv, message] of cases) {
    const { code, stderr } = await tsign(...argv);
    assert.equal(code, 1);
    assert.match(stderr, message);
    assert.ok(!stderr.includes("24682468"), stderr);
    assert.ok(!existsSync(join(cwd, "cosign.pub")));
  }
});

test("--timeout: names a plugin that does not respond, and stops it", async (context) => {
  const cwd = temporaryFolder(context);
  let ended: AbortSignal | undefined;
  const spawn: Io["spawn"] = (_file, _args, options) => {
    ended = options?.signal;
    return new Promise(() => {});
  };
  const { code, stderr } = await run(["public-key", "--key", "slow://k", "--timeout", "300ms"], { cwd, io: { spawn } });
  assert.equal(code, 1);
  assert.match(stderr, /^Error: the command took longer than --timeout 300ms: no answer from sigstore-kms-slow yet\n/);
  assert.ok(ended?.aborted);
});

test("an error about a response of a key service names the service once", async (context) => {
  const cwd = temporaryFolder(context);
  const answers: [object, string][] = [
    [{ data: {} }, "Vault: key transit/keys/k has no versions"],
    [{ data: { type: "ecdsa-p256", keys: { 1: { public_key: "x" } } } }, "Vault: invalid public key: it is not PEM"],
  ];
  for (const [json, message] of answers) {
    const { http, sleep } = serviceIo(() => ({ json }), { env: ENV }).io;
    const { code, stderr } = await run(["public-key", "--key", "hashivault://k"], {
      cwd,
      env: ENV,
      io: { http, sleep },
    });
    assert.deepEqual([code, stderr.split("\n", 1)[0]], [1, `Error: ${message}`]);
  }
});
