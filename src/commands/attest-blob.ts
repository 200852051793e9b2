import { attestingFlags } from "../cli/flags/attesting.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

const IN_BUNDLE = { deprecated: "the bundle of --bundle holds it", output: true };

export const flags = {
  ...keyFlags,
  ...attestingFlags,
  hash: flag.string("SHA-256 of the file in hex, instead of reading it"),
  outputAttestation: flag.string("file to write the statement to", IN_BUNDLE),
  outputCertificate: flag.string("file to write the certificate to", IN_BUNDLE),
  outputSignature: flag.string("file to write the signed envelope to", IN_BUNDLE),
  rfc3161TimestampBundle: flag.string("file to write the signed timestamp to", IN_BUNDLE),
};

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Attest something about a file",
  about:
    "Signs an in-toto statement that says something about a file, `-` for stdin, and writes it as a Sigstore bundle to " +
    "--bundle; with --new-bundle-format=false the signed envelope goes to stdout or --output-signature.",
  examples: ["tsign attest-blob --type slsaprovenance1 --predicate provenance.json --bundle app.att.json app.tar.gz"],
  args: { min: 0, max: 1 },
  flags,
  exclusive: [
    ["useSigningConfig", "signingConfig"],
    ["predicate", "statement"],
  ],
});
