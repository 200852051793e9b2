import { keyFlags } from "../cli/flags/key.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "--key <key> [flags]",
  summary: "Print the public half of a key",
  about: "Prints the PEM public key of a private key file, or of a key in a service, to stdout or --outfile.",
  examples: [
    "tsign public-key --key cosign.key",
    "tsign public-key --key awskms:///alias/release --outfile cosign.pub",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { ...keyFlags, outfile: flag.string("file to write the public key to, instead of stdout", { output: true }) },
});
