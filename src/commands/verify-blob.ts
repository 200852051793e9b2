import { keyFlags } from "../cli/flags/key.ts";
import { verificationFlags } from "../cli/flags/verification.ts";
import { defineCommand, flag } from "../cli/parser/define.ts";

export const flags = {
  ...keyFlags,
  ...verificationFlags,
  bundle: flag.string("file of the bundle, in either form"),
  rfc3161Timestamp: flag.string("file of the signed timestamp", {
    deprecated: "bundles hold it",
  }),
};

export default defineCommand({
  usage: "[flags] <file>",
  summary: "Verify the signature of a file",
  about:
    "Verifies a file, `-` for stdin, a URL, or, with a bundle, a digest written sha256:<hex>, against a bundle or a detached " +
    "signature. Prints `Verified OK` on stderr. A bundle with an attestation verifies the file that it is about, whatever it attests: a " +
    "warning says its type.\nA file of any size is read once, in constant memory; pure Ed25519 " +
    "signatures are checked up to 128 MiB.",
  examples: [
    "# signed by an identity",
    "tsign verify-blob --certificate-identity alice@example.com --certificate-oidc-issuer https://issuer.example --bundle app.sigstore.json app.tar.gz",
    "# signed with a key, without a log",
    "tsign verify-blob --key cosign.pub --insecure-ignore-tlog --bundle app.sigstore.json app.tar.gz",
    "tsign verify-blob --key cosign.pub --insecure-ignore-tlog --signature app.sig app.tar.gz",
  ],
  args: { min: 1, max: 1 },
  flags,
  exclusive: [
    ["caRoots", "certificateChain"],
    ["caIntermediates", "certificateChain"],
  ],
});
