import { flag } from "../parser/define.ts";

const IN_BUNDLE = "use --bundle instead; the bundle contains it";
const IN_CONFIG = "use --signing-config instead";

/** The flags that all signing commands share, without those of the key. */
export const signingFlags = {
  bundle: flag.string("file to write the Sigstore bundle to", { output: true }),
  certificate: flag.string("certificate file (PEM or DER) of the signing key, stored with the signature"),
  certificateChain: flag.string("PEM file of the signing certificate's chain, root last"),
  dryRun: flag.bool("show what would be signed, stored and published, and do nothing of it"),
  format: flag.choice(
    ["", "bundle", "legacy", "both"],
    "signature format: a Sigstore bundle, cosign's legacy format, or both",
    {
      default: "",
    },
  ),
  fulcioAuthFlow: flag.string("OAuth flow for keyless signing", {
    choices: ["normal", "device", "token", "client_credentials", "token_exchange", "oob"],
    closed: true,
  }),
  fulcioUrl: flag.string("Fulcio certificate authority", {
    default: "https://fulcio.sigstore.dev",
    deprecated: IN_CONFIG,
  }),
  identityToken: flag.string("OIDC identity token, or a file that contains it", { secret: true }),
  insecureSkipVerify: flag.bool("skip verification of the signed certificate timestamp from Fulcio (no effect)", {
    deprecated: "ignored: signing does not verify signed certificate timestamps",
  }),
  issueCertificate: flag.bool("request a Fulcio certificate for the given key", {
    deprecated: "use keyless signing to get a certificate",
  }),
  newBundleFormat: flag.bool("write a Sigstore bundle instead of the legacy format", {
    default: true,
    deprecated: "use --format instead",
  }),
  oidcClientId: flag.string("OAuth client ID", { default: "sigstore" }),
  oidcClientSecretFile: flag.string("file that contains the OAuth client secret"),
  oidcDisableAmbientProviders: flag.bool("ignore OIDC identity tokens from the environment"),
  oidcIssuer: flag.string("OIDC issuer to log in at", {
    default: "https://oauth2.sigstore.dev/auth",
    deprecated: IN_CONFIG,
  }),
  oidcProvider: flag.string("source of the ambient OIDC identity token", {
    choices: [
      "filesystem",
      "envvar",
      "github-actions",
      "buildkite-agent",
      "spiffe",
      "google-workload-identity",
      "google-impersonate",
    ],
    closed: true,
  }),
  oidcRedirectUrl: flag.string("redirect URL for the OIDC login"),
  outputCertificate: flag.string("file to write the certificate to", { deprecated: IN_BUNDLE, output: true }),
  outputSignature: flag.string("file to write the signature to", { deprecated: IN_BUNDLE, output: true }),
  rekorUrl: flag.string("Rekor transparency log", {
    default: "https://rekor.sigstore.dev",
    deprecated: IN_CONFIG,
  }),
  signingConfig: flag.string("signing config file, which lists the services to sign with"),
  timestampClientCacert: flag.string("PEM file of CA certificates to trust for the timestamp authority's TLS"),
  timestampClientCert: flag.string("PEM file of the TLS client certificate for the timestamp authority"),
  timestampClientKey: flag.string("PEM file of the TLS client key for the timestamp authority"),
  timestampServerName: flag.string("host name expected in the timestamp authority's TLS certificate"),
  timestampServerUrl: flag.string("timestamp authority (RFC 3161)", { deprecated: IN_CONFIG }),
  tlogUpload: flag.bool("upload the signature to the transparency log", {
    default: true,
    weakens: { when: false, effect: "the signature is not uploaded to a transparency log" },
    deprecated: "use --signing-config with a file that lists no transparency logs instead",
  }),
  trustedRoot: flag.string("trusted root file; the new signature must verify against it before it is stored"),
  useSigningConfig: flag.bool("use the signing config distributed by TUF", { default: true }),
  yes: flag.bool("skip confirmation prompts", { short: "y" }),
};
