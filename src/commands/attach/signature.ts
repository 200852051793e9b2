import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export const flags = {
  ...registryFlags,
  attachmentTagPrefix,
  bundle: flag.string("the same as --payload"),
  certificate: flag.string("PEM file of the certificate the signature was made with"),
  certificateChain: flag.string("PEM file of the certificate's chain, the root last"),
  payload: flag.string("file of what was signed, or of a Sigstore bundle; without it, the payload `sign` makes"),
  rekorResponse: flag.string("file of the log entry: a legacy bundle of `sign-blob`"),
  signature: flag.string("file of the base64 signature, - for stdin"),
  tsr: flag.string("file of the signed timestamp, a DER TimeStampResp"),
};

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach a signature made elsewhere to an image",
  about:
    "Stores a signature with an image, in the legacy form or, from a Sigstore bundle, as a referrer. Nothing is verified.",
  examples: ["tsign attach signature --signature app.sig --payload payload.json registry.example/app@sha256:…"],
  args: { min: 1, max: 1 },
  flags,
});
