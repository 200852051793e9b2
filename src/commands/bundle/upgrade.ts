import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags] <bundle>",
  summary: "Convert an older Sigstore bundle to version 0.3",
  about:
    "Converts a bundle of version 0.1 or 0.2 to version 0.3, which newer verifiers require. A missing inclusion proof is fetched from the transparency log. A bundle of version 0.3 is printed unchanged. Nothing is verified.",
  examples: [
    "# Write the converted bundle to a new file",
    "tsign bundle upgrade --out new.sigstore.json old.sigstore.json",
  ],
  result: shape.object({ bundle: shape.document("the Sigstore bundle") }, { file: shape.text("where it was written") }),
  args: { min: 1, max: 1 },
  flags: {
    out: flag.string("file to write to instead of stdout", { output: true }),
    rekorUrl: flag.string("Rekor transparency log to fetch a missing inclusion proof from", {
      default: "https://rekor.sigstore.dev",
    }),
  },
  bindEnvironment: false,
});
