import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { systemIo } from "../src/io/system.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, type Outcome, run, temporaryFolder, testRegistry } from "./support/test-io.ts";

const real = systemIo();
const DIGEST = `sha256:${"a".repeat(64)}`;
const SIGN_BLOB = ["sign-blob", ...OFFLINE, "-y", "--bundle", "out.json", "--key"];
const VERIFY_BLOB = ["verify-blob", NO_LOG, "--key"];

/** Milliseconds. Shorter timers are pauses between retries, longer ones time limits. */
const PAUSE = 10_000;

/** A key pair, a signed file, and invalid files. */
async function workshop(context: TestContext) {
  const cwd = temporaryFolder(context);
  const tsign = (argv: readonly string[], env = {}, stdin = "") =>
    run([...argv], {
      cwd,
      env: { COSIGN_PASSWORD: "pw", TUF_MIRROR: "http://localhost:1", ...env },
      stdin,
      io: { sleep: (milliseconds, signal) => real.sleep(milliseconds < PAUSE ? 1 : milliseconds, signal) },
    });
  writeKeyPairs(cwd, "a", "b");
  const contents = { "file.txt": "hello", "empty.bin": "", "bad.json": '{"a":', "predicate.json": '{"tested":true}' };
  for (const [name, text] of Object.entries(contents)) writeFileSync(join(cwd, name), text);
  writeFileSync(join(cwd, "bad.pem"), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
  mkdirSync(join(cwd, "folder"));
  const signed = await tsign([...SIGN_BLOB.slice(0, -3), "--bundle", "good.json", "--key", "a.key", "file.txt"]);
  assert.equal(signed.code, 0, signed.stderr);
  return { cwd, tsign };
}

/** Checks the form of a failure: one line, hints below, no internals, no secret. */
function assertFailure({ code, stdout, stderr }: Outcome, argv: readonly string[], expected: number): void {
  const line = argv.join(" ");
  assert.equal(code, expected, `${line}: ${stderr}`);
  assert.equal(stdout, "", line);
  assert.equal(stderr.match(/^Error: /gm)?.length, 1, `${line}: ${stderr}`);
  assert.match(stderr, /^Error: \S.*[^.]\n(hint: .+\n)?$/m, line);
  assert.doesNotMatch(
    stderr,
    /internal error:|\n\s+at |undefined|\[object|NaN|Zod|TypeError|SyntaxError|hunter2/,
    line,
  );
}

test("every flag for a file: missing, folder, empty or wrong kind -> error names the file", async (t) => {
  const { tsign } = await workshop(t);
  const image = `localhost:1/app@${DIGEST}`;
  for (const file of ["missing", "folder", "empty.bin", "bad.json", "bad.pem"]) {
    const lines = [
      [...SIGN_BLOB, file, "file.txt"],
      [...VERIFY_BLOB, file, "--bundle", "good.json", "file.txt"],
      [...VERIFY_BLOB, "a.pub", "--bundle", file, "file.txt"],
      ["verify-blob", "--key", "a.pub", "--trusted-root", file, "--bundle", "good.json", "file.txt"],
      ["verify-blob-attestation", NO_LOG, "--key", "a.pub", "--bundle", file, "file.txt"],
      ["sign-blob", "-y", "--signing-config", file, "--bundle", "out.json", "--key", "a.key", "file.txt"],
      ["public-key", "--key", file],
      ["import-key-pair", "--key", file],
      ["bundle", "inspect", file],
      ["bundle", "upgrade", file],
      ["load", "--dir", file, "localhost:1/app"],
      ["verify", NO_LOG, "--key", "a.pub", "--local-image", file],
      ["dockerfile", "verify", "--key", "a.pub", file],
      ["manifest", "verify", "--key", "a.pub", file],
      ["download", "signature", "--registry-cacert", file, "localhost:1/app:v1"],
      ["attach", "attestation", "--attestation", file, image],
      ["signing-config", "create", "--base-config", file],
      ["initialize", "--mirror", "http://localhost:1", "--root", file],
      [...SIGN_BLOB, "a.key", "--certificate", file, "file.txt"],
      [...SIGN_BLOB, "a.key", "--certificate", file, "--certificate-chain", file, "file.txt"],
      [...VERIFY_BLOB, "a.pub", "--certificate-chain", file, "--bundle", "good.json", "file.txt"],
    ];
    for (const line of lines) {
      const failed = await tsign(line);
      // A valid public key or certificate authority fails for another reason.
      assertFailure(failed, line, 1);
      if (!line.includes("--registry-cacert"))
        assert.match(failed.stderr, new RegExp(`^Error: .*${file}`, "m"), line.join(" "));
    }
  }
});

test("wrong command line -> hint names the command's help", async () => {
  const lines = [
    ["sign"],
    ["load", "a", "b"],
    ["verify", "--bogus", "image"],
    ["verify", "-z", "image"],
    ["verify", "--max-workers=x", "image"],
    ["verify", "--max-workers=0", "--key", "a.pub", "image"],
    ["tree", "--timeout=x", "image"],
    ["verify", "--key"],
    ["load", "image"],
    ["sign", "--key", "a.key", "--sk", "image"],
    ["verify", "localhost:1/app"],
    ["verify", "--certificate-identity", "x", "localhost:1/app"],
    ["bundle", "create"],
  ];
  for (const line of lines) {
    const failed = await run([...line]);
    assertFailure(failed, line, 1);
    const name = line[0] === "bundle" ? "bundle create" : line[0];
    assert.match(failed.stderr, new RegExp(`^hint: .*(run \`tsign ${name}|--|did you mean)`, "m"), line.join(" "));
  }
});

test("error of a registry or service -> one line and a hint", async (t) => {
  const { tsign } = await workshop(t);
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, async ({ url }) => {
    const status = Number(/\/s(\d+)/.exec(url)?.[1] ?? 200);
    const headers: Record<string, string> = status === 401 ? { "www-authenticate": 'Basic realm="r"' } : {};
    return { status, headers, body: '{"errors":[{"code":"X","message":"said\\u001b[2J no"}]}' };
  });
  t.after(close);
  const hints: Record<string, RegExp> = {
    s401: /tsign login localhost/,
    s403: /tsign login localhost/,
    s404: /^/,
    s500: /try again later/,
  };
  const commands = [
    ["verify", NO_LOG, "--key", "a.pub"],
    ["verify-attestation", NO_LOG, "--key", "a.pub"],
    ["sign", ...OFFLINE, "--key", "a.key"],
    ["attest", ...OFFLINE, "--key", "a.key", "--predicate", "predicate.json"],
    ["download", "signature"],
    ["clean", "--force"],
    ["save", "--dir", "saved"],
    ["copy", "--force", "localhost:1/other:v1"],
  ];
  const env = { COSIGN_REGISTRY_USERNAME: "user", COSIGN_REGISTRY_PASSWORD: "hunter2" };
  for (const [status, hint] of Object.entries(hints)) {
    for (const command of commands) {
      const line =
        command[0] === "copy"
          ? ["copy", `localhost:${port}/${status}/app:v1`, "localhost:1/other:v1"]
          : [...command, `localhost:${port}/${status}/app:v1`];
      const failed = await tsign(line, env);
      assertFailure(failed, line, status === "s404" && command[0] === "verify" ? 11 : 1);
      assert.match(failed.stderr, hint, line.join(" "));
      assert.doesNotMatch(failed.stderr, /\u001b/);
    }
  }
  const dead = await tsign(["verify", NO_LOG, "--key", "a.pub", "localhost:1/app:v1"]);
  assertFailure(dead, ["dead"], 1);
  assert.match(dead.stderr, /connection refused\nhint: check that the server is running/);
});

test("refused question, missing password, wrong input -> one line", async (t) => {
  const { tsign } = await workshop(t);
  const clean = ["clean", `localhost:1/app@${DIGEST}`];
  for (const answer of ["n\n", "", "maybe\n"]) assertFailure(await tsign(clean, {}, answer), clean, 1);
  const lines: [line: string[], env: Record<string, string>, text: RegExp][] = [
    [
      [...SIGN_BLOB, "a.key", "file.txt"],
      { COSIGN_PASSWORD: "hunter2" },
      /a\.key: .*decryption failed\nhint: .*COSIGN_PASSWORD/,
    ],
    [[...VERIFY_BLOB, "b.pub", "--bundle", "good.json", "file.txt"], {}, /good\.json does not verify file\.txt/],
    [[...VERIFY_BLOB, "env://NONE", "--bundle", "good.json", "file.txt"], {}, /NONE is not set/],
    [[...VERIFY_BLOB, "foo://x", "--bundle", "good.json", "file.txt"], {}, /hint: use pkcs11:, awskms:/],
    [["login", "-u", "a", "localhost:1"], {}, /hint: .*--password-stdin/],
    [["sign-blob", "-y", "--key", "a.key", "--bundle", "out.json", "file.txt"], {}, /hint: run `tsign initialize/],
    [[...SIGN_BLOB.map((each) => (each === "out.json" ? "folder" : each)), "a.key", "file.txt"], {}, /write folder/],
    [["version", "--output-file", "none/version.txt"], {}, /write none\/version\.txt/],
    [["bogus"], {}, /hint: run `tsign --help`/],
  ];
  for (const [line, env, text] of lines) {
    const failed = await tsign(line, env);
    assertFailure(failed, line, 1);
    assert.match(failed.stderr, text, line.join(" "));
  }
});

test("upload: file cannot be read -> file error, not a network error", async (t) => {
  const { cwd, image, ok, tsign, registry } = await storageWorkshop(t);
  await ok("save", "--dir", "saved", image);
  const { layers } = JSON.parse(readFileSync(join(cwd, "saved/blobs/sha256", image.split("sha256:")[1]!), "utf8"));
  const layer = join(cwd, "saved/blobs/sha256", layers[0].digest.slice(7));
  renameSync(layer, join(cwd, "elsewhere"));
  symlinkSync(join(cwd, "elsewhere"), layer);
  const fresh = await testRegistry(t);
  assert.notEqual(fresh, registry);
  const failed = await tsign("load", "--dir", "saved", `${fresh}/app:v1`);
  assertFailure(failed, ["load"], 1);
  assert.match(failed.stderr, /^Error: .*saved\/blobs\/sha256\/[0-9a-f]+ is not a regular file/);
});
