import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { TOOLS } from "../../scripts/tools.ts";

/**
 * Compares tsign with cosign in one run: interleaved rounds, medians of CPU time (user and system) and peak memory.
 *
 *     npm run bench            all cases; requires 2 GiB of disk for the large file, and python3
 *     npm run bench -- --quick  fewer rounds, a file of 64 MiB
 *
 * COSIGN is the path of the cosign to compare with.
 */
const ROOT = resolve(import.meta.dirname, "../..");
const COSIGN = process.env["COSIGN"] ?? join(TOOLS, "bin/cosign");
const QUICK = process.argv.includes("--quick");
const LARGE = QUICK ? 64 * 1024 ** 2 : 2 * 1024 ** 3;

interface Sample {
  code: number;
  cpu: number;
  rss: number;
  wall: number;
}

interface Case {
  name: string;
  rounds: number;
  /** Largest acceptable ratio of CPU times. */
  goal: number;
  /** Largest acceptable peak memory, MiB. */
  memory?: number;
  args: string[];
}

if (!existsSync(COSIGN)) {
  console.error(`no cosign at ${COSIGN}: run test/suites/tools.sh, or set COSIGN`);
  process.exit(1);
}
const programs = { tsign: join(ROOT, "bin/tsign"), cosign: COSIGN };
const folder = mkdtempSync(join(tmpdir(), "tsign-bench-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const env = { ...process.env, COSIGN_PASSWORD: "bench", HOME: folder };

function measure(program: string, args: string[]): Sample {
  const script = join(import.meta.dirname, "measure.py");
  const command = [script, join(folder, "output"), program, ...args];
  const { stdout } = spawnSync("python3", command, { cwd: folder, env, encoding: "utf8" });
  const sample = JSON.parse(stdout) as Sample;
  if (sample.code !== 0) {
    console.error(execFileSync("tail", ["-n", "5", join(folder, "output")], { encoding: "utf8" }));
    throw new Error(`${program} ${args.join(" ")} failed with ${sample.code}`);
  }
  return sample;
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const offline = ["--use-signing-config=false", "--tlog-upload=false", "-y"];
writeFileSync(join(folder, "small"), "a small file\n");
writeFileSync(join(folder, "large"), "");
truncateSync(join(folder, "large"), LARGE);
measure(programs.cosign, ["generate-key-pair"]);
for (const file of ["small", "large"]) {
  measure(programs.cosign, ["sign-blob", "--key", "cosign.key", ...offline, "--bundle", `${file}.json`, file]);
}

const verify = (file: string) => [
  "verify-blob",
  "--key",
  "cosign.pub",
  "--insecure-ignore-tlog",
  "--bundle",
  `${file}.json`,
  file,
];
const sign = (file: string) => ["sign-blob", "--key", "cosign.key", ...offline, "--bundle", "new.json", file];
const size = LARGE >= 1024 ** 3 ? `${LARGE / 1024 ** 3} GiB` : `${LARGE / 1024 ** 2} MiB`;
const cases: Case[] = [
  { name: "version", rounds: QUICK ? 5 : 31, goal: 1.3, args: ["version"] },
  { name: "verify-blob, 13 bytes", rounds: QUICK ? 5 : 31, goal: 2, args: verify("small") },
  { name: "sign-blob, 13 bytes", rounds: QUICK ? 5 : 11, goal: Number.NaN, args: sign("small") },
  { name: `sign-blob, ${size}`, rounds: QUICK ? 1 : 3, goal: 0.45, memory: 80, args: sign("large") },
  { name: `verify-blob, ${size}`, rounds: QUICK ? 1 : 3, goal: 0.45, memory: 80, args: verify("large") },
];

const number = (value: number, digits: number) => value.toFixed(digits).padStart(8);
console.log(`${"".padEnd(24)}  CPU ms: tsign   cosign    ratio   (goal)   MiB: tsign   cosign`);
for (const { name, rounds, goal, memory, args } of cases) {
  const samples: Record<"tsign" | "cosign", Sample[]> = { tsign: [], cosign: [] };
  for (let round = 0; round < rounds; round++) {
    for (const who of ["tsign", "cosign"] as const) samples[who].push(measure(programs[who], args));
  }
  const cpu = (who: "tsign" | "cosign") => 1000 * median(samples[who].map((sample) => sample.cpu));
  const rss = (who: "tsign" | "cosign") => median(samples[who].map((sample) => sample.rss)) / 1024;
  const goals = `${Number.isNaN(goal) ? "" : `≤ ${goal}`}${memory ? `, ${memory} MiB` : ""}`;
  console.log(
    `${name.padEnd(24)}  ${number(cpu("tsign"), 1)}      ${number(cpu("cosign"), 1)} ${number(cpu("tsign") / cpu("cosign"), 2)}   ` +
      `${goals.padEnd(14)} ${number(rss("tsign"), 0)} ${number(rss("cosign"), 0)}`,
  );
}
