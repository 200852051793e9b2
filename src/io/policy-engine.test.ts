import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { POLICY_EVALUATORS } from "../version.ts";
import type { Io } from "./io.ts";
import { locateEngine } from "./policy-engine.ts";

/** A system with some files, and maybe Node to run the portable engine. */
function system(names: readonly string[], node: string | undefined = "node", os: NodeJS.Platform = "linux") {
  const stat = async (path: string) =>
    names.some((name) => path.endsWith(`/policy/${name}`)) ? { kind: "file" } : null;
  return { files: { stat }, launcher: { node, folder: "/lib/tsign" }, platform: { os } } as unknown as Io;
}

test("policy engine: native before portable; the portable one only with Node", async () => {
  const formOf = async (io: Io) => (await locateEngine(io))?.form;
  assert.equal(await formOf(system(["engine", "run.cjs"])), "native");
  assert.equal(await formOf(system(["run.cjs"])), "portable");
  const withoutNode = { ...system(["run.cjs"]), launcher: { node: undefined, folder: "/lib/tsign" } } as unknown as Io;
  assert.equal(await formOf(withoutNode), undefined);
  assert.equal(await formOf(system([])), undefined);
  assert.equal(await formOf(system(["engine"], "node", "win32")), undefined);
  assert.equal(await formOf(system(["engine.exe"], "node", "win32")), "native");
});

test("version: the evaluators are those of the engine's go.mod", () => {
  const modules = readFileSync(new URL("../../policy-engine/go.mod", import.meta.url), "utf8");
  const versionOf = (module: string) => new RegExp(`^\\t${module} (\\S+)$`, "m").exec(modules)?.[1];
  const [cue, opa] = [versionOf("cuelang.org/go"), versionOf("github.com/open-policy-agent/opa")];
  assert.equal(POLICY_EVALUATORS, `cue ${cue}, opa ${opa}`);
});
