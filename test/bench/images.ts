import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Handler } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { OFFLINE, run } from "../support/test-io.ts";

/**
 * Compares `verify` of many images with cosign: wall and CPU time, memory and requests, with a registry that answers at once and
 * one that takes 20 ms. Each program uses its default flags.
 *
 *     npm run bench:images               30 images
 *     npm run bench:images -- 1000       as many
 *
 * COSIGN is the path of the cosign to compare with.
 */
const ROOT = resolve(import.meta.dirname, "../..");
const TOOLS = process.env["TSIGN_TOOLS"] ?? join(homedir(), ".cache/tsign-tools");
const COSIGN = process.env["COSIGN"] ?? join(TOOLS, "bin/cosign");
const DELAY = 20;
const ROUNDS = 3;
/** Signing time grows with the length of the command line, which has a limit. */
const SIGNED_AT_ONCE = 50;

/** Serves one registry on two ports, directly and delayed, and answers GET /requests with their number. */
async function serve(): Promise<void> {
  const io = systemIo();
  const registry = createRegistryHandler({ referrers: true });
  let requests = 0;
  const counting: Handler = (request) => {
    if (request.url === "/requests") return Promise.resolve({ status: 200, body: String(requests) });
    requests++;
    return registry(request);
  };
  const delayed: Handler = async (request) => {
    await sleep(DELAY);
    return counting(request);
  };
  const ports = [];
  for (const handler of [counting, delayed])
    ports.push((await io.listen({ host: "127.0.0.1", port: 0 }, handler)).port);
  console.log(ports.join(" "));
}

async function compare(count: number): Promise<void> {
  if (!existsSync(COSIGN)) throw new Error(`no cosign at ${COSIGN}: run test/suites/tools.sh, or set COSIGN`);
  const folder = mkdtempSync(join(tmpdir(), "tsign-bench-"));
  const server = spawn(process.execPath, [import.meta.filename, "serve"], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  });
  const [line] = (await once(createInterface(server.stdout), "line")) as [string];
  const [direct = "", delayed = ""] = line.split(" ");
  const env = { COSIGN_PASSWORD: "bench", TSIGN_SANDBOX: `localhost:${direct}` };
  const tsign = async (...argv: string[]) => {
    const { code, stdout, stderr } = await run(argv, { cwd: folder, env });
    if (code !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  await tsign("generate-key-pair");
  const images: string[] = [];
  for (let index = 0; index < count; index++) images.push(await tsign("sandbox", "push", `app-${index}:v1`));
  for (let index = 0; index < count; index += SIGNED_AT_ONCE) {
    await tsign("sign", "--key=cosign.key", "-y", ...OFFLINE, ...images.slice(index, index + SIGNED_AT_ONCE));
  }
  const programs = { tsign: join(ROOT, "bin/tsign"), cosign: COSIGN };
  for (const [name, port] of [
    ["direct", direct],
    [`${DELAY} ms`, delayed],
  ] as const) {
    const named = images.map((image) => image.replace(`:${direct}/`, `:${port}/`));
    const args = ["verify", "--key", "cosign.pub", "--insecure-ignore-tlog", ...named];
    const samples: Record<keyof typeof programs, Sample[]> = { tsign: [], cosign: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const who of ["tsign", "cosign"] as const)
        samples[who].push(await measure(programs[who], args, { folder, direct }));
    }
    const walls = (["tsign", "cosign"] as const).map((who) => {
      const [wall, cpu, rss, sent] = (["wall", "cpu", "rss", "requests"] as const).map((key) =>
        median(samples[who].map((sample) => sample[key])),
      ) as [number, number, number, number];
      const amounts = `${Math.round(rss / 1024)} MiB  ${sent} requests`;
      console.log(
        `${count} images, ${name}: ${who.padEnd(6)}  wall ${wall.toFixed(2)} s  CPU ${cpu.toFixed(2)} s  ${amounts}`,
      );
      return wall;
    });
    console.log(`${count} images, ${name}: ${((walls[0] ?? 0) / (walls[1] ?? 1)).toFixed(3)} of cosign's wall time`);
  }
  server.kill();
}

interface Sample {
  /** Seconds. */
  readonly wall: number;
  readonly cpu: number;
  /** KiB. */
  readonly rss: number;
  readonly requests: number;
}

async function measure(program: string, args: string[], at: { folder: string; direct: string }): Promise<Sample> {
  const before = await requests(at.direct);
  const command = [join(import.meta.dirname, "measure.py"), join(at.folder, "output"), program, ...args];
  const options = { cwd: at.folder, env: { ...process.env, HOME: at.folder }, encoding: "utf8" } as const;
  const sample = JSON.parse(spawnSync("python3", command, options).stdout) as Omit<Sample, "requests"> & {
    code: number;
  };
  if (sample.code !== 0) throw new Error(`${program} exits with ${sample.code}`);
  return { ...sample, requests: (await requests(at.direct)) - before };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** The server closes idle connections while a program is measured. */
const NO_REUSE = { headers: { connection: "close" } };

async function requests(port: string): Promise<number> {
  return Number(await (await fetch(`http://localhost:${port}/requests`, NO_REUSE)).text());
}

if (process.argv[2] === "serve") await serve();
else {
  await compare(Number(process.argv[2] ?? 30));
  process.exit(0);
}
