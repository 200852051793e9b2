import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Io } from "../../src/io/io.ts";
import { writeKeyPairs } from "./key-pairs.ts";
import { fakePolicyEngine } from "./policy-engine.ts";
import { testSigstore } from "./sandbox.ts";
import { run, temporaryFolder } from "./test-io.ts";

export const MONDAY = Date.parse("2026-03-02T12:00:00Z");
export const DAY = 86_400_000;

/** A sandbox whose clock the test sets, key pairs a and b, and the program. Its folder has root.json, services.json and rekor1.json. */
export async function policyWorkshop(t: TestContext) {
  let now = MONDAY;
  const sigstore = await testSigstore({ clock: () => new Date(now) });
  const cwd = temporaryFolder(t);
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  const read = (name: string) => readFileSync(join(cwd, name), "utf8");
  write("root.json", sigstore.trustedRoot);
  write("rekor1.json", sigstore.signingConfig.rekor1);
  write("services.json", sigstore.signingConfig.rekor2);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: sigstore.registry };
  const io = { ...sigstore.io, ...fakePolicyEngine(cwd) };
  const attempt = (...argv: string[]) => run(argv, { cwd, io, env });
  const attemptWith = (more: NodeJS.ProcessEnv, ...argv: string[]) =>
    run(argv, { cwd, io: sigstore.io, env: { ...env, ...more } });
  const attemptOn = (io: Partial<Io>, ...argv: string[]) => run(argv, { cwd, io: { ...sigstore.io, ...io }, env });
  const tsign = async (...argv: string[]) => {
    const ended = await attempt(...argv);
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  writeKeyPairs(cwd, "a", "b");
  /** Pushes an image, with its own content if it is given; returns its name with the digest. */
  const push = async (name: string, content?: string) => {
    if (content !== undefined) write("content", content);
    const file = content === undefined ? [] : ["content"];
    return (await tsign("sandbox", "push", name, ...file)).stdout.trim();
  };
  const services = ["--yes", "--signing-config", "services.json", "--trusted-root", "root.json"];
  const sign = (who: readonly string[], image: string) => tsign("sign", ...who, ...services, image);
  return {
    ...{
      cwd,
      write,
      read,
      attempt,
      attemptWith,
      attemptOn,
      io: sigstore.io,
      tsign,
      push,
      sign,
      services,
      registry: sigstore.registry,
      files: sigstore.files,
      at: sigstore.at,
    },
    key: (name: string) => ["--key", `${name}.key`],
    person: (email: string) => ["--identity-token", sigstore.mint(email)],
    job: (claims = {}) => ["--identity-token", sigstore.mintJob(claims)],
    setTime: (time: number) => {
      now = time;
    },
  };
}
