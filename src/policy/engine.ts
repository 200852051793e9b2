import * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { parseJson } from "../format/json.ts";
import type { Io } from "../io/io.ts";

export type PolicyIo = Pick<Io, "spawn" | "sleep" | "files" | "env" | "cwd" | "launcher" | "signal">;

/** What an evaluation may take. */
export interface PolicyLimits {
  readonly milliseconds: number;
  /** The engine's memory. It needs 100 MiB before it reads a policy. */
  readonly mebibytes: number;
}

export const DEFAULT_LIMITS: PolicyLimits = { milliseconds: 60_000, mebibytes: 1024 };

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
 * and start no program, and which is killed at its limits.
 *
 * @throws TsignError "unsupported" when the engine was not built, "limit" when time or memory ran out, "internal" when it
 * ends without a verdict
 */
export async function runEngine(io: PolicyIo, request: EngineRequest, limits: PolicyLimits): Promise<Verdict> {
  const script = await findEngine(io);
  const flags = [
    "--liftoff-only", // compiling twice takes longer than a policy runs
    `--wasm-max-mem-pages=${limits.mebibytes * PAGES_PER_MEBIBYTE}`,
    "--max-old-space-size=256",
    "--permission",
    "--allow-fs-read=*",
    ...(await netFlag(io)),
    "--use-system-ca",
    "--use-env-proxy",
    "--no-warnings",
  ];
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
    const { code, stdout, stderr } = await io.spawn(io.launcher.node, [...flags, script], {
      stdin: JSON.stringify(request),
      env,
      signal: AbortSignal.any([io.signal, late.signal]),
    });
    if (code !== 0) throw broken(names, stderr, limits);
    return Verdict.parse(parseJson(Buffer.from(stdout), "the policy engine's verdict"));
  } finally {
    ended.abort();
  }
}

/** Node 24's permissions know no network: it is open there, and the flag that opens it is unknown. */
async function netFlag(io: PolicyIo): Promise<string[]> {
  const { stdout } = await io.spawn(io.launcher.node, ["--version"]);
  return Number(/^v(\d+)/.exec(stdout)?.[1]) >= 25 ? ["--allow-net"] : [];
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

/** Beside the built program; for tests, which run the sources, where the build puts it. */
async function findEngine({ files }: PolicyIo): Promise<string> {
  const here = import.meta.dirname;
  const inSources = /[\\/]src[\\/]policy$/.test(here);
  const script = `${here}${inSources ? "/../../dist" : ""}/policy/run.cjs`;
  if ((await files.stat(script))?.kind === "file") return script;
  throw new TsignError("unsupported", "this build of tsign has no policy engine: nothing can be said about policies", {
    hint: "npm run policy-engine builds it; it needs Go 1.21 or newer",
  });
}
