import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { differential } from "./differential.ts";
import { fuzz, inputOf, judgeOne, type Kept, type Report } from "./engine.ts";
import { TARGETS } from "./targets.ts";
import { makeWorld } from "./world.ts";

/**
 * npm run fuzz [-- TARGET…] [--seconds N] [--count N] [--seed N] [--findings FOLDER] [--replay FILE] [--list] [--differential]
 *
 * Feeds every reader and verifier with modified genuine documents, each target for its share of the time. A finding is
 * minimized, written to a file, and fails the run.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "120" },
    count: { type: "string", default: "1000000000" },
    seed: { type: "string" },
    findings: { type: "string", default: "fuzz-findings" },
    replay: { type: "string" },
    list: { type: "boolean", default: false },
    differential: { type: "boolean", default: false },
  },
});

/** The default seed, derived from the day and the commit. */
function seedOfToday(): number {
  let commit = "";
  try {
    commit = execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8" });
  } catch {
    // without a repository, only the day
  }
  const day = Math.floor(Date.now() / 86_400_000);
  return (Number.parseInt(commit.slice(0, 7) || "0", 16) ^ (day * 2_654_435_761)) & 0x7fff_ffff;
}

async function replay(file: string): Promise<number> {
  const kept = JSON.parse(readFileSync(file, "utf8")) as Kept;
  const target = TARGETS.find(({ name }) => name === kept.target);
  if (!target) throw new Error(`unknown target ${kept.target}`);
  const { outcome, seconds } = await judgeOne(target, inputOf(kept));
  console.log(`${file}: ${outcome}, ${seconds.toFixed(3)} s`);
  return 0;
}

function row({ target, inputs, seconds, outcomes, slowest }: Report): string {
  const perMinute = Math.round((inputs / seconds) * 60);
  const cells = [inputs, perMinute, outcomes.refused, outcomes.read, outcomes.yes].map((cell) =>
    String(cell).padStart(9),
  );
  return `${target.padEnd(18)}${cells.join("")}${`${Math.round(slowest * 1000)} ms`.padStart(11)}`;
}

async function fuzzAll(): Promise<number> {
  const unknown = positionals.filter((name) => !TARGETS.some((target) => target.name === name));
  if (unknown.length > 0) throw new Error(`unknown target: ${unknown.join(", ")}; --list prints all targets`);
  const targets = TARGETS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const seed = values.seed === undefined ? seedOfToday() : Number(values.seed);
  console.log(`seed ${seed}: npm run fuzz -- ${positionals.join(" ")} --seed ${seed} --seconds ${values.seconds}`);
  const world = await makeWorld();
  const started = performance.now();
  const until = started + Number(values.seconds) * 1000;
  console.log(`${"target".padEnd(18)}   inputs  a minute  refused     read      yes    slowest`);
  let [passed, failed, total] = [0, 0, 0];
  for (const [index, target] of targets.entries()) {
    // The remaining time is shared evenly, so that a target that ends early leaves its time to the others.
    const seconds = Math.max(0.2, (until - performance.now()) / 1000 / (targets.length - index));
    const bounds = { seconds, count: Number(values.count), seed, folder: values.findings };
    const report = await fuzz(target, world, bounds);
    console.log(row(report));
    total += report.inputs;
    if (report.finding) {
      failed++;
      console.log(`FOUND ${target.name}: ${report.finding.reason}\n  npm run fuzz -- --replay ${report.finding.file}`);
    } else passed++;
  }
  const minutes = (performance.now() - started) / 60_000;
  console.log(`${total} inputs in ${(minutes * 60).toFixed(0)} s, ${Math.round(total / minutes)} a minute`);
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

/** Gives what tsign accepts to cosign (differential.ts). */
async function compare(): Promise<number> {
  const seed = values.seed === undefined ? seedOfToday() : Number(values.seed);
  console.log(`seed ${seed}: npm run fuzz -- --differential --seed ${seed} --seconds ${values.seconds}`);
  const options = { seconds: Number(values.seconds), seed, folder: values.findings };
  const failed = await differential(await makeWorld(), options);
  console.log(`${failed === 0 ? 1 : 0} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

if (values.list) for (const { name } of TARGETS) console.log(name);
else if (values.differential) process.exitCode = await compare();
else process.exitCode = values.replay === undefined ? await fuzzAll() : await replay(values.replay);
