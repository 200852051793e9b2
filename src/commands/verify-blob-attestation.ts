import { keyFlags } from "../cli/flags/key.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { PREDICATE_ALIASES } from "../sign/predicates.ts";

export const flags = {
  ...keyFlags,
  ...verificationFlags,
  bundle: flag.string("file of the bundle, in either form"),
  checkClaims: flag.bool("compare what is signed with the file", {
    default: true,
    weakens: { when: false, effect: "what is signed is not compared with the file" },
  }),
  digest: flag.string("digest of what was attested, in hex, instead of a file"),
  digestAlg: flag.string("algorithm of --digest: sha256, sha384 or sha512"),
  rfc3161Timestamp: flag.string("file of the signed timestamp", { deprecated: "bundles hold it" }),
  type: flag.string("what the attestation must be: an alias or a URI", {
    default: "custom",
    choices: PREDICATE_ALIASES,
  }),
};

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Verify an attestation of a file",
  about:
    "Verifies that a bundle, or a signed envelope, is an attestation of the type asked for, by the key or identity given, " +
    "about a file, `-` for stdin, or a digest. Prints `Verified OK` on stderr.",
  examples: [
    "tsign verify-blob-attestation --type slsaprovenance1 --certificate-identity ci@example.com " +
      "--certificate-oidc-issuer https://issuer.example --bundle app.att.json app.tar.gz",
  ],
  args: { min: 0, max: 1 },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
});
