/** An environment variable that tsign reads or that cosign documents. */
export interface Variable {
  readonly name: string;
  readonly about: string;
  readonly expects: string;
  /** `tsign env` masks its value. */
  readonly secret?: boolean;
}

const rows: readonly (readonly [name: string, about: string, expects: string, secret?: true])[] = [
  ["ACTIONS_ID_TOKEN_REQUEST_TOKEN", "token with which a GitHub Actions job requests its OIDC token", "a token", true],
  ["ACTIONS_ID_TOKEN_REQUEST_URL", "URL at which a GitHub Actions job requests its OIDC token", "a URL"],
  ["BUILDKITE_AGENT_ACCESS_TOKEN", "token with which a Buildkite job requests its OIDC token", "a token", true],
  ["BUILDKITE_AGENT_ENDPOINT", "URL at which a Buildkite job requests its OIDC token", "a URL"],
  ["BUILDKITE_AGENT_LOG_LEVEL", "log level of the Buildkite agent", "debug, notice, info, error, warn or fatal"],
  ["BUILDKITE_JOB_ID", "ID of the Buildkite job for the OIDC token", "a job ID"],
  ["COSIGN_DOCKER_MEDIA_TYPES", "use of Docker's media types in legacy signatures", "1 or 0"],
  ["COSIGN_EXPERIMENTAL", "permission to use --registry-referrers-mode=oci-1-1", "1 or 0"],
  [
    "COSIGN_MAX_ATTACHMENT_SIZE",
    "maximum size of a payload or bundle, 128 MiB by default",
    "a size: 5120, 20K, 45MiB, 1GB",
  ],
  [
    "COSIGN_NEW_PASSWORD",
    "new password for `key change-password`, instead of a prompt; may be empty",
    "a password",
    true,
  ],
  ["COSIGN_PASSWORD", "password of private keys, instead of a prompt; may be empty", "a password", true],
  ["COSIGN_PKCS11_IGNORE_CERTIFICATE", "option to ignore certificates on a PKCS#11 token", "1 or 0"],
  ["COSIGN_PKCS11_MODULE_PATH", "path of the PKCS#11 module", "a path"],
  ["COSIGN_PKCS11_PIN", "user PIN of the PKCS#11 token", "a PIN", true],
  ["COSIGN_REPOSITORY", "repository for signatures, instead of the image's own", "a repository"],
  ["GITHUB_HOST", "URL of the GitHub Enterprise server", "a URL"],
  ["GITHUB_TOKEN", "GitHub access token", "a token", true],
  ["GITLAB_HOST", "URL of the GitLab server", "a URL"],
  ["GITLAB_TOKEN", "GitLab access token", "a token", true],
  ["GOOGLE_SERVICE_ACCOUNT_NAME", "Google service account for the OIDC token", "a name"],
  [
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
    "public key file of the certificate transparency log, instead of the one distributed by TUF",
    "a path",
  ],
  ["SIGSTORE_ID_TOKEN", "OIDC token for keyless signing", "a token", true],
  [
    "SIGSTORE_REKOR_PUBLIC_KEY",
    "public key file of the Rekor transparency log, instead of the one distributed by TUF",
    "a path",
  ],
  ["SIGSTORE_ROOT_FILE", "file of Fulcio root certificates, instead of those distributed by TUF", "a path"],
  [
    "SIGSTORE_TSA_CERTIFICATE_FILE",
    "certificate chain file of the timestamp authority, instead of the one distributed by TUF",
    "a path",
  ],
  [
    "SOURCE_DATE_EPOCH",
    "creation time to record in signatures and attestations, instead of the current time",
    "seconds since 1970",
  ],
  ["SPIFFE_ENDPOINT_SOCKET", "socket of the SPIFFE workload API", "a path"],
  ["TSIGN_TRUST_POLICY", "trust policy file, instead of --trust-policy", "a path"],
  ["TUF_MIRROR", "URL of the TUF repository", "a URL"],
  ["TUF_ROOT", "folder of the local TUF metadata", "a path"],
  ["TUF_ROOT_JSON", "initial TUF root file for another TUF repository", "a path"],
];

/** The variables that `tsign env` prints, sorted, without the COSIGN_<FLAG> variables of flags. */
export const VARIABLES: readonly Variable[] = rows.map(([name, about, expects, secret]) => ({
  name,
  about,
  expects,
  ...(secret ? { secret } : {}),
}));

const PREFIXES = ["COSIGN_", "SIGSTORE_", "TUF_"];

/** Names in `env` that have a prefix of tsign's but are not in the list, sorted: variables of flags, or misspelt ones. */
export function otherVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(VARIABLES.map(({ name }) => name));
  return Object.keys(env)
    .filter((name) => !known.has(name) && PREFIXES.some((prefix) => name.startsWith(prefix)))
    .sort();
}
