import { flag } from "../parser/define.ts";

const IN_BUNDLE = "stored in bundles; no longer needed";
const IN_ROOT = "use --trusted-root instead";

/** The flags that all verifying commands share, without those of the key. */
export const verificationFlags = {
  caIntermediates: flag.string("PEM file of intermediate CA certificates", {
    deprecated: IN_ROOT,
    needs: "caRoots",
  }),
  caRoots: flag.string("PEM file of root CA certificates", { deprecated: IN_ROOT }),
  certificate: flag.string("signing certificate file (PEM or DER)", { deprecated: IN_BUNDLE }),
  certificateChain: flag.string("PEM file of the signing certificate's chain, root last", { deprecated: IN_ROOT }),
  certificateGithubWorkflowName: flag.string("GitHub workflow name expected in the certificate"),
  certificateGithubWorkflowRef: flag.string("GitHub workflow ref expected in the certificate"),
  certificateGithubWorkflowRepository: flag.string("GitHub workflow repository expected in the certificate"),
  certificateGithubWorkflowSha: flag.string("GitHub workflow commit SHA expected in the certificate"),
  certificateGithubWorkflowTrigger: flag.string("GitHub workflow trigger expected in the certificate"),
  certificateIdentity: flag.string("identity expected in the certificate: an email address or URI"),
  certificateIdentityRegexp: flag.string("regular expression (RE2) for the certificate identity"),
  certificateOidcIssuer: flag.string("OIDC issuer expected in the certificate"),
  certificateOidcIssuerRegexp: flag.string("regular expression (RE2) for the certificate's OIDC issuer"),
  experimentalOci11: flag.bool("look up OCI referrers (no effect)", {
    deprecated: "ignored: OCI referrers are always looked up",
  }),
  insecureIgnoreSct: flag.bool("skip verification of the certificate's signed certificate timestamp (insecure)", {
    weakens: { when: true, effect: "the certificate's signed certificate timestamp is not verified" },
  }),
  insecureIgnoreTlog: flag.bool("skip transparency log verification (insecure)", {
    weakens: { when: true, effect: "the transparency log is not verified" },
  }),
  maxWorkers: flag.int("number of signatures to fetch in parallel", { default: 10 }),
  newBundleFormat: flag.bool(
    "accept Sigstore bundles besides the legacy format; false accepts the legacy format only",
    {
      default: true,
      deprecated: "no longer needed: both formats are accepted by default",
    },
  ),
  offline: flag.bool("skip the online transparency log lookup for legacy signatures", {
    deprecated: "use --trusted-root instead; bundles contain their transparency log entries",
  }),
  privateInfrastructure: flag.bool("skip transparency log verification without a warning", {
    deprecated: "use --insecure-ignore-tlog instead",
    weakens: { when: true, effect: "the transparency log is not verified" },
  }),
  rekorUrl: flag.string("Rekor transparency log", {
    default: "https://rekor.sigstore.dev",
    deprecated: IN_BUNDLE,
  }),
  sct: flag.string("file of the detached signed certificate timestamp", { deprecated: IN_BUNDLE }),
  signature: flag.string("signature: a file, a URL, or base64 text", { deprecated: IN_BUNDLE }),
  signatureDigestAlgorithm: flag.string(
    "hash algorithm of the signature: sha256, sha384 or sha512; by default the key's own",
    {
      default: "sha256",
      deprecated: "determined by the key",
    },
  ),
  timestampCertificateChain: flag.string("PEM file of the timestamp authority's certificate chain", {
    deprecated: IN_ROOT,
  }),
  trustedRoot: flag.string("trusted root file, which lists the trusted certificate authorities and logs"),
  useSignedTimestamps: flag.bool("require a signed timestamp (RFC 3161) for every signature"),
};
