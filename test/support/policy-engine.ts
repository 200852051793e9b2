import assert from "node:assert/strict";
import { systemFiles } from "../../src/io/files.ts";
import type { Io } from "../../src/io/io.ts";

/** The only form of policy that the fake engine knows. */
const POLICY = /^predicate: (\w+): "(\w+)"$/;

/**
 * Stands for the policy engine, which a clone does not contain before it is built: it evaluates CUE policies that demand one text
 * of the predicate, such as `predicate: result: "passed"`, and fails for any other.
 *
 * @param cwd the folder that the command runs in
 */
export function fakePolicyEngine(cwd: string): Pick<Io, "files" | "spawn"> {
  const files = systemFiles(cwd);
  const stat: typeof files.stat = async (path, options) =>
    path.endsWith("run.cjs") ? { kind: "file", size: 1, identity: path } : files.stat(path, options);
  const spawn: Io["spawn"] = async (_file, _args, { stdin } = {}) => {
    const { statement, cue, rego } = JSON.parse(String(stdin));
    assert.deepEqual(rego, []);
    const { predicate } = JSON.parse(Buffer.from(statement, "base64").toString("utf8"));
    const reasons = cue.flatMap(({ path, text }: { path: string; text: string }) => {
      const [, name = assert.fail(text), value] = POLICY.exec(text.trim()) ?? [];
      return predicate[name] === value ? [] : [`${path}: ${name} mismatch`];
    });
    return { code: 0, stdout: JSON.stringify({ ok: reasons.length === 0, reasons }), stderr: "" };
  };
  return { files: Object.create(files, { stat: { value: stat } }), spawn };
}
