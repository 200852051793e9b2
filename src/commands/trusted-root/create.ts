import { defineCommand, flag } from "../../cli/parser/define.ts";

const old = (name: string) => ({ deprecated: `use --${name} instead` });

export const flags = {
  certificateChain: flag.texts("a certificate authority's chain, the root last", old("fulcio")),
  ctfe: flag.texts("a certificate transparency log: url=…,public-key=FILE,start-time=…[,end-time=…,origin=…]"),
  ctfeEndTime: flag.texts("until when --ctfe-key is trusted", old("ctfe")),
  ctfeKey: flag.texts("public key file of a certificate transparency log", old("ctfe")),
  ctfeStartTime: flag.texts("from when on --ctfe-key is trusted", old("ctfe")),
  ctfeUrl: flag.texts("address of the log of --ctfe-key", old("ctfe")),
  fulcio: flag.texts("a certificate authority: url=…,certificate-chain=FILE[,start-time=…,end-time=…]"),
  fulcioUri: flag.texts("address of the authority of --certificate-chain", old("fulcio")),
  noDefaultCtfe: flag.bool("leave out the distributed certificate transparency logs"),
  noDefaultFulcio: flag.bool("leave out the distributed certificate authorities"),
  noDefaultRekor: flag.bool("leave out the distributed transparency logs"),
  noDefaultTsa: flag.bool("leave out the distributed timestamp authorities"),
  out: flag.string("file to write to instead of stdout", { output: true }),
  rekor: flag.texts("a transparency log: url=…,public-key=FILE,start-time=…[,end-time=…,origin=…]"),
  rekorEndTime: flag.texts("until when --rekor-key is trusted", old("rekor")),
  rekorKey: flag.texts("public key file of a transparency log, with a comma its origin", old("rekor")),
  rekorStartTime: flag.texts("from when on --rekor-key is trusted", old("rekor")),
  rekorUrl: flag.texts("address of the log of --rekor-key", old("rekor")),
  timestampCertificateChain: flag.texts("a timestamp authority's chain, the root last", old("tsa")),
  timestampUri: flag.texts("address of the authority of --timestamp-certificate-chain", old("tsa")),
  tsa: flag.texts("a timestamp authority: url=…,certificate-chain=FILE[,start-time=…,end-time=…]"),
  withDefaultServices: flag.bool("start from the trusted root that TUF distributes"),
};

export default defineCommand({
  usage: "[flags]",
  summary: "Write a file of everything signatures are verified against",
  about:
    "Writes a trusted root, for --trusted-root: certificate authorities, transparency logs and timestamp authorities, each " +
    "with the time it is trusted for. Flags may be repeated; keys and chains are PEM files.",
  examples: [
    "tsign trusted-root create --fulcio url=https://fulcio.example,certificate-chain=fulcio.pem " +
      "--rekor url=https://rekor.example,public-key=rekor.pub,start-time=2026-01-01T00:00:00Z --out trusted_root.json",
    "tsign trusted-root create --with-default-services --out trusted_root.json",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags,
  bindEnvironment: false,
});
