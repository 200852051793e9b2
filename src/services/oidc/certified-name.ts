/** What a CI system's token must state for Fulcio to certify a job, and the name it certifies. */
const JOBS: readonly (readonly [claims: readonly string[], name: (claim: (name: string) => string) => string])[] = [
  [["job_workflow_ref"], (claim) => `https://github.com/${claim("job_workflow_ref")}`],
  [["ci_config_ref_uri"], (claim) => `https://${claim("ci_config_ref_uri")}`],
  [
    ["organization_slug", "pipeline_slug"],
    (claim) => `https://buildkite.com/${claim("organization_slug")}/${claim("pipeline_slug")}`,
  ],
  [
    ["oidc.circleci.com/project-id", "oidc.circleci.com/pipeline-definition-id"],
    (claim) =>
      `https://circleci.com/api/v2/projects/${claim("oidc.circleci.com/project-id")}/pipeline-definitions/` +
      claim("oidc.circleci.com/pipeline-definition-id"),
  ],
  [
    ["account_name", "pipeline_name", "account_id", "pipeline_id"],
    (claim) =>
      `${claim("platform_url") || "https://g.codefresh.io"}/${claim("account_name")}/${claim("pipeline_name")}:` +
      `${claim("account_id")}/${claim("pipeline_id")}`,
  ],
];

/**
 * The name that Fulcio puts into the certificate for a token of a CI job, by the templates of the public instance (fulcio,
 * config/identity/config.yaml, subject-alternative-name-template): a workflow's or pipeline's URL, which is not the token's
 * subject. A private instance may have other templates.
 *
 * @param claims of the token
 * @returns undefined for the token of a person or of a service account, which is certified for its subject
 */
export function certifiedJobName(claims: Readonly<Record<string, unknown>>): string | undefined {
  const claim = (name: string) => (typeof claims[name] === "string" ? claims[name] : "");
  const job = JOBS.find(([names]) => names.every((name) => claim(name) !== ""));
  return job?.[1](claim);
}
