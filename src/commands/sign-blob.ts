import { keyFlags } from "../cli/flags/key.ts";
import { signingFlags } from "../cli/flags/signing.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { DEFAULT_SIGNING_ALGORITHM, SIGNING_ALGORITHMS } from "../keys/signing-algorithms.ts";

export const flags = {
  ...keyFlags,
  ...signingFlags,
  b64: flag.bool("write the signature and certificate in base64", {
    default: true,
    deprecated: "use --bundle instead",
  }),
  output: flag.string("alias of --output-signature", {
    deprecated: "use --bundle instead; the bundle contains it",
    output: true,
  }),
  rfc3161Timestamp: flag.string("file to write the signed timestamp to", {
    output: true,
    deprecated: "use --bundle instead; the bundle contains it",
  }),
  signingAlgorithm: flag.string("algorithm of the ephemeral key for keyless signing", {
    default: DEFAULT_SIGNING_ALGORITHM,
    choices: SIGNING_ALGORITHMS,
  }),
};

export default defineCommand({
  usage: "[flags] <file…>",
  summary: "Sign files",
  about:
    "Signs files, URLs or stdin (`-`) and writes a Sigstore bundle to --bundle. With --new-bundle-format=false, the base64 signature is written to stdout or --output-signature.\nFiles of any size are read once, in constant memory. With an Ed25519 key, a file can be at most 128 MiB.",
  examples: [
    "# Sign keylessly (opens a browser to log in)",
    "tsign sign-blob --bundle app.sigstore.json app.tar.gz",
    "# Sign with a key",
    "tsign sign-blob --key cosign.key --bundle app.sigstore.json app.tar.gz",
    "# Sign with a key and without any service",
    "tsign signing-config create --out no-services.json",
    "tsign sign-blob --key cosign.key --signing-config no-services.json --bundle app.sigstore.json app.tar.gz",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [["useSigningConfig", "signingConfig"]],
});
