import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "--key <file> [flags]",
  summary: "Encrypt an existing private key for signing",
  about:
    "Takes an unencrypted RSA, ECDSA or Ed25519 private key in PEM (PKCS#1, SEC 1 or PKCS#8), checks that it is not weak, and " +
    "writes it as PREFIX.key, encrypted, with PREFIX.pub beside it.",
  examples: [
    "tsign import-key-pair --key openssl.pem",
    "tsign import-key-pair --key openssl.pem --output-key-prefix release",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    key: flag.string("PEM file of the private key", { short: "k" }),
    outputKeyPrefix: flag.string("name of the key files, without .key and .pub", {
      short: "o",
      default: "import-cosign",
    }),
    yes: flag.bool("overwrite an existing key without asking", { short: "y" }),
  },
});
