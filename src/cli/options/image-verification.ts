import type { Wanted } from "../../images/verdict.ts";
import type { VerifyImageOptions } from "../../images/verify.ts";
import type { Io } from "../../io/io.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import type { Verification } from "./verification.ts";

/** The flags for finding and comparing the signatures of an image. */
interface SearchFlags {
  readonly attachmentTagPrefix: string;
  readonly checkClaims: boolean;
  readonly maxWorkers: number;
  readonly newBundleFormat: boolean;
}

/**
 * Returns the options of a command that verifies images.
 *
 * @param annotations that must be signed
 * @throws TsignError "input" for an invalid COSIGN_MAX_ATTACHMENT_SIZE
 */
export function imageOptions(
  io: Pick<Io, "env">,
  flags: SearchFlags,
  more: { verification: Verification; wanted: Wanted; annotations: Readonly<Record<string, readonly string[]>> },
): VerifyImageOptions {
  const { verification, wanted, annotations } = more;
  const { trust, certificate, rekorUrl, signers } = verification;
  const subject = flags.checkClaims ? "required" : "insecureSkip";
  return {
    wanted,
    trust,
    certificate,
    alternatives: signers.slice(1).map(({ signer }) => signer),
    policy: { ...verification.policy, claims: { annotations, subject } },
    bundles: flags.newBundleFormat,
    tagPrefix: flags.attachmentTagPrefix,
    maxBytes: maxAttachmentSize(io.env),
    workers: flags.maxWorkers,
    rekorUrl,
  };
}
