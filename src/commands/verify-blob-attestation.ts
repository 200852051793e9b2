import { anySignerFlags } from "../cli/flags/any-signer.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { trustPolicyFlags } from "../cli/flags/trust-policy.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";
import { PREDICATE_ALIASES } from "../sign/predicates.ts";

export const flags = {
  ...keyFlags,
  ...verificationFlags,
  ...anySignerFlags,
  ...trustPolicyFlags,
  bundle: flag.string("Sigstore bundle file, or a bundle file in cosign's legacy format"),
  checkClaims: flag.bool("check that the attestation's subject is the file", {
    default: true,
    weakens: { when: false, effect: "the attestation's subject is not compared with the file" },
  }),
  digest: flag.string("digest of the attested artifact in hex, instead of a file"),
  digestAlg: flag.string("digest algorithm of --digest: sha256, sha384 or sha512"),
  rfc3161Timestamp: flag.string("signed timestamp file (RFC 3161)", {
    deprecated: "stored in bundles; no longer needed",
  }),
  type: flag.string("predicate type of the attestation: an alias or a URI", {
    default: "custom",
    choices: PREDICATE_ALIASES,
  }),
};

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Verify attestations of files",
  about:
    "Verifies that a bundle or a signed envelope is an attestation of the predicate type, made with --key or by the certificate identity, about a file, stdin (`-`) or --digest. Prints `Verified OK` on stderr.",
  examples: [
    "# Verify build provenance of a file",
    "tsign verify-blob-attestation --type slsaprovenance1 --certificate-identity ci@example.com --certificate-oidc-issuer https://issuer.example --bundle app.att.json app.tar.gz",
    "# Verify an attestation made with a key",
    "tsign verify-blob-attestation --key cosign.pub --type slsaprovenance1 --bundle app.att.json app.tar.gz",
  ],
  result: shape.reference<void>("images.json#/$defs/blob"),
  args: { min: 0, max: 1 },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
});
