import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { folder, TSIGN } from "./support.ts";

/**
 * Mistakes of a user's first hour, on a real terminal (util-linux `script`): the last line names the remedy, and
 * following it works.
 */

interface Shown {
  readonly code: number;
  /** The screen's lines without styles and empty lines. */
  readonly lines: readonly string[];
  readonly text: string;
}

/** What is typed once the screen shows a text. */
type Typed = readonly [shown: RegExp, keys: string];

const CTRL_C = "\x03";
const PASSWORD = "first-hour";
let cwd = "";
let env: Record<string, string> = {};
let sandbox: ChildProcess | undefined;
let image = "";

/** Runs a shell's command line on a terminal of 200 columns. */
function onTerminal(command: string, typed: readonly Typed[] = [], more: Record<string, string> = {}): Promise<Shown> {
  const child = spawn("script", ["-qefc", `stty cols 200; trap : INT; ${command}`, "/dev/null"], {
    cwd,
    env: { ...env, TERM: "xterm", ...more },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let text = "";
  const left = [...typed];
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    text += piece;
    const [next] = left;
    if (!next?.[0].test(text)) return;
    left.shift();
    child.stdin.write(next[1]);
  });
  return new Promise((done, fail) => {
    const timer = globalThis.setTimeout(() => child.kill("SIGKILL"), 40_000);
    child.on("error", fail);
    child.on("close", (code) => {
      clearTimeout(timer);
      done({ code: code ?? 128, text, lines: screenOf(text) });
    });
  });
}

/** Returns the lines on the screen at the end, without those that were overwritten or erased. */
function screenOf(text: string): string[] {
  return text
    .replaceAll(/\x1b\]8;[^\x07\x1b]*(?:\x07|\x1b\\)/g, "")
    .split("\n")
    .map((line) => line.replace(/\r+$/, "").replace(/^.*(?:\r|\x1b\[2?K)/s, ""))
    .map((line) => line.replaceAll(/\x1b\[[0-9;?]*[A-Za-z]/g, "").trimEnd())
    .filter((line) => line.trim() !== "");
}

/** The last message: the hint, with the lines it was wrapped into. */
function hintOf({ lines, text }: Shown): string {
  const start = lines.findLastIndex((line) => line.startsWith("hint: "));
  assert.notEqual(start, -1, text);
  const hint = lines.slice(start);
  assert.ok(
    hint.slice(1).every((line) => line.startsWith("      ")),
    text,
  );
  return hint.map((line) => line.replace(/^(?:hint:)? +/, "")).join(" ");
}

/** The command between backticks in a hint. */
function commandIn(hint: string): string {
  return /`(tsign [^`]+)`/.exec(hint)?.[1] ?? assert.fail(hint);
}

/** A command line that must succeed, without a terminal. */
async function ok(command: string, more: Record<string, string> = {}): Promise<string> {
  const child = spawn("sh", ["-c", command], { cwd, env: { ...env, ...more }, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece));
  const code = await new Promise((done) => child.on("close", done));
  assert.equal(code, 0, `${command}: ${text}`);
  return text;
}

async function failed(
  command: string,
  typed: readonly Typed[] = [],
  more: Record<string, string> = {},
): Promise<Shown> {
  const shown = await onTerminal(command, typed, more);
  assert.notEqual(shown.code, 0, shown.text);
  assert.ok(
    shown.lines.some((line) => line.startsWith("Error: ")),
    shown.text,
  );
  return shown;
}

/** The first signer that `tree --signers` lists with a certificate. */
function signerIn(listed: string): { name: string; issuer: string } {
  const [, name = "", issuer = ""] = /(\S+@\S+) \((https?:[^)]+)\)/.exec(listed) ?? assert.fail(listed);
  return { name, issuer };
}

before(async (context) => {
  cwd = folder(context as never);
  mkdirSync(join(cwd, "home"));
  const base = { PATH: `${dirname(TSIGN)}:${process.env["PATH"]}`, HOME: join(cwd, "home") };
  sandbox = spawn(
    TSIGN,
    ["sandbox", "exec", "--timeout", "10m", "--", "sh", "-c", "env > env.part; mv env.part env; cat"],
    {
      cwd,
      env: base,
      stdio: ["pipe", "inherit", "inherit"],
    },
  );
  for (let attempt = 0; attempt < 300 && !existsSync(join(cwd, "env")); attempt++) await setTimeout(100);
  const exported = readFileSync(join(cwd, "env"), "utf8").split("\n");
  env = Object.fromEntries(
    exported.filter((line) => line.includes("=")).map((line) => line.split(/=(.*)/s).slice(0, 2)),
  );
  writeFileSync(join(cwd, "f.txt"), "content\n");
  const password = { COSIGN_PASSWORD: PASSWORD };
  await ok("tsign generate-key-pair --output-key-prefix a && tsign generate-key-pair --output-key-prefix b", password);
  image = (await ok("tsign sandbox push app:v1")).trim();
  await ok(`tsign sign --key a.key ${image}`, password);
  await ok(`tsign sign --identity-token "$(tsign sandbox token --email dev@example.com)" ${image}`);
});

after(() => sandbox?.stdin?.end());

test("wrong flag -> the flag that was meant, which works", async () => {
  const hint = hintOf(await failed(`tsign tree --signer ${image}`));
  const [meant = ""] = /--[a-z-]+/.exec(hint) ?? [];
  assert.equal(meant, "--signers");
  await ok(`tsign tree ${meant} ${image}`);
});

test("wrong key -> check --key, and the command that lists the signers", async () => {
  const hint = hintOf(await failed(`tsign verify --key b.pub ${image}`));
  assert.match(hint, /--key/);
  assert.match(await ok(commandIn(hint)), /dev@example\.com/);
  await ok(`tsign verify --key a.pub ${image}`);
});

for (const [mistake, flags] of [
  ["wrong identity", "--certificate-identity eve@example.com --certificate-oidc-issuer $TSIGN_SANDBOX_ISSUER"],
  ["missing identity", ""],
] as const) {
  test(`${mistake} -> the command that lists the signers; its signer verifies`, async () => {
    const hint = hintOf(await failed(`tsign verify ${flags} ${image}`));
    const { name, issuer } = signerIn(await ok(commandIn(hint)));
    await ok(`tsign verify --certificate-identity '${name}' --certificate-oidc-issuer '${issuer}' ${image}`);
  });
}

test("registry down -> check the address; at the right one it verifies", async () => {
  const [, rest = ""] = /^[^/]+(\/.*)$/.exec(image) ?? [];
  const shown = await failed(`tsign verify --key a.pub localhost:1${rest}`);
  assert.match(hintOf(shown), /address|running/);
  await ok(`tsign verify --key a.pub ${image}`);
});

test("no network, key -> the command that makes an empty signing config; then the flag that verifies", async () => {
  const cut = { TUF_MIRROR: "http://127.0.0.1:1", TUF_ROOT: join(cwd, "empty"), COSIGN_PASSWORD: PASSWORD };
  const fresh = (await ok("tsign sandbox push offline:v1")).trim();
  const hint = hintOf(await failed(`tsign sign --key a.key ${fresh}`, [], cut));
  await ok(commandIn(hint), cut);
  const [flag = ""] = /--signing-config \S+$/.exec(hint) ?? assert.fail(hint);
  await ok(`tsign sign --key a.key ${flag} ${fresh}`, cut);
  const unlogged = hintOf(
    await failed(`tsign verify --key a.pub --trusted-root $TSIGN_SANDBOX_TRUSTED_ROOT ${fresh}`, [], cut),
  );
  const [skip = ""] = /--insecure-ignore-tlog/.exec(unlogged) ?? assert.fail(unlogged);
  await ok(`tsign verify --key a.pub ${skip} ${fresh}`, cut);
});

test("no password -> COSIGN_PASSWORD, which works", async () => {
  const command = "tsign sign-blob --yes --key a.key --bundle p.json f.txt";
  assert.match(hintOf(await failed(`${command} </dev/null`)), /COSIGN_PASSWORD/);
  assert.match(hintOf(await failed(command, [[/Enter password/, "wrong\r"]])), /password/);
  assert.ok(!existsSync(join(cwd, "p.json")));
  await ok(command, { COSIGN_PASSWORD: PASSWORD });
});

test("expired token -> get a new one, which works", async () => {
  const token = (await ok("tsign sandbox token --ttl 1s")).trim();
  await setTimeout(1500);
  const sign = (given: string) => `tsign sign-blob --identity-token "${given}" --bundle t.json f.txt`;
  assert.match(hintOf(await failed(sign(token))), /new/);
  await ok(sign("$(tsign sandbox token)"));
});

test("Ctrl-C at a password prompt -> exit 130, the terminal echoes again, nothing is written, and a new run works", async () => {
  const command = "tsign sign-blob --yes --key a.key --bundle c.json f.txt";
  const { lines, text } = await onTerminal(`${command}; echo "code $?"; stty -a | grep -ow -e -echo -e echo`, [
    [/Enter password/, CTRL_C],
  ]);
  assert.deepEqual(lines.slice(-3), ["Error: interrupted", "code 130", "echo"], text);
  assert.ok(!existsSync(join(cwd, "c.json")));
  const again = await onTerminal(command, [[/Enter password/, `${PASSWORD}\r`]]);
  assert.equal(again.code, 0, again.text);
});

test("Ctrl-C while progress is shown -> no progress after it, nothing is written", async () => {
  writeFileSync(join(cwd, "large"), "");
  truncateSync(join(cwd, "large"), 6 * 1024 ** 3);
  const command = "tsign sign-blob --yes --key a.key --bundle l.json large";
  const shown = await onTerminal(`${command}; echo "code $?"`, [[/%/, CTRL_C]], { COSIGN_PASSWORD: PASSWORD });
  assert.deepEqual(shown.lines.slice(-2), ["Error: interrupted", "code 130"], shown.text);
  assert.ok(!shown.lines.some((line) => line.includes("%")), shown.text);
  assert.ok(!existsSync(join(cwd, "l.json")));
});

test("Ctrl-C in a login -> exit 130, and the token of another way works", async () => {
  const command = "tsign sign-blob --yes --bundle o.json f.txt";
  const shown = await onTerminal(`${command}; echo "code $?"`, [[/http:\/\/\S+/, CTRL_C]], { BROWSER: "none" });
  assert.deepEqual(shown.lines.slice(-2), ["Error: interrupted", "code 130"], shown.text);
  assert.ok(!existsSync(join(cwd, "o.json")));
  await ok(`${command} --identity-token "$(tsign sandbox token)"`);
});

test("signing as a CI job -> the printed command verifies, and the note names the certificate's identity", async () => {
  const shown = await onTerminal(`tsign sign --yes --identity-token "$(tsign sandbox token --github)" ${image}`);
  assert.equal(shown.code, 0, shown.text);
  const identity = /^Certificate identity: (.+)$/m.exec(shown.lines.join("\n"))?.[1] ?? assert.fail(shown.text);
  assert.ok(
    shown.lines.some((line) => line.startsWith("Note: ") && line.includes(identity.slice(0, 20))),
    shown.text,
  );
  const command = shown.lines.find((line) => line.startsWith("    tsign verify ")) ?? assert.fail(shown.text);
  await ok(command);
});
