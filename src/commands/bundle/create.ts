import { keyFlags } from "../../cli/flags/key.ts";
import { defineCommand, flag } from "../../cli/parser/define.ts";

export default defineCommand({
  usage: "[flags]",
  summary: "Make a Sigstore bundle of a signature and what belongs to it",
  about:
    "Puts a signature, or an attestation, together with its key or certificate, log entry and timestamp. The parts come from " +
    "files of their own, or from a bundle of the old format. The log entry with its proof is looked up in the transparency " +
    "log, unless --ignore-tlog is given. A signature that is not of the artifact is refused.",
  examples: [
    "tsign bundle create --artifact app.tar.gz --signature app.sig --key cosign.pub --ignore-tlog --out app.sigstore.json",
    "tsign bundle create --artifact app.tar.gz --bundle old.json --out app.sigstore.json",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags: {
    artifact: flag.string("file that was signed"),
    attestation: flag.string("file of the attestation: a DSSE envelope"),
    bundle: flag.string("bundle of the old format to take the parts from"),
    certificate: flag.string("certificate file: PEM, DER, or base64 of either"),
    ignoreTlog: flag.bool("make a bundle without a log entry", {
      weakens: { when: true, effect: "the bundle has no log entry" },
    }),
    ...keyFlags,
    slot: { ...keyFlags.slot, default: "signature" },
    out: flag.string("file to write to instead of stdout", { output: true }),
    rekorUrl: flag.string("transparency log to find the entry in", {
      default: "https://rekor.sigstore.dev",
      deprecated: "the log of an entry is named in the trusted root",
    }),
    rfc3161Timestamp: flag.string("file of the signed timestamp"),
    signature: flag.string("file of the signature, in base64 or raw"),
  },
  exclusive: [
    ["bundle", "certificate"],
    ["bundle", "signature"],
  ],
  bindEnvironment: false,
});
