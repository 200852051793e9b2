import { keyFlags } from "../cli/flags/key.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export default defineCommand({
  usage: "--key <key> [flags]",
  summary: "Print a public key",
  about: "Prints the public key of a private key file or of a key in a key management service, in PEM format.",
  examples: [
    "# Print the public key of a private key file",
    "tsign public-key --key cosign.key",
    "# Save the public key of a key in AWS KMS",
    "tsign public-key --key awskms:///alias/release --outfile cosign.pub",
  ],
  result: shape.object({ publicKey: shape.text("PEM") }, { file: shape.text("where it was written") }),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { ...keyFlags, outfile: flag.string("file to write the public key to instead of stdout", { output: true }) },
});
