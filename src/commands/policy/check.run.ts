import { loadTrustPolicy } from "../../cli/options/trust-policy.ts";
import type { Run } from "../../cli/parser/define.ts";
import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import { checkKeys, checkPolicy } from "../../trust-policy/check.ts";
import { PolicySources } from "../../trust-policy/sources.ts";
import type definition from "./check.ts";

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags, answer }) => {
  const policy = await loadTrustPolicy(io, file);
  const sources = new PolicySources(io, policy, (text) => io.stderr.write(`WARNING: ${text}\n`));
  const keys = flags.skipKeys ? [] : await checkKeys(policy, sources, isFailure);
  const findings = [...keys, ...checkPolicy(policy, io.now())];
  const errors = findings.filter(({ level }) => level === "error").length;
  const counts = {
    rules: policy.rules.length,
    signers: policy.signers.size,
    errors,
    warnings: findings.length - errors,
  };
  const lines = [
    ...findings.map(({ place, level, text }) => `${printable(place)}: ${level}: ${printable(text)}`),
    `${printable(policy.path)}: ${Object.entries(counts).map(counted).join(", ")}`,
  ];
  const result = { policy: policy.path, ...counts, findings };
  answer(result);
  for (const line of lines)
    io.stdout.write(`${line}
`);
  if (errors > 0) throw new TsignError("input", `check ${file}: ${counted(["errors", errors])} found`);
  if (flags.strict && counts.warnings > 0)
    throw new TsignError("input", `check ${file}: ${counted(["warnings", counts.warnings])} found`);
  return result;
};

/** `1 rule`, `2 rules`. */
function counted([names, count]: readonly [string, number]): string {
  return `${count} ${count === 1 ? names.replace(/s$/, "") : names}`;
}

function isFailure(error: unknown): error is TsignError {
  return error instanceof TsignError && !["internal", "cancelled"].includes(error.code);
}
