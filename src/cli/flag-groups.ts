import { flagName } from "./argv.ts";
import type { Command, Flag, Flags } from "./define.ts";
import { VARIABLES, type Variable } from "./variables.ts";

/** Commands with fewer flags show them in one list. */
const MANY = 16;

/** What flags are about, in the order help shows; those of no group come first. */
const GROUPS: readonly [title: string, keys: RegExp][] = [
  ["Key flags", /^(key|sk|slot|certificate|certificateChain|signingAlgorithm)$/],
  ["Signer flags", /^certificate(Identity|Oidc|Github)/],
  ["Trust flags", /^(trustedRoot|insecureIgnore|useSignedTimestamps|offline)/],
  ["Service flags", /^(signingConfig|useSigningConfig|rekorUrl|timestampClient|timestampServer)/],
  ["Login flags", /^(oidc|identityToken|fulcioAuthFlow)/],
  ["Registry flags", /^(registry|allowHttpRegistry|allowInsecureRegistry|k8sKeychain)/],
];

/** Flags under a title. */
export interface FlagGroup {
  readonly title: string;
  readonly flags: readonly [string, Flag][];
}

/** Flags that help shows, sorted: the deprecated ones only work. */
export function shownFlags(flags: Flags): [string, Flag][] {
  return Object.entries(flags)
    .filter(([, flag]) => flag.deprecated === undefined)
    .sort(([a], [b]) => (flagName(a) < flagName(b) ? -1 : 1));
}

/** The flags that help shows, each in exactly one group. */
export function groupFlags(flags: Flags): FlagGroup[] {
  const shown = shownFlags(flags);
  if (shown.length < MANY) return shown.length > 0 ? [{ title: "Flags", flags: shown }] : [];
  const titleOf = (key: string) => GROUPS.find(([, keys]) => keys.test(key))?.[0] ?? "Flags";
  return ["Flags", ...GROUPS.map(([title]) => title)]
    .map((title) => ({ title, flags: shown.filter(([key]) => titleOf(key) === title) }))
    .filter((group) => group.flags.length > 0);
}

/** Variables that mean something to a command with such a flag, besides those of the flags themselves. */
const BY_FLAG: readonly [key: string, names: readonly string[]][] = [
  ["outputKeyPrefix", ["COSIGN_PASSWORD"]],
  ["key", ["COSIGN_PKCS11_MODULE_PATH", "COSIGN_PKCS11_PIN"]],
  ["registryCacert", ["COSIGN_REPOSITORY", "DOCKER_CONFIG"]],
  ["maxWorkers", ["COSIGN_MAX_ATTACHMENT_SIZE"]],
  ["registryReferrersMode", ["COSIGN_EXPERIMENTAL"]],
  ["recordCreationTimestamp", ["COSIGN_DOCKER_MEDIA_TYPES", "SOURCE_DATE_EPOCH"]],
  ["identityToken", ["COSIGN_PASSWORD", "SIGSTORE_ID_TOKEN"]],
  ["trustedRoot", ["TUF_MIRROR", "TUF_ROOT", "TUF_ROOT_JSON"]],
];

/** Read by others too, and not among those `env` lists. */
const WELL_KNOWN: readonly Variable[] = [
  { name: "DOCKER_CONFIG", about: "folder of the registries' credentials, ~/.docker by default", expects: "a path" },
];

/** The variables a command reads besides COSIGN_<FLAG>, sorted. */
export function variablesOf({ flags }: Pick<Command, "flags">): Variable[] {
  const names = new Set(BY_FLAG.filter(([key]) => key in flags).flatMap(([, each]) => each));
  return [...VARIABLES, ...WELL_KNOWN].filter(({ name }) => names.has(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** What the names of exit codes mean (errors.ts), for those that commands give codes of their own. */
const EXIT_MEANINGS: Readonly<Record<string, string>> = {
  "no-signatures": "the image has no signature",
  "image-not-found": "the image does not exist",
  "no-match": "there are signatures, and none passes",
};

/** Exit codes and what they mean, in order; empty for a command without codes of its own. */
export function exitCodesOf({ exitCodes = {} }: Pick<Command, "exitCodes">): { code: number; meaning: string }[] {
  const own = Object.entries(exitCodes).map(([name, code]) => ({ code, meaning: EXIT_MEANINGS[name] ?? name }));
  if (own.length === 0) return [];
  const all = [{ code: 0, meaning: "success" }, { code: 1, meaning: "any other failure" }, ...own];
  return all.sort((a, b) => a.code - b.code);
}
