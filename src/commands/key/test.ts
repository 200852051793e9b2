import { keyFlags } from "../../cli/flags/key.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

const { sk, slot } = keyFlags;

export default defineCommand({
  usage: "[flags] <key>",
  summary: "Try out a key: sign and verify once",
  about:
    "Signs a few random bytes with the key, verifies the signature with its public half, and prints what the key is: algorithm, " +
    "hash, the id its service knows it by, the hint that bundles name it by, and what may be done with it. Nothing is stored.",
  examples: ["tsign key test awskms:///alias/release", "tsign key test --sk --slot signature"],
  args: { min: 0, max: 1 },
  flags: { sk, slot, output: flag.choice(["text", "json"], "form of the answer", { default: "text", short: "o" }) },
});
