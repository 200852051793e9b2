import type { Io } from "../../io/io.ts";
import type { PolicyResult, PolicySource } from "../../policy/index.ts";

/**
 * Reads the policy files, before any image is looked up: a wrong path fails at once.
 *
 * @param paths CUE (.cue) and Rego (.rego) files
 * @throws TsignError "input" for another kind of file, or one that cannot be read
 */
export async function readPolicies(io: Io, paths: readonly string[]): Promise<readonly PolicySource[]> {
  if (paths.length === 0) return [];
  const policy = await import("../../policy/index.ts"); // loaded only when --policy is given
  return policy.readPolicies(io, paths);
}

/**
 * Returns a function that evaluates the policies on a statement; undefined without policies.
 */
export function statementJudge(
  io: Io,
  policies: readonly PolicySource[],
): ((statement: Uint8Array) => Promise<PolicyResult>) | undefined {
  if (policies.length === 0) return undefined;
  return async (statement) => {
    const { evaluatePolicies } = await import("../../policy/index.ts");
    return evaluatePolicies(io, statement, policies);
  };
}
