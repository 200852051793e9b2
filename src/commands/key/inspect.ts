import { keyFlags } from "../../cli/flags/key.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

const { sk, slot } = keyFlags;

export default defineCommand({
  usage: "[flags] <key>",
  summary: "Show what a key is, without using it",
  about:
    "Shows the kind of a key, its algorithm and hash, its ID and bundle hint, where the private part is and how it is encrypted. Reads private and public key files, certificates, and keys in a key management service. Nothing is signed. Only an encrypted private key file needs its password: it does not show its public key without it.",
  examples: [
    "# Show what a private key file contains",
    "tsign key inspect cosign.key",
    "# Show how a private key file is encrypted, without its password",
    "tsign key inspect --no-password cosign.key",
    "# Show a key in AWS KMS",
    "tsign key inspect awskms:///alias/release",
  ],
  result: shape.object(
    {
      key: shape.text(),
      kind: shape.choice(["private key", "public key", "certificate", "key in a service"]),
      provider: shape.text("key file, or the service's name"),
    },
    {
      encrypted: shape.flag("whether the private key file is encrypted"),
      encryption: shape.text(),
      algorithm: shape.text(),
      hash: shape.text(),
      keyId: shape.text("SHA-256 of the public key in hex"),
      hint: shape.text("the same in base64, as bundles contain it"),
      permissions: shape.list(shape.text()),
      note: shape.text("what to do before tsign can use the key"),
    },
  ),
  args: { min: 0, max: 1 },
  flags: {
    sk,
    slot,
    noPassword: flag.bool("show only what an encrypted private key file shows without its password"),
  },
});
