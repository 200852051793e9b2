import { keyFlags } from "../../cli/flags/key.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Create a Sigstore bundle from a signature and its parts",
  about:
    "Combines a signature or attestation with its key or certificate, transparency log entry and signed timestamp. The parts are read from separate files or from a bundle in cosign's legacy format. Unless --ignore-tlog is set, the log entry and its inclusion proof are fetched from the transparency log. A signature that does not match the artifact is refused.",
  examples: [
    "# Create a bundle from a signature and a public key",
    "tsign bundle create --artifact app.tar.gz --signature app.sig --key cosign.pub --ignore-tlog --out app.sigstore.json",
    "# Convert a bundle in cosign's legacy format",
    "tsign bundle create --artifact app.tar.gz --bundle old.json --out app.sigstore.json",
  ],
  result: shape.object({ bundle: shape.document("the Sigstore bundle") }, { file: shape.text("where it was written") }),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    artifact: flag.string("signed artifact file"),
    attestation: flag.string("attestation file: a DSSE envelope"),
    bundle: flag.string("bundle file in cosign's legacy format"),
    certificate: flag.string("signing certificate file: PEM, DER, or base64 of either"),
    ignoreTlog: flag.bool("omit the transparency log entry from the bundle", {
      weakens: { when: true, effect: "the bundle has no transparency log entry" },
    }),
    ...keyFlags,
    slot: { ...keyFlags.slot, default: "signature" },
    out: flag.string("file to write to instead of stdout", { output: true }),
    rekorUrl: flag.string("Rekor transparency log to search for the entry", {
      default: "https://rekor.sigstore.dev",
      deprecated: "use the trusted root instead, which lists the transparency logs",
    }),
    rfc3161Timestamp: flag.string("signed timestamp file (RFC 3161)"),
    signature: flag.string("signature file, base64 or raw"),
  },
  exclusive: [
    ["bundle", "certificate"],
    ["bundle", "signature"],
  ],
  bindEnvironment: false,
});
