import { defineCommand, flag } from "../cli/define.ts";
import { refuseKeyServices, writeKeyPair } from "../cli/key-files.ts";
import { generatePrivateKey } from "../keys/index.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Make a new key pair",
  about:
    "Makes an ECDSA P-256 key pair: an encrypted private key in PREFIX.key and the public key in PREFIX.pub. The password is " +
    "taken from COSIGN_PASSWORD, asked for on a terminal, or read from stdin.",
  examples: ["tsign generate-key-pair", "COSIGN_PASSWORD=secret tsign generate-key-pair --output-key-prefix release"],
  args: { min: 0, max: 1 },
  flags: {
    kms: flag.string("key management service to make the key in", { unavailable: "key management services" }),
    outputKeyPrefix: flag.string("name of the key files, without .key and .pub", { default: "cosign" }),
  },
  async run(io, { args, flags }) {
    refuseKeyServices(flags.kms, args[0]);
    await writeKeyPair(io, { key: generatePrivateKey(), prefix: flags.outputKeyPrefix, assumeYes: false });
  },
});
