import { keyFlags } from "../../cli/flags/key.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

const { sk, slot } = keyFlags;

export default defineCommand({
  usage: "[flags] <key>",
  summary: "Test a key by signing and verifying once",
  about:
    "Signs random bytes with a key, verifies the signature with its public key, and prints the key's algorithm, hash, ID, bundle hint and permissions. Nothing is stored.",
  examples: [
    "# Test a key in AWS KMS",
    "tsign key test awskms:///alias/release",
    "# Test a key on a hardware token",
    "tsign key test --sk --slot signature",
  ],
  result: shape.object({
    key: shape.text(),
    service: shape.text(),
    algorithm: shape.text(),
    hash: shape.text(),
    hint: shape.text(),
    keyId: shape.text("SHA-256 of the public key in hex"),
    permissions: shape.list(shape.text()),
  }),
  args: { min: 0, max: 1 },
  flags: { sk, slot, output: flag.choice(["text", "json"], "output format", { default: "text", short: "o" }) },
});
