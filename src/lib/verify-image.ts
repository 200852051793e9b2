import { TsignError } from "../errors.ts";
import { imageTarget, openImage } from "../images/open.ts";
import type { Failure, ImageVerdict } from "../images/verdict.ts";
import { verifyImage as verifyTarget } from "../images/verify.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { registries, verifiers } from "./handles.ts";
import { signingPolicy } from "./policy.ts";
import type { ImageFailure, ImageResult, VerifyImageOptions } from "./types.ts";
import { resultOf } from "./verdict.ts";

/** Largest number of signatures to fetch concurrently. */
const WORKERS = 10;
const CHECKS = ["log", "time", "key", "sct", "signature", "claims", "identity"] as const;

/** The error for an image that does not verify, with the reason for each signature in `failures`. */
export class ImageRefusal extends TsignError {
  readonly failures: readonly ImageFailure[];

  constructor(error: TsignError, failures: readonly ImageFailure[]) {
    super(error.code, error.message, fieldsOf(error, failures));
    this.failures = failures;
  }
}

/** Returns the fields of an error, and the first check that failed. */
function fieldsOf(error: TsignError, failures: readonly ImageFailure[]): ConstructorParameters<typeof TsignError>[2] {
  const check = CHECKS.find((name) => name === failures[0]?.check);
  const fields = Object.entries({ check, ...error, cause: error });
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

/**
 * Verifies an image in a registry. Finds all its signatures, as Sigstore bundles and in the legacy form, and verifies each one.
 * The image verifies with at least one signature that meets the requirements, or, with `predicateType`, one attestation.
 *
 * A tag is resolved once; the result is about the digest it had then.
 *
 * @param reference `[registry/]repository[:tag][@digest]`
 * @returns the image with its digest, and the signatures that verify
 * @throws ImageRefusal "no-signatures" for an image without signatures, "no-match" and "no-match-bundle" if none verifies;
 * TsignError "image-not-found"; "auth", "network", "timeout" or "registry" of the registry; "usage"
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
  const verdict = await verifyTarget(io, target, {
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

function shown({ origin, form: _form, checks: _checks, ...failure }: Failure): ImageFailure {
  return { origin: origin.where, ...failure };
}
