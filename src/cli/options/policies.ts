import { TsignError } from "../../errors.ts";
import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import type { PolicySource } from "../../policy/index.ts";

/**
 * Reads policies before anything is looked up, so that a wrong path costs nothing.
 *
 * @param paths CUE (.cue) and Rego (.rego) files
 * @throws TsignError "input" for another kind of file, or one that cannot be read
 */
export async function readPolicies(io: Io, paths: readonly string[]): Promise<readonly PolicySource[]> {
  if (paths.length === 0) return [];
  const policy = await import("../../policy/index.ts"); // for a flag that few commands are called with
  return policy.readPolicies(io, paths);
}

/**
 * Requires that every statement satisfies every policy; tells on stderr why one does not.
 *
 * @param statements their JSON as it was signed, and where each was found
 * @throws TsignError "policy" when one does not, "unsupported" when the policy engine was not built
 */
export async function requirePolicies(
  io: Io,
  policies: readonly PolicySource[],
  statements: readonly { where: string; statement: Uint8Array }[],
): Promise<void> {
  if (policies.length === 0) return;
  const { judge } = await import("../../policy/index.ts");
  let broken = 0;
  for (const { where, statement } of statements) {
    const judgement = await judge(io, statement, policies);
    if (judgement.ok) continue;
    broken++;
    io.stderr.write(`${printable(where)} does not satisfy the policies:\n`);
    for (const reason of judgement.reasons) io.stderr.write(`- ${printable(reason)}\n`);
  }
  if (broken === 0) return;
  throw new TsignError("policy", `${broken} of ${statements.length} attestations do not satisfy the policies`, {
    hint: "with --policy every valid attestation of the type has to",
  });
}
