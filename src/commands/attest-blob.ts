import { attestingFlags } from "../cli/flags/attesting.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

const IN_BUNDLE = { deprecated: "use --bundle instead; the bundle contains it", output: true };

export const flags = {
  ...keyFlags,
  ...attestingFlags,
  hash: flag.string("SHA-256 digest of the file in hex, instead of the file itself"),
  outputAttestation: flag.string("file to write the in-toto statement to", IN_BUNDLE),
  outputCertificate: flag.string("file to write the certificate to", IN_BUNDLE),
  outputSignature: flag.string("file to write the signed envelope to", IN_BUNDLE),
  rfc3161TimestampBundle: flag.string("file to write the signed timestamp to", IN_BUNDLE),
};

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Attest files",
  about:
    "Signs an in-toto statement about a file (`-` reads stdin) and writes it to --bundle as a Sigstore bundle. With --new-bundle-format=false, the signed envelope is written to stdout or --output-signature.",
  examples: [
    "# Attest build provenance of a file keylessly (opens a browser to log in)",
    "tsign attest-blob --type slsaprovenance1 --predicate provenance.json --bundle app.att.json app.tar.gz",
    "# Attest with a key",
    "tsign attest-blob --key cosign.key --type slsaprovenance1 --predicate provenance.json --bundle app.att.json app.tar.gz",
  ],
  args: { min: 0, max: 1 },
  flags,
  exclusive: [
    ["useSigningConfig", "signingConfig"],
    ["predicate", "statement"],
  ],
});
