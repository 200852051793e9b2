import { TsignError, withMessage } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { putBundleReferrer } from "../evidence/write-referrer.ts";
import type { Digest } from "../format/digest.ts";
import { missingSignatures } from "../images/already-signed.ts";
import type { ImageTarget } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import type { ImageStore } from "../oci/types.ts";
import { envelopeSize } from "../sign/attestation.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import { SUMMARY_TYPE } from "../trust-policy/read-demands.ts";
import { type SummaryNames, verificationSummary } from "../trust-policy/summary.ts";
import { promotionFlags } from "./flags/promotion.ts";
import { type registryFlags, registryOptions } from "./flags/registry.ts";
import { signingFlags } from "./flags/signing.ts";
import { recordedTime } from "./options/recorded-time.ts";
import { type Opened, openSigning } from "./options/signing.ts";
import { sameSigning } from "./options/skip-signed.ts";
import { loadTrustPolicy, requireCompatible } from "./options/trust-policy.ts";
import type { FlagValues } from "./parser/define.ts";
import { type DecidedImage, imageRefusal, PolicyDecider } from "./policy-decider.ts";
import { printStored } from "./print/stored.ts";
import { printDecision } from "./print/trust-decision.ts";

type Flags = FlagValues<typeof promotionFlags & typeof registryFlags>;

/** The flags of `copy` that mean something else than what a trust policy states, or say how its decision is signed. */
const OWN = new Set(["force", "to", ...Object.keys(promotionFlags)]);

/** Most concurrent fetches of signatures for one image. */
const WORKERS = 10;

interface Options {
  readonly flags: Flags;
  /** Keys of the flags that were set. */
  readonly given: ReadonlySet<string>;
  /** The trust policy: a path or a URL. */
  readonly file: string;
  /** Version of this program, for verification summaries. */
  readonly version: string;
}

/** An image that may be copied. */
export interface Promoted extends DecidedImage {
  /** When it was decided. */
  readonly time: Date;
}

/** Promotes images by a trust policy: decides on each before it is copied and, if wanted, attests the decision at the destination. */
export class Promotion {
  readonly #io: Io;
  readonly #policy: TrustPolicy;
  readonly #options: Options;
  readonly #decider: PolicyDecider;
  /** Undefined if decisions are not attested. */
  readonly #names: SummaryNames | undefined;
  #opened: Promise<Opened> | undefined;
  #failed: unknown;

  private constructor(io: Io, policy: TrustPolicy, options: Options) {
    this.#io = io;
    this.#policy = policy;
    this.#options = options;
    this.#names = namesOf(options);
    const registry = registryOptions(options.flags);
    this.#decider = new PolicyDecider(io, policy, { registry, workers: WORKERS, rekorUrl: undefined, mirrors: false });
  }

  /** @throws TsignError "usage" for a flag that the policy replaces, and for names of the summary that are missing; those of loadTrustPolicy */
  static async open(io: Io, options: Options): Promise<Promotion> {
    requireCompatible(options.given, options.file, OWN);
    namesOf(options);
    recordedTime(io); // a wrong variable fails before anything is signed
    return new Promotion(io, await loadTrustPolicy(io, options.file), options);
  }

  /**
   * Opens an image to copy. Its digest is the one that is decided on, whatever its tag becomes.
   *
   * @throws TsignError of openImage
   */
  open(io: Io, image: string): Promise<ImageTarget> {
    return this.#decider.open(image, io);
  }

  /**
   * Decides on an image and prints the decision. Before the first image that will be attested, the key is opened.
   *
   * @param own prints the lines of this image
   * @throws TsignError "policy" for an image that is refused or, to attest the decision, not verified; the errors of places that
   * could not be searched; those of openSigning
   */
  async decide(own: Io, image: string): Promise<Promoted> {
    const time = this.#io.now();
    const { target, decided } = await this.#decider.decide(image, own);
    const { decision, verified } = decided;
    printDecision(own.stderr, decided, { explain: false });
    if (!decision.allowed) throw imageRefusal(decided, { image, file: this.#options.file });
    const promoted = { target, decided, time };
    if (this.#names === undefined) return promoted;
    if (!decision.ok || verified.length === 0) {
      throw new TsignError("policy", `attest the decision on ${image}: it is accepted without being verified`, {
        hint: "leave out --attest-decision to copy it all the same",
      });
    }
    if (this.#failed !== undefined) throw this.#failed;
    const statement = this.#statement(promoted, target.repository);
    this.#opened ??= this.#open(statement);
    await this.#opened;
    return promoted;
  }

  /**
   * Attests the decision on an image that was copied: signs a verification summary and stores it as a referrer of the copy, unless
   * an equal one is stored that verifies.
   *
   * @throws TsignError of signing and storing. Other images are not attested after a failure to sign
   */
  async attest(own: Io, promoted: Promoted, { store, digest }: { store: ImageStore; digest: Digest }): Promise<void> {
    if (this.#opened === undefined) return;
    const subject = await store.resolve(digest);
    if (!subject) throw new TsignError("registry", `attest ${store.name}@${digest}: not found after it was copied`);
    const statement = this.#statement(promoted, store.name);
    const opened = await this.#opened;
    if (await this.#isAttested({ attachments: store, digest }, { statement, opened })) {
      own.stderr.write(`Already attested: ${store.name}@${digest}\n`);
      return;
    }
    const evidence = await this.#sign(statement, opened).catch((error: unknown) => {
      if (!(error instanceof TsignError)) throw error;
      throw withMessage(error, `attest the copy ${store.name}@${digest}: ${error.message}`);
    });
    const created = recordedTime(this.#io);
    const bundle = writeBundle(evidence);
    const stored = await putBundleReferrer({ store, subject, bundle, predicateType: SUMMARY_TYPE, created });
    printStored(own, { kind: "verification summary", where: `${store.name}@${stored.digest}`, evidence });
  }

  /** Whether a summary by the same signer that states the same, apart from its time, is stored with the copy. */
  async #isAttested(
    target: Pick<ImageTarget, "attachments" | "digest">,
    { statement, opened }: { statement: Uint8Array; opened: Opened },
  ): Promise<boolean> {
    if (this.#options.flags.attestAgain) return false;
    const left = await missingSignatures(this.#io, target, {
      wanted: [{ form: "bundle", content: statement, timeField: "timeVerified" }],
      search: {
        wanted: { kind: "attestations", predicateType: SUMMARY_TYPE },
        bundles: true,
        tagPrefix: "",
        maxBytes: maxAttachmentSize(this.#io.env),
        workers: WORKERS,
      },
      signing: await sameSigning(this.#io, opened),
    });
    return left.length === 0;
  }

  /** Signs; what is signed becomes public, so after a failure nothing else is. */
  async #sign(statement: Uint8Array, { session }: Opened) {
    if (this.#failed !== undefined) throw this.#failed;
    try {
      return await session.sign({ kind: "statement", statement, form: "bundle" });
    } catch (error) {
      this.#failed = error;
      throw error;
    }
  }

  #statement({ target, decided, time }: Promoted, resource: string): Uint8Array {
    const { digest, attachments } = target;
    const names = this.#names;
    const of = { policy: this.#policy, digest, resource, source: attachments.name, now: time };
    const statement = names && verificationSummary(decided, { ...of, names });
    if (statement === undefined) throw new TsignError("internal", `${target.name} has no verification summary`);
    return statement;
  }

  #open(statement: Uint8Array): Promise<Opened> {
    const { flags } = this.#options;
    return openSigning(
      this.#io,
      { ...DEFAULTS, ...flags },
      { bundlePathCounts: false, contents: ["envelope"], envelopeSize: envelopeSize(statement) },
    );
  }
}

/** The values of the signing flags that `copy` does not have. */
const DEFAULTS = Object.fromEntries(
  Object.entries(signingFlags).map(([key, each]) => [key, each.default]),
) as FlagValues<typeof signingFlags>;

/** What a summary names, if decisions are attested. */
function namesOf({ flags, file, version }: Options): SummaryNames | undefined {
  const { attestDecision, verifierId: verifier, policyUri } = flags;
  if (!attestDecision) return undefined;
  const policy = policyUri || (/^https?:\/\//.test(file) ? file : "");
  for (const [name, value, hint] of [
    ["--verifier-id", verifier, "name this verifier by a URI: --verifier-id https://ci.example/promotion"],
    ["--policy-uri", policy, "name the policy by a URI: --policy-uri https://git.example/policies/tsign.policy.yaml"],
  ] as const) {
    if (value === "") throw new TsignError("usage", `--attest-decision requires ${name}`, { hint });
    if (!/^[a-z][a-z0-9+.-]*:\S+$/i.test(value))
      throw new TsignError("usage", `${name}: "${value}" is not a URI`, { hint });
  }
  return { verifier, policy, version };
}
