import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Io } from "../../src/io/io.ts";
import { parseFault } from "../../src/sandbox/server/faults.ts";
import { type TestSigstore, testSigstore } from "./sandbox.ts";
import { bundleOf } from "./sandbox-client.ts";
import { type Outcome, run, temporaryFolder, testIo } from "./test-io.ts";

/** Whom the monitor of a workshop watches for, and somebody else. */
export const ALICE = "alice@example.com";
export const MALLORY = "mallory@example.com";
/** Exit codes of `tsign monitor --once`. */
export const [WELL, FOUND, MISBEHAVED, UNREAD] = [0, 3, 4, 5];

export interface Workshop {
  readonly cwd: string;
  readonly sigstore: TestSigstore;
  readonly clock: { now: Date };
  /** Records signatures of a person. */
  sign(rekor: "rekor1" | "rekor2", who: string, count?: number): Promise<void>;
  monitor(...argv: string[]): Promise<Outcome>;
  look(...argv: string[]): Promise<Outcome>;
  /** Switches a fault on for the next look, and returns its outcome. */
  lookWith(faults: string[], ...argv: string[]): Promise<Outcome>;
  lines(outcome: Outcome): Record<string, unknown>[];
}

/** Two logs with entries of others, and a monitor that watches for Alice from now on. */
export async function workshop(context: TestContext, { from = "now", entries = 5 } = {}): Promise<Workshop> {
  const cwd = temporaryFolder(context);
  const clock = { now: new Date() };
  const sigstore = await testSigstore({ clock: () => clock.now });
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  const { sleep } = testIo();
  const isPause = (milliseconds: number) => milliseconds === 1000; // before a head is asked for again
  const io: Partial<Io> = {
    ...sigstore.io,
    sleep: (milliseconds, signal) => (isPause(milliseconds) ? Promise.resolve() : sleep(milliseconds, signal)),
  };
  const tsign = (...argv: string[]) => run(argv, { cwd, io });
  const sign = async (rekor: "rekor1" | "rekor2", who: string, count = 1) => {
    for (let each = 0; each < count; each++) {
      await bundleOf(sigstore, { rekor, dsse: each % 2 === 1 && rekor === "rekor1", tsa: false, ...tokenOf(who) });
    }
  };
  const tokenOf = (who: string) => (who === ALICE ? {} : { token: sigstore.mint(who), subject: who });
  const common = ["--state=state.json", "--trusted-root=root.json"];
  const who = [`--certificate-identity=${ALICE}`, `--certificate-oidc-issuer=${sigstore.at.issuer}`];
  const monitor = (...argv: string[]) => tsign("monitor", ...argv);
  const look = (...argv: string[]) => monitor("--once", "--format=json-lines", ...common, ...who, ...argv);
  const shop = {
    cwd,
    sigstore,
    clock,
    sign,
    monitor,
    look,
    lookWith: async (faults: string[], ...argv: string[]) => {
      for (const fault of faults) sigstore.faults.add(parseFault(fault));
      const outcome = await look(...argv);
      sigstore.faults.clear();
      return outcome;
    },
    lines: ({ stdout }: Outcome) =>
      stdout
        .trim()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line)),
  };
  for (const rekor of ["rekor1", "rekor2"] as const) await sign(rekor, MALLORY, entries);
  const { code, stderr } = await monitor("init", ...common, ...who, `--from=${from}`);
  assert.equal(code, 0, stderr);
  return shop;
}

/** The lines of one type. */
export const only = (lines: Record<string, unknown>[], type: string) => lines.filter((line) => line["type"] === type);
/** The outcome of each log, in order. */
export const outcomes = (lines: Record<string, unknown>[]) => only(lines, "log").map(({ outcome }) => outcome);
/** The content of the state file. */
export const stateOf = ({ cwd }: Workshop) => JSON.parse(readFileSync(join(cwd, "state.json"), "utf8"));
