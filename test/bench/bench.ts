import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { TOOLS } from "../../scripts/tools.ts";
import { type Case, prepareCases } from "./cases.ts";
import { compareMany } from "./many.ts";
import { prepareImages } from "./targets.ts";

/**
 * Compares tsign with cosign in one run: whole processes in turn; the median of the ratios of CPU time (user and system), and
 * medians of peak memory.
 *
 *     npm run bench                       all cases; requires 2 GiB of disk for the large file, and python3
 *     npm run bench -- --quick            fewer rounds, a file of 64 MiB
 *     npm run bench -- --only 'verify'    the cases whose names match a regular expression; 'many images' for those with thirty
 *
 * It measures what bin/tsign starts: the executable if there is one, else Node; TSIGN_RUNTIME=node forces Node. COSIGN is the
 * path of the cosign to compare with. Services and registries are the sandbox, in this process; docker-registry (see
 * test/suites/tools.sh) serves the cases that move blobs between repositories, because the sandbox's share theirs.
 */
const ROOT = resolve(import.meta.dirname, "../..");
const COSIGN = process.env["COSIGN"] ?? join(TOOLS, "bin/cosign");
const { values: options } = parseArgs({
  options: { quick: { type: "boolean" }, only: { type: "string" }, rounds: { type: "string" } },
});
const LARGE = options.quick ? 64 * 1024 ** 2 : 2 * 1024 ** 3;

interface Sample {
  readonly code: number;
  /** Seconds. */
  readonly cpu: number;
  /** KiB. */
  readonly rss: number;
}

if (!existsSync(COSIGN)) {
  console.error(`no cosign at ${COSIGN}: run test/suites/tools.sh, or set COSIGN`);
  process.exit(1);
}
const programs = { tsign: join(ROOT, "bin/tsign"), cosign: COSIGN };
type Program = keyof typeof programs;

const folder = mkdtempSync(join(tmpdir(), "tsign-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const env = { ...process.env, COSIGN_PASSWORD: "bench", HOME: folder };

/** Runs a program and measures it; the services in this process answer meanwhile. */
async function measure(program: Program, args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Sample> {
  const output = join(folder, "output");
  rmSync(output, { force: true });
  const command = [join(import.meta.dirname, "measure.py"), output, programs[program], ...args];
  const child = spawn("python3", command, { cwd: folder, env: { ...env, ...more } });
  let stdout = "";
  child.stdout.on("data", (piece) => {
    stdout += piece;
  });
  await new Promise((done) => child.on("close", done));
  const sample = JSON.parse(stdout) as Sample;
  if (sample.code === 0) return sample;
  console.error(execFileSync("tail", ["-n", "5", output], { encoding: "utf8" }));
  throw new Error(`${program} ${args.join(" ")} failed with ${sample.code}`);
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const number = (value: number, digits: number) => value.toFixed(digits).padStart(8);

/** Measures one case and prints its line. */
async function compare({ name, rounds, goal, memory, env: more, args }: Case): Promise<void> {
  const samples: Record<Program, Sample[]> = { tsign: [], cosign: [] };
  const wanted = Number(options.rounds ?? (options.quick ? Math.ceil(rounds / 4) : rounds));
  for (let round = 0; round < wanted; round++) {
    for (const who of ["tsign", "cosign"] as const) {
      samples[who].push(await measure(who, await args(`${who}${round}`), more));
    }
  }
  const cpu = (who: Program) => 1000 * median(samples[who].map((sample) => sample.cpu));
  const rss = (who: Program) => median(samples[who].map((sample) => sample.rss)) / 1024;
  const ratio = median(samples.tsign.map((sample, round) => sample.cpu / (samples.cosign[round]?.cpu ?? Number.NaN)));
  const goals = `≤ ${goal}${memory ? `, ${memory} MiB` : ""}`;
  console.log(
    `${name.padEnd(36)}  ${number(cpu("tsign"), 1)}      ${number(cpu("cosign"), 1)} ${number(ratio, 2)}   ` +
      `${goals.padEnd(14)} ${number(rss("tsign"), 0)} ${number(rss("cosign"), 0)}`,
  );
}

writeFileSync(join(folder, "small"), "a small file\n");
writeFileSync(join(folder, "large"), "");
truncateSync(join(folder, "large"), LARGE);
const images = await prepareImages({
  folder,
  tools: TOOLS,
  cosign: async (args, more) => void (await measure("cosign", args, more)),
});
const size = LARGE >= 1024 ** 3 ? `${LARGE / 1024 ** 3} GiB` : `${LARGE / 1024 ** 2} MiB`;
const cases = prepareCases(images, size).filter(({ name }) => new RegExp(options.only ?? "").test(name));
console.log(`${"".padEnd(36)}  CPU ms: tsign   cosign    ratio   (goal)   MiB: tsign   cosign`);
for (const each of cases) {
  try {
    await compare(each);
  } catch (error) {
    console.log(`${each.name.padEnd(36)}  ${(error as Error).message.slice(0, 120)}`);
    process.exitCode = 1;
  }
}
await images.close();
if (new RegExp(options.only ?? "").test("many images")) await compareMany(30, Number(options.rounds ?? 5));
