import { TsignError } from "../errors.ts";
import { DEFAULT_LIMITS, type PolicyIo, type PolicyLimits, runEngine } from "./engine.ts";

export type { PolicyIo, PolicyLimits } from "./engine.ts";

/** A policy: its path as the user gave it, absolute or relative to `io.cwd`, and its content. */
export interface PolicySource {
  readonly path: string;
  readonly text: string;
}

export type PolicyResult = { ok: true } | { ok: false; reasons: string[] };

const MAX_POLICY = 4 * 1024 * 1024;

/**
 * Evaluates policies for a statement, with cosign's engines and calls. All CUE files form one instance that the statement must
 * validate against (a `cue.mod` beside them is used). For each Rego file of package signature with a rule allow, its own
 * `data.signature.allow` (syntax v0), evaluated together with the files without such a rule, must be true; undefined or any
 * other value rejects. A file that has no effect is refused. CUE is evaluated first; if it rejects, Rego is not evaluated. A
 * reason names file, line, rule, and the value that the rule saw.
 *
 * @param statement the in-toto statement's JSON; numbers are compared as written
 * @throws TsignError "input" for an unknown file extension or no policies, "unsupported" if the engine is not built, "limit"
 * for a policy that takes too long or too much memory
 * @see pkg/cosign/cue, pkg/cosign/rego of cosign
 */
export async function evaluatePolicies(
  io: PolicyIo,
  statement: Uint8Array,
  policies: readonly PolicySource[],
  limits: PolicyLimits = DEFAULT_LIMITS,
): Promise<PolicyResult> {
  for (const { path } of policies) checkFormat(path);
  const withExtension = (extension: string) => policies.filter(({ path }) => path.endsWith(extension));
  const request = {
    statement: Buffer.from(statement).toString("base64"),
    cwd: io.cwd,
    cue: withExtension(".cue"),
    rego: withExtension(".rego"),
  };
  if (policies.length === 0) throw new TsignError("input", "no policies given");
  const { ok, reasons } = await runEngine(io, request, limits);
  if (ok && reasons.length === 0) return { ok: true };
  return { ok: false, reasons: reasons.length > 0 ? reasons : ["the policy engine returned no reason"] };
}

/**
 * Reads policy files, after checking all their extensions.
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
      throw new TsignError("input", `read policy ${path}: not valid UTF-8`, { cause });
    }
  }
  return sources;
}

function checkFormat(path: string): void {
  if (/\.(cue|rego)$/.test(path)) return;
  throw new TsignError("input", `invalid policy format, expected .cue or .rego: ${path}`);
}
