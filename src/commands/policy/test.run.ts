import { readPolicyFile } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import { readPolicyDocument } from "../../trust-policy/document.ts";
import { type Loosened, loosened } from "../../trust-policy/loosen.ts";
import type { PolicyCase, TrustPolicy } from "../../trust-policy/model.ts";
import { readTrustPolicy } from "../../trust-policy/read.ts";
import { readCasesFile } from "../../trust-policy/read-cases.ts";
import { type CaseOutcome, runCase } from "../../trust-policy/run-case.ts";
import type definition from "./test.ts";

/** Largest file of cases, in bytes; its reader refuses larger ones. */
const MAX_CASES = { maxBytes: 1024 * 1024 + 1 };

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags, answer }) => {
  const { content, path } = await readPolicyFile(io, file);
  const policy = await readTrustPolicy(content, path);
  const cases = await casesOf(io, policy, flags.cases);
  if (cases.length === 0) {
    throw new TsignError("input", `test ${file}: no cases found`, {
      hint: `write them under tests: in the policy, or into ${besideName(path) ?? "a file for --cases"}`,
    });
  }
  const outcomes: CaseOutcome[] = [];
  for (const each of cases) outcomes.push(await runCase(io, policy, each));
  const failed = outcomes.filter(({ faults }) => faults.length > 0);
  const unneeded =
    flags.complete && failed.length === 0 ? await unneededDemands(io, { content, policy, cases, outcomes }) : [];
  const lines = [
    ...outcomes.flatMap(({ name, place, faults }) => [
      `${faults.length === 0 ? "pass" : "FAIL"}  ${printable(name)}${faults.length === 0 ? "" : ` (${printable(place)})`}`,
      ...faults.map((fault) => `      ${printable(fault)}`),
    ]),
    ...unneeded.map((what) => `FAIL  no case fails without ${what}`),
    `${printable(path)}: ${cases.length - failed.length} of ${cases.length} cases passed`,
  ];
  const summary = {
    policy: path,
    cases: outcomes.map(({ decision, ...each }) => ({ ...each, ...(decision ? { decision } : {}) })),
    unneeded,
  };
  answer(summary);
  for (const line of lines) io.stdout.write(`${line}\n`);
  if (failed.length > 0) {
    throw new TsignError("policy", `test ${file}: ${failed.length} of ${cases.length} cases failed`);
  }
  if (unneeded.length > 0) {
    throw new TsignError("policy", `test ${file}: no case fails without ${unneeded[0]}${more(unneeded.length - 1)}`, {
      hint: "add a case with expect: refuse that needs the demand",
    });
  }
  return summary;
};

const more = (count: number) => (count === 0 ? "" : ` and ${count} other demands`);

/** `tsign.policy.test.yaml` for `tsign.policy.yaml`. */
function besideName(path: string): string | undefined {
  return /\.(?:ya?ml|json)$/.test(path) ? path.replace(/\.(ya?ml|json)$/, ".test.$1") : undefined;
}

async function casesOf(io: Io, policy: TrustPolicy, named: readonly string[]): Promise<PolicyCase[]> {
  const beside = besideName(policy.path);
  const found = beside !== undefined && (await io.files.stat(beside))?.kind === "file" ? [beside] : [];
  const cases = [...policy.cases];
  for (const path of new Set([...found, ...named])) {
    cases.push(...readCasesFile(await io.files.read(path, MAX_CASES), path));
  }
  return cases;
}

/** Which demands can be left out without a case failing. */
async function unneededDemands(
  io: Io,
  of: {
    content: Uint8Array;
    policy: TrustPolicy;
    cases: readonly PolicyCase[];
    /** Of the cases, in their order. */
    outcomes: readonly CaseOutcome[];
  },
): Promise<string[]> {
  const { content, policy, cases, outcomes } = of;
  const isNoticed = async ({ text, rule }: Loosened) => {
    const looser = await readTrustPolicy(text, policy.path);
    const place = rule === undefined ? undefined : policy.rules[rule]?.place;
    // A looser policy accepts what is accepted, and the same rule decides.
    const concerned = cases.filter(
      ({ expect }, index) =>
        expect !== "accept" && (place === undefined || outcomes[index]?.decision?.rule?.place === place),
    );
    for (const each of concerned) if ((await runCase(io, looser, each)).faults.length > 0) return true;
    return false;
  };
  const unneeded: string[] = [];
  for (const each of loosened(readPolicyDocument(content, policy.path).value)) {
    if (!(await isNoticed(each))) unneeded.push(each.what);
  }
  return unneeded;
}
