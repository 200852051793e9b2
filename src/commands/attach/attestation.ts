import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach existing attestations to an image",
  about:
    "Stores existing attestations with an image: Sigstore bundles as OCI referrers, DSSE envelopes in cosign's legacy format. A file may contain several documents. All files are read before anything is stored. Nothing is verified.",
  examples: [
    "# Attach a DSSE envelope that another tool signed",
    "tsign attach attestation --attestation app.att.json registry.example/app@sha256:…",
  ],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    attestation: flag.texts("file of Sigstore bundles or DSSE envelopes"),
  },
});
