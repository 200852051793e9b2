import { anySignerFlags } from "../cli/flags/any-signer.ts";
import { keyFlags } from "../cli/flags/key.ts";
import { trustPolicyFlags } from "../cli/flags/trust-policy.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";
import { shape } from "../cli/parser/shape.ts";

export const flags = {
  ...keyFlags,
  ...verificationFlags,
  ...anySignerFlags,
  ...trustPolicyFlags,
  bundle: flag.string("Sigstore bundle file, or a bundle file in cosign's legacy format"),
  rfc3161Timestamp: flag.string("signed timestamp file (RFC 3161)", {
    deprecated: "stored in bundles; no longer needed",
  }),
};

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Verify signatures of files",
  about:
    "Verifies the signature of a file, a URL, stdin (`-`) or, with a bundle, a digest (sha256:<hex>). Prints `Verified OK` on stderr. A bundle with an attestation of any predicate type verifies its subject; a warning shows the type.\nFiles of any size are read once, in constant memory. Pure Ed25519 signatures are limited to files of 128 MiB.",
  examples: [
    "# Verify a keyless signature",
    "tsign verify-blob --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example --bundle app.sigstore.json app.tar.gz",
    "# Verify a signature made with a key",
    "tsign verify-blob --key cosign.pub --bundle app.sigstore.json app.tar.gz",
    "# Verify a signature that is not in a transparency log",
    "tsign verify-blob --key cosign.pub --insecure-ignore-tlog --bundle app.sigstore.json app.tar.gz",
  ],
  result: shape.reference<void>("images.json#/$defs/blob"),
  args: { min: 1, max: 1 },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
});
