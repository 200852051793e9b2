import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { TABLE } from "../../src/cli/table.ts";
import { folder, TSIGN } from "./support.ts";

/**
 * The program on Node and as the executable (`npm run executable`) prints the same and ends with the same exit codes: in every
 * call of every shared scenario, and in the help of every command. Both run all scenarios; each call is recorded, and the
 * records are compared byte by byte after what differs between two runs is replaced (`PLACEHOLDERS`).
 *
 * TSIGN_SHARED, PATH, STACK_ENV: as for scenarios.sh. TSIGN_SCENARIOS: only the scenarios that this filter of run-scenarios
 * selects. TSIGN_RECORDS: an empty folder for the records, which are otherwise removed.
 */
const ROOT = resolve(import.meta.dirname, "../..");
const EXECUTABLE = join(ROOT, "dist/tsign");
const SCENARIOS = join(process.env["TSIGN_SHARED"] ?? join(ROOT, "../shared"), "scenarios");
const FORMS = { node: [TSIGN, "node"], executable: [EXECUTABLE, "executable"] } as const;
type Form = keyof typeof FORMS;

/** What differs between two runs of one program, in this order. */
const PLACEHOLDERS: readonly [RegExp, string][] = [
  [/\/tmp\/scenarios\.\w+/g, "<top>"],
  [/(\/tmp\/[\w./-]*tmp)\.\w+/g, "$1.<temporary>"],
  [/\b(localhost|127\.0\.0\.[12]):\d{4,5}\b/g, "$1:<port>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, "<time>"],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?( [+-]\d{4})?( UTC)?/g, "<time>"],
  [/\b(\w{3} \w{3} +\d+|\w{3} +\d+) \d\d:\d\d:\d\d( \d{4})?( GMT)?( \d{4})?/g, "<time>"],
  [/("?(?:integratedTime|logIndex|treeSize|index)"?: ?"?)\d+/gi, "$1<number>"],
  [/(\b(?:created with index:|log (?:index|entry)|Log Index:|Tree Size:|Hashes:) )\d+/g, "$1<number>"],
  [/\/i\d{1,5}\b/g, "/<random>"], // an image's name
  [/(Serial Number: )[0-9a-f]+/g, "$1<hex>"],
  [/\b[0-9a-f]{8}\.\.\.[0-9a-f]{8}\b/g, "<hex>"],
  // An ECDSA signature is a few bytes shorter at times, and so is what contains it.
  [/(Signature|Body): Present \(\d+ bytes\)/g, "$1: Present (<number> bytes)"],
  [/\b[0-9a-f]{2}(:[0-9a-f]{2}){7,}/gi, "<hex>"],
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "<uuid>"],
  [/\b[0-9a-f]{16,}\b/gi, "<hex>"],
  // Base64 of keys, signatures, certificates and documents that contain one of the above.
  [/[A-Za-z0-9+/_-]{40,}={0,2}(\.[A-Za-z0-9+/_-]+={0,2})*(\n[A-Za-z0-9+/_-]+={0,2}(?=\n))*/g, "<base64>"],
];

/** Calls that differ on purpose, by their arguments: what is replaced before the comparison, and why. */
const EXPECTED: readonly { args: RegExp; replace: RegExp; why: string }[] = [
  { args: /^version\b/, replace: /\b(node|bun) v[\d.]+/g, why: "version names the runtime" },
  { args: /^/, replace: /\btlsv13? alert\b/g, why: "OpenSSL and BoringSSL name the alerts of TLS 1.3 differently" },
];

interface Call {
  readonly args: string;
  readonly code: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Writes a program that runs one form and records each call in `records`; returns its path. */
function recorder(cwd: string, form: Form, records: string): string {
  const [program, runtime] = FORMS[form];
  const path = join(cwd, `tsign-${form}`, "tsign");
  mkdirSync(dirname(path));
  writeFileSync(
    path,
    `#!/bin/bash
export TSIGN_RUNTIME=${runtime}
[ -t 1 ] && exec '${program}' "$@" # a terminal is not recorded
of='${records}/'\${SCENARIO:-other}
mkdir -p "$of"
number=0
until mkdir "$of/$number" 2>/dev/null; do number=$((number + 1)); done
call=$of/$number
printf '%s\\n' "$*" >"$call/args"
'${program}' "$@" >"$call/stdout" 2>"$call/stderr"
code=$?
echo "$code" >"$call/code"
cat "$call/stdout"
cat "$call/stderr" >&2
exit "$code"
`,
  );
  chmodSync(path, 0o755);
  return path;
}

function finished(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string | undefined> },
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { cwd, env = process.env } = options;
  return new Promise((done) => {
    execFile(program, args, { cwd, env, maxBuffer: 2 ** 28 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? 128), stdout, stderr });
    });
  });
}

/** Runs all scenarios with one form; returns the calls of each scenario, and the closing line. */
async function recorded(t: TestContext, form: Form): Promise<{ calls: Map<string, Call[]>; closing: string }> {
  const cwd = folder(t);
  const kept = process.env["TSIGN_RECORDS"];
  const records = kept === undefined ? join(cwd, "records") : join(resolve(kept), form);
  mkdirSync(records, { recursive: true });
  const crane = (process.env["PATH"] ?? "").split(delimiter).find((each) => existsSync(join(each, "crane")));
  assert.ok(crane, "crane is not in PATH: see test/suites/tools.sh");
  const stack = process.env["STACK_ENV"];
  assert.ok(stack && existsSync(stack), "set STACK_ENV to the file that `stack env` names");
  const filter = process.env["TSIGN_SCENARIOS"];
  const args = ["--tools", crane, "--env", stack, "--sign", recorder(cwd, form, records), "-j", "2"];
  const { stdout } = await finished(
    "./run-scenarios",
    [...args, ...(filter ? ["--filter", filter] : []), "scenarios"],
    { cwd: SCENARIOS },
  );
  const calls = new Map<string, Call[]>();
  for (const scenario of readdirSync(records)) {
    const numbers = readdirSync(join(records, scenario)).sort((a, b) => Number(a) - Number(b));
    const read = (number: string, name: string) => {
      const path = join(records, scenario, number, name);
      return existsSync(path) ? readFileSync(path, "utf8").replaceAll(cwd, "<work>") : "killed";
    };
    calls.set(
      scenario,
      numbers.map((number) => ({
        args: read(number, "args"),
        code: read(number, "code"),
        stdout: read(number, "stdout"),
        stderr: read(number, "stderr"),
      })),
    );
  }
  return { calls, closing: stdout.trim().split("\n").at(-1) ?? "" };
}

/** Replaces what may differ. */
function comparable({ args, code, stdout, stderr }: Call): Call {
  const expected = EXPECTED.filter((each) => each.args.test(args));
  const replaced = (text: string) => {
    let result = text;
    for (const { replace } of expected) result = result.replace(replace, "<expected>");
    for (const [pattern, placeholder] of PLACEHOLDERS) result = result.replace(pattern, placeholder);
    return result;
  };
  return { args: replaced(args), code, stdout: replaced(stdout), stderr: replaced(stderr) };
}

/** The first line that differs, as each form prints it. */
function firstDifference(part: string, node: string, executable: string): string {
  const [one, other] = [node.split("\n"), executable.split("\n")];
  let line = 0;
  while (one[line] === other[line]) line++;
  return `${part}, line ${line + 1}\n  Node:       ${one[line]}\n  executable: ${other[line]}`;
}

test("help of every command: the same from Node and the executable", async (t) => {
  assert.ok(existsSync(EXECUTABLE), "run `npm run executable` first");
  const cwd = folder(t);
  const words = [[], ...TABLE.map(({ words }) => words), ["no-such-command"]];
  for (const each of words) {
    const [node, executable] = await Promise.all(
      (["node", "executable"] as const).map((form) => {
        const [program, runtime] = FORMS[form];
        const env = { PATH: process.env["PATH"], HOME: cwd, TSIGN_RUNTIME: runtime };
        return finished(program, [...each, "--help"], { cwd, env });
      }),
    );
    assert.deepEqual(executable, node, `${each.join(" ")} --help`);
  }
});

test("placeholders hide no other difference", () => {
  const call = { args: "verify", code: "0", stdout: "", stderr: "" };
  const shown = (stderr: string) => comparable({ ...call, stderr }).stderr;
  for (const [one, other] of [
    ["Verified OK", "Verified ok"],
    ["got 3 signatures", "got 4 signatures"],
    ["connect to localhost:5000: refused", "connect to localhost:5000: reset"],
    ["node v26.10.0", "bun v1.4.5"],
    [`sha256:${"0".repeat(64)} verified`, `sha256:${"1".repeat(64)} refused`],
  ] as const) {
    assert.notEqual(shown(one), shown(other));
  }
  assert.equal(shown(`sha256:${"0".repeat(64)}`), shown(`sha256:${"1".repeat(64)}`));
});

test("all scenarios: the same output and exit codes from Node and the executable", async (t) => {
  assert.ok(existsSync(EXECUTABLE), "run `npm run executable` first");
  const node = await recorded(t, "node");
  const executable = await recorded(t, "executable");
  const withoutTime = (closing: string) => closing.replace(/ \(.*/, "");
  assert.equal(withoutTime(executable.closing), withoutTime(node.closing), "what the scenarios themselves find");
  const different: string[] = [];
  let compared = 0;
  for (const scenario of new Set([...node.calls.keys(), ...executable.calls.keys()])) {
    const ours = node.calls.get(scenario) ?? [];
    const theirs = executable.calls.get(scenario) ?? [];
    if (ours.length !== theirs.length) different.push(`${scenario}: ${ours.length} and ${theirs.length} calls`);
    for (const [index, call] of ours.entries()) {
      const other = theirs[index];
      if (other === undefined) continue;
      compared++;
      const [a, b] = [comparable(call), comparable(other)];
      for (const part of ["args", "code", "stdout", "stderr"] as const) {
        if (a[part] !== b[part]) {
          different.push(
            `${scenario}, call ${index}: tsign ${a.args.trim()}\n${firstDifference(part, a[part], b[part])}`,
          );
        }
      }
    }
  }
  process.stdout.write(`${compared} calls in ${node.calls.size} scenarios compared\n`);
  process.stdout.write(`scenarios on Node: ${node.closing}; with the executable: ${executable.closing}\n`);
  assert.ok(compared > (process.env["TSIGN_SCENARIOS"] ? 0 : 500), `${compared} calls`);
  assert.ok(different.length === 0, `${different.length} differences\n${different.join("\n")}`);
});
