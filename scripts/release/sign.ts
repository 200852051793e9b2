import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

/** The program as release.ts has just built it. */
const TSIGN = resolve(import.meta.dirname, "../../dist/main.mjs");
/** Variables that give `tsign` an identity without asking anybody: a token, or a CI system that issues one. */
const IDENTITY = [
  "SIGSTORE_ID_TOKEN",
  "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
  "BUILDKITE_AGENT_ACCESS_TOKEN",
  "SPIFFE_ENDPOINT_SOCKET",
];

/** Returns the flags with which everything is signed; undefined when there is neither a key nor an identity. */
export function signingFlags(key: string | undefined, env: NodeJS.ProcessEnv): string[] | undefined {
  // A key needs no service: the signature is not recorded in a log, and can be verified without the network.
  if (key !== undefined) return ["--key", key, "--use-signing-config=false", "--tlog-upload=false", "--yes", "--quiet"];
  return IDENTITY.some((name) => env[name]) ? ["--yes", "--quiet"] : undefined;
}

function tsign(...args: string[]): void {
  execFileSync(process.execPath, [TSIGN, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}

/**
 * Signs files with tsign itself, and attests how they were made and what they contain. The bundles go into `signatures/`:
 * NAME.sigstore.json, NAME.provenance.sigstore.json, NAME.spdx.sigstore.json and NAME.cyclonedx.sigstore.json.
 *
 * @param predicates file of each kind of predicate
 */
export function signFiles(
  folder: string,
  names: readonly string[],
  options: {
    flags: readonly string[];
    predicates: Readonly<Record<"slsaprovenance1" | "spdxjson" | "cyclonedx", string>>;
  },
): void {
  const { flags, predicates } = options;
  mkdirSync(join(folder, "signatures"), { recursive: true });
  const suffixes = { slsaprovenance1: "provenance", spdxjson: "spdx", cyclonedx: "cyclonedx" } as const;
  for (const name of names) {
    const bundle = (suffix: string) => ["--bundle", join(folder, "signatures", `${name}${suffix}.sigstore.json`)];
    tsign("sign-blob", ...flags, ...bundle(""), join(folder, name));
    for (const [type, suffix] of Object.entries(suffixes)) {
      const predicate = predicates[type as keyof typeof suffixes];
      tsign(
        "attest-blob",
        ...flags,
        "--type",
        type,
        "--predicate",
        predicate,
        ...bundle(`.${suffix}`),
        join(folder, name),
      );
    }
  }
}
