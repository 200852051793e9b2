import assert from "node:assert/strict";
import { test } from "node:test";
import { testIo } from "../../test/support/test-io.ts";
import { TsignError } from "../errors.ts";
import type { Spawned, SpawnOptions } from "../io/io.ts";
import { judge, type PolicyIo, readPolicies } from "./index.ts";

const STATEMENT = Buffer.from('{"predicateType":"https://example.com/t"}');
const POLICIES = [{ path: "a.cue", text: 'predicateType: "https://example.com/t"' }];

/** An engine that answers what it is told to; `asked` is what it was asked. */
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

test("the verdict is the engine's, and a no always has a reason", async () => {
  const verdict = (ok: boolean, reasons: string[]) => engine({ stdout: JSON.stringify({ ok, reasons }) }).io;
  assert.deepEqual(await judge(verdict(true, []), STATEMENT, POLICIES), { ok: true });
  assert.deepEqual(await judge(verdict(false, ["a.cue:1: no"]), STATEMENT, POLICIES), {
    ok: false,
    reasons: ["a.cue:1: no"],
  });
  assert.equal((await judge(verdict(false, []), STATEMENT, POLICIES)).ok, false);
  assert.equal((await judge(verdict(true, ["a.cue:1: no"]), STATEMENT, POLICIES)).ok, false);
});

test("whatever is no verdict is no yes", async () => {
  for (const stdout of [
    "",
    "true",
    "{}",
    '{"ok":"true","reasons":[]}',
    '{"ok":true}',
    '{"ok":false,"ok":true,"reasons":[]}',
  ]) {
    await assert.rejects(judge(engine({ stdout }).io, STATEMENT, POLICIES), stdout);
  }
  const yes = '{"ok":true,"reasons":[]}';
  await fails(
    judge(engine({ code: 1, stdout: yes, stderr: "panic: x" }).io, STATEMENT, POLICIES),
    "internal",
    /panic: x/,
  );
  await fails(
    judge(engine({ code: 134, stderr: "JavaScript heap out of memory" }).io, STATEMENT, POLICIES),
    "limit",
    /MiB/,
  );
  await fails(judge(engine({ stdout: yes }, /^$/).io, STATEMENT, POLICIES), "unsupported", /no policy engine/);
  await fails(judge(engine({ stdout: yes }).io, STATEMENT, []), "input", /no policy/);
});

test("the engine gets the statement, the policies, and neither secrets nor the right to write or start programs", async () => {
  const { io, asked } = engine({ stdout: '{"ok":true,"reasons":[]}' });
  await judge({ ...io, env: { COSIGN_PASSWORD: "secret", HOME: "/home/x" } }, STATEMENT, POLICIES);
  const [{ args, options } = assert.fail("not asked")] = asked;
  const request = JSON.parse(String(options.stdin));
  assert.equal(Buffer.from(request.statement, "base64").toString(), STATEMENT.toString());
  assert.deepEqual([request.cue, request.rego], [POLICIES, []]);
  assert.deepEqual(options.env, { HOME: "/home/x" });
  assert.ok(args.includes("--permission"));
  assert.ok(!args.some((arg) => /allow-(fs-write|child-process|worker|addons)/.test(arg)));
});

test("the native engine comes first, and is told how much memory it may take", async () => {
  const { io, asked } = engine({ stdout: '{"ok":true,"reasons":[]}' }, /policy[/](engine|run\.cjs)$/);
  await judge({ ...io, env: { COSIGN_PASSWORD: "secret", HOME: "/home/x" } }, STATEMENT, POLICIES);
  const [{ file, args, options } = assert.fail("not asked")] = asked;
  assert.match(file, /policy[/]engine$/);
  assert.deepEqual(args, ["memory=1024"]);
  assert.deepEqual(options.env, { HOME: "/home/x" });
});

test("a file that is no policy is refused before any is read", async () => {
  const io = testIo();
  await fails(readPolicies(io, ["missing.cue", "policy.yaml"]), "input", /expected .cue or .rego: policy.yaml/);
  await assert.rejects(readPolicies(io, ["missing.rego"]), /missing.rego/);
});
