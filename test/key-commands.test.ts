import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { PASSWORD, terminal } from "./support/passwords.ts";
import { NO_LOG, OFFLINE, run, type TestOptions, temporaryFolder, testIo } from "./support/test-io.ts";

function generate(context: TestContext) {
  const cwd = temporaryFolder(context);
  const key = join(cwd, "cosign.key");
  return {
    cwd,
    key,
    tsign: (options: TestOptions = {}, ...argv: string[]) => run(["generate-key-pair", ...argv], { cwd, ...options }),
  };
}

test("generate-key-pair: sets the modes of both files, less the umask", async (t) => {
  const before = process.umask();
  t.after(() => process.umask(before));
  for (const [umask, mode] of [
    [0o022, 0o644],
    [0o002, 0o644],
    [0o077, 0o600],
  ] as const) {
    const { cwd, key, tsign } = generate(t);
    process.umask(umask);
    assert.equal((await tsign({ env: PASSWORD })).code, 0);
    assert.equal(statSync(key).mode & 0o777, 0o600);
    assert.equal(statSync(join(cwd, "cosign.pub")).mode & 0o777, mode);
  }
});

test("generate-key-pair: replaces an existing key only after y", async (t) => {
  const { key, tsign } = generate(t);
  await tsign({ env: PASSWORD });
  const first = readFileSync(key, "utf8");
  for (const stdin of ["", "n\n", "\n", "yes\n", "maybe\n"]) {
    const refused = await tsign({ env: PASSWORD, stdin });
    assert.equal(refused.code, 1, JSON.stringify(stdin));
    assert.equal(readFileSync(key, "utf8"), first);
  }
  assert.equal((await tsign({ env: PASSWORD, stdin: "Y\n" })).code, 0);
  assert.notEqual(readFileSync(key, "utf8"), first);
});

test("generate-key-pair: with /dev/null as stdin fails, and accepts an empty COSIGN_PASSWORD", async (t) => {
  const { key, tsign } = generate(t);
  const refused = await tsign({ tty: { stdinIsNull: true } });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /COSIGN_PASSWORD is not set.*\nhint: set COSIGN_PASSWORD; /);
  assert.equal(existsSync(key), false);
  assert.equal((await tsign({ tty: { stdinIsNull: true }, env: { COSIGN_PASSWORD: "" } })).code, 0);
  assert.equal((await tsign({ stdin: "" }, "--output-key-prefix", "piped")).code, 0, "an empty pipe was piped in");
});

test("generate-key-pair: takes the password from the environment, the terminal, or all of stdin", async (t) => {
  const { cwd, tsign } = generate(t);
  const opens = async (password: string) =>
    (await run(["public-key", "--key", "cosign.key"], { cwd, env: { COSIGN_PASSWORD: password } })).code === 0;
  await tsign({ tty: terminal("typed", "typed") });
  assert.ok(await opens("typed"));
  const differ = await tsign({ tty: terminal("one", "two") }, "--output-key-prefix", "other");
  assert.match(differ.stderr, /passwords do not match/);
  assert.ok(!existsSync(join(cwd, "other.key")));
  await tsign({ stdin: "piped\n" }, "--output-key-prefix", "cosign2");
  const piped = await run(["public-key", "--key", "cosign2.key"], { cwd, stdin: "piped\n" });
  assert.equal(piped.code, 0, "the newline belongs to the password, as cosign has it");
  assert.equal((await run(["public-key", "--key", "cosign2.key"], { cwd, stdin: "piped" })).code, 1);
  await tsign({ env: { COSIGN_PASSWORD: "" } }, "--output-key-prefix", "empty");
  assert.equal((await run(["public-key", "--key", "empty.key"], { cwd, env: { COSIGN_PASSWORD: "" } })).code, 0);
});

test("generate-key-pair: writes no public key if the private key cannot be written", async (t) => {
  const { cwd, tsign } = generate(t);
  const files = testIo({ cwd }).files;
  const write: typeof files.write = async (path, data, options) => {
    if (path.endsWith(".key")) throw new TsignError("input", "cannot write: no space left on the device");
    return files.write(path, data, options);
  };
  const failed = await tsign({ env: PASSWORD, io: { files: { ...files, write } } });
  assert.equal(failed.code, 1);
  assert.deepEqual(await files.list("."), []);
});

test("--key: accepts a file, env:// or a URL, and refuses an error page", async (t) => {
  const { cwd, tsign } = generate(t);
  await tsign({ env: PASSWORD });
  const pub = readFileSync(join(cwd, "cosign.pub"), "utf8");
  const { port, close } = await testIo().listen({ host: "127.0.0.1", port: 0 }, async ({ url }) =>
    url === "/cosign.pub" ? { status: 200, body: pub } : { status: 404, body: pub },
  );
  t.after(close);
  writeFileSync(join(cwd, "blob"), "content");
  const env = { ...PASSWORD, KEY: readFileSync(join(cwd, "cosign.key"), "utf8"), PUB: pub };
  await run(["sign-blob", "--key", "env://KEY", ...OFFLINE, "--bundle", "b.json", "blob"], { cwd, env });
  const verify = (key: string) =>
    run(["verify-blob", "--key", key, NO_LOG, "--bundle", "b.json", "blob"], { cwd, env });
  for (const key of ["cosign.pub", "env://PUB", `http://localhost:${port}/cosign.pub`]) {
    const verified = await verify(key);
    assert.equal(verified.code, 0, `${key}: ${verified.stderr}`);
  }
  for (const [key, reason] of [
    ["env://UNSET", /UNSET is not set/],
    [`http://localhost:${port}/absent.pub`, /returned 404/],
    ["missing.pub", /no such file/],
    ["cosign.key", /tsign public-key/],
    ["ftp://x/y", /unrecognized scheme: ftp/],
    ["hashivault://name", /VAULT_ADDR is not set/],
    ["gitlab://group/project", /GITLAB_TOKEN is not set/],
    ["pkcs11:token=t;object=o", /missing PKCS#11 module/],
  ] as const) {
    const refused = await verify(key);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, reason);
  }
});

test("verify-blob: accepts a digest in place of a file", async (t) => {
  const { cwd, tsign } = generate(t);
  await tsign({ env: PASSWORD });
  writeFileSync(join(cwd, "blob"), "content");
  await run(["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "b.json", "blob"], { cwd, env: PASSWORD });
  const verify = (blob: string) =>
    run(["verify-blob", "--key", "cosign.pub", NO_LOG, "--bundle", "b.json", blob], { cwd });
  const sha256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73";
  assert.equal((await verify(`sha256:${sha256}`)).code, 0);
  assert.equal((await verify(`sha256:${sha256.replace("e", "f")}`)).code, 1);
  assert.match((await verify("sha256:short")).stderr, /no such file/);
});
