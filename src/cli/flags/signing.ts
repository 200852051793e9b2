import { flag } from "../parser/define.ts";

const IN_BUNDLE = "the bundle of --bundle holds it";
const IN_CONFIG = "name services in a --signing-config file";

/** Everything `sign` and `sign-blob` share besides the key. */
export const signingFlags = {
  bundle: flag.string("file to write the bundle to", { output: true }),
  certificate: flag.string("PEM or DER file of a certificate of the key, stored with the signature"),
  certificateChain: flag.string("PEM file of that certificate's chain, the root last"),
  format: flag.choice(["", "bundle", "legacy", "both"], "which form to write, in place of --new-bundle-format", {
    default: "",
  }),
  fulcioAuthFlow: flag.string("way of logging in for a certificate", {
    choices: ["normal", "device", "token", "client_credentials", "token_exchange", "oob"],
  }),
  fulcioUrl: flag.string("certificate authority", {
    default: "https://fulcio.sigstore.dev",
    deprecated: IN_CONFIG,
  }),
  identityToken: flag.string("OIDC token, or a file that holds one", { secret: true }),
  insecureSkipVerify: flag.bool("has no effect: the certificate's SCT is not checked when signing", {
    deprecated: "the certificate's SCT is not checked when signing",
  }),
  issueCertificate: flag.bool("get a certificate for the given key", {
    deprecated: "certificates are for keyless signing",
  }),
  newBundleFormat: flag.bool("store a Sigstore bundle instead of the legacy form", {
    default: true,
    deprecated: "the bundle form is the one to keep",
  }),
  oidcClientId: flag.string("OAuth client id", { default: "sigstore" }),
  oidcClientSecretFile: flag.string("file of the OAuth client secret"),
  oidcDisableAmbientProviders: flag.bool("do not take an OIDC token from the environment"),
  oidcIssuer: flag.string("OIDC issuer", {
    default: "https://oauth2.sigstore.dev/auth",
    deprecated: IN_CONFIG,
  }),
  oidcProvider: flag.string("where to take the ambient OIDC token from", {
    choices: [
      "filesystem",
      "envvar",
      "github-actions",
      "buildkite-agent",
      "spiffe",
      "google-workload-identity",
      "google-impersonate",
    ],
  }),
  oidcRedirectUrl: flag.string("where the OIDC login leads back to"),
  outputCertificate: flag.string("file to write the certificate to", { deprecated: IN_BUNDLE, output: true }),
  outputSignature: flag.string("file to write the signature to", { deprecated: IN_BUNDLE, output: true }),
  rekorUrl: flag.string("transparency log", {
    default: "https://rekor.sigstore.dev",
    deprecated: IN_CONFIG,
  }),
  signingConfig: flag.string("file that names the services to sign with"),
  timestampClientCacert: flag.string("PEM file of authorities for the timestamp server's TLS"),
  timestampClientCert: flag.string("PEM file of a TLS client certificate for it"),
  timestampClientKey: flag.string("PEM file of that certificate's key"),
  timestampServerName: flag.string("name expected in its TLS certificate"),
  timestampServerUrl: flag.string("timestamp server", { deprecated: IN_CONFIG }),
  tlogUpload: flag.bool("record the signature in a transparency log", {
    default: true,
    weakens: { when: false, effect: "the signature is not recorded in a transparency log" },
    deprecated: "a --signing-config file without logs says it better",
  }),
  trustedRoot: flag.string("trusted root file: the new signature must verify with it before it is stored"),
  useSigningConfig: flag.bool("take the services from the signing config that TUF distributes", { default: true }),
  yes: flag.bool("answer every question with yes", { short: "y" }),
};
