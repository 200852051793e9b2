import { TsignError } from "../errors.ts";
import { withParts } from "../format/parts.ts";
import type { Io } from "../io/io.ts";
import { settledInOrder } from "../oci/parallel.ts";
import { recordImage } from "./effects.ts";
import { HeldLines } from "./print/held-lines.ts";
import { progress } from "./print/progress.ts";
import { withEnding } from "./stopping.ts";

/** What became of an image. "left": it was not begun. */
type ImageState = "done" | "skipped" | "failed" | "left";

/** How a command works on its images. */
interface Batch<Image> {
  /** Past participle, for the summary: `signed`. */
  readonly done: string;
  /** The state of an image that needs no work, for the summary; default `already signed`. */
  readonly skipped?: string;
  /** Label of the progress line: `signing images`. */
  readonly label: string;
  /** The name of an image in messages: `registry/repository@sha256:…`. */
  readonly nameOf: (image: Image) => string;
  /** Most images at a time. */
  readonly workers: number;
  /** Whether to go on with the other images after one has failed. */
  readonly goOn: boolean;
  /** What completes a batch that has failed, for the summary. */
  readonly advice: string;
  /** @param io prints the lines of this image together */
  readonly work: (io: Io, image: Image) => Promise<"done" | "skipped">;
}

/**
 * Runs a command's work for several images, a few at a time. Lines are printed in the order of the images. If one fails or the
 * command is stopped, every image that is left is named, so that another run can complete the work.
 *
 * @throws the first failure in the order of the images, after the images that were begun
 */
export async function runBatch<Image>(io: Io, images: readonly Image[], batch: Batch<Image>): Promise<void> {
  const run = () => runAll(io, images, batch);
  // Ctrl-C and SIGTERM stop the work instead of the process, so that what is left can be named.
  await withEnding(io.signal, () => (images.length > 1 ? io.orderly(run) : run()));
}

async function runAll<Image>(io: Io, images: readonly Image[], batch: Batch<Image>): Promise<void> {
  const { nameOf, workers, goOn, work } = batch;
  const several = images.length > 1;
  const held = new HeldLines(io.stderr, { holding: several && workers > 1 });
  const counts: Record<ImageState, number> = { done: 0, skipped: 0, failed: 0, left: 0 };
  const failures: unknown[] = [];
  let isStopped = false;
  const runOne = async ([index, image]: [number, Image]): Promise<ImageState> => {
    if (isStopped || io.signal.aborted) return "left";
    const own = withParts(io, { stderr: held.linesOf(index) });
    try {
      return await work(own, image);
    } catch (error) {
      isStopped ||= !goOn || io.signal.aborted || !(error instanceof TsignError) || error.code === "cancelled";
      throw error;
    }
  };
  const line = progress(io, batch.label, { total: images.length, unit: "items" });
  let index = 0;
  for await (const settled of settledInOrder(images.entries(), several ? workers : 1, runOne)) {
    const name = nameOf(images[index] as Image);
    held.release(index);
    line.update(++index);
    const state = settled.status === "fulfilled" ? settled.value : "failed";
    counts[state]++;
    if (several || state !== "failed") recordImage(io, { image: name, state: nameOfState(state, batch) });
    if (settled.status === "rejected") failures.push(settled.reason);
    if (several) printOutcome(io, name, settled);
  }
  line.end();
  if (several) printSummary(io, counts, { batch, total: images.length });
  if (failures.length > 0) throw failures[0];
  io.signal.throwIfAborted();
}

const STATE_NAMES = { failed: "failed", left: "not begun" } as const;

function nameOfState(
  state: ImageState,
  { done, skipped = "already signed" }: Pick<Batch<unknown>, "done" | "skipped">,
) {
  if (state === "done") return done;
  return state === "skipped" ? skipped : STATE_NAMES[state];
}

function printOutcome(io: Pick<Io, "stderr">, name: string, settled: PromiseSettledResult<ImageState>): void {
  const always = { always: true };
  if (settled.status === "fulfilled") {
    if (settled.value === "left") io.stderr.write(`${name}: ${STATE_NAMES.left}\n`, always);
    return;
  }
  const { reason } = settled;
  const text = reason instanceof Error ? reason.message : String(reason);
  io.stderr.write(`${text.includes(name) ? "" : `${name}: `}${text}\n`, always);
}

function printSummary<Image>(
  io: Pick<Io, "stderr">,
  counts: Readonly<Record<ImageState, number>>,
  { batch, total }: { batch: Batch<Image>; total: number },
): void {
  const others = (["skipped", "failed", "left"] as const)
    .filter((state) => counts[state] > 0)
    .map((state) => `, ${counts[state]} ${nameOfState(state, batch)}`);
  const isBroken = counts.failed + counts.left > 0;
  io.stderr.write(`${counts.done} of ${total} images ${batch.done}${others.join("")}\n`, { always: isBroken });
  if (isBroken) io.stderr.write(`${batch.advice}\n`, { always: true });
}
