import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openRegistry } from "../../src/oci/open.ts";
import { parseReference } from "../../src/oci/ref.ts";
import { pushImage } from "../../src/sandbox/registry/push.ts";
import { parseFault } from "../../src/sandbox/server/faults.ts";
import { only } from "./monitor-workshop.ts";
import { testSigstore } from "./sandbox.ts";
import { type Outcome, PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./test-io.ts";

/** The identity of the job that signs. */
const JOB = "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main";
export const MINUTES = 60_000;

/** A registry, logs, a CI job that signs, and a monitor that watches for the job. */
export async function factory(t: TestContext) {
  const cwd = temporaryFolder(t);
  const clock = { now: new Date() };
  const sigstore = await testSigstore({ clock: () => clock.now });
  const { sleep } = testIo();
  const io = {
    ...sigstore.io,
    // Pauses before a log is asked again.
    sleep: (milliseconds: number, signal?: AbortSignal) =>
      milliseconds === 1000 ? Promise.resolve() : sleep(milliseconds, signal),
  };
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  write("root.json", sigstore.trustedRoot);
  for (const [name, text] of Object.entries(sigstore.signingConfig)) write(`${name}.json`, text);
  const tsign = (...argv: string[]) => run(argv, { cwd, io });
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome;
  };
  const repository = `${sigstore.registry}/acme/widget`;
  const push = async (tag: string) => {
    const store = await openRegistry(testIo({ io }), parseReference(`${repository}:${tag}`), PLAIN_REGISTRY);
    await pushImage(store, { file: "hello", content: Buffer.from(tag), tag });
    return `${repository}:${tag}`;
  };
  const as = (config: string) => [
    ...[
      "--yes",
      "--identity-token",
      sigstore.mintJob(),
      "--signing-config",
      `${config}.json`,
      "--trusted-root=root.json",
    ],
  ];
  const configure = (more: object) => {
    const identities = [{ identity: JOB, issuer: sigstore.at.ciIssuer }];
    write("config.json", JSON.stringify({ version: 1, trustedRoot: "root.json", identities, ...more }));
  };
  const look = async (faults: string[] = [], ...flags: string[]) => {
    for (const fault of faults) sigstore.faults.add(parseFault(fault));
    const outcome = await tsign(
      "monitor",
      "--once",
      "--format=json-lines",
      "--state=state.json",
      "--config=config.json",
      ...flags,
    );
    sigstore.faults.clear();
    return outcome;
  };
  configure({ images: [repository] });
  await ok("monitor", "init", "--state=state.json", "--config=config.json");
  return { cwd, io, clock, sigstore, write, tsign, ok, repository, push, as, configure, look };
}

/** The lines of an outcome. */
export const linesOf = ({ stdout }: Outcome): Record<string, unknown>[] =>
  stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
/** What the audit of a look has shown. */
export const auditOf = (outcome: Outcome) => only(linesOf(outcome), "audit")[0] ?? assert.fail(outcome.stdout);
