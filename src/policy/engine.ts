import * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { parseJson } from "../format/json.ts";
import type { Io } from "../io/io.ts";
import { type EngineForm, locateEngine } from "../io/policy-engine.ts";

export type PolicyIo = Pick<Io, "spawn" | "sleep" | "files" | "env" | "cwd" | "launcher" | "platform" | "signal">;

/** Limits for an evaluation. */
export interface PolicyLimits {
  readonly milliseconds: number;
  /** The engine's memory. It needs 100 MiB before it loads a policy. */
  readonly mebibytes: number;
}

export const DEFAULT_LIMITS: PolicyLimits = { milliseconds: 60_000, mebibytes: 1024 };

/** The request that policy-engine/main.go reads. */
export interface EngineRequest {
  readonly statement: string;
  readonly cwd: string;
  readonly cue: readonly { path: string; text: string }[];
  readonly rego: readonly { path: string; text: string }[];
}

const Verdict = z.object({ ok: z.boolean(), reasons: z.array(z.string()) });
export type Verdict = z.infer<typeof Verdict>;

const PAGES_PER_MEBIBYTE = 16;
/** Environment variables for the engine: what `http.send` and CUE's modules may need, and no passwords or tokens. */
const PASSED_VARIABLES = /^(HOME|SYSTEMROOT|TZ|CUE_.*|https?_proxy|no_proxy|all_proxy|SSL_CERT_(FILE|DIR))$/i;

/**
 * Runs the engine in a separate process, which can read files and use the network, as policies may, but cannot write files or
 * start programs, and which is killed at its limits. The native form restricts itself where the system allows it (Linux:
 * policy-engine/confine_linux.go); Node restricts the portable one.
 *
 * @param forms the forms to try, in this order
 * @throws TsignError "unsupported" if the engine is not built, "limit" when time or memory runs out, "internal" if it exits
 * without a result
 */
export async function runEngine(
  io: PolicyIo,
  request: EngineRequest,
  limits: PolicyLimits,
  forms: readonly EngineForm[] = ["native", "portable"],
): Promise<Verdict> {
  const [program = "", ...args] = await findEngine(io, limits, forms);
  const env = Object.fromEntries(Object.entries(io.env).filter(([name]) => PASSED_VARIABLES.test(name)));
  const names = [...request.cue, ...request.rego].map(({ path }) => path).join(", ");
  const slow = new TsignError("limit", `evaluate ${names}: no result within ${limits.milliseconds / 1000} seconds`, {
    hint: "check the policies for a loop or an expensive rule",
  });
  const ended = new AbortController();
  const late = new AbortController();
  io.sleep(limits.milliseconds, ended.signal).then(
    () => late.abort(slow),
    () => {},
  );
  try {
    const { code, stdout, stderr } = await io.spawn(program, args, {
      stdin: JSON.stringify(request),
      env,
      own: true,
      signal: AbortSignal.any([io.signal, late.signal]),
    });
    if (code !== 0) throw engineError(names, stderr, limits);
    return Verdict.parse(parseJson(Buffer.from(stdout), "policy engine output"));
  } finally {
    ended.abort();
  }
}

/** The command line for the portable engine. */
function portable(node: string, runtime: string, script: string, { mebibytes }: PolicyLimits): string[] {
  return [
    node,
    "--liftoff-only", // optimizing takes longer than a policy runs
    "--wasm-lazy-validation",
    `--wasm-max-mem-pages=${mebibytes * PAGES_PER_MEBIBYTE}`,
    "--max-old-space-size=256",
    "--permission",
    "--allow-fs-read=*",
    // Node 24 does not restrict the network, and does not know this flag.
    ...(Number(/^node v(\d+)/.exec(runtime)?.[1]) >= 25 ? ["--allow-net"] : []),
    "--use-system-ca",
    "--use-env-proxy",
    "--no-warnings",
    script,
  ];
}

/** The error for an engine that exits without a result. */
function engineError(names: string, stderr: string, { mebibytes }: PolicyLimits): TsignError {
  if (/out of memory|stack overflow|stack exceeds|Maximum call stack|cannot allocate|heap limit/i.test(stderr)) {
    return new TsignError("limit", `evaluate ${names}: no result within ${mebibytes} MiB of memory`, {
      hint: "check the policies for a loop or a large result",
    });
  }
  const [first = ""] = stderr.trim().split("\n");
  return new TsignError("internal", `evaluate ${names}: policy engine exited without a result: ${first.slice(0, 200)}`);
}

/** The command line of the engine. */
async function findEngine(io: PolicyIo, limits: PolicyLimits, forms: readonly EngineForm[]): Promise<string[]> {
  const found = await locateEngine(io, forms);
  if (found?.form === "native") return [found.path, `memory=${limits.mebibytes}`];
  if (found !== undefined && io.launcher.node !== undefined)
    return portable(io.launcher.node, io.platform.runtime, found.path, limits);
  throw new TsignError("unsupported", "policy engine is not built", {
    hint: "install the executable of this platform, or run `npm run policy-engine` in a clone; it downloads Go where it is missing",
  });
}
