import { flagName } from "../parser/argv.ts";
import type { Command, Flag, Flags } from "../parser/define.ts";
import { VARIABLES, type Variable } from "../parser/variables.ts";

/** Number of flags from which help shows them in groups. */
const MIN_GROUPED_FLAGS = 12;

const LOGIN = "Login flags";
/** Groups of flags in the order of help; flags of no group come first. */
const GROUPS: readonly [title: string, keys: RegExp][] = [
  ["Key flags", /^(key|sk|slot|certificate|certificateChain|signingAlgorithm)$/],
  ["Signer flags", /^certificate(Identity|Oidc|Github)/],
  ["Trust flags", /^(trustPolicy|trustedRoot|insecureIgnore|useSignedTimestamps|offline)/],
  ["Service flags", /^(signingConfig|useSigningConfig|rekorUrl|timestampClient|timestampServer)/],
  [LOGIN, /^(oidc|identityToken|fulcioAuthFlow)/],
  ["Registry flags", /^(registry|allowHttpRegistry|allowInsecureRegistry|k8sKeychain)/],
];

/** Flags that help shows under one title. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly [string, Flag][];
}

/** Flags that are not deprecated, sorted by name. */
export function shownFlags(flags: Flags): [string, Flag][] {
  return sorted(flags, ({ deprecated }) => deprecated === undefined);
}

/** Deprecated flags, sorted by name. */
export function deprecatedFlags(flags: Flags): [string, Flag][] {
  return sorted(flags, ({ deprecated }) => deprecated !== undefined);
}

function sorted(flags: Flags, wanted: (flag: Flag) => boolean): [string, Flag][] {
  return Object.entries(flags)
    .filter(([, flag]) => wanted(flag))
    .sort(([a], [b]) => (flagName(a) < flagName(b) ? -1 : 1));
}

/** The flags that are not deprecated, each in exactly one group. */
export function groupFlags(flags: Flags): FlagGroup[] {
  const shown = shownFlags(flags);
  if (shown.length < MIN_GROUPED_FLAGS) return shown.length > 0 ? [{ title: "Flags", flags: shown }] : [];
  const groups = GROUPS.filter(([title]) => title !== LOGIN || "identityToken" in flags);
  const titleOf = (key: string) => groups.find(([, keys]) => keys.test(key))?.[0] ?? "Flags";
  return ["Flags", ...GROUPS.map(([title]) => title)]
    .map((title) => ({ title, flags: shown.filter(([key]) => titleOf(key) === title) }))
    .filter((group) => group.flags.length > 0);
}

/** Variables that a command with one of these flags reads, besides COSIGN_<FLAG>. */
const BY_FLAG: readonly [keys: readonly string[], names: readonly string[]][] = [
  [["outputKeyPrefix", "outfile", "identityToken"], ["COSIGN_PASSWORD"]],
  [["trustPolicy"], ["TSIGN_TRUST_POLICY"]],
  [["kms"], ["GITHUB_HOST", "GITHUB_TOKEN"]],
  [
    ["kms", "key"],
    ["GITLAB_HOST", "GITLAB_TOKEN"],
  ],
  [["modulePath"], ["COSIGN_PKCS11_MODULE_PATH", "COSIGN_PKCS11_PIN"]],
  [["sk"], ["COSIGN_PKCS11_MODULE_PATH", "COSIGN_PKCS11_PIN"]],
  [["registryCacert"], ["COSIGN_REPOSITORY", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"]],
  [["passwordStdin"], ["DOCKER_CONFIG"]],
  [["maxWorkers"], ["COSIGN_MAX_ATTACHMENT_SIZE"]],
  [["registryReferrersMode"], ["COSIGN_EXPERIMENTAL"]],
  [["recordCreationTimestamp"], ["COSIGN_DOCKER_MEDIA_TYPES", "SOURCE_DATE_EPOCH"]],
  [["predicate"], ["SOURCE_DATE_EPOCH"]],
  [
    ["identityToken"],
    [
      "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
      "ACTIONS_ID_TOKEN_REQUEST_URL",
      "BUILDKITE_AGENT_ACCESS_TOKEN",
      "BUILDKITE_AGENT_ENDPOINT",
      "BUILDKITE_JOB_ID",
      "GOOGLE_SERVICE_ACCOUNT_NAME",
      "SIGSTORE_ID_TOKEN",
      "SPIFFE_ENDPOINT_SOCKET",
    ],
  ],
  [
    ["insecureIgnoreTlog"],
    [
      "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE",
      "SIGSTORE_REKOR_PUBLIC_KEY",
      "SIGSTORE_ROOT_FILE",
      "SIGSTORE_TSA_CERTIFICATE_FILE",
    ],
  ],
  [
    ["trustedRoot", "mirror"],
    ["TUF_MIRROR", "TUF_ROOT", "TUF_ROOT_JSON"],
  ],
  [
    ["registryCacert", "identityToken", "trustedRoot", "mirror", "passwordStdin"],
    ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_DIR", "SSL_CERT_FILE"],
  ],
];

/** Variables that other programs read, too; `tsign env` does not print them. */
const WELL_KNOWN: readonly Variable[] = [
  {
    name: "DOCKER_CONFIG",
    about: "folder of docker's configuration with registry credentials, ~/.docker by default",
    expects: "a path",
  },
  { name: "HTTPS_PROXY", about: "proxy for HTTPS requests; HTTP_PROXY for HTTP requests", expects: "a URL" },
  { name: "NO_PROXY", about: "hosts to contact without a proxy", expects: "a list" },
  { name: "REGISTRY_AUTH_FILE", about: "file of registry credentials, if docker has none", expects: "a path" },
  {
    name: "SSL_CERT_DIR",
    about: "folders of CA certificates to trust for TLS, instead of the system's",
    expects: "paths",
  },
  {
    name: "SSL_CERT_FILE",
    about: "file of CA certificates to trust for TLS, instead of the system's",
    expects: "a path",
  },
];

/** The variables that a command reads besides COSIGN_<FLAG>, sorted. */
export function variablesOf({ flags }: Pick<Command, "flags">): Variable[] {
  const names = new Set(BY_FLAG.filter(([keys]) => keys.some((key) => key in flags)).flatMap(([, each]) => each));
  return [...VARIABLES, ...WELL_KNOWN].filter(({ name }) => names.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Meanings of the error codes (errors.ts) that have exit codes of their own. */
const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  "no-signatures": "the image has no signatures",
  "image-not-found": "the image does not exist",
  "no-match": "no signature could be verified, and the image has legacy signatures",
};
/** Meaning of exit code 1 for commands that have other exit codes, too. */
const OTHER_FAILURE =
  "any other failure, including an image with only bundles that could not be verified, and every failure with --local-image";

/** The exit codes of a command with their meanings, in order. */
export function exitCodesOf({
  exitCodes = {},
  ownExitCodes = {},
  runsProgram = false,
}: Pick<Command, "exitCodes" | "ownExitCodes" | "runsProgram">): { code: number | "other"; meaning: string }[] {
  const own = Object.entries(exitCodes).map(([name, code]) => ({ code, meaning: EXIT_MEANINGS[name] ?? name }));
  const results = Object.entries(ownExitCodes).map(([code, meaning]) => ({ code: Number(code), meaning }));
  const failure = results.length > 0 ? "any other failure" : "failure";
  const all = [
    { code: 0, meaning: "success" },
    { code: 1, meaning: own.length > 0 ? OTHER_FAILURE : failure },
    { code: 130, meaning: "interrupted by Ctrl-C" },
    ...own,
    ...results,
  ];
  const sorted: { code: number | "other"; meaning: string }[] = all.sort((a, b) => a.code - b.code);
  return runsProgram ? [...sorted, { code: "other", meaning: "the exit code of the command that was run" }] : sorted;
}
