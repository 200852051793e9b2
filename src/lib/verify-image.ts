import { TsignError } from "../errors.ts";
import { imageTarget, openImage } from "../images/open.ts";
import type { Failure, ImageVerdict } from "../images/verdict.ts";
import { verifyImage as judgeImage } from "../images/verify.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { registries, verifiers } from "./handles.ts";
import { signingPolicy } from "./policy.ts";
import type { ImageFailure, ImageResult, VerifyImageOptions } from "./types.ts";
import { resultOf } from "./verdict.ts";

/** Most signatures that are fetched at a time. */
const WORKERS = 10;
const CHECKS = ["log", "time", "key", "sct", "signature", "claims", "identity"] as const;

/** The error of an image that nothing says yes for: `code` says what is missing, `failures` why each signature does not count. */
export class ImageRefusal extends TsignError {
  readonly failures: readonly ImageFailure[];

  constructor(error: TsignError, failures: readonly ImageFailure[]) {
    super(error.code, error.message, fieldsOf(error, failures));
    this.failures = failures;
  }
}

/** What the error says, and the first check that failed. */
function fieldsOf(error: TsignError, failures: readonly ImageFailure[]): ConstructorParameters<typeof TsignError>[2] {
  const check = CHECKS.find((name) => name === failures[0]?.check);
  const fields = Object.entries({ check, ...error, cause: error });
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/**
 * Verifies an image of a registry: finds all that is stored with it, as Sigstore bundles and in the legacy form, and judges
 * each. One signature that satisfies the requirements is enough; with `predicateType`, one attestation of that type.
 *
 * A tag is resolved once, and everything is about the digest that it pointed at.
 *
 * @param reference `[registry/]repository[:tag][@digest]`
 * @returns the image by its digest, and what verifies
 * @throws ImageRefusal "no-signatures" for an image without any, "no-match" and "no-match-bundle" for one whose signatures all
 * fail; TsignError "image-not-found"; "auth", "network", "timeout", "registry" where the registry cannot be asked; "usage"
 */
export async function verifyImage(reference: string, options: VerifyImageOptions): Promise<ImageResult> {
  const { trust, io: clock } = verifiers.partsOf(options.verifier);
  const opened = registries.partsOf(options.registry);
  const { attachmentRepository } = options;
  const io =
    attachmentRepository === undefined
      ? opened.io
      : { ...opened.io, env: { ...opened.io.env, COSIGN_REPOSITORY: attachmentRepository } };
  const policy = await signingPolicy(options);
  const { annotations } = policy.claims;
  const image = await openImage(io, reference, { registry: opened.options, mustExist: false });
  const target = await imageTarget(io, image, opened.options);
  const { predicateType } = options;
  const verdict = await judgeImage(io, target, {
    wanted: predicateType === undefined ? { kind: "signatures" } : { kind: "attestations", predicateType },
    trust: { ...trust, now: clock.now() },
    policy: { ...policy, claims: { annotations, subject: "required" } },
    bundles: true,
    tagPrefix: "",
    maxBytes: maxAttachmentSize(io.env),
    workers: WORKERS,
    rekorUrl: options.rekorUrl,
  });
  return accepted(verdict, `${image.ref.name}@${image.digest}`);
}

function accepted(verdict: ImageVerdict, reference: string): ImageResult {
  const failures = verdict.failures.map(shown);
  if (!verdict.ok)
    throw verdict.error instanceof TsignError ? new ImageRefusal(verdict.error, failures) : verdict.error;
  const [first, ...others] = verdict.verified;
  return {
    reference,
    digest: verdict.digest,
    verified: [resultOf(first), ...others.map(resultOf)],
    failures,
    incomplete: verdict.incomplete.map(({ origin, code, reason }) => ({ origin: origin.where, code, reason })),
  };
}

function shown({ origin, ...failure }: Failure): ImageFailure {
  return { origin: origin.where, ...failure };
}
