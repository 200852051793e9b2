import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

const old = (name: string) => ({ deprecated: `use --${name} instead` });

export const flags = {
  certificateChain: flag.texts("certificate chain file of a certificate authority, root last", old("fulcio")),
  ctfe: flag.texts("certificate transparency log, as url=…,public-key=FILE,start-time=…[,end-time=…,origin=…]"),
  ctfeEndTime: flag.texts("end of the validity period of --ctfe-key", old("ctfe")),
  ctfeKey: flag.texts("public key file of a certificate transparency log", old("ctfe")),
  ctfeStartTime: flag.texts("start of the validity period of --ctfe-key", old("ctfe")),
  ctfeUrl: flag.texts("URL of the certificate transparency log of --ctfe-key", old("ctfe")),
  fulcio: flag.texts("certificate authority, as url=…,certificate-chain=FILE[,start-time=…,end-time=…]"),
  fulcioUri: flag.texts("URL of the certificate authority of --certificate-chain", old("fulcio")),
  noDefaultCtfe: flag.bool("omit the certificate transparency logs distributed by TUF"),
  noDefaultFulcio: flag.bool("omit the certificate authorities distributed by TUF"),
  noDefaultRekor: flag.bool("omit the transparency logs distributed by TUF"),
  noDefaultTsa: flag.bool("omit the timestamp authorities distributed by TUF"),
  out: flag.string("file to write to instead of stdout", { output: true }),
  rekor: flag.texts("transparency log, as url=…,public-key=FILE,start-time=…[,end-time=…,origin=…]"),
  rekorEndTime: flag.texts("end of the validity period of --rekor-key", old("rekor")),
  rekorKey: flag.texts(
    "public key file of a transparency log, optionally followed by a comma and the log's origin",
    old("rekor"),
  ),
  rekorStartTime: flag.texts("start of the validity period of --rekor-key", old("rekor")),
  rekorUrl: flag.texts("URL of the transparency log of --rekor-key", old("rekor")),
  timestampCertificateChain: flag.texts("certificate chain file of a timestamp authority, root last", old("tsa")),
  timestampUri: flag.texts("URL of the timestamp authority of --timestamp-certificate-chain", old("tsa")),
  tsa: flag.texts("timestamp authority, as url=…,certificate-chain=FILE[,start-time=…,end-time=…]"),
  withDefaultServices: flag.bool("start from the trusted root distributed by TUF"),
};

export default defineCommand({
  usage: "[flags]",
  summary: "Create a trusted root file",
  about:
    "Writes a trusted root for --trusted-root, which lists the trusted certificate authorities, transparency logs and timestamp authorities with their validity periods. Keys and certificate chains are PEM files. Flags may be repeated.",
  examples: [
    "# Trust one certificate authority and one transparency log",
    "tsign trusted-root create --fulcio url=https://fulcio.example,certificate-chain=fulcio.pem --rekor url=https://rekor.example,public-key=rekor.pub,start-time=2026-01-01T00:00:00Z --out trusted_root.json",
    "# Save the trusted root that TUF distributes",
    "tsign trusted-root create --with-default-services --out trusted_root.json",
  ],
  result: shape.object({ trustedRoot: shape.document() }, { file: shape.text("where it was written") }),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags,
  bindEnvironment: false,
});
