import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

/**
 * What tsign takes of its dependencies' insides, because they do not export it. When a new version moves or changes it, these tests
 * say what is missing and who needs it.
 */

const read = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"));
const installed = (name: string): string => read(`node_modules/${name}/package.json`).version;

/** Imports a module by a path into a package. */
async function inside(name: string, path: string, user: string): Promise<Record<string, unknown>> {
  try {
    return await import(`${name}/${path}`);
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    return assert.fail(`${name} ${installed(name)} has no ${path}, which ${user} needs: ${cause}`);
  }
}

function functionOf(module: Record<string, unknown>, name: string, needs: string): (...args: unknown[]) => unknown {
  const found = module[name];
  assert.ok(typeof found === "function", `${needs} needs ${name}, which is not there any more`);
  return found as (...args: unknown[]) => unknown;
}

test("@sigstore/verify: the functions for one log entry are where src/verify/inclusion.ts imports them, and check it", async () => {
  assert.equal(installed("@sigstore/verify"), read("package.json").dependencies["@sigstore/verify"]);
  const user = "src/verify/inclusion.ts";
  const tlog = await inside("@sigstore/verify", "dist/tlog/index.js", user);
  const inclusion = functionOf(tlog, "verifyTLogInclusion", user);
  const body = functionOf(tlog, "verifyTLogBody", user);
  const spec = { data: { hash: { value: "00" } }, signature: { content: "AA==" } };
  const entry = {
    kindVersion: { kind: "hashedrekord", version: "0.0.1" },
    canonicalizedBody: Buffer.from(JSON.stringify({ kind: "hashedrekord", apiVersion: "0.0.1", spec })),
  };
  assert.throws(() => inclusion(entry, []), { code: "TLOG_MISSING_INCLUSION_ERROR" }, "neither promise nor proof");
  assert.throws(() => inclusion({ ...entry, inclusionPromise: {}, logId: { keyId: Buffer.of() } }, []), "of no log");
  const asked: string[] = [];
  const content = (wrong: string) =>
    Object.fromEntries(
      ["compareSignature", "compareDigest", "compareSignedDigest", "verifySignature"].map((name) => [
        name,
        () => {
          asked.push(name);
          return name !== wrong;
        },
      ]),
    );
  assert.equal(body(entry, content("")), undefined);
  assert.deepEqual(asked, ["compareSignature", "compareSignedDigest"], "what the body of an entry is compared by");
  for (const wrong of ["compareSignature", "compareSignedDigest"]) {
    assert.throws(() => body(entry, content(wrong)), { code: "TLOG_BODY_ERROR" }, wrong);
  }
});
