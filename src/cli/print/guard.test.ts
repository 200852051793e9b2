import assert from "node:assert/strict";
import { test } from "node:test";
import { loadCommand } from "../../commands.ts";
import type { Terminal } from "../../io/io.ts";
import { flagName } from "../parser/argv.ts";
import { TABLE } from "../table.ts";
import { guardedOutput, lineOf } from "./guard.ts";
import { isSecretFlag, knownSecrets, Secrets } from "./secrets.ts";

/** What comes out of guarded streams, on a terminal or into a pipe. */
function guarded(options: { terminal: boolean; secrets?: Secrets }) {
  const written: (string | Uint8Array)[] = [];
  const keep = (content: string | Uint8Array) => written.push(content);
  const tty = { stdin: false, stdinIsNull: true, stdout: options.terminal, stderr: false, columns: 80 };
  const raw = {
    env: {},
    stdout: { write: keep, data: keep },
    stderr: { write: keep },
    tty: { ...tty, status: () => {}, prompt: () => Promise.reject(new Error("no prompt")) },
  };
  const output = guardedOutput(raw, options.secrets ?? new Secrets());
  output.begin({ quiet: false });
  return { ...output, written };
}

test("lineOf keeps the last line feed and leading tabs, and escapes every other control character", () => {
  const cases = [
    ["plain\n", "plain\n"],
    ["question? ", "question? "],
    ["\n", "\n"],
    ["\tindented\n", "\tindented\n"],
    ["x\nVerified OK\n", "x\\nVerified OK\n"],
    ["\nVerified OK\n", "\\nVerified OK\n"],
    ["value\n\n", "value\\n\n"],
    ["\r\u001b[2K", "\\r\\u001b[2K"],
    ["a\tb\u202e\u2028\n", "a\\tb\\u202e\\u2028\n"],
  ] as const;
  for (const [given, shown] of cases) assert.equal(lineOf(given), shown);
});

test("guardedOutput passes data through a pipe to the byte, and shows it escaped on a terminal", () => {
  const bytes = Uint8Array.from([0x7b, 0x0a, 0xe2, 0x80, 0xae, 0x1b, 0xff]);
  const pipe = guarded({ terminal: false });
  pipe.stdout.data(bytes);
  assert.deepEqual(pipe.written, [bytes]);
  const terminal = guarded({ terminal: true });
  terminal.stdout.data(bytes);
  assert.deepEqual(terminal.written, ["{\n\\u202e\\u001b\ufffd"]);
});

test("guardedOutput writes a plain line to stdout without a look at the terminal, which opens its streams", () => {
  const written: string[] = [];
  const refuse = () => assert.fail("the terminal was asked");
  const tty = { status: refuse, prompt: refuse, stdin: false, stdinIsNull: true };
  Object.defineProperties(tty, { stdout: { get: refuse }, stderr: { get: refuse }, columns: { get: refuse } });
  const raw = {
    env: {},
    stdout: { write: (text: string) => written.push(text), data: refuse },
    stderr: { write: refuse },
    tty: tty as unknown as Terminal,
  };
  const output = guardedOutput(raw, new Secrets());
  output.begin({ quiet: false });
  output.stdout.write("v1.2.3\n");
  output.end();
  assert.deepEqual(written, ["v1.2.3\n"]);
});

test("guardedOutput leaves JSON on stdout with the meaning it has, URLs and addresses in it too", () => {
  const value = { issuer: "http://localhost:1234", Subject: "alice@example.com", "x\u202e": "\u2028" };
  const { stdout, written } = guarded({ terminal: false });
  stdout.write(`${JSON.stringify(value)}\n`);
  assert.deepEqual(JSON.parse(String(written[0])), value);
});

test("guardedOutput masks userinfo with a password in messages, and no address without one", () => {
  const { stderr, written } = guarded({ terminal: false });
  stderr.write("https://user:hunter2@host/v2/ and https://github.com/a/b/.github/workflows/r.yml@refs/tags/v1\n");
  stderr.write('issuer "http://localhost:1", subject "alice@example.com"\n');
  assert.deepEqual(written, [
    "https://***@host/v2/ and https://github.com/a/b/.github/workflows/r.yml@refs/tags/v1\n",
    'issuer "http://localhost:1", subject "alice@example.com"\n',
  ]);
});

test("knownSecrets finds the secrets of flags and variables in each spelling, and takes no path or plain word for one", () => {
  const secrets = knownSecrets(
    [
      "sign",
      "--registry-password",
      "pass wörd%1",
      "--pin=123456789",
      "--identity-token",
      "./token.jwt",
      "--key",
      "k.key",
    ],
    {
      GITHUB_TOKEN: "ghp_canary0123456789\n",
      AWS_WEB_IDENTITY_TOKEN_FILE: "/var/run/token",
      COSIGN_PASSWORD: "password",
      COSIGN_KEY: "cosign.key",
      HTTPS_PROXY: "http://user:p#ss/w?rd 1@proxy:3128",
      TUF_MIRROR: "https://me:mirror-pass@mirror.example",
      HOME: "/root",
    },
  );
  const text = [
    ["pass wörd%1", true],
    ["pass%20w%C3%B6rd%251", true],
    [Buffer.from("pass wörd%1").toString("base64"), true],
    ["123456789", true],
    ["ghp_canary0123456789", true],
    ["p#ss/w?rd 1", true],
    ["mirror-pass", true],
    ["./token.jwt", false],
    ["k.key", false],
    ["cosign.key", false],
    ["password", false],
    ["/var/run/token", false],
    ["mirror.example", false],
  ] as const;
  for (const [value, masked] of text) assert.equal(secrets.mask(`<${value}>`) === "<***>", masked, value);
});

test("every flag that is declared a secret is one to the guard", async () => {
  for (const entry of TABLE) {
    for (const [key, flag] of Object.entries((await loadCommand(entry)).flags)) {
      if (flag.secret) assert.ok(isSecretFlag(`--${flagName(key)}`), `${entry.name} --${flagName(key)}`);
    }
  }
});

test("Secrets.addRequest learns what a request authenticates with", () => {
  const secrets = new Secrets();
  const basic = Buffer.from("robot:pass:word-1").toString("base64");
  const request = {
    url: new URL("https://host/?access_token=query-token-1"),
    method: "POST",
    signal: new AbortController().signal,
  };
  secrets.addRequest({ ...request, headers: { authorization: `Basic ${basic}` } });
  secrets.addRequest({ ...request, headers: { authorization: "Bearer opaque.token-2" } });
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  secrets.addRequest({ ...request, headers, body: Buffer.from("client_secret=form%20secret3&scope=openid") });
  for (const secret of ["pass:word-1", basic, "opaque.token-2", "form secret3", "query-token-1"]) {
    assert.equal(secrets.mask(`said: ${secret}.`), "said: ***.");
  }
  assert.equal(secrets.mask("robot asks for openid"), "robot asks for openid");
});

test("Secrets.addRequest: the latest of many tokens, and what is still sent, are left out; the command line's always", () => {
  const secrets = new Secrets();
  secrets.add("own-password-1");
  const request = { url: new URL("https://host/"), method: "GET", signal: new AbortController().signal };
  const send = (token: string) => secrets.addRequest({ ...request, headers: { authorization: `Bearer ${token}` } });
  for (let index = 0; index < 5000; index++) {
    send(`opaque.token-${index}`);
    send("opaque.still-used-7");
  }
  assert.equal(secrets.mask("opaque.token-4999 opaque.token-4900"), "*** ***");
  assert.equal(secrets.mask("opaque.still-used-7 own-password-1"), "*** ***");
  assert.equal(secrets.mask("opaque.token-1"), "opaque.token-1", "forgotten");
});
