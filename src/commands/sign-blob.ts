import { keyFlags } from "../cli/flags/key.ts";
import { signingFlags } from "../cli/flags/signing.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { DEFAULT_SIGNING_ALGORITHM } from "../keys/signing-algorithms.ts";

export const flags = {
  ...keyFlags,
  ...signingFlags,
  b64: flag.bool("write signature and certificate as base64", {
    default: true,
    deprecated: "the bundle of --bundle encodes what needs it",
  }),
  output: flag.string("old name of --output-signature", {
    deprecated: "the bundle of --bundle holds it",
    output: true,
  }),
  rfc3161Timestamp: flag.string("file to write the signed timestamp to", {
    output: true,
    deprecated: "the bundle of --bundle holds it",
  }),
  signingAlgorithm: flag.string("algorithm of the key made for keyless signing", {
    default: DEFAULT_SIGNING_ALGORITHM,
  }),
};

export default defineCommand({
  usage: "[flags] <file…>",
  summary: "Sign files",
  about:
    "Signs files, `-` for stdin, or URLs. The default form writes a Sigstore bundle to --bundle; with " +
    "--new-bundle-format=false the base64 signature goes to stdout or --output-signature.\nA file of any size is read once, " +
    "in constant memory; with an Ed25519 key it may have at most 128 MiB.",
  examples: [
    "# with your identity: a browser asks who you are",
    "tsign sign-blob --bundle app.sigstore.json app.tar.gz",
    "# with a key, and without any service",
    "tsign sign-blob --key cosign.key --use-signing-config=false --tlog-upload=false --bundle app.sigstore.json app.tar.gz",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [["useSigningConfig", "signingConfig"]],
});
