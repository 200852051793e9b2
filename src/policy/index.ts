import { TsignError } from "../errors.ts";
import { DEFAULT_LIMITS, type PolicyIo, type PolicyLimits, runEngine } from "./engine.ts";

export type { PolicyIo, PolicyLimits } from "./engine.ts";

/** A policy: its path as the user gave it, absolute or relative to `io.cwd`, and its content. */
export interface PolicySource {
  readonly path: string;
  readonly text: string;
}

export type Judgement = { ok: true } | { ok: false; reasons: string[] };

const MAX_POLICY = 4 * 1024 * 1024;

/**
 * Judges a statement by policies, with cosign's engines and calls. All CUE files make one instance, which the statement has to
 * validate against (a `cue.mod` beside them is honoured). Each Rego file of package signature with a rule allow is asked for its
 * own `data.signature.allow`, in the syntax v0, with the files beside it that have none: it has to be true; undefined and any
 * other value are a no. A file that has no part in the verdict is refused. CUE comes first; when it says no, Rego is not
 * asked. A reason names file, line, rule, and the value that the rule saw.
 *
 * @param statement the in-toto statement's JSON; numbers are compared as they stand there
 * @throws TsignError "input" for a policy of another kind or none at all, "unsupported" when the engine was not built,
 * "limit" when a policy takes too long or too much memory
 * @see pkg/cosign/cue, pkg/cosign/rego of cosign
 */
export async function judge(
  io: PolicyIo,
  statement: Uint8Array,
  policies: readonly PolicySource[],
  limits: PolicyLimits = DEFAULT_LIMITS,
): Promise<Judgement> {
  for (const { path } of policies) checkFormat(path);
  const of = (extension: string) => policies.filter(({ path }) => path.endsWith(extension));
  const request = {
    statement: Buffer.from(statement).toString("base64"),
    cwd: io.cwd,
    cue: of(".cue"),
    rego: of(".rego"),
  };
  if (policies.length === 0) throw new TsignError("input", "there is no policy to judge by");
  const { ok, reasons } = await runEngine(io, request, limits);
  if (ok && reasons.length === 0) return { ok: true };
  return { ok: false, reasons: reasons.length > 0 ? reasons : ["the policy engine gave no reason"] };
}

/**
 * Reads policy files, after all their names were looked at.
 *
 * @throws TsignError "input" for a file that cannot be read, is not UTF-8, or has another extension; "limit" above 4 MiB
 */
export async function readPolicies(io: Pick<PolicyIo, "files">, paths: readonly string[]): Promise<PolicySource[]> {
  for (const path of paths) checkFormat(path);
  const sources: PolicySource[] = [];
  for (const path of paths) {
    const bytes = await io.files.read(path, { maxBytes: MAX_POLICY });
    try {
      sources.push({ path, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) });
    } catch (cause) {
      throw new TsignError("input", `the policy ${path} is not UTF-8`, { cause });
    }
  }
  return sources;
}

function checkFormat(path: string): void {
  if (/\.(cue|rego)$/.test(path)) return;
  throw new TsignError("input", `invalid policy format, expected .cue or .rego: ${path}`);
}
