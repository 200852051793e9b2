import type { ExitCodes } from "../../errors.ts";
import { type FlagValues, flag } from "../parser/define.ts";
import { anySignerFlags } from "./any-signer.ts";
import { keyFlags } from "./key.ts";
import { attachmentTagPrefix, registryFlags } from "./registry.ts";
import { reportingFlags } from "./reporting.ts";
import { verificationFlags } from "./verification.ts";

/** More than cosign's 10, because several images share it. */
export const MAX_WORKERS = flag.int("number of signatures to fetch in parallel, over all images", { default: 32 });

/** Verifies the platforms of an index, too. */
export const recursiveFlag = flag.bool("verify every image of an index, too", { short: "r" });

/** The flags of every command that verifies images. */
export const imageVerificationFlags = {
  ...keyFlags,
  ...verificationFlags,
  ...anySignerFlags,
  ...registryFlags,
  ...reportingFlags,
  annotations: flag.strings("annotations that the signature must contain, as key=value pairs", { short: "a" }),
  attachment: flag.string("attached artifact to verify instead of the image: sbom", {
    deprecated: "attach artifacts as OCI referrers instead",
    weakens: { when: "set", effect: "the artifact attached to the image is verified, not the image" },
  }),
  attachmentTagPrefix,
  checkClaims: flag.bool("check that the signed payload names the image's digest", {
    default: true,
    weakens: { when: false, effect: "the signed payload is not compared with the image" },
  }),
  maxWorkers: MAX_WORKERS,
  localImage: flag.bool("verify images saved to disk: the arguments are folders written by `tsign save`"),
  output: flag.string("output format: json, or text for the signed payloads only", {
    short: "o",
    default: "json",
    choices: ["json", "text"],
    closed: true,
  }),
  payload: flag.string("payload file or URL for --signature", {
    deprecated: "stored in bundles; no longer needed",
  }),
};

export type ImageVerificationFlags = FlagValues<typeof imageVerificationFlags>;

/** Groups of flags that cannot be used together. */
export const EXCLUSIVE_FLAGS = [
  ["caRoots", "certificateChain"],
  ["caIntermediates", "certificateChain"],
] as const;

/** cosign's exit codes for the commands that verify images (cosign's doc/cosign_exit_codes.md). */
export const IMAGE_EXIT_CODES: ExitCodes = { "no-signatures": 10, "image-not-found": 11, "no-match": 12 };
