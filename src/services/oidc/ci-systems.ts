import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { AUDIENCE } from "./audience.ts";

type Environment = Pick<Io, "env">;

export const isSet = (io: Environment, name: string) => (io.env[name] ?? "").trim() !== "";

/** A CI system that is known by its environment, and what gives its jobs an identity token. */
interface CiSystem {
  readonly name: string;
  /** The variable that says that a job runs there; some of several in `needs` say it too. */
  readonly when: string;
  /** The variables that a token takes, each of them. */
  readonly needs: readonly string[];
  /** What to write into the job's definition. */
  readonly hint: string;
}

export const GITHUB_PERMISSION =
  "give the job `permissions: id-token: write` (a workflow that is called needs it from its caller too)";
const TO_VARIABLE = "and pass it in SIGSTORE_ID_TOKEN";

const CI_SYSTEMS: readonly CiSystem[] = [
  {
    name: "GitHub Actions",
    when: "GITHUB_ACTIONS",
    needs: ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
    hint: GITHUB_PERMISSION,
  },
  {
    name: "GitLab CI",
    when: "GITLAB_CI",
    needs: ["SIGSTORE_ID_TOKEN"],
    hint: `give the job \`id_tokens: SIGSTORE_ID_TOKEN: aud: ${AUDIENCE}\``,
  },
  {
    name: "Buildkite",
    when: "BUILDKITE",
    needs: ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_JOB_ID"],
    hint: `ask for a token with \`buildkite-agent oidc request-token --audience ${AUDIENCE}\` ${TO_VARIABLE}`,
  },
  {
    name: "CircleCI",
    when: "CIRCLECI",
    needs: ["SIGSTORE_ID_TOKEN"],
    hint: `ask for a token with \`circleci run oidc get --claims '{"aud": "${AUDIENCE}"}'\` ${TO_VARIABLE}`,
  },
  {
    name: "Bitbucket Pipelines",
    when: "BITBUCKET_BUILD_NUMBER",
    needs: ["SIGSTORE_ID_TOKEN"],
    hint: `give the step \`oidc: audiences: [${AUDIENCE}]\` ${TO_VARIABLE}: BITBUCKET_STEP_OIDC_TOKEN holds it`,
  },
];

/**
 * The error for a job or a machine that has no identity token, and no terminal to log in at: which variables are missing,
 * by name, and the setting that brings them where the CI system is known.
 */
export function noIdentity(io: Environment): TsignError {
  const lacks = ({ needs }: CiSystem) => needs.some((name) => !isSet(io, name));
  const shows = ({ when, needs }: CiSystem) =>
    isSet(io, when) || (needs.length > 1 && needs.some((name) => isSet(io, name)));
  const system = CI_SYSTEMS.find((each) => shows(each) && lacks(each));
  if (system) return missing(io, `this ${system.name} job`, system);
  return new TsignError("auth", "there is no identity token, and no terminal to log in at", {
    hint:
      "pass --identity-token, set SIGSTORE_ID_TOKEN, let the CI job have an OIDC token, or name a flow: " +
      "--fulcio-auth-flow=device",
  });
}

/** The error for variables of which some are missing. */
export function missing(
  io: Environment,
  who: string,
  { needs, hint }: { needs: readonly string[]; hint: string },
): TsignError {
  const absent = needs.filter((name) => !isSet(io, name));
  const verb = absent.length === 1 ? "is" : "are";
  return new TsignError("auth", `${who} has no identity token: ${absent.join(" and ")} ${verb} not set`, { hint });
}
