/** Replaced by the build with the version of package.json; running from source it is a development version. */
declare const TSIGN_VERSION: string | undefined;
declare const TSIGN_COMMIT: string | undefined;
declare const TSIGN_DATE: string | undefined;

const DEVELOPMENT = "v0.1.0-devel";

/** What this program was built from. */
export const VERSION = {
  version: typeof TSIGN_VERSION === "string" ? TSIGN_VERSION : DEVELOPMENT,
  commit: typeof TSIGN_COMMIT === "string" ? TSIGN_COMMIT : "unknown",
  date: typeof TSIGN_DATE === "string" ? TSIGN_DATE : "unknown",
};
