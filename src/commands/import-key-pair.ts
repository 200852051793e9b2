import { defineCommand, flag } from "../cli/parser/define.ts";

export default defineCommand({
  usage: "--key <file> [flags]",
  summary: "Import a private key for signing",
  about:
    "Reads an unencrypted RSA, ECDSA or Ed25519 private key in PEM format (PKCS#1, SEC 1 or PKCS#8), rejects weak keys, and writes the encrypted private key to PREFIX.key and the public key to PREFIX.pub.",
  examples: [
    "# Import a key that OpenSSL generated",
    "tsign import-key-pair --key openssl.pem",
    "# Write team.key and team.pub",
    "tsign import-key-pair --key openssl.pem --output-key-prefix team",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    key: flag.string("private key file in PEM format", { short: "k" }),
    outputKeyPrefix: flag.string("file name prefix of the key pair, before .key and .pub", {
      short: "o",
      default: "import-cosign",
    }),
    yes: flag.bool("overwrite existing key files without confirmation", { short: "y" }),
  },
});
