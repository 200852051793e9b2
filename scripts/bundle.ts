import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Settings of all bundles of the program: its version, and its HTTP classes. */

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
    return "unknown"; // a packed release has no git history
  }
}

/** Values for the constants of src/version.ts. */
export const BUILT_FROM = {
  TSIGN_VERSION: JSON.stringify(`v${version}`),
  TSIGN_COMMIT: JSON.stringify(git("rev-parse", "HEAD")),
  TSIGN_DATE: JSON.stringify(git("log", "-1", "--format=%cI")),
};

/** Replaces the fetch of the registry library, which is never called. */
export const NODE_FETCH = "./src/oci/registry/fetch-classes.ts";
