import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach attestations made elsewhere to an image",
  about:
    "Stores attestations with an image: Sigstore bundles as referrers, DSSE envelopes in the legacy form. A file may hold " +
    "several, one after the other. All of them are read before any is stored; nothing is verified.",
  examples: ["tsign attach attestation --attestation app.att.json registry.example/app@sha256:…"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    attestation: flag.texts("file of bundles or envelopes; may be repeated"),
  },
});
