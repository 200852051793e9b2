import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <bundle>",
  summary: "Convert an older Sigstore bundle to version 0.3",
  about:
    "Makes of a bundle of version 0.1 or 0.2 one of version 0.3, which newer verifiers ask for. A proof of inclusion that it " +
    "lacks is fetched from the transparency log. One of version 0.3 is printed as it is. Nothing is verified.",
  examples: ["tsign bundle upgrade --out new.sigstore.json old.sigstore.json"],
  args: { min: 1, max: 1 },
  flags: {
    out: flag.string("file to write to instead of stdout", { output: true }),
    rekorUrl: flag.string("transparency log to fetch a missing proof from", { default: "https://rekor.sigstore.dev" }),
  },
  bindEnvironment: false,
});
