import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { systemFiles } from "../src/io/files.ts";
import { PASSWORD, PASSWORDS, terminal } from "./support/passwords.ts";
import { run, temporaryFolder } from "./support/test-io.ts";

async function keyFolder(context: TestContext): Promise<{ cwd: string; key: string }> {
  const cwd = temporaryFolder(context);
  assert.equal((await run(["generate-key-pair"], { cwd, env: PASSWORD })).code, 0);
  return { cwd, key: join(cwd, "cosign.key") };
}

const inspect = async (cwd: string, ...argv: string[]) => {
  const { code, stdout, stderr } = await run(["key", "inspect", "--json", ...argv], { cwd, env: PASSWORD });
  assert.equal(code, 0, stderr);
  return (JSON.parse(stdout) as { result: Record<string, unknown> }).result;
};

test("key inspect: private and public key of a pair -> the same ID, and only the private one encrypted", async (t) => {
  const { cwd } = await keyFolder(t);
  const [priv, pub] = [await inspect(cwd, "cosign.key"), await inspect(cwd, "cosign.pub")];
  assert.equal(priv["kind"], "private key");
  assert.equal(priv["encrypted"], true);
  assert.equal(priv["encryption"], "scrypt (N 65536, r 8, p 1), nacl/secretbox");
  assert.equal(priv["algorithm"], "ECDSA P-256");
  assert.match(String(priv["keyId"]), /^[0-9a-f]{64}$/);
  assert.equal(pub["kind"], "public key");
  assert.equal(pub["keyId"], priv["keyId"]);
  assert.equal("encrypted" in pub, false);
});

test("key inspect: shows one fact a line", async (t) => {
  const { cwd } = await keyFolder(t);
  const { stdout } = await run(["key", "inspect", "cosign.key"], { cwd, env: PASSWORD });
  assert.match(stdout, /^key: {9}cosign\.key\nkind: {8}private key\nprovider: {4}key file\nencrypted: {3}yes, scrypt /);
});

test("key inspect: --no-password -> no prompt, no ID; wrong password -> refused", async (t) => {
  const { cwd } = await keyFolder(t);
  const shown = await run(["key", "inspect", "--no-password", "cosign.key"], { cwd, tty: { stdinIsNull: true } });
  assert.equal(shown.code, 0, shown.stderr);
  assert.doesNotMatch(shown.stdout, /key id|algorithm/);
  const wrong = await run(["key", "inspect", "cosign.key"], { cwd, env: { COSIGN_PASSWORD: "other" } });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /cosign\.key: decrypt: encrypted: decryption failed/);
  assert.equal(wrong.stdout, "");
});

test("key inspect: keys of other programs -> their kind, and what to do", async (t) => {
  const cwd = temporaryFolder(t);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(join(cwd, "plain.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  const locked = privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" });
  writeFileSync(join(cwd, "locked.pem"), locked);
  const plain = await inspect(cwd, "plain.pem");
  assert.deepEqual([plain["encrypted"], plain["algorithm"]], [false, "RSA 2048, PKCS#1 v1.5"]);
  assert.match(String(plain["note"]), /import-key-pair/);
  const other = await inspect(cwd, "locked.pem");
  assert.deepEqual([other["encrypted"], other["algorithm"]], [true, undefined]);
});

test("key inspect: no key, a text, a damaged file, a missing file -> one clear line", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "text"), "hello");
  writeFileSync(join(cwd, "bad.crt"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const cases = { text: /text: invalid key: it is not PEM/, none: /none: no such file/, "bad.crt": /bad\.crt: / };
  for (const [file, pattern] of Object.entries(cases)) {
    const { code, stdout, stderr } = await run(["key", "inspect", file], { cwd });
    assert.equal(code, 1);
    assert.match(stderr, pattern);
    assert.doesNotMatch(stderr, /internal/);
    assert.equal(stdout, "");
  }
  assert.match((await run(["key", "inspect"], { cwd })).stderr, /a key reference or --sk is required/);
});

test("key change-password: the new password opens the same key, the old one does not", async (t) => {
  const { cwd, key } = await keyFolder(t);
  chmodSync(key, 0o640);
  const before = await inspect(cwd, "cosign.key");
  const changed = await run(["key", "change-password", "cosign.key"], { cwd, env: PASSWORDS });
  assert.equal(changed.code, 0, changed.stderr);
  assert.equal(changed.stderr, `Password of cosign.key changed; its key is still ${before["keyId"]}\n`);
  assert.equal(statSync(key).mode & 0o777, 0o640);
  const opens = async (password: string) =>
    (await run(["public-key", "--key", "cosign.key"], { cwd, env: { COSIGN_PASSWORD: password } })).stdout;
  assert.equal(await opens("new"), readFileSync(join(cwd, "cosign.pub"), "utf8"));
  assert.equal(await opens("pw"), "");
  assert.deepEqual(readdirSync(cwd), ["cosign.key", "cosign.pub"]);
});

test("key change-password: asks for the old password, then twice for the new one", async (t) => {
  const { cwd } = await keyFolder(t);
  const tty = terminal("pw", "typed", "typed");
  assert.equal((await run(["key", "change-password", "cosign.key"], { cwd, tty })).code, 0);
  const differ = await run(["key", "change-password", "cosign.key"], { cwd, tty: terminal("typed", "a", "b") });
  assert.match(differ.stderr, /passwords do not match/);
  const open = await run(["public-key", "--key", "cosign.key"], { cwd, env: { COSIGN_PASSWORD: "typed" } });
  assert.equal(open.code, 0);
});

test("key change-password: an empty new password -> a warning", async (t) => {
  const { cwd } = await keyFolder(t);
  const env = { ...PASSWORD, COSIGN_NEW_PASSWORD: "" };
  const { code, stderr } = await run(["key", "change-password", "cosign.key"], { cwd, env });
  assert.equal(code, 0);
  assert.match(stderr, /^WARNING: the new password of cosign\.key is empty\n/);
});

test("key change-password: a link keeps leading to the file", async (t) => {
  const { cwd, key } = await keyFolder(t);
  symlinkSync(key, join(cwd, "link"));
  assert.equal((await run(["key", "change-password", "link"], { cwd, env: PASSWORDS })).code, 0);
  assert.ok(lstatSync(join(cwd, "link")).isSymbolicLink());
  const opened = await run(["public-key", "--key", "cosign.key"], { cwd, env: { COSIGN_PASSWORD: "new" } });
  assert.equal(opened.code, 0);
});

test("key change-password: whatever is refused leaves the file as it was", async (t) => {
  const { cwd, key } = await keyFolder(t);
  writeFileSync(
    join(cwd, "plain.pem"),
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
  );
  linkSync(key, join(cwd, "second-name"));
  const before = readFileSync(key, "utf8");
  const refused: [file: string, env: Record<string, string>, reason: RegExp][] = [
    ["cosign.key", { COSIGN_PASSWORD: "wrong", COSIGN_NEW_PASSWORD: "new" }, /decryption failed/],
    ["cosign.key", { COSIGN_PASSWORD: "pw" }, /COSIGN_NEW_PASSWORD is not set/],
    ["cosign.key", PASSWORDS, /the file has 2 hard links/],
    ["cosign.pub", PASSWORDS, /this is a public key/],
    ["plain.pem", PASSWORDS, /unsupported pem type: PRIVATE KEY/],
    ["none.key", PASSWORDS, /none\.key: no such file/],
    ["env://KEY", PASSWORDS, /not a file/],
    ["-", PASSWORDS, /not a file/],
    ["awskms:///alias/x", PASSWORDS, /the key is in AWS KMS, not in a file/],
  ];
  for (const [file, env, reason] of refused) {
    const { code, stderr } = await run(["key", "change-password", file], { cwd, env: { KEY: before, ...env } });
    assert.equal(code, 1, file);
    assert.match(stderr, reason);
    assert.doesNotMatch(stderr, /BEGIN/);
  }
  assert.equal(readFileSync(key, "utf8"), before);
  assert.equal(existsSync(join(cwd, "none.key")), false);
});

test("key change-password: a read-only file is refused before a password is asked for", async (t) => {
  const { cwd, key } = await keyFolder(t);
  chmodSync(key, 0o400);
  const { stderr } = await run(["key", "change-password", "cosign.key"], { cwd, tty: terminal() });
  assert.match(stderr, /the file is read-only/);
});

test("key change-password: another key written meanwhile, and a file removed meanwhile -> refused, nothing lost", async (t) => {
  const { cwd, key } = await keyFolder(t);
  const meanwhile = (change: () => void) => {
    const tty = terminal("pw", "new", "new");
    let asked = 0;
    const prompt: NonNullable<typeof tty.prompt> = async (...question) => {
      if (++asked === 2) change();
      return (await tty.prompt?.(...question)) ?? "";
    };
    return run(["key", "change-password", "cosign.key"], { cwd, tty: { ...tty, prompt } });
  };
  const replaced = await meanwhile(() => writeFileSync(key, "another key"));
  assert.equal(replaced.code, 1);
  assert.match(replaced.stderr, /replace cosign\.key: the file has changed since it was read/);
  assert.equal(readFileSync(key, "utf8"), "another key");
  assert.deepEqual(readdirSync(cwd), ["cosign.key", "cosign.pub"]);
  rmSync(key);
  rmSync(join(cwd, "cosign.pub"));
  assert.equal((await run(["generate-key-pair"], { cwd, env: PASSWORD })).code, 0);
  const removed = await meanwhile(() => rmSync(key));
  assert.equal(removed.code, 1);
  assert.match(removed.stderr, /replace cosign\.key: no such file/);
  assert.deepEqual(readdirSync(cwd), ["cosign.pub"]);
});

test("key change-password: two at once -> one succeeds, and its password opens the key", async (t) => {
  const { cwd } = await keyFolder(t);
  const before = readFileSync(join(cwd, "cosign.pub"), "utf8");
  const change = (password: string) =>
    run(["key", "change-password", "cosign.key"], { cwd, env: { ...PASSWORD, COSIGN_NEW_PASSWORD: password } });
  const outcomes = await Promise.all([change("one"), change("two")]);
  assert.deepEqual(outcomes.map(({ code }) => code).sort(), [0, 1]);
  const password = outcomes[0].code === 0 ? "one" : "two";
  const opened = await run(["public-key", "--key", "cosign.key"], { cwd, env: { COSIGN_PASSWORD: password } });
  assert.equal(opened.stdout, before);
});

test("files.replaceProven: content that is not proven -> the old file, and nothing beside it", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "f"), "old");
  const files = systemFiles(cwd);
  const unreadable = new TsignError("input", "unreadable");
  const seen: string[] = [];
  const attempt = files.replaceProven("f", Buffer.from("old"), "new", async (written) => {
    seen.push(Buffer.from(written).toString());
    throw unreadable;
  });
  await assert.rejects(attempt, unreadable);
  assert.deepEqual(seen, ["new"]);
  assert.equal(readFileSync(join(cwd, "f"), "utf8"), "old");
  assert.deepEqual(readdirSync(cwd), ["f"]);
  await assert.rejects(
    files.replaceProven("none", Buffer.alloc(0), "x", async () => {}),
    /no such file/,
  );
  await assert.rejects(
    files.replaceProven(".", Buffer.alloc(0), "x", async () => {}),
    /is a directory/,
  );
});
