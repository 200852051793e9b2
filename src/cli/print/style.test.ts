import assert from "node:assert/strict";
import { test } from "node:test";
import { guardedOutput } from "./guard.ts";
import { Secrets } from "./secrets.ts";
import { type Look, lookOf, mark, paint, shortDigests } from "./style.ts";
import { breaksOf, shorten, widthOf } from "./wrap.ts";

type Env = Readonly<Record<string, string | undefined>>;

function terminal({ stderr = true, stdout = true, columns = 80 } = {}) {
  return {
    stdin: false,
    stdinIsNull: true,
    stdout,
    stderr,
    columns,
    status: () => {},
    prompt: () => Promise.reject(new Error("no prompt")),
  };
}

function look(env: Env, options: { stderr?: boolean; stdout?: boolean; columns?: number } = {}): Look {
  return lookOf({ env, tty: terminal(options) }, "stderr");
}

/** What guarded streams write for one line. */
function shown(
  text: string,
  options: { env?: Env; stderr?: boolean; columns?: number; parts?: { text: string; link?: string; style?: "good" }[] },
): string {
  const written: string[] = [];
  const keep = (each: string | Uint8Array) => written.push(String(each));
  const raw = {
    env: options.env ?? { LANG: "C.UTF-8" },
    tty: terminal(options),
    stdout: { write: keep, data: keep },
    stderr: { write: keep },
  };
  const output = guardedOutput(raw, new Secrets());
  output.begin({ quiet: false });
  output.stderr.write(text, options.parts ? { parts: options.parts } : undefined);
  return written.join("");
}

test("lookOf: colour needs a terminal, unless NO_COLOR, TERM=dumb or FORCE_COLOR decide", () => {
  const cases: [Env, boolean, boolean][] = [
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ TERM: "dumb" }, true, false],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "1", NO_COLOR: "1" }, true, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ FORCE_COLOR: "false" }, true, false],
    [{ FORCE_COLOR: "" }, false, false],
  ];
  for (const [env, stderr, colour] of cases) {
    assert.equal(look(env, { stderr }).colour, colour, JSON.stringify([env, stderr]));
  }
  assert.equal(lookOf({ env: {}, tty: terminal({ stderr: false }) }, "stdout").colour, true, "each stream for itself");
});

test("lookOf: marks are ASCII without a UTF-8 locale and on a dumb terminal", () => {
  const cases: [Env, string][] = [
    [{ LANG: "en_US.UTF-8" }, "✓"],
    [{ LC_ALL: "C", LANG: "en_US.UTF-8" }, "ok"],
    [{ LC_CTYPE: "de_DE.utf8", LANG: "C" }, "✓"],
    [{ LANG: "C.UTF-8", TERM: "dumb" }, "ok"],
    [{}, "ok"],
    [{ WT_SESSION: "1" }, "✓"],
  ];
  for (const [env, text] of cases) assert.equal(mark("good", look(env)).text, text, JSON.stringify(env));
});

test("lookOf: links only on terminals that are known to show them", () => {
  const cases: [Env, boolean][] = [
    [{ TERM: "xterm-256color" }, false],
    [{ TERM: "xterm-kitty" }, true],
    [{ VTE_VERSION: "7600" }, true],
    [{ VTE_VERSION: "4205" }, false],
    [{ TERM_PROGRAM: "WezTerm" }, true],
    [{ TERM_PROGRAM: "WezTerm", TMUX: "/tmp/tmux" }, false],
    [{ TERM: "screen", VTE_VERSION: "7600" }, false],
    [{ TERM: "xterm-kitty", NO_COLOR: "1" }, false],
  ];
  for (const [env, links] of cases) assert.equal(look(env).links, links, JSON.stringify(env));
  assert.equal(look({ TERM: "xterm-kitty", FORCE_COLOR: "1" }, { stderr: false }).links, false, "not in a pipe");
});

test("paint: a link is written only for a plain http(s) URL", () => {
  const all = { colour: true, links: true };
  assert.equal(
    paint({ text: "12", link: "https://a.example/?i=12" }, all),
    "\u001b]8;;https://a.example/?i=12\u001b\\12\u001b]8;;\u001b\\",
  );
  for (const link of ["javascript:x", "https://a.example/\u0007", "https://a b", "https://\u001b]8;;"]) {
    assert.equal(paint({ text: "x", link }, all), "x", JSON.stringify(link));
  }
  assert.equal(paint({ text: "x", style: "good", link: "https://a.example" }, { colour: false, links: false }), "x");
});

test("guardedOutput: labels are styled on a terminal, and a pipe gets the text alone", () => {
  assert.equal(shown("Error: no\n", {}), "\u001b[1;31mError:\u001b[0m no\n");
  assert.equal(shown("WARNING: no\n", {}), "\u001b[1;33mWARNING:\u001b[0m no\n");
  assert.equal(shown("hint: do\n", {}), "\u001b[36mhint:\u001b[0m do\n");
  for (const text of [
    "Error: no\n",
    "WARNING: no\n",
    "hint: do\n",
    "a".repeat(200).replaceAll("aaaa", "aaa ").concat("\n"),
  ]) {
    assert.equal(shown(text, { stderr: false }), text);
  }
});

test("guardedOutput: text from outside is escaped in every part, and cannot open a link or a style", () => {
  const evil = "x\u001b]8;;https://evil.example\u001b\\y\u001b[2J\nVerified OK";
  const safe = "x\\u001b]8;;https://evil.example\\u001b\\y\\u001b[2J\\nVerified OK";
  const parts = [{ text: evil, style: "good" as const, link: "https://a.example/1" }];
  const wide = { columns: 500 };
  assert.equal(
    shown(`${evil}\n`, { ...wide, parts, env: { TERM: "xterm-kitty" } }),
    `\u001b]8;;https://a.example/1\u001b\\\u001b[32m${safe}\u001b[0m\u001b]8;;\u001b\\\n`,
  );
  assert.equal(shown(`Error: ${evil}\n`, wide), `\u001b[1;31mError:\u001b[0m ${safe}\n`);
  assert.equal(shown(`${evil}\n`, { ...wide, stderr: false, parts }), `${safe}\n`);
  assert.equal(
    shown("one text\n", { parts: [{ text: "another", style: "good" }] }),
    "one text\n",
    "parts must be the text",
  );
});

test("guardedOutput: a secret in two parts is masked", () => {
  const secrets = new Secrets();
  secrets.add("hunter2-hunter2");
  const written: string[] = [];
  const keep = (each: string | Uint8Array) => written.push(String(each));
  const raw = { env: {}, tty: terminal(), stdout: { write: keep, data: keep }, stderr: { write: keep } };
  const output = guardedOutput(raw, secrets);
  output.begin({ quiet: false });
  output.stderr.write("hunter2-hunter2\n", { parts: [{ text: "hunter2" }, { text: "-hunter2", style: "good" }] });
  assert.deepEqual(written, ["***\n"]);
});

test("guardedOutput: quiet shows nothing but what is always shown, and warnings from before are dropped with it", () => {
  for (const [quiet, expected] of [
    [true, ["Error: e\n"]],
    [false, ["WARNING: early\n", "note\n", "Error: e\n"]],
  ] as const) {
    const written: string[] = [];
    const keep = (each: string | Uint8Array) => written.push(String(each));
    const raw = {
      env: {},
      tty: terminal({ stderr: false, stdout: false }),
      stdout: { write: keep, data: keep },
      stderr: { write: keep },
    };
    const output = guardedOutput(raw, new Secrets());
    output.stderr.write("WARNING: early\n");
    output.begin({ quiet });
    output.stderr.write("note\n");
    output.end();
    output.stderr.write("WARNING: late\n");
    output.stdout.write("late\n");
    output.stdout.data("late\n");
    output.stderr.write("Error: e\n", { always: true });
    assert.deepEqual(written, expected);
  }
});

test("guardedOutput: a command line that is refused keeps its warnings, before the error", () => {
  const text: string[] = [];
  const keep = (each: string | Uint8Array) => text.push(String(each));
  const raw = {
    env: {},
    tty: terminal({ stderr: false }),
    stdout: { write: keep, data: keep },
    stderr: { write: keep },
  };
  const output = guardedOutput(raw, new Secrets());
  output.stderr.write("WARNING: early\n");
  output.end();
  output.stderr.write("Error: e\n", { always: true });
  assert.deepEqual(text, ["WARNING: early\n", "Error: e\n"]);
});

test("guardedOutput: a long line is wrapped under its text on a terminal", () => {
  const env = { NO_COLOR: "1", LANG: "C.UTF-8" };
  const text = "Error: one two three four five six seven eight nine ten\n";
  assert.equal(shown(text, { env, columns: 31 }), "Error: one two three four five\n       six seven eight nine ten\n");
  assert.equal(
    shown("hint: run `tsign verify --key cosign.pub IMAGE` now\n", { env, columns: 30 }),
    "hint: run\n      `tsign verify --key cosign.pub IMAGE`\n      now\n",
  );
  assert.equal(
    shown("\thttps://a.example/ b c d e f g h i j k l m n o p q r s t\n", { env, columns: 30 }),
    "\thttps://a.example/ b c d e f g h i j k l m n o p q r s t\n",
  );
  assert.equal(
    shown("✓ aa bb cc\n", { columns: 30, parts: [{ text: "✓", style: "good" }, { text: " aa bb cc" }] }),
    "\u001b[32m✓\u001b[0m aa bb cc\n",
  );
});

test("breaksOf: every line fits, and putting the blanks back gives the text", () => {
  const text = `  ✗ ${"word and 日本語 text ".repeat(20)}end`;
  const { at, indent } = breaksOf(text, 40);
  assert.equal(indent, 4);
  let broken = "";
  let from = 0;
  for (const index of at) {
    assert.equal(text[index], " ");
    broken += `${text.slice(from, index)}\n${" ".repeat(indent)}`;
    from = index + 1;
  }
  broken += text.slice(from);
  assert.ok(at.length > 5);
  for (const line of broken.split("\n")) assert.ok(widthOf(line) <= 40, line);
});

test("shorten and shortDigests leave what fits, and what goes into a pipe", () => {
  assert.equal(shorten("abcdefghij", 10, { unicode: true }), "abcdefghij");
  assert.equal(shorten("abcdefghij", 7, { unicode: true }), "abc…hij");
  assert.equal(shorten("abcdefghij", 7, { unicode: false }), "abc..ij");
  const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
  assert.equal(shortDigests(`r/a@${digest}, layer 1`, { terminal: true }), "r/a@sha256:0123456789ab, layer 1");
  assert.equal(
    shortDigests(`r/a:sha256-${"a".repeat(64)}.sig`, { terminal: true }),
    `r/a:sha256-${"a".repeat(12)}.sig`,
  );
  assert.equal(shortDigests(digest, { terminal: false }), digest);
});
