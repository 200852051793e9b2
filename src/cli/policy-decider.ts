import { TsignError } from "../errors.ts";
import { shellQuoted } from "../format/shell-quoted.ts";
import { HeavyTurns } from "../images/heavy.ts";
import { type ImageTarget, imageTarget, openImage } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import type { RegistryOptions } from "../oci/open.ts";
import { parseReference, type Reference } from "../oci/ref.ts";
import { type Decided, decideImage } from "../trust-policy/decide.ts";
import { mirrorsOf } from "../trust-policy/mirrors.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import { PolicySources } from "../trust-policy/sources.ts";

/** An image and what a trust policy decides about it. */
export interface DecidedImage {
  readonly target: ImageTarget;
  readonly decided: Decided;
}

interface Opened {
  readonly ref: Reference;
  readonly target: ImageTarget;
}

interface DeciderOptions {
  readonly registry: RegistryOptions;
  /** Most concurrent fetches for one image. */
  readonly workers: number;
  /** URL of a Rekor v1 for legacy signatures stored without a log entry; undefined to ask none. */
  readonly rekorUrl: string | undefined;
  /** Whether images are read at the mirrors of the policy. */
  readonly mirrors: boolean;
}

/** Decides on the images of one command, several at a time. A name stands for one digest, however often it is given. */
export class PolicyDecider {
  readonly #io: Io;
  readonly #policy: TrustPolicy;
  readonly #sources: PolicySources;
  readonly #options: DeciderOptions;
  readonly #turns = new HeavyTurns();
  readonly #opened = new Map<string, Promise<Opened>>();

  constructor(io: Io, policy: TrustPolicy, options: DeciderOptions) {
    this.#io = io;
    this.#policy = policy;
    this.#options = options;
    this.#sources = new PolicySources(io, policy, (text) => io.stderr.write(`WARNING: ${text}\n`));
  }

  /**
   * Decides on an image.
   *
   * @param own writes what concerns this image
   * @throws TsignError of openImage and decideImage; the reason of `io.signal` after it was aborted
   */
  async decide(image: string, own: Io): Promise<DecidedImage> {
    const { signal, env } = this.#io;
    signal.throwIfAborted();
    const { workers, rekorUrl } = this.#options;
    const { ref, target } = await this.#open(image, own);
    const options = { maxBytes: maxAttachmentSize(env), workers, tagPrefix: "", rekorUrl };
    const decided = await this.#turns.run(target, (each) =>
      decideImage(this.#io, this.#sources, { policy: this.#policy, ref, target: each }, options),
    );
    // What could not be read any more would count as a place that failed.
    if (!decided.decision.ok) signal.throwIfAborted();
    return { target, decided };
  }

  /**
   * Opens an image, which `decide` will decide on.
   *
   * @throws TsignError of openImage
   */
  async open(image: string, own: Io): Promise<ImageTarget> {
    return (await this.#open(image, own)).target;
  }

  #open(image: string, own: Io): Promise<Opened> {
    const known = this.#opened.get(image);
    if (known) return known;
    const opening = this.#lookUp(image, own);
    this.#opened.set(image, opening);
    opening.catch(() => this.#opened.delete(image)); // the next one tries again
    return opening;
  }

  async #lookUp(image: string, own: Io): Promise<Opened> {
    const { registry } = this.#options;
    const mirrors = this.#options.mirrors ? mirrorsOf(this.#policy, parseReference(image)) : undefined;
    const opened = await openImage(own, image, { registry, mustExist: true, mirrors });
    return { ref: opened.ref, target: await imageTarget(own, opened, registry) };
  }
}

/** The error for an image that is not accepted. A place that could not be searched comes first: what is missing may be there. */
export function imageRefusal(
  { decision, missed }: Decided,
  { image, file, undemanded }: { image: string; file: string; undemanded?: string | undefined },
): unknown {
  if (missed !== undefined) return missed;
  const by = decision.rule ? `${decision.rule.name} of ${file}` : file;
  const reasons = undemanded ?? (decision.ok ? "accepted without a signature" : decision.reasons.join("; "));
  return new TsignError("policy", `${image} is refused by ${by}: ${reasons}`, {
    hint: `run \`tsign policy explain ${shellQuoted(file)} ${shellQuoted(image)}\``,
  });
}
