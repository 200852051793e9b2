import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

/** Media types of SBOMs by type and format. */
export const MEDIA_TYPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  spdx: { text: "text/spdx", json: "text/spdx+json" },
  cyclonedx: { xml: "application/vnd.cyclonedx+xml", json: "application/vnd.cyclonedx+json" },
  syft: { json: "application/vnd.syft+json" },
};

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Attach a software bill of materials to an image",
  about:
    "Stores an unsigned software bill of materials (SBOM) with an image. To store a signed one, use `tsign attest --type spdxjson`.",
  examples: ["# Attach an SPDX document", "tsign attach sbom --sbom app.spdx registry.example/app@sha256:…"],
  args: { min: 1, max: 1 },
  flags: {
    ...registryFlags,
    attachmentTagPrefix,
    inputFormat: flag.string("format of the SBOM: text, json or xml", {
      choices: ["text", "json", "xml"],
      closed: true,
    }),
    registryReferrersMode: flag.choice(
      ["", "legacy", "oci-1-1"],
      "storage of the SBOM: under a legacy tag or as an OCI referrer",
      {
        default: "",
        typeName: "registryReferrersMode",
      },
    ),
    sbom: flag.string("SBOM file; - reads stdin"),
    type: flag.string("type of the SBOM: spdx, cyclonedx or syft", {
      default: "spdx",
      choices: Object.keys(MEDIA_TYPES),
      closed: true,
    }),
  },
});
