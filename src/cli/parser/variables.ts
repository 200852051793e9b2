/** An environment variable that tsign reads, or that cosign documents. */
export interface Variable {
  readonly name: string;
  readonly about: string;
  readonly expects: string;
  /** Its value is masked. */
  readonly secret?: boolean;
}

const rows: readonly (readonly [name: string, about: string, expects: string, secret?: true])[] = [
  [
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "authenticates a GitHub Actions job when it asks for its OIDC token",
    "a token",
    true,
  ],
  ["ACTIONS_ID_TOKEN_REQUEST_URL", "where a GitHub Actions job asks for its OIDC token", "a URL"],
  ["BUILDKITE_AGENT_ACCESS_TOKEN", "authenticates a Buildkite job when it asks for its OIDC token", "a token", true],
  ["BUILDKITE_AGENT_ENDPOINT", "where a Buildkite job asks for its OIDC token", "a URL"],
  ["BUILDKITE_AGENT_LOG_LEVEL", "how much the Buildkite agent says", "debug, notice, info, error, warn or fatal"],
  ["BUILDKITE_JOB_ID", "the Buildkite job that the OIDC token is for", "a job id"],
  ["COSIGN_DOCKER_MEDIA_TYPES", "writes legacy signatures with Docker's media types", "1 or 0"],
  ["COSIGN_EXPERIMENTAL", "allows --registry-referrers-mode=oci-1-1", "1 or 0"],
  [
    "COSIGN_MAX_ATTACHMENT_SIZE",
    "largest payload or bundle that is read, 128 MiB by default",
    "a size: 5120, 20K, 45MiB, 1GB",
  ],
  ["COSIGN_PASSWORD", "password of private keys, instead of a prompt; may be empty", "a password", true],
  ["COSIGN_PKCS11_IGNORE_CERTIFICATE", "does not load certificates from a PKCS#11 token", "1 or 0"],
  ["COSIGN_PKCS11_MODULE_PATH", "the PKCS#11 module", "a path"],
  ["COSIGN_PKCS11_PIN", "PIN of the PKCS#11 token", "a PIN", true],
  ["COSIGN_REPOSITORY", "where signatures are kept instead of beside their image", "a repository"],
  ["GITHUB_HOST", "the GitHub Enterprise server", "a URL"],
  ["GITHUB_TOKEN", "authenticates to GitHub", "a token", true],
  ["GITLAB_HOST", "the GitLab server", "a URL"],
  ["GITLAB_TOKEN", "authenticates to GitLab", "a token", true],
  ["GOOGLE_SERVICE_ACCOUNT_NAME", "the service account whose OIDC token is asked for", "a name"],
  [
    "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
    "key of the certificate transparency log, instead of the distributed one",
    "a path",
  ],
  ["SIGSTORE_ID_TOKEN", "OIDC token to get a certificate with", "a token", true],
  ["SIGSTORE_REKOR_PUBLIC_KEY", "key of the transparency log, instead of the distributed one", "a path"],
  ["SIGSTORE_ROOT_FILE", "root certificates, instead of the distributed ones", "a path"],
  ["SIGSTORE_TSA_CERTIFICATE_FILE", "chain of the timestamp authority, instead of the distributed one", "a path"],
  [
    "SOURCE_DATE_EPOCH",
    "the time written into signatures, attestations and what holds them, instead of now",
    "seconds since 1970",
  ],
  ["SPIFFE_ENDPOINT_SOCKET", "socket of the SPIFFE workload API", "a path"],
  ["TUF_MIRROR", "where trust material is distributed", "a URL"],
  ["TUF_ROOT", "folder that trust material is kept in", "a path"],
  ["TUF_ROOT_JSON", "TUF root to start from with another mirror", "a path"],
];

/** The variables of `env`, sorted. Besides them every flag has its own: COSIGN_<FLAG>. */
export const VARIABLES: readonly Variable[] = rows.map(([name, about, expects, secret]) => ({
  name,
  about,
  expects,
  ...(secret ? { secret } : {}),
}));

const PREFIXES = ["COSIGN_", "SIGSTORE_", "TUF_"];

/** Variables of the same families that are set but not in the list, sorted: flags, or mistakes worth seeing. */
export function otherVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set(VARIABLES.map(({ name }) => name));
  return Object.keys(env)
    .filter((name) => !known.has(name) && PREFIXES.some((prefix) => name.startsWith(prefix)))
    .sort();
}
