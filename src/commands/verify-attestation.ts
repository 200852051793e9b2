import { keyFlags } from "../cli/flags/key.ts";
import { attachmentTagPrefix, registryFlags } from "../cli/flags/registry.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { PREDICATE_ALIASES } from "../sign/predicates.ts";

const { signature: _signature, ...shared } = verificationFlags;

const flags = {
  ...keyFlags,
  ...shared,
  ...registryFlags,
  attachmentTagPrefix,
  checkClaims: flag.bool("compare what is signed with the image", {
    default: true,
    weakens: { when: false, effect: "what is signed is not compared with the image" },
  }),
  localImage: flag.bool("the arguments are folders that `save` wrote"),
  output: flag.string("json or text: has no effect, envelopes are printed as JSON lines", {
    short: "o",
    default: "json",
    choices: ["json", "text"],
    closed: true,
  }),
  policy: flag.strings("CUE or Rego file that every attestation of the type must satisfy"),
  type: flag.string("what the attestation must be: an alias or a URI", {
    default: "custom",
    choices: PREDICATE_ALIASES,
  }),
};

export default defineCommand({
  usage: "[flags] <image…>",
  summary: "Verify attestations of container images",
  about:
    "Finds every attestation of each image, in both stored forms, and succeeds if at least one of the type asked for is by " +
    "the key or identity given and about the image. With --policy every such one must satisfy all policies, each file by " +
    "itself. Prints the " +
    "envelopes of the good ones, a line each; for the others it tells why they failed.",
  examples: [
    "tsign verify-attestation --type slsaprovenance1 --certificate-identity ci@example.com " +
      "--certificate-oidc-issuer https://issuer.example registry.example/app@sha256:…",
    "tsign verify-attestation --key cosign.pub --type spdxjson registry.example/app:v1 | jq -r .payload | base64 -d",
  ],
  args: { min: 1, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
});
