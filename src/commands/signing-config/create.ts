import { defineCommand, flag } from "../../cli/parser/define.ts";

const SPEC = "url=…,api-version=…,start-time=…,operator=…[,end-time=…]";

export const flags = {
  baseConfig: flag.string("signing config file to start from"),
  fulcio: flag.texts(`a certificate authority: ${SPEC}`),
  noDefaultFulcio: flag.bool("leave out the certificate authorities of the config started from"),
  noDefaultOidc: flag.bool("leave out the OIDC issuers of the config started from"),
  noDefaultRekor: flag.bool("leave out the transparency logs of the config started from"),
  noDefaultTsa: flag.bool("leave out the timestamp authorities of the config started from"),
  oidcProvider: flag.texts(`an OIDC issuer: ${SPEC}`),
  out: flag.string("file to write to instead of stdout", { output: true }),
  rekor: flag.texts(`a transparency log: ${SPEC}`),
  rekorConfig: flag.string("how many logs to use: ANY, ALL or EXACT:n"),
  tsa: flag.texts(`a timestamp authority: ${SPEC}`),
  tsaConfig: flag.string("how many timestamp authorities to use: ANY, ALL or EXACT:n"),
  withDefaultRekorV2: flag.bool("start from the services that TUF distributes, those of Rekor v2"),
  withDefaultServices: flag.bool("start from the services that TUF distributes"),
};

export default defineCommand({
  usage: "[flags]",
  summary: "Write a file that names the services to sign with",
  about:
    "Writes a signing config, for --signing-config: certificate authorities, OIDC issuers, transparency logs and timestamp " +
    "authorities, each with the time from when on it may be used.",
  examples: [
    "tsign signing-config create --rekor url=https://rekor.example,api-version=2,start-time=2026-01-01T00:00:00Z," +
      "operator=example --rekor-config ANY --out signing-config.json",
    "tsign signing-config create --with-default-services --no-default-tsa",
  ],
  args: { min: 0, max: Number.POSITIVE_INFINITY },
  flags,
  exclusive: [
    ["baseConfig", "withDefaultRekorV2"],
    ["baseConfig", "withDefaultServices"],
  ],
  bindEnvironment: false,
});
