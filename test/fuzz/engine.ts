import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import type { Input, Outcome, Target } from "./target.ts";
import { Finding } from "./target.ts";
import type { World } from "./world.ts";

const ROOT = `${pathToFileURL(resolve(import.meta.dirname, "../.."))}/`;
/** Limits for one input. */
const CPU_SECONDS = 1;
/** So many inputs, and some are right still. */
const ENOUGH = 200;
const MEMORY = 256 * 1024 * 1024;

export interface Bounds {
  readonly seconds: number;
  readonly count: number;
  readonly seed: number;
  /** Folder for findings. */
  readonly folder: string;
}

export interface Report {
  readonly target: string;
  readonly inputs: number;
  readonly seconds: number;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  /** CPU seconds of the slowest input. */
  readonly slowest: number;
  /** Path of the finding, if there is one. */
  readonly finding?: { readonly reason: string; readonly file: string };
}

/** Feeds a target until the time is over, the inputs are used up, or there is a finding, which is then minimized. */
export async function fuzz(target: Target, world: World, bounds: Bounds): Promise<Report> {
  const outcomes = { refused: 0, read: 0, yes: 0 };
  let [inputs, slowest] = [0, 0];
  const watch = watchdog(target.name, bounds);
  const started = performance.now();
  const property = fc.asyncProperty(await target.inputs(world), async (input) => {
    inputs++;
    watch.begin(input);
    const { outcome, seconds } = await judgeOne(target, input);
    outcomes[outcome]++;
    slowest = Math.max(slowest, seconds);
  });
  const result = await fc.check(property, {
    seed: bounds.seed,
    numRuns: bounds.count,
    interruptAfterTimeLimit: bounds.seconds * 1000,
  });
  await watch.end();
  const seconds = (performance.now() - started) / 1000;
  const report: Report = { target: target.name, inputs, seconds, outcomes, slowest };
  if (!result.failed && inputs >= ENOUGH && outcomes[target.reaches] === 0) {
    return { ...report, finding: { reason: `none of ${inputs} inputs was ${target.reaches}`, file: "" } };
  }
  const [found] = result.counterexample ?? [];
  if (!result.failed || !found) return report;
  const error = result.errorInstance;
  const reason = error instanceof Finding ? error.message : `internal: ${placeOf(error)}`;
  return { ...report, finding: { reason, file: keep(found, { target: target.name, reason, ...bounds }) } };
}

/** Returns an exception with its stack, with paths relative to this folder, because findings are read on other machines. */
function placeOf(error: unknown): string {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.replaceAll(ROOT, "");
}

/**
 * Judges an input within its limits.
 *
 * @throws Finding when it takes too much time or memory, and what the judging throws
 */
export async function judgeOne(target: Pick<Target, "judge" | "cpuSeconds">, input: Input) {
  const before = { cpu: process.cpuUsage(), memory: process.resourceUsage().maxRSS };
  const outcome = await target.judge(input);
  const { user } = process.cpuUsage(before.cpu);
  const seconds = user / 1e6;
  if (seconds > (target.cpuSeconds ?? CPU_SECONDS)) throw new Finding(`it took ${seconds.toFixed(1)} s of CPU time`);
  const grown = (process.resourceUsage().maxRSS - before.memory) * 1024;
  if (grown > MEMORY) throw new Finding(`it took ${Math.round(grown / 1024 / 1024)} MiB of memory`);
  return { outcome, seconds };
}

/** A finding as stored in a file. A test replays those in fixtures/fuzz; `npm run fuzz -- --replay FILE` replays one. */
export interface Kept {
  readonly target: string;
  readonly reason: string;
  readonly seed: number;
  readonly form: string;
  /** Base64. */
  readonly document: string;
  readonly text?: string;
  readonly setting: unknown;
}

function keep(input: Input, by: { target: string; reason: string; seed: number; folder: string }): string {
  const { target, reason, seed, folder } = by;
  const bytes = Buffer.from(input.document);
  const kept: Kept = {
    ...{ target, reason, seed, form: input.form, document: bytes.toString("base64") },
    ...(bytes.toString().includes("\ufffd") ? {} : { text: bytes.toString() }),
    setting: input.setting,
  };
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${target}-${seed}.json`);
  writeFileSync(file, `${JSON.stringify(kept, null, 1)}\n`);
  return file;
}

export function inputOf(kept: Kept): Input {
  return { form: kept.form, document: Buffer.from(kept.document, "base64"), setting: kept.setting };
}

const LARGEST = 64 * 1024 * 1024;
const SILENCE = 30_000;

/**
 * Watches from another thread: if an input blocks this thread, the watchdog writes it to a file and kills the run.
 */
function watchdog(target: string, { seed, folder }: Bounds) {
  const shared = new SharedArrayBuffer(12 + LARGEST, { maxByteLength: 12 + LARGEST });
  const [head, body] = [new Int32Array(shared, 0, 3), new Uint8Array(shared, 12)];
  const worker = new Worker(new URL("./watchdog.ts", import.meta.url), {
    workerData: { shared, target, seed, folder, silence: SILENCE },
    execArgv: [],
  });
  worker.unref();
  return {
    begin({ document }: Input) {
      const size = Math.min(document.length, LARGEST);
      body.set(document.subarray(0, size));
      Atomics.store(head, 1, size);
      Atomics.add(head, 0, 1);
    },
    async end() {
      await worker.terminate();
    },
  };
}
