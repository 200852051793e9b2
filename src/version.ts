/** Replaced by the build with the version of package.json; running from source it is a development version. */
declare const TSIGN_VERSION: string | undefined;
declare const TSIGN_COMMIT: string | undefined;
declare const TSIGN_DATE: string | undefined;

const DEVELOPMENT = "v0.1.0-devel";

/** The trust that tsign carries: the package it comes from, and its TUF root. A test compares them with the package. */
export const CARRIED_TRUST = { package: "@sigstore/tuf 5.0.1", rootVersion: 16, rootExpires: "2027-04-22T19:27:31Z" };

/** The evaluators of policies in the policy engine. A test compares them with its go.mod. */
export const POLICY_EVALUATORS = "cue v0.16.1, opa v1.17.1";

/** What this program was built from. */
export const VERSION = {
  version: typeof TSIGN_VERSION === "string" ? TSIGN_VERSION : DEVELOPMENT,
  commit: typeof TSIGN_COMMIT === "string" ? TSIGN_COMMIT : "unknown",
  date: typeof TSIGN_DATE === "string" ? TSIGN_DATE : "unknown",
};
