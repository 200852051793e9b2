import { defineCommand, flag } from "../cli/define.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { TsignError } from "../errors.ts";
import { loadSigner } from "../keys/index.ts";
import { readPassword } from "../prompt.ts";

export default defineCommand({
  usage: "--key <key> [flags]",
  summary: "Print the public half of a key",
  about: "Prints the PEM public key of a private key file, to stdout or --outfile.",
  examples: ["tsign public-key --key cosign.key", "tsign public-key --key env://SIGNING_KEY --outfile cosign.pub"],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: { ...keyFlags, outfile: flag.string("file to write the public key to, instead of stdout") },
  async run(io, { flags }) {
    if (flags.key === "")
      throw new TsignError("usage", "--key is required: the private key to print the public half of");
    const { publicKey } = await loadSigner(io, flags.key, () => readPassword(io, { confirm: false }));
    if (flags.outfile === "") {
      io.stdout.write(publicKey.pem);
      return;
    }
    await io.files.write(flags.outfile, publicKey.pem, { mode: 0o600 });
    io.stderr.write(`Public key written to ${flags.outfile}\n`);
  },
});
