import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** What every bundle of the program has in common: the version that it states, and its HTTP classes. */

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  version: string;
};

function git(...args: string[]): string {
  try {
    return execFileSync("git", args, {
      cwd: import.meta.dirname,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown"; // a packed release has no history
  }
}

/** Replaces the constants of src/version.ts. */
export const BUILT_FROM = {
  TSIGN_VERSION: JSON.stringify(`v${version}`),
  TSIGN_COMMIT: JSON.stringify(git("rev-parse", "HEAD")),
  TSIGN_DATE: JSON.stringify(git("log", "-1", "--format=%cI")),
};

/** The registry library brings a fetch of its own, which nothing calls; this module stands in for it. */
export const NODE_FETCH = "./src/oci/registry/fetch-classes.ts";
