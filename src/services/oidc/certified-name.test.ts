import assert from "node:assert/strict";
import { test } from "node:test";
import { certifiedJobName } from "./certified-name.ts";

const GITHUB = {
  sub: "repo:acme/widget:ref:refs/heads/main",
  job_workflow_ref: "acme/widget/.github/workflows/r.yml@refs/heads/main",
};
const GITLAB = {
  sub: "project_path:acme/widget:ref_type:branch:ref:main",
  ci_config_ref_uri: "gitlab.com/acme/widget//.gitlab-ci.yml@refs/heads/main",
};
const BUILDKITE = { sub: "organization:acme:pipeline:widget", organization_slug: "acme", pipeline_slug: "widget" };
const CIRCLECI = { "oidc.circleci.com/project-id": "p", "oidc.circleci.com/pipeline-definition-id": "d" };
const CODEFRESH = { account_name: "acme", pipeline_name: "a/b", account_id: "1", pipeline_id: "2" };

test("certifiedJobName: token of a CI job -> the URL in Fulcio's certificate, not the token's subject", () => {
  for (const [claims, name] of [
    [GITHUB, "https://github.com/acme/widget/.github/workflows/r.yml@refs/heads/main"],
    [GITLAB, "https://gitlab.com/acme/widget//.gitlab-ci.yml@refs/heads/main"],
    [BUILDKITE, "https://buildkite.com/acme/widget"],
    [CIRCLECI, "https://circleci.com/api/v2/projects/p/pipeline-definitions/d"],
    [CODEFRESH, "https://g.codefresh.io/acme/a/b:1/2"],
    [{ ...CODEFRESH, platform_url: "https://ci.example" }, "https://ci.example/acme/a/b:1/2"],
  ] as const) {
    assert.equal(certifiedJobName(claims), name);
  }
});

test("certifiedJobName: other tokens, and claims of another type -> undefined", () => {
  for (const claims of [
    { sub: "me", email: "me@example.com" },
    { job_workflow_ref: 1 },
    { organization_slug: "acme" },
    { job_workflow_ref: "" },
    {},
  ]) {
    assert.equal(certifiedJobName(claims), undefined);
  }
});
