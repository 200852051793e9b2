import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { Choices, SECONDS, SEED, Tally } from "./differential-kit.ts";
import { cleanSet, oddSet, type PolicySet } from "./differential-rego-files.ts";
import { goProgram } from "./ecosystem-kit.ts";

/** The engine as it is shipped; its sources compiled for this machine are ten times as fast. */
const SHIPPED = resolve(import.meta.dirname, "../../dist/policy/run.cjs");
const BATCH = 50;

/** A program that answers a line of JSON with a line of JSON; it ends with the test, even if that fails. */
function lines<Answer>(context: TestContext, program: string, args: readonly string[]) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  context.after(() => child.kill());
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(requests: readonly unknown[]): Promise<Answer[]> {
      child.stdin.write(requests.map((request) => `${JSON.stringify(request)}\n`).join(""));
      const found: Answer[] = [];
      for (const _ of requests) {
        const { value, done } = await answers.next();
        if (done) throw new Error(`${program} ${args.join(" ")} ended before its answer`);
        found.push(JSON.parse(value));
      }
      return found;
    },
    close: () => child.stdin.end(),
  };
}

type Verdict = { ok: boolean; reasons: string[] };
const engine = async (context: TestContext) =>
  lines<Verdict>(context, await goProgram("../../policy-engine"), ["many"]);

const requestOf = ({ files, input }: PolicySet) => ({
  statement: Buffer.from(JSON.stringify(input)).toString("base64"),
  cwd: "/",
  cue: [],
  rego: Object.entries(files).map(([path, text]) => ({ path, text })),
});

/** A reason without its names and places. */
const kindOf = (reason = "no reason") =>
  reason.replaceAll(/\S+\.rego(:\d+)?:?|\b(its package is|defines|uses) \S+/g, "$2 …").trim();

const shown = ({ files, input }: PolicySet) => JSON.stringify({ files, input });

test("tsign accepts a generated set of Rego files only where Open Policy Agent allows for each policy in it", async (t) => {
  const [tsign, opa] = [
    await engine(t),
    lines<Record<string, string> | null>(t, await goProgram("differential/rego"), []),
  ];
  const choices = new Choices(SEED);
  const [wrong, refused] = [new Tally(), new Tally()];
  let [sets, accepted, several] = [0, 0, 0];
  const end = Date.now() + SECONDS * 500;
  while (Date.now() < end) {
    const batch = Array.from({ length: BATCH }, () => oddSet(choices));
    const [ours, theirs] = await Promise.all([tsign.ask(batch.map(requestOf)), opa.ask(batch)]);
    for (const [index, set] of batch.entries()) {
      const { ok = false, reasons = [] } = ours[index] ?? {};
      const answers = Object.values(theirs[index] ?? {});
      const allowed = answers.length > 0 && answers.every((answer) => answer === "yes");
      sets++;
      if (ok) accepted++;
      if (ok && answers.length > 1) several++;
      if (ok && !allowed) wrong.add(`tsign accepts, OPA says ${JSON.stringify(theirs[index])}`, shown(set));
      if (!ok && allowed) refused.add(kindOf(reasons[0]), shown(set));
    }
  }
  tsign.close();
  opa.close();
  console.log(
    `${sets} sets of Rego files from seed ${SEED}: ${accepted} accepted, ${several} of them with several policies`,
  );
  console.log(`refused by tsign alone, by reason:\n${refused.report(12)}`);
  assert.equal(wrong.report(10), "", "sets that tsign accepts and OPA does not");
  assert.ok(accepted > 0 && several > 0, "nothing was compared");
});

test("a set in which every Rego file is a policy or used is accepted exactly where all policies hold", async (t) => {
  const tsign = await engine(t);
  const choices = new Choices(SEED);
  const wrong = new Tally();
  const count = { yes: 0, no: 0 };
  const end = Date.now() + SECONDS * 500;
  while (Date.now() < end) {
    const batch = Array.from({ length: BATCH }, () => cleanSet(choices));
    for (const [index, { ok, reasons }] of (await tsign.ask(batch.map(requestOf))).entries()) {
      const set = batch[index];
      if (!set) continue;
      count[set.allowed ? "yes" : "no"]++;
      if (ok !== set.allowed) wrong.add(`${ok ? "accepted" : `refused: ${reasons[0]}`}`, shown(set));
    }
  }
  tsign.close();
  console.log(`${count.yes} sets that hold and ${count.no} that do not, from seed ${SEED}`);
  assert.equal(wrong.report(10), "");
  assert.ok(count.yes > 0 && count.no > 0, "nothing was compared");
});

test("policy engine: the shipped build has the same verdicts and reasons", async (t) => {
  const [native, shipped] = [await engine(t), lines<Verdict>(t, process.execPath, ["--liftoff-only", SHIPPED, "many"])];
  const choices = new Choices(SEED);
  const requests = Array.from({ length: 2 * BATCH }, () => requestOf(oddSet(choices)));
  const [expected, found] = await Promise.all([native.ask(requests), shipped.ask(requests)]);
  native.close();
  shipped.close();
  assert.deepEqual(found, expected);
});
