import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export const flags = {
  ...registryFlags,
  attachmentTagPrefix,
  bundle: flag.string("alias of --payload"),
  certificate: flag.string("PEM file of the signing certificate"),
  certificateChain: flag.string("PEM file of the signing certificate's chain, root last"),
  payload: flag.string("signed payload file or Sigstore bundle file; by default the payload that `tsign sign` creates"),
  rekorResponse: flag.string("transparency log entry file, as in a legacy bundle of `sign-blob`"),
  signature: flag.string("base64 signature file; - reads stdin"),
  tsr: flag.string("signed timestamp file: a DER-encoded RFC 3161 TimeStampResp"),
};

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach an existing signature to an image",
  about:
    "Stores an existing signature with an image, in cosign's legacy format or, if --payload is a Sigstore bundle, as an OCI referrer. Nothing is verified.",
  examples: [
    "# Attach a signature with the payload that was signed",
    "tsign attach signature --signature app.sig --payload payload.json registry.example/app@sha256:…",
  ],
  args: { min: 1, max: 1 },
  flags,
});
