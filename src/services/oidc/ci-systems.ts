import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { AUDIENCE } from "./audience.ts";

type Environment = Pick<Io, "env">;

/** Whether a variable is set to more than white space. */
export const isSet = (io: Environment, name: string) => (io.env[name] ?? "").trim() !== "";

/** A system that issues identity tokens to its jobs or machines. */
interface CiSystem {
  readonly name: string;
  /** The variable that is set in each of its jobs; undefined for a system that is recognised by its tokens only. */
  readonly marker: string | undefined;
  /** Matches the issuer of its tokens (`iss`). */
  readonly issuer: RegExp;
  /** Variables that getting a token requires, all of them. */
  readonly needs: readonly string[];
  /** What to do for a token with the default audience, as a hint. */
  readonly hint: string;
  /** What to do for a token with another audience, as a hint. */
  readonly hintFor: (audience: string) => string;
}

/** The variables of a GitHub Actions job that may request tokens. */
export const GITHUB_VARIABLES = ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] as const;
/** The variables with which a Buildkite job requests tokens from its agent. */
export const BUILDKITE_VARIABLES = ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_JOB_ID"] as const;

export const GITHUB_PERMISSION =
  "give the job `permissions: id-token: write` (a reusable workflow needs it from its caller too)";

const gitlab = (audience: string) => `give the job \`id_tokens: SIGSTORE_ID_TOKEN: aud: ${audience}\``;
const buildkite = (audience: string) =>
  `set SIGSTORE_ID_TOKEN to the output of \`buildkite-agent oidc request-token --audience ${audience}\``;
const circleci = (audience: string) =>
  `set SIGSTORE_ID_TOKEN to the output of \`circleci run oidc get --claims '{"aud": "${audience}"}'\``;
const bitbucket = (audience: string) =>
  `give the step \`oidc: audiences: [${audience}]\` and set SIGSTORE_ID_TOKEN to "$BITBUCKET_STEP_OIDC_TOKEN"`;
const google = (audience: string) =>
  "set SIGSTORE_ID_TOKEN to the output of `gcloud auth print-identity-token --impersonate-service-account=ACCOUNT " +
  `--audiences=${audience} --include-email\``;

const CI_SYSTEMS: readonly CiSystem[] = [
  {
    name: "GitHub Actions",
    marker: "GITHUB_ACTIONS",
    issuer: /^https:\/\/token\.actions\.githubusercontent\.com(\/|$)/,
    needs: GITHUB_VARIABLES,
    hint: GITHUB_PERMISSION,
    hintFor: (audience) =>
      audience === AUDIENCE
        ? "pass no token: in a job with `permissions: id-token: write`, tsign requests the right one itself"
        : `request the token with "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=${audience}"`,
  },
  {
    name: "GitLab CI",
    marker: "GITLAB_CI",
    issuer: /^https:\/\/gitlab\.com\/?$/,
    needs: ["SIGSTORE_ID_TOKEN"],
    hint: gitlab(AUDIENCE),
    hintFor: gitlab,
  },
  {
    name: "Buildkite",
    marker: "BUILDKITE",
    issuer: /^https:\/\/agent\.buildkite\.com\/?$/,
    needs: BUILDKITE_VARIABLES,
    hint: `pass both variables into the container or shell that runs tsign, or ${buildkite(AUDIENCE)}`,
    hintFor: buildkite,
  },
  {
    name: "CircleCI",
    marker: "CIRCLECI",
    issuer: /^https:\/\/oidc\.circleci\.com\/org\//,
    needs: ["SIGSTORE_ID_TOKEN"],
    hint: circleci(AUDIENCE),
    hintFor: circleci,
  },
  {
    name: "Bitbucket Pipelines",
    marker: "BITBUCKET_BUILD_NUMBER",
    issuer: /^https:\/\/api\.bitbucket\.org\//,
    needs: ["SIGSTORE_ID_TOKEN"],
    hint: bitbucket(AUDIENCE),
    hintFor: bitbucket,
  },
  {
    name: "Google Cloud",
    marker: undefined,
    issuer: /^https:\/\/accounts\.google\.com\/?$/,
    needs: [],
    hint: google(AUDIENCE),
    hintFor: google,
  },
];

/**
 * Builds the error for a job or machine without an identity token and without a terminal to log in at. In a known CI system
 * it names the missing variables, and the setting that provides them.
 */
export function noIdentity(io: Environment): TsignError {
  const isIncomplete = ({ needs }: CiSystem) => needs.some((name) => !isSet(io, name));
  const isThis = ({ marker, needs }: CiSystem) =>
    (marker !== undefined && isSet(io, marker)) || (needs.length > 1 && needs.some((name) => isSet(io, name)));
  const system = CI_SYSTEMS.find((each) => isThis(each) && isIncomplete(each));
  if (system) return missingVariables(io, `this ${system.name} job`, system);
  return new TsignError("auth", "no identity token, and no terminal to log in at", {
    hint:
      "pass --identity-token, set SIGSTORE_ID_TOKEN, allow the CI job to request an OIDC token, or select a flow: " +
      "--fulcio-auth-flow=device",
  });
}

/**
 * Builds the error for a provider of which some variables are missing, with their names.
 *
 * @param subject what has no token, as the error begins
 */
export function missingVariables(
  io: Environment,
  subject: string,
  { needs, hint }: { needs: readonly string[]; hint: string },
): TsignError {
  const absent = needs.filter((name) => !isSet(io, name));
  const verb = absent.length === 1 ? "is" : "are";
  return new TsignError("auth", `${subject} has no identity token: ${absent.join(" and ")} ${verb} not set`, { hint });
}

/**
 * Returns the hint for a token with the wrong audience: how to get the right one, in the CI system of the token's issuer or
 * of this job.
 *
 * @param token.issuer the claim `iss`
 * @param token.audience the audience that is needed
 */
export function audienceHint(io: Environment, { issuer, audience }: { issuer: string; audience: string }): string {
  const system =
    CI_SYSTEMS.find((each) => each.issuer.test(issuer)) ??
    CI_SYSTEMS.find(({ marker }) => marker !== undefined && isSet(io, marker));
  return system?.hintFor(audience) ?? `request a token with the audience "${audience}"`;
}
