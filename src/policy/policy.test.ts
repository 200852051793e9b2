import assert from "node:assert/strict";
import { test } from "node:test";
import { testIo } from "../../test/support/test-io.ts";
import { TsignError } from "../errors.ts";
import type { Spawned, SpawnOptions } from "../io/io.ts";
import { evaluatePolicies, type PolicyIo, readPolicies } from "./index.ts";

const STATEMENT = Buffer.from('{"predicateType":"https://example.com/t"}');
const POLICIES = [{ path: "a.cue", text: 'predicateType: "https://example.com/t"' }];

/** A fake engine with a fixed answer; `asked` records its calls. */
function engine(answer: Partial<Spawned>, built: RegExp = /run\.cjs$/) {
  const asked: { file: string; args: readonly string[]; options: SpawnOptions }[] = [];
  const io = testIo();
  const stat: PolicyIo["files"]["stat"] = async (path) =>
    (built.test(path) ? { kind: "file", size: 1, mode: 0o600 } : undefined) as never;
  const spawn: PolicyIo["spawn"] = async (file, args, options = {}) => {
    asked.push({ file, args, options });
    return { code: 0, stdout: "", stderr: "", ...answer };
  };
  const policyIo: PolicyIo = { ...io, files: { ...io.files, stat }, spawn };
  return { io: policyIo, asked };
}

const fails = (promise: Promise<unknown>, code: string, reason: RegExp) =>
  assert.rejects(promise, (error) => error instanceof TsignError && error.code === code && reason.test(error.message));

test("evaluatePolicies returns the engine's result, and a rejection always has a reason", async () => {
  const verdict = (ok: boolean, reasons: string[]) => engine({ stdout: JSON.stringify({ ok, reasons }) }).io;
  assert.deepEqual(await evaluatePolicies(verdict(true, []), STATEMENT, POLICIES), { ok: true });
  assert.deepEqual(await evaluatePolicies(verdict(false, ["a.cue:1: no"]), STATEMENT, POLICIES), {
    ok: false,
    reasons: ["a.cue:1: no"],
  });
  assert.equal((await evaluatePolicies(verdict(false, []), STATEMENT, POLICIES)).ok, false);
  assert.equal((await evaluatePolicies(verdict(true, ["a.cue:1: no"]), STATEMENT, POLICIES)).ok, false);
});

test("evaluatePolicies: invalid output or exit code of the engine -> error", async () => {
  for (const stdout of [
    "",
    "true",
    "{}",
    '{"ok":"true","reasons":[]}',
    '{"ok":true}',
    '{"ok":false,"ok":true,"reasons":[]}',
  ]) {
    await assert.rejects(evaluatePolicies(engine({ stdout }).io, STATEMENT, POLICIES), stdout);
  }
  const yes = '{"ok":true,"reasons":[]}';
  await fails(
    evaluatePolicies(engine({ code: 1, stdout: yes, stderr: "panic: x" }).io, STATEMENT, POLICIES),
    "internal",
    /panic: x/,
  );
  await fails(
    evaluatePolicies(engine({ code: 134, stderr: "JavaScript heap out of memory" }).io, STATEMENT, POLICIES),
    "limit",
    /MiB/,
  );
  await fails(
    evaluatePolicies(engine({ stdout: yes }, /^$/).io, STATEMENT, POLICIES),
    "unsupported",
    /policy engine is not built/,
  );
  await fails(evaluatePolicies(engine({ stdout: yes }).io, STATEMENT, []), "input", /no policies given/);
});

test("evaluatePolicies passes statement and policies to the engine, without secrets or rights to write files or start programs", async () => {
  const { io, asked } = engine({ stdout: '{"ok":true,"reasons":[]}' });
  await evaluatePolicies({ ...io, env: { COSIGN_PASSWORD: "secret", HOME: "/home/x" } }, STATEMENT, POLICIES);
  const [{ args, options } = assert.fail("not asked")] = asked;
  const request = JSON.parse(String(options.stdin));
  assert.equal(Buffer.from(request.statement, "base64").toString(), STATEMENT.toString());
  assert.deepEqual([request.cue, request.rego], [POLICIES, []]);
  assert.deepEqual(options.env, { HOME: "/home/x" });
  assert.ok(args.includes("--permission"));
  assert.ok(!args.some((arg) => /allow-(fs-write|child-process|worker|addons)/.test(arg)));
});

test("evaluatePolicies prefers the native engine, with a memory limit", async () => {
  const { io, asked } = engine({ stdout: '{"ok":true,"reasons":[]}' }, /policy[/](engine|run\.cjs)$/);
  await evaluatePolicies({ ...io, env: { COSIGN_PASSWORD: "secret", HOME: "/home/x" } }, STATEMENT, POLICIES);
  const [{ file, args, options } = assert.fail("not asked")] = asked;
  assert.match(file, /policy[/]engine$/);
  assert.deepEqual(args, ["memory=1024"]);
  assert.deepEqual(options.env, { HOME: "/home/x" });
});

test("readPolicies: unknown file extension -> refused before any file is read", async () => {
  const io = testIo();
  await fails(readPolicies(io, ["missing.cue", "policy.yaml"]), "input", /expected .cue or .rego: policy.yaml/);
  await assert.rejects(readPolicies(io, ["missing.rego"]), /missing.rego/);
});
