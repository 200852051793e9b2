import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

/** Media types by the kind of document and how it is written. */
export const MEDIA_TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  spdx: { text: "text/spdx", json: "text/spdx+json" },
  cyclonedx: { xml: "application/vnd.cyclonedx+xml", json: "application/vnd.cyclonedx+json" },
  syft: { json: "application/vnd.syft+json" },
};

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach a software bill of materials to an image",
  about: "Stores a document with an image, unsigned. `tsign attest --type spdxjson` stores one that is signed.",
  examples: ["tsign attach sbom --sbom app.spdx registry.example/app@sha256:…"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    inputFormat: flag.string("how it is written: text, json or xml", { choices: ["text", "json", "xml"] }),
    registryReferrersMode: flag.choice(["", "legacy", "oci-1-1"], "how it is attached", {
      default: "",
      typeName: "registryReferrersMode",
    }),
    sbom: flag.string("file of the document, - for stdin"),
    type: flag.string("what it is: spdx, cyclonedx or syft", { default: "spdx", choices: Object.keys(MEDIA_TYPES) }),
  },
});
