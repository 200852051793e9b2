import type { ExitCodes } from "../../errors.ts";
import { type FlagValues, flag } from "../parser/define.ts";
import { keyFlags } from "./key.ts";
import { attachmentTagPrefix, registryFlags } from "./registry.ts";
import { verificationFlags } from "./verification.ts";

/** Flags of every command that verifies images. */
export const imageVerificationFlags = {
  ...keyFlags,
  ...verificationFlags,
  ...registryFlags,
  annotations: flag.strings("key=value pairs that must be signed", { short: "a" }),
  attachment: flag.string("verify what is attached to the image instead: sbom", {
    deprecated: "referrers hold it",
    weakens: { when: "set", effect: "what is attached to an image is verified, not the image" },
  }),
  attachmentTagPrefix,
  checkClaims: flag.bool("compare what is signed with the image", {
    default: true,
    weakens: { when: false, effect: "what is signed is not compared with the image" },
  }),
  localImage: flag.bool("the arguments are folders that `save` wrote"),
  output: flag.string("json, or text for the signed payloads alone", {
    short: "o",
    default: "json",
    choices: ["json", "text"],
    closed: true,
  }),
  payload: flag.string("file or URL of the payload that --signature is over", {
    deprecated: "the bundle form makes its own",
  }),
};

export type ImageVerificationFlags = FlagValues<typeof imageVerificationFlags>;

/** Of these, at most one each. */
export const EXCLUSIVE_FLAGS = [
  ["caRoots", "certificateChain"],
  ["caIntermediates", "certificateChain"],
] as const;

/** cosign's own, for the commands that verify images. */
export const IMAGE_EXIT_CODES: ExitCodes = { "no-signatures": 10, "image-not-found": 11, "no-match": 12 };
