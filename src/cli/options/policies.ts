import type { Io } from "../../io/io.ts";
import type { PolicyResult, PolicySource } from "../../policy/index.ts";

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
 * What judges a statement by the policies.
 *
 * @returns undefined when there are none
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
