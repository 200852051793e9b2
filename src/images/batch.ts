import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import type { TransportIo } from "../net/retry.ts";
import { settledInOrder } from "../oci/parallel.ts";
import { parseReference } from "../oci/ref.ts";
import { HeavyTurns } from "./heavy.ts";
import { KnownVerdicts } from "./known-verdicts.ts";
import type { ImageTarget } from "./open.ts";
import type { ImageVerdict } from "./verdict.ts";
import { type VerifyImageOptions, verifyImage } from "./verify.ts";

/** The images of a batch, and how they are verified. */
export interface Batch {
  /** As the user named them. */
  readonly images: readonly string[];
  /** Most signatures fetched at a time, over all images; as many images are verified at a time. At least 1. */
  readonly workers: number;
  readonly options: Omit<VerifyImageOptions, "workers" | "given">;
  /** Resolves an image to a digest. @param index position in `images` */
  readonly open: (image: string, index: number) => Promise<ImageTarget>;
  /** Called when no image of a repository (`registry/repository`) is left, so that what was kept for it can be forgotten. */
  readonly onRepositoryDone?: ((repository: string) => void) | undefined;
  /** Signatures to verify instead of those stored with the image. @param index position in `images` */
  readonly given?: ((target: ImageTarget, index: number) => Promise<readonly Evidence[]>) | undefined;
}

/** What became of one image. */
export type ImageOutcome = { readonly image: string; readonly index: number } & (
  | { readonly kind: "judged"; readonly target: ImageTarget; readonly verdict: ImageVerdict }
  /** The image could not be looked up, or not be verified. */
  | { readonly kind: "failed"; readonly error: unknown }
  /** `io.signal` was aborted first. */
  | { readonly kind: "unfinished" }
);

/** The outcomes for an image, from the gravest: `none of the signatures verifies` to `nothing is known`, then `verified`. */
export const IMAGE_STATES = ["refused", "unsigned", "not-found", "unchecked", "verified"] as const;
export type ImageState = (typeof IMAGE_STATES)[number];

/**
 * Verifies images in parallel, and yields the outcomes in the order of their names, as soon as they are there. A failure does
 * not stop the others, and the outcome for an image does not depend on them. A digest with several names in one repository
 * is verified once.
 *
 * @param io after `signal` is aborted, the images that are left are yielded as unfinished
 */
export async function* verifyImages(io: TransportIo, batch: Batch): AsyncGenerator<ImageOutcome, void, undefined> {
  const { images, workers } = batch;
  const known = new Known(images, batch.onRepositoryDone);
  let index = 0;
  for await (const settled of settledInOrder(images.entries(), workers, ([position, image]) =>
    verifyOne(io, { image, index: position }, { batch, known }),
  )) {
    const named = { image: images[index] ?? "", index };
    index++;
    if (settled.status === "fulfilled") yield { ...named, kind: "judged", ...settled.value };
    else if (io.signal.aborted) yield { ...named, kind: "unfinished" };
    else yield { ...named, kind: "failed", error: settled.reason };
  }
}

async function verifyOne(
  io: TransportIo,
  { image, index }: { image: string; index: number },
  { batch, known }: { batch: Batch; known: Known },
): Promise<{ target: ImageTarget; verdict: ImageVerdict }> {
  try {
    return await verifyTarget(io, { image, index }, { batch, known });
  } finally {
    known.done(index);
  }
}

async function verifyTarget(
  io: TransportIo,
  { image, index }: { image: string; index: number },
  { batch, known }: { batch: Batch; known: Known },
): Promise<{ target: ImageTarget; verdict: ImageVerdict }> {
  io.signal.throwIfAborted();
  const target = await known.target(image, () => batch.open(image, index));
  const given = await batch.given?.(target, index);
  const atOnce = Math.min(batch.workers, batch.images.length);
  const options = { ...batch.options, given, workers: Math.max(1, Math.floor(batch.workers / atOnce)) };
  const verify = () => known.turns.run(target, (each) => verifyImage(io, each, options));
  const verdict = await (given === undefined ? known.verdict(index, target, verify) : verify());
  if (!verdict.ok) io.signal.throwIfAborted(); // what could not be read any more would count as a place that failed
  return { target, verdict };
}

/** What the images of a batch share: the targets of names given twice, the verdicts by digest, and the memory. */
class Known {
  readonly turns = new HeavyTurns();
  /** By position. */
  readonly #repositories: readonly string[];
  /** Names that are still to be verified, by repository. */
  readonly #left: Map<string, number>;
  /** Names given more than once. */
  readonly #repeated: ReadonlySet<string>;
  readonly #targets = new Map<string, Promise<ImageTarget>>();
  readonly #verdicts: KnownVerdicts;
  readonly #onRepositoryDone: ((repository: string) => void) | undefined;

  constructor(images: readonly string[], onRepositoryDone?: (repository: string) => void) {
    this.#repositories = images.map(repositoryOf);
    this.#left = countsOf(this.#repositories);
    this.#repeated = new Set([...countsOf(images)].flatMap(([image, count]) => (count > 1 ? [image] : [])));
    this.#verdicts = new KnownVerdicts(this.#repositories);
    this.#onRepositoryDone = onRepositoryDone;
  }

  /** Resolves a name once, so that it stands for one digest. */
  target(image: string, open: () => Promise<ImageTarget>): Promise<ImageTarget> {
    if (!this.#repeated.has(image)) return open();
    const known = this.#targets.get(image);
    if (known) return known;
    const target = open();
    this.#targets.set(image, target);
    target.catch(() => this.#targets.delete(image)); // the next one tries again
    return target;
  }

  /** The verdict for the digest, under the target's name. */
  verdict(index: number, target: ImageTarget, verify: () => Promise<ImageVerdict>): Promise<ImageVerdict> {
    const key = `${target.store.name} ${target.attachments.name} ${target.digest}`;
    return this.#verdicts.of({ repository: this.#repositories[index] ?? "", key, image: target.name }, verify);
  }

  /** To be called once for each position, when its image is verified or has failed. */
  done(index: number): void {
    const repository = this.#repositories[index] ?? "";
    const left = (this.#left.get(repository) ?? 1) - 1;
    this.#left.set(repository, left);
    if (left > 0) return;
    this.#left.delete(repository);
    this.#onRepositoryDone?.(repository);
  }
}

function countsOf(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/** The repository of a name; the name itself if it is not a reference. */
function repositoryOf(image: string): string {
  try {
    return parseReference(image).name;
  } catch (error) {
    if (error instanceof TsignError) return image;
    throw error;
  }
}

/** The state of an image. */
export function stateOf(outcome: ImageOutcome): ImageState {
  if (outcome.kind === "unfinished") return "unchecked";
  if (outcome.kind === "failed") return isMissing(outcome.error) ? "not-found" : "unchecked";
  const { verdict } = outcome;
  if (verdict.ok) return "verified";
  const { error, count } = verdict;
  if (isMissing(error)) return "not-found";
  if (!(error instanceof TsignError) || !REFUSALS.has(error.code)) return "unchecked";
  return count === 0 ? "unsigned" : "refused";
}

const REFUSALS: ReadonlySet<string> = new Set(["no-signatures", "no-match", "no-match-bundle", "policy"]);

function isMissing(error: unknown): boolean {
  return error instanceof TsignError && error.code === "image-not-found";
}
