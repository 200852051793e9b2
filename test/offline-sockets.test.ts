import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { ENVIRONMENT } from "./support/program.ts";
import { testSigstore } from "./support/sandbox.ts";
import { ALICE } from "./support/sandbox-client.ts";
import { ARTIFACT, PREDICATE_TYPE, signedBundle } from "./support/signed-bundles.ts";
import { temporaryFolder } from "./support/test-io.ts";

const MAIN = resolve(import.meta.dirname, "../bin/main.ts");
const HOOK = pathToFileURL(resolve(import.meta.dirname, "support/count-sockets.mjs")).href;

/** Runs tsign in a separate process. @returns its exit code and network accesses */
function counted(args: readonly string[], cwd: string): { code: number | null; stderr: string; network: string[] } {
  const file = join(cwd, "count");
  const env = { ...ENVIRONMENT, HOME: cwd, COUNT_SOCKETS: file };
  const { status, stderr } = spawnSync(process.execPath, ["--import", HOOK, MAIN, ...args], {
    cwd,
    env,
    encoding: "utf8",
  });
  const network = readFileSync(file, "utf8")
    .split("\n")
    .filter((each) => each !== "");
  return { code: status, stderr, network };
}

test("verify --trusted-root: opens no socket; a command that does is counted", async (t) => {
  const cwd = temporaryFolder(t);
  const sigstore = await testSigstore();
  const kind = { version: "0.3", signer: "certificate", promise: false, timestamp: true } as const;
  const message = await signedBundle(sigstore, { ...kind, entry: "hashedrekord 0.0.2", dsse: false });
  const statement = await signedBundle(sigstore, { ...kind, entry: "dsse 0.0.1", dsse: true });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "artifact"), ARTIFACT);
  writeFileSync(join(cwd, "message"), JSON.stringify(message.json));
  writeFileSync(join(cwd, "statement"), JSON.stringify(statement.json));
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const verify = ["verify-blob", ...who, "--trusted-root", "root.json", "--bundle", "message", "artifact"];
  const attestation = ["verify-blob-attestation", ...who, "--trusted-root", "root.json", "--type", PREDICATE_TYPE];
  for (const args of [
    verify,
    [...attestation, "--bundle", "statement", "artifact"],
    ["bundle", "inspect", "message"],
  ]) {
    const { code, stderr, network } = counted(args, cwd);
    assert.equal(code, 0, stderr);
    assert.deepEqual(network, [], args.join(" "));
  }
  const online = counted(["tree", "localhost:1/app:v1"], cwd);
  assert.notEqual(online.code, 0);
  assert.ok(online.network.includes("connect"), "the counter counts nothing");
});
