import { defineCommand, flag } from "../../cli/parser/define.ts";
import { shape } from "../../cli/parser/shape.ts";

const SPEC = "url=…,api-version=…,start-time=…,operator=…[,end-time=…]";

export const flags = {
  baseConfig: flag.string("initial signing config file"),
  fulcio: flag.texts(`certificate authority, as ${SPEC}`),
  noDefaultFulcio: flag.bool("omit the certificate authorities of the initial signing config"),
  noDefaultOidc: flag.bool("omit the OIDC issuers of the initial signing config"),
  noDefaultRekor: flag.bool("omit the transparency logs of the initial signing config"),
  noDefaultTsa: flag.bool("omit the timestamp authorities of the initial signing config"),
  oidcProvider: flag.texts(`OIDC issuer, as ${SPEC}`),
  out: flag.string("file to write to instead of stdout", { output: true }),
  rekor: flag.texts(`transparency log, as ${SPEC}`),
  rekorConfig: flag.string("number of transparency logs to use: ANY, ALL or EXACT:n"),
  tsa: flag.texts(`timestamp authority, as ${SPEC}`),
  tsaConfig: flag.string("number of timestamp authorities to use: ANY, ALL or EXACT:n"),
  withDefaultRekorV2: flag.bool("start from the signing config distributed by TUF, with Rekor v2"),
  withDefaultServices: flag.bool("start from the signing config distributed by TUF"),
};

export default defineCommand({
  usage: "[flags]",
  summary: "Create a signing config file",
  about:
    "Writes a signing config for --signing-config, which lists certificate authorities, OIDC issuers, transparency logs and timestamp authorities with their validity periods. Without flags, the file lists no services.",
  examples: [
    "# List one transparency log",
    "tsign signing-config create --rekor url=https://rekor.example,api-version=2,start-time=2026-01-01T00:00:00Z,operator=example --rekor-config ANY --out signing-config.json",
    "# Start from the services that TUF distributes, without timestamp authorities",
    "tsign signing-config create --with-default-services --no-default-tsa --out signing-config.json",
    "# List no services, to sign offline with a key",
    "tsign signing-config create --out no-services.json",
  ],
  result: shape.object({ signingConfig: shape.document() }, { file: shape.text("where it was written") }),
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [
    ["baseConfig", "withDefaultRekorV2"],
    ["baseConfig", "withDefaultServices"],
  ],
  bindEnvironment: false,
});
