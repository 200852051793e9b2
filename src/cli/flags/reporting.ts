import type { ErrorCode, ExitCodes } from "../../errors.ts";
import type { ImageState } from "../../images/batch.ts";
import { flag } from "../parser/define.ts";

/** The flags of the commands that verify images, for their results. */
export const reportingFlags = {
  exitCodes: flag.choice(["cosign", "strict"], "exit codes for failures: cosign's, or one for each kind of failure", {
    default: "cosign",
  }),
  explain: flag.bool("print every check of every signature, nearest match first"),
  report: flag.texts(
    "file to write a report to: .html, .json, .md, .sarif, .xml (JUnit), code-quality-report.json (GitLab) or $GITHUB_STEP_SUMMARY",
    {
      output: true,
    },
  ),
};

/** Exit codes of --exit-codes=strict by the state of an image. */
export const STRICT_EXIT_CODES: Readonly<Record<Exclude<ImageState, "verified">, number>> = {
  unsigned: 10,
  "not-found": 11,
  refused: 12,
  unchecked: 13,
};

const UNCHECKED: readonly ErrorCode[] = [
  ...(["input", "unsupported", "auth", "network", "timeout", "registry", "service", "limit"] as const),
  ...(["untrusted", "bad-bundle", "internal"] as const),
];

/** Exit codes of --exit-codes=strict for errors outside of images; a wrong command line exits with 1, Ctrl-C with 130. */
export const STRICT_BY_CODE: ExitCodes = {
  ...Object.fromEntries(UNCHECKED.map((code) => [code, STRICT_EXIT_CODES.unchecked])),
  policy: STRICT_EXIT_CODES.refused,
};
