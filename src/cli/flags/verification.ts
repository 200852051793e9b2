import { flag } from "../parser/define.ts";

const IN_BUNDLE = "bundles hold it";
const IN_ROOT = "a --trusted-root file holds it";

/** Everything `verify` and `verify-blob` share besides the key. */
export const verificationFlags = {
  caIntermediates: flag.string("PEM file of intermediate certificate authorities", {
    deprecated: IN_ROOT,
    needs: "caRoots",
  }),
  caRoots: flag.string("PEM file of root certificate authorities", { deprecated: IN_ROOT }),
  certificate: flag.string("PEM or DER file of the certificate to verify with", { deprecated: IN_BUNDLE }),
  certificateChain: flag.string("PEM file of the certificate's chain, the root last", { deprecated: IN_ROOT }),
  certificateGithubWorkflowName: flag.string("workflow name the certificate must state"),
  certificateGithubWorkflowRef: flag.string("workflow ref the certificate must state"),
  certificateGithubWorkflowRepository: flag.string("workflow repository the certificate must state"),
  certificateGithubWorkflowSha: flag.string("workflow commit the certificate must state"),
  certificateGithubWorkflowTrigger: flag.string("workflow trigger the certificate must state"),
  certificateIdentity: flag.string("name the certificate must be for"),
  certificateIdentityRegexp: flag.string("pattern (RE2) that name must match"),
  certificateOidcIssuer: flag.string("OIDC issuer the certificate must state"),
  certificateOidcIssuerRegexp: flag.string("pattern (RE2) that issuer must match"),
  experimentalOci11: flag.bool("has no effect: referrers are always looked at", {
    deprecated: "referrers are always looked at",
  }),
  insecureIgnoreSct: flag.bool("do not require that the certificate was made public", {
    weakens: { when: true, effect: "SCTs of the certificate are not verified" },
  }),
  insecureIgnoreTlog: flag.bool("do not require that the signature was made public", {
    weakens: { when: true, effect: "the transparency log is not verified" },
  }),
  maxWorkers: flag.int("how many signatures are fetched at a time", { default: 10 }),
  newBundleFormat: flag.bool("also accept Sigstore bundles", {
    default: true,
    deprecated: "both forms are always accepted; false looks at the legacy form only",
  }),
  offline: flag.bool("do not look a legacy signature up in the log when it came without its entry", {
    deprecated: "bundles hold their log entries",
  }),
  privateInfrastructure: flag.bool("do not require that the signature was made public, without a warning", {
    deprecated: "use --insecure-ignore-tlog",
    weakens: { when: true, effect: "the transparency log is not verified" },
  }),
  rekorUrl: flag.string("transparency log", {
    default: "https://rekor.sigstore.dev",
    deprecated: IN_BUNDLE,
  }),
  sct: flag.string("file of a detached certificate timestamp", { deprecated: IN_BUNDLE }),
  signature: flag.string("file, URL or base64 text of the signature", { deprecated: IN_BUNDLE }),
  signatureDigestAlgorithm: flag.string("hash the signature was made with; by default the key's own, then SHA-256", {
    default: "sha256",
    deprecated: "the key says which",
  }),
  timestampCertificateChain: flag.string("PEM file of the timestamp authority's chain", {
    deprecated: IN_ROOT,
  }),
  trustedRoot: flag.string("trusted root file"),
  useSignedTimestamps: flag.bool("require a signed timestamp"),
};
