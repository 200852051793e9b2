import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { TOOLS } from "../../scripts/tools.ts";
import { OFFLINE, run } from "../support/test-io.ts";
import type { Served } from "./many-server.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PROGRAMS = { tsign: join(ROOT, "bin/tsign"), cosign: process.env["COSIGN"] ?? join(TOOLS, "bin/cosign") };
const WHO = ["tsign", "cosign"] as const;
type Program = (typeof WHO)[number];
/** Milliseconds that the slow registry takes for each request. */
const DELAY = 20;
/** Images signed by one command line, which has a limit; and most images that are signed to compare. */
const [AT_ONCE, SIGNED] = [100, 30];

interface Sample {
  /** Seconds. */
  readonly wall: number;
  readonly cpu: number;
  /** KiB. */
  readonly rss: number;
  readonly requests: number;
}

/** What both programs do. */
interface Task {
  readonly name: string;
  /** Largest acceptable ratio. */
  readonly goal: { readonly wall?: number; readonly cpu?: number };
  /** Most rounds. */
  readonly rounds?: number;
  /** @param run a name for what the run creates, different in each */
  args(run: string): readonly string[] | Promise<readonly string[]>;
}

/**
 * Compares the work on many images with cosign: wall and CPU time, memory and requests to the registry, which answers at once or
 * takes 20 ms. Each program uses its default flags. Prints two lines for each task.
 */
export async function compareMany(count: number, rounds: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "tsign-many-"));
  const sandbox = join(folder, "sandbox");
  mkdirSync(sandbox);
  const script = join(import.meta.dirname, "many-server.ts");
  const server = spawn(process.execPath, [script, String(DELAY), sandbox], { stdio: ["pipe", "pipe", "inherit"] });
  const end = () => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  process.on("exit", end);
  const [line] = (await once(createInterface(server.stdout), "line")) as [string];
  const served = JSON.parse(line) as Served;
  for (const task of await prepare(count, folder, served)) {
    const samples: Record<Program, Sample[]> = { tsign: [], cosign: [] };
    for (let round = 0; round < Math.min(rounds, task.rounds ?? rounds); round++) {
      for (const who of WHO) {
        samples[who].push(await measure(who, await task.args(`${who}-${round}`), { folder, served }));
      }
    }
    print(task, samples);
  }
  end();
  process.off("exit", end);
}

/** Pushes and signs images, half of the work of a run, and returns the tasks. */
async function prepare(count: number, folder: string, served: Served): Promise<Task[]> {
  const { direct, delayed, trustedRoot, signingConfig, issuer, email, token } = served;
  const env = { COSIGN_PASSWORD: "bench", TSIGN_SANDBOX: `localhost:${direct}` };
  const tsign = async (...argv: string[]) => {
    const { code, stdout, stderr } = await run(argv, { cwd: folder, env });
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const push = async (name: string, images: number) => {
    const pushed: string[] = [];
    for (let index = 0; index < images; index++) pushed.push(await tsign("sandbox", "push", `${name}-${index}:v1`));
    return pushed;
  };
  const sign = async (images: readonly string[], ...flags: string[]) => {
    for (let at = 0; at < images.length; at += AT_ONCE) {
      await tsign("sign", ...flags, "--timeout=10m", ...images.slice(at, at + AT_ONCE));
    }
  };
  await tsign("generate-key-pair");
  const byKey = await push("key", count);
  await sign(byKey, "--key=cosign.key", "-y", ...OFFLINE);
  const keyless = await push("keyless", count);
  const services = ["--signing-config", signingConfig, "--trusted-root", trustedRoot];
  await sign(keyless, ...services, "--identity-token", token, "-y");
  const slow = (images: readonly string[]) => images.map((image) => image.replace(`:${direct}/`, `:${delayed}/`));
  const key = ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog"];
  const identity = ["--certificate-identity", email, "--certificate-oidc-issuer", issuer];
  const signed = Math.min(count, SIGNED);
  return [
    { name: `verify ${count} by key`, goal: { cpu: 1 }, args: () => [...key, ...byKey] },
    { name: `verify ${count} by key, ${DELAY} ms`, goal: { wall: 0.125 }, args: () => [...key, ...slow(byKey)] },
    {
      name: `verify ${count} keyless`,
      goal: { cpu: 1 },
      args: () => ["verify", "--trusted-root", trustedRoot, ...identity, ...keyless],
    },
    {
      name: `sign ${signed} by key, ${DELAY} ms`,
      goal: {},
      rounds: 2, // cosign takes half a minute
      args: async (name) => ["sign", "--key", "cosign.key", "-y", ...OFFLINE, ...slow(await push(name, signed))],
    },
  ];
}

async function measure(
  who: Program,
  args: readonly string[],
  { folder, served }: { folder: string; served: Served },
): Promise<Sample> {
  const before = await requests(served);
  const command = [join(import.meta.dirname, "measure.py"), join(folder, "output"), PROGRAMS[who], ...args];
  const env = { ...process.env, COSIGN_PASSWORD: "bench", HOME: folder };
  const child = spawn("python3", command, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (piece) => {
    stdout += piece;
  });
  await once(child, "close");
  const sample = JSON.parse(stdout) as Sample & { code: number };
  if (sample.code !== 0) throw new Error(`${who} ${args.slice(0, 4).join(" ")} … exits with ${sample.code}`);
  return { ...sample, requests: (await requests(served)) - before };
}

/** The server closes idle connections while a program is measured. */
const NO_REUSE = { headers: { connection: "close" } };

async function requests({ direct }: Served): Promise<number> {
  return Number(await (await fetch(`http://localhost:${direct}/requests`, NO_REUSE)).text());
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Prints the medians of both programs, and the medians of the ratios of the rounds. */
function print({ name, goal }: Task, samples: Readonly<Record<Program, readonly Sample[]>>): void {
  for (const who of WHO) {
    const [wall, cpu, rss, sent] = (["wall", "cpu", "rss", "requests"] as const).map((key) =>
      median(samples[who].map((sample) => sample[key])),
    ) as [number, number, number, number];
    const ratio = (key: "wall" | "cpu") => {
      const ratios = samples.tsign.map((sample, round) => sample[key] / (samples.cosign[round]?.[key] ?? Number.NaN));
      const wanted = goal[key] === undefined ? "" : ` (≤ ${goal[key]})`;
      return `${key} ${median(ratios).toFixed(3)}${wanted}`;
    };
    const ratios = who === "tsign" ? `   ${ratio("wall")}, ${ratio("cpu")} of cosign's` : "";
    const amounts = `${String(Math.round(rss / 1024)).padStart(4)} MiB  ${String(sent).padStart(5)} requests`;
    const times = `wall ${wall.toFixed(2).padStart(6)} s  CPU ${cpu.toFixed(2).padStart(6)} s`;
    console.log(`${name.padEnd(30)}  ${who.padEnd(6)}  ${times}  ${amounts}${ratios}`);
  }
}
