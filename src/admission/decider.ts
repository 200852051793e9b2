import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import type { Digest } from "../format/digest.ts";
import { HeavyTurns } from "../images/heavy.ts";
import { imageTarget, openImage, type RegistryImage } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { formatReference, type Reference } from "../oci/ref.ts";
import {
  type Decided,
  type DecideOptions,
  decideByName,
  decideImage,
  decideSavedImage,
} from "../trust-policy/decide.ts";
import type { Decision } from "../trust-policy/decision.ts";
import { mirrorsOf } from "../trust-policy/mirrors.ts";
import type { Effect, Rule } from "../trust-policy/model.ts";
import { isDated, sizeOf } from "./dated.ts";
import { Kept } from "./kept.ts";
import type { Loaded } from "./live-policy.ts";
import { namedIn } from "./named.ts";
import { NO_SECRETS, type PullScope } from "./pull-secrets.ts";
import { Registries } from "./registries.ts";
import { TimeLimits } from "./time-limits.ts";
import { REGISTRY_TURNS, Turns } from "./turns.ts";

/** How a decision was obtained: from the name, kept from earlier, or by looking at the image. */
type Source = "name" | "kept" | "kept, judged anew" | "verified";

/** A decision about an image, or the error that prevents one. */
export type Outcome = { readonly image: string; readonly rule: Rule | undefined; readonly effect: Effect } & (
  | { readonly kind: "decided"; readonly decision: Decision; readonly source: Source }
  | { readonly kind: "failed"; readonly error: unknown; readonly mayPass: boolean }
);

/** What a decision is needed for. */
export interface ImageNeeds {
  /** Whether an image that is accepted by its name is looked up. */
  readonly needsDigest?: boolean;
  /** Reads the credentials with which the image is pulled; without it the service's own are used. */
  readonly scope?: (() => Promise<PullScope>) | undefined;
  /** The policy that decides; without it the service's own. */
  readonly loaded?: Loaded | undefined;
  /** The digest that runs: it is decided on, whatever the tag is now, and whatever digest is named. */
  readonly running?: Digest | undefined;
}

/** How long decisions are kept, in milliseconds, and how many. */
const KEEP_ACCEPTED = 10 * 60_000;
/** Somebody may sign the image at any moment. */
const KEEP_REFUSED = 10_000;
const MOST_KEPT = 10_000;
/** Largest signatures that are kept to be judged anew, in bytes; larger ones are fetched again. */
const MAX_EVIDENCE = 256 * 1024;
const MOST_EVIDENCE = 500;
/** Largest decision that is kept, in characters. Its reasons quote signatures, which anybody may store. */
const MAX_DECISION = 16 * 1024;
/** Most repositories with an open session: whoever may create Pods may name any number of them. */
const MOST_SESSIONS = 5000;
/** How long an image with large signatures waits for another one, whose registry may be slow. Milliseconds. */
const MAX_HEAVY_WAIT = 10_000;

/** An image to look at. */
interface Asked {
  readonly ref: Reference;
  readonly rule: Rule | undefined;
  readonly until: number;
}

/** An image that is being looked at for at least one review. */
interface Running<T> {
  readonly result: Promise<T>;
  /** When the last review that waits for it must be answered; milliseconds since the epoch. */
  until: number;
}

/** What was decided about a digest, without the name of the image. */
interface KeptDecision {
  readonly decision: Decision;
  /** For demands that depend on the time: the signatures that met them. */
  readonly evidence: readonly Evidence[] | undefined;
}

/**
 * Decides on images by the policy of a running service. Equal images are looked at once at a time, and decisions about a digest
 * are kept: accepted ones for minutes, refused ones for seconds, none that failed or that lacks a place that could not be searched.
 */
export class Decider {
  readonly #io: Io;
  readonly #limits: TimeLimits;
  readonly #options: DecideOptions;
  readonly #current: () => Loaded;
  readonly #kept = new Kept<KeptDecision>(MOST_KEPT);
  readonly #dated = new Kept<KeptDecision>(MOST_EVIDENCE);
  readonly #resolving = new Map<string, Running<RegistryImage>>();
  readonly #deciding = new Map<string, Running<Decided>>();
  readonly #registries: Registries;
  readonly #turns = new Turns(REGISTRY_TURNS);
  readonly #heavy: HeavyTurns;

  /** @param of.limit of looking at one image, in milliseconds; undefined for none */
  constructor(io: Io, of: { current: () => Loaded; options: DecideOptions; limit?: number | undefined }) {
    const { current, options, limit } = of;
    this.#limits = new TimeLimits(io, limit);
    this.#io = this.#limits.io;
    this.#registries = new Registries(this.#io);
    this.#current = current;
    this.#options = options;
    this.#heavy = new HeavyTurns(async (ended) => {
      await io.sleep(MAX_HEAVY_WAIT, ended);
      throw new TsignError("timeout", "wait for images with large signatures: others take too long");
    });
  }

  /**
   * Decides on an image. Never throws.
   *
   * @param until when the answer is not needed any more; milliseconds since the epoch
   */
  async decide(image: string, until: number, needs: ImageNeeds = {}): Promise<Outcome> {
    const { needsDigest = false, scope, running, loaded = this.#current() } = needs;
    const { policy } = loaded;
    const asked = namedIn(policy, image, running);
    if ("error" in asked) return { image, ...asked };
    const { ref, rule, effect, mayPass } = asked;
    const common = { image, rule, effect };
    try {
      const named = decideByName(policy, ref);
      if (named && (!named.allowed || !needsDigest || ref.digest !== undefined)) {
        return { ...common, kind: "decided", decision: named, source: "name" };
      }
      return { ...common, kind: "decided", ...(await this.#look(loaded, { ref, rule, until, scope, running })) };
    } catch (error) {
      return { ...common, kind: "failed", error, mayPass };
    }
  }

  /** The outcome for an image about which nothing was known in time. @param within the time, in milliseconds */
  late(image: string, within: number, { policy } = this.#current()): Outcome {
    const error = new TsignError("timeout", `not verified within ${within / 1000} s`, { hint: "try again" });
    const asked = namedIn(policy, image);
    if ("error" in asked) return { image, ...asked };
    const { rule, effect, mayPass } = asked;
    return { image, rule, effect, kind: "failed", error, mayPass };
  }

  async #look(
    loaded: Loaded,
    { ref, rule, until, scope, running }: Asked & Pick<ImageNeeds, "scope" | "running">,
  ): Promise<{ decision: Decision; source: Source }> {
    // Objects of a cluster name none: the service decides which hosts it asks.
    const own = this.#current();
    const mirrors = mirrorsOf(own.policy, ref);
    const places = [ref, ...(mirrors?.places ?? []).map(({ repository }) => repository)];
    const { id, registry } = this.#registries.for(loaded, places, scope ? await scope() : NO_SECRETS);
    registry.connections?.trim(MOST_SESSIONS);
    const isUnpinned = rule?.pinned === true && ref.digest === undefined;
    const keyOf = (digest: Digest) =>
      JSON.stringify([loaded.id, own.id, rule?.index, ref.name, digest, isUnpinned, id]);
    const fixed = running ?? ref.digest;
    const kept =
      fixed === undefined ? undefined : await this.#recall(loaded, { ref, key: keyOf(fixed), digest: fixed });
    if (kept) return kept;
    const pinned = fixed === undefined ? undefined : `${ref.name}@${fixed}`;
    const name = `${loaded.id} ${own.id} ${pinned ?? formatReference(ref)} ${id}`;
    const image = await this.#once(this.#resolving, { key: name, until, registry: ref.registry }, () =>
      openImage(this.#io, pinned ?? ref.original, { registry, mustExist: false, mirrors }),
    );
    const { digest } = image;
    const key = keyOf(digest);
    const known = fixed === undefined ? await this.#recall(loaded, { ref, key, digest }) : undefined;
    if (known) return known;
    const decided = await this.#once(this.#deciding, { key, until, registry: ref.registry }, async () => {
      const target = await imageTarget(this.#io, image, registry);
      const made = await this.#heavy.run(target, (each) =>
        decideImage(this.#io, loaded.sources, { policy: loaded.policy, ref, target: each }, this.#options),
      );
      this.#keep(key, made, rule);
      return made;
    });
    return { decision: { ...decided.decision, subject: formatReference(ref) }, source: "verified" };
  }

  /** A decision that was kept. What depends on the time is decided anew, with the signatures that were kept. */
  async #recall(
    loaded: Loaded,
    { ref, key, digest }: { ref: Reference; key: string; digest: Digest },
  ): Promise<{ decision: Decision; source: Source } | undefined> {
    const now = this.#io.now().getTime();
    const subject = formatReference(ref);
    const kept = this.#kept.get(key, now);
    if (kept) return { decision: { ...kept.decision, subject }, source: "kept" };
    const { evidence } = this.#dated.get(key, now) ?? {};
    if (evidence === undefined) return undefined;
    const image = { policy: loaded.policy, ref, digest, evidence };
    const { decision } = await decideSavedImage(this.#io, loaded.sources, image);
    if (decision.ok) return { decision: { ...decision, subject }, source: "kept, judged anew" };
    this.#dated.delete(key);
    return undefined;
  }

  #keep(key: string, decided: Decided, rule: Rule | undefined): void {
    const { decision, evidence, missed } = decided;
    if (JSON.stringify(decision).length > MAX_DECISION) return;
    const now = this.#io.now().getTime();
    if (!decision.ok) {
      if (missed === undefined && decision.incomplete.length === 0) {
        this.#kept.set(key, { decision, evidence: undefined }, now + KEEP_REFUSED);
      }
    } else if (!isDated(decided, rule)) {
      this.#kept.set(key, { decision, evidence: undefined }, now + KEEP_ACCEPTED);
    } else if (evidence.reduce((sum, each) => sum + sizeOf(each), 0) <= MAX_EVIDENCE) {
      this.#dated.set(key, { decision, evidence }, now + KEEP_ACCEPTED);
    }
  }

  /** Does work once for all that need it at a time. It is dropped before its turn if nobody needs it any more. */
  #once<T>(
    running: Map<string, Running<T>>,
    { key, until, registry }: { key: string; until: number; registry: string },
    work: () => Promise<T>,
  ): Promise<T> {
    const known = running.get(key);
    if (known) {
      known.until = Math.max(known.until, until);
      return known.result;
    }
    const isWanted = () => (running.get(key)?.until ?? 0) > this.#io.now().getTime();
    const limited = () => this.#limits.run(`verify images of ${registry}`, work);
    const result = this.#turns.run(registry, isWanted, limited).finally(() => running.delete(key));
    running.set(key, { result, until });
    return result;
  }
}
