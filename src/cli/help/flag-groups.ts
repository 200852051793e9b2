import { flagName } from "../parser/argv.ts";
import type { Command, Flag, Flags } from "../parser/define.ts";
import { VARIABLES, type Variable } from "../parser/variables.ts";

/** Commands with fewer flags show them in one list. */
const MANY = 12;

const LOGIN = "Login flags";
/** What flags are about, in the order help shows; those of no group come first. */
const GROUPS: readonly [title: string, keys: RegExp][] = [
  ["Key flags", /^(key|sk|slot|certificate|certificateChain|signingAlgorithm)$/],
  ["Signer flags", /^certificate(Identity|Oidc|Github)/],
  ["Trust flags", /^(trustedRoot|insecureIgnore|useSignedTimestamps|offline)/],
  ["Service flags", /^(signingConfig|useSigningConfig|rekorUrl|timestampClient|timestampServer)/],
  [LOGIN, /^(oidc|identityToken|fulcioAuthFlow)/],
  ["Registry flags", /^(registry|allowHttpRegistry|allowInsecureRegistry|k8sKeychain)/],
];

/** Flags under a title. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly [string, Flag][];
}

/** Flags that help and completion propose, sorted: not the deprecated ones. */
export function shownFlags(flags: Flags): [string, Flag][] {
  return sorted(flags, ({ deprecated }) => deprecated === undefined);
}

/** Flags that only still work, sorted. */
export function deprecatedFlags(flags: Flags): [string, Flag][] {
  return sorted(flags, ({ deprecated }) => deprecated !== undefined);
}

function sorted(flags: Flags, wanted: (flag: Flag) => boolean): [string, Flag][] {
  return Object.entries(flags)
    .filter(([, flag]) => wanted(flag))
    .sort(([a], [b]) => (flagName(a) < flagName(b) ? -1 : 1));
}

/** The flags that help shows, each in exactly one group. */
export function groupFlags(flags: Flags): FlagGroup[] {
  const shown = shownFlags(flags);
  if (shown.length < MANY) return shown.length > 0 ? [{ title: "Flags", flags: shown }] : [];
  const groups = GROUPS.filter(([title]) => title !== LOGIN || "identityToken" in flags);
  const titleOf = (key: string) => groups.find(([, keys]) => keys.test(key))?.[0] ?? "Flags";
  return ["Flags", ...GROUPS.map(([title]) => title)]
    .map((title) => ({ title, flags: shown.filter(([key]) => titleOf(key) === title) }))
    .filter((group) => group.flags.length > 0);
}

/** Variables that mean something to a command with one of these flags, besides those of the flags themselves. */
const BY_FLAG: readonly [keys: readonly string[], names: readonly string[]][] = [
  [["outputKeyPrefix", "outfile", "identityToken"], ["COSIGN_PASSWORD"]],
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
    ["HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"],
  ],
];

/** Read by others too, and not among those `env` lists. */
const WELL_KNOWN: readonly Variable[] = [
  { name: "DOCKER_CONFIG", about: "folder of the registries' credentials, ~/.docker by default", expects: "a path" },
  { name: "HTTPS_PROXY", about: "proxy to go through, like HTTP_PROXY", expects: "a URL" },
  { name: "NO_PROXY", about: "hosts that no proxy is asked for", expects: "a list" },
  { name: "REGISTRY_AUTH_FILE", about: "file of credentials where docker has none", expects: "a path" },
  { name: "SSL_CERT_FILE", about: "authorities to trust for TLS, instead of the system's", expects: "a path" },
];

/** The variables a command reads besides COSIGN_<FLAG>, sorted. */
export function variablesOf({ flags }: Pick<Command, "flags">): Variable[] {
  const names = new Set(BY_FLAG.filter(([keys]) => keys.some((key) => key in flags)).flatMap(([, each]) => each));
  return [...VARIABLES, ...WELL_KNOWN].filter(({ name }) => names.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What the names of exit codes mean (errors.ts), for those that commands give codes of their own. */
const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  "no-signatures": "the image has no signature",
  "image-not-found": "the image does not exist",
  "no-match": "there are signatures in the legacy form, and none of them or of the bundles passes",
};
/** What the codes that are not named mean besides: 1 is cosign's for it. */
const ONE_OF_THEM = "any other failure; also where there are bundles only, and none passes";

/** Exit codes and what they mean, in order. */
export function exitCodesOf({ exitCodes = {} }: Pick<Command, "exitCodes">): { code: number; meaning: string }[] {
  const own = Object.entries(exitCodes).map(([name, code]) => ({ code, meaning: EXIT_MEANINGS[name] ?? name }));
  const all = [
    { code: 0, meaning: "success" },
    { code: 1, meaning: own.length > 0 ? ONE_OF_THEM : "failure" },
    { code: 130, meaning: "interrupted with Ctrl-C" },
    ...own,
  ];
  return all.sort((a, b) => a.code - b.code);
}
