import * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { parseJson } from "../format/json.ts";
import type { Io } from "../io/io.ts";

export type PolicyIo = Pick<Io, "spawn" | "sleep" | "files" | "env" | "cwd" | "launcher" | "platform" | "signal">;

/** What an evaluation may take. */
export interface PolicyLimits {
  readonly milliseconds: number;
  /** The engine's memory. It needs 100 MiB before it reads a policy. */
  readonly mebibytes: number;
}

export const DEFAULT_LIMITS: PolicyLimits = { milliseconds: 60_000, mebibytes: 1024 };

/** How the engine was compiled: for this machine, or to WebAssembly, which Node runs. */
export type EngineForm = "native" | "portable";

/** A request as policy-engine/main.go reads it. */
export interface EngineRequest {
  readonly statement: string;
  readonly cwd: string;
  readonly cue: readonly { path: string; text: string }[];
  readonly rego: readonly { path: string; text: string }[];
}

const Verdict = z.object({ ok: z.boolean(), reasons: z.array(z.string()) });
export type Verdict = z.infer<typeof Verdict>;

const PAGES_PER_MEBIBYTE = 16;
/** What `http.send` and CUE's modules may need. Nothing else is the engine's business: passwords and tokens least. */
const PASSED = /^(HOME|SYSTEMROOT|TZ|CUE_.*|https?_proxy|no_proxy|all_proxy|SSL_CERT_(FILE|DIR)|NODE_EXTRA_CA_CERTS)$/i;

/**
 * Runs the engine in a process of its own, which can read files and reach the network, as policies may, but write no file
 * and start no program, and which is killed at its limits. The native form takes these rights from itself where the system
 * has a call for it (Linux: policy-engine/confine_linux.go); Node takes them from the portable one.
 *
 * @param forms the forms to look for, in this order
 * @throws TsignError "unsupported" when the engine was not built, "limit" when time or memory ran out, "internal" when it
 * ends without a verdict
 */
export async function runEngine(
  io: PolicyIo,
  request: EngineRequest,
  limits: PolicyLimits,
  forms: readonly EngineForm[] = ["native", "portable"],
): Promise<Verdict> {
  const [program = "", ...args] = await findEngine(io, limits, forms);
  const env = Object.fromEntries(Object.entries(io.env).filter(([name]) => PASSED.test(name)));
  const names = [...request.cue, ...request.rego].map(({ path }) => path).join(", ");
  const slow = new TsignError("limit", `no verdict within ${limits.milliseconds / 1000} seconds: ${names}`, {
    hint: "a policy of theirs loops, or takes too long",
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
    if (code !== 0) throw broken(names, stderr, limits);
    return Verdict.parse(parseJson(Buffer.from(stdout), "the policy engine's verdict"));
  } finally {
    ended.abort();
  }
}

/** How Node runs the portable engine. */
function portable(node: string, runtime: string, script: string, { mebibytes }: PolicyLimits): string[] {
  return [
    node,
    "--liftoff-only", // compiling twice takes longer than a policy runs
    "--wasm-lazy-validation",
    `--wasm-max-mem-pages=${mebibytes * PAGES_PER_MEBIBYTE}`,
    "--max-old-space-size=256",
    "--permission",
    "--allow-fs-read=*",
    // Node 24's permissions leave the network open, and do not know the flag that opens it.
    ...(Number(/^node v(\d+)/.exec(runtime)?.[1]) >= 25 ? ["--allow-net"] : []),
    "--use-system-ca",
    "--use-env-proxy",
    "--no-warnings",
    script,
  ];
}

/** What the end without a verdict was. */
function broken(names: string, stderr: string, { mebibytes }: PolicyLimits): TsignError {
  if (/out of memory|stack overflow|stack exceeds|Maximum call stack|cannot allocate|heap limit/i.test(stderr)) {
    return new TsignError("limit", `no verdict within ${mebibytes} MiB of memory: ${names}`, {
      hint: "a policy of theirs loops, or makes too much",
    });
  }
  const [first = ""] = stderr.trim().split("\n");
  return new TsignError("internal", `the policy engine ended without a verdict on ${names}: ${first.slice(0, 200)}`);
}

/** The program and arguments that run the engine; it lies beside the built program, also for tests, which run the sources. */
async function findEngine(
  { files, launcher, platform }: PolicyIo,
  limits: PolicyLimits,
  forms: readonly EngineForm[],
): Promise<string[]> {
  const here: string = import.meta.dirname ?? launcher.folder; // the executable has no modules
  const folder = `${here}${/[\\/]src[\\/]policy$/.test(here) ? "/../../dist" : ""}/policy`;
  const exists = async (path: string) => (await files.stat(path))?.kind === "file";
  for (const form of forms) {
    const native = `${folder}/engine${platform.os === "win32" ? ".exe" : ""}`;
    if (form === "native" && (await exists(native))) return [native, `memory=${limits.mebibytes}`];
    const script = `${folder}/run.cjs`;
    if (form === "native" || launcher.node === undefined || !(await exists(script))) continue;
    return portable(launcher.node, platform.runtime, script, limits);
  }
  throw new TsignError("unsupported", "this build of tsign has no policy engine", {
    hint: "run `npm run policy-engine`, which needs Go 1.21 or newer",
  });
}
