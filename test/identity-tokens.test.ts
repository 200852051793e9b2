import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { Io } from "../src/io/io.ts";
import { audienceHint } from "../src/services/oidc/ci-systems.ts";
import { obtainIdentityToken } from "../src/services/oidc/identity-token.ts";
import { type TestIo, temporaryFolder, testIo } from "./support/test-io.ts";

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const tokenOf = (claims: Record<string, unknown> = {}) =>
  `${part({ alg: "RS256" })}.${part({ iss: "https://issuer.example", sub: "s", aud: "sigstore", exp: 4e9, ...claims })}.c2lnbmF0dXJl`;
const TOKEN = tokenOf();

/** Requests a token without a terminal, with given responses of all services. */
async function obtain(
  options: { identityToken?: string; provider?: string; disableAmbient?: boolean },
  world: { cwd?: string; env?: Record<string, string>; http?: Io["http"] } = {},
): Promise<{ token?: string; error?: TsignError; io: TestIo }> {
  const http = world.http ?? (() => Promise.reject(new TsignError("network", "nothing answers")));
  const io = testIo({ ...world, io: { http, unixCall: () => Promise.reject(new TsignError("network", "nothing")) } });
  const asked = { identityToken: "", provider: "", disableAmbient: false, ...options };
  const others = {
    flow: "",
    issuer: undefined,
    clientId: "sigstore",
    clientSecretFile: "",
    redirectUrl: "",
    yes: true,
  };
  try {
    return { token: (await obtainIdentityToken(io, { ...asked, ...others })).raw, io };
  } catch (error) {
    assert.ok(error instanceof TsignError, String(error));
    return { error, io };
  }
}

const answering =
  (status: number, body: string): Io["http"] =>
  async () => ({
    status,
    headers: {},
    body: (async function* () {
      yield Buffer.from(body);
    })(),
    discard() {},
  });

test("--identity-token: accepts tokens with the white space, quotes and prefixes that shells, CI systems and headers add", async (t) => {
  const cwd = temporaryFolder(t);
  const wrapped = `${TOKEN.slice(0, 40)}\r\n  ${TOKEN.slice(40)}`;
  const cases: [string, RegExp | undefined][] = [
    [TOKEN, undefined],
    [`${TOKEN}\n`, undefined],
    [`${TOKEN}\r\n`, undefined],
    [`  ${TOKEN}\t`, undefined],
    [`\uFEFF${TOKEN}`, undefined],
    [`"${TOKEN}"`, /quotes/],
    [`'${TOKEN}'\n`, /quotes/],
    [`Bearer ${TOKEN}`, /the word "Bearer"/],
    [`bearer   ${TOKEN}`, /the word "Bearer"/],
    [`"Bearer ${TOKEN}"`, /the word "Bearer" and quotes/],
    [`Authorization: Bearer ${TOKEN}`, /the word "Bearer"/],
    [wrapped, /line breaks/],
  ];
  for (const [text, warning] of cases) {
    writeFileSync(join(cwd, "token"), text);
    for (const [given, source] of [
      [text, "--identity-token"],
      ["token", "token"],
      ["env://T", "env://T"],
    ] as const) {
      const { token, error, io } = await obtain({ identityToken: given }, { cwd, env: { T: text } });
      assert.equal(token, TOKEN, `${JSON.stringify(text)} as ${given}: ${error?.message}`);
      if (warning)
        assert.match(io.err(), new RegExp(`^WARNING: ${source}: ignoring ${warning.source} around the token\n$`));
      else assert.equal(io.err(), "");
    }
  }
});

test("--identity-token: errors quote the value only if it is a path, never a token", async (t) => {
  const cwd = temporaryFolder(t);
  const cut = TOKEN.slice(0, -20);
  writeFileSync(join(cwd, "cut"), cut.slice(0, 60));
  const cases: [given: string, message: RegExp][] = [
    ["$SIGSTORE_ID_TOKEN", /^--identity-token is an unexpanded variable: \$SIGSTORE_ID_TOKEN$/],
    ["${SIGSTORE_ID_TOKEN}", /is an unexpanded variable: \$\{SIGSTORE_ID_TOKEN\}$/],
    ["'$TOKEN'", /is an unexpanded variable: \$TOKEN$/],
    ["$(OIDC_TOKEN)", /is an unexpanded variable: \$\(OIDC_TOKEN\)$/],
    ["%ID_TOKEN%", /is an unexpanded variable: %ID_TOKEN%$/],
    ["$env:ID_TOKEN", /is an unexpanded variable: \$env:ID_TOKEN$/],
    ["${{ secrets.ID_TOKEN }}", /is an unexpanded variable: \$\{\{ secrets\.ID_TOKEN \}\}$/],
    ["$hunter2Secret", /^--identity-token is neither a token nor an existing file$/],
    ["./token.jwt", /^--identity-token: file not found: \.\/token\.jwt$/],
    ["/run/secrets/token", /file not found: \/run\/secrets\/token$/],
    ["token.txt", /file not found: token\.txt$/],
    ["hunter2", /^--identity-token is neither a token nor an existing file$/],
    [cut.slice(0, 60), /^--identity-token is neither a token nor an existing file$/],
    [`${cut.slice(0, 60)}\n`, /^--identity-token is neither a token nor an existing file$/],
    ["/secret+with/slashes0123456789abcdef", /^--identity-token is neither a token nor an existing file$/],
    [" ", /^--identity-token is empty$/],
    ["cut", /^cut does not contain an identity token$/],
  ];
  for (const [given, message] of cases) {
    const { error } = await obtain({ identityToken: given }, { cwd });
    assert.match(error?.message ?? "accepted", message, given);
    assert.ok(error?.hint, given);
    if (given.startsWith("${{")) assert.match(error.hint, /^pass its value through a variable in `env:` of the step/);
    if (given.startsWith("$env:")) assert.match(error.hint, /as in --identity-token "\$ID_TOKEN"/);
    assert.doesNotMatch(`${error?.message}${error?.hint}`, /hunter2|eyJ|slashes/, given);
  }
});

const GITHUB = { ACTIONS_ID_TOKEN_REQUEST_URL: "https://gh.example/t", ACTIONS_ID_TOKEN_REQUEST_TOKEN: "r" };
const BUILDKITE = { BUILDKITE_AGENT_ACCESS_TOKEN: "a", BUILDKITE_JOB_ID: "j-1" };

test("CI systems without their variables -> error names the missing variable and the setting that provides it", async () => {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: request } = GITHUB;
  const cases: [env: Record<string, string>, provider: string, message: RegExp, hint: RegExp][] = [
    [{}, "", /no identity token, and no terminal/, /--identity-token, set SIGSTORE_ID_TOKEN/],
    [
      { GITHUB_ACTIONS: "true" },
      "",
      /GitHub Actions job .*REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set/,
      /permissions: id-token: write/,
    ],
    [
      { GITHUB_ACTIONS: "true", ACTIONS_ID_TOKEN_REQUEST_URL: url },
      "",
      /: ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set/,
      /id-token: write/,
    ],
    [{ ACTIONS_ID_TOKEN_REQUEST_TOKEN: request }, "", /: ACTIONS_ID_TOKEN_REQUEST_URL is not set/, /id-token: write/],
    [
      { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "  " },
      "",
      /: ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set/,
      /id-token: write/,
    ],
    [{}, "github-actions", /REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set/, /id-token: write/],
    [
      { GITLAB_CI: "true" },
      "",
      /GitLab CI job .*: SIGSTORE_ID_TOKEN is not set/,
      /id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore/,
    ],
    [{ GITLAB_CI: "true" }, "envvar", /SIGSTORE_ID_TOKEN is not set/, /id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore/],
    [{}, "envvar", /^SIGSTORE_ID_TOKEN is not set$/, /audience "sigstore"/],
    [
      { BUILDKITE: "true" },
      "",
      /Buildkite job .*ACCESS_TOKEN and BUILDKITE_JOB_ID are not set/,
      /buildkite-agent oidc request-token --audience sigstore/,
    ],
    [{ BUILDKITE_JOB_ID: "j-1" }, "buildkite-agent", /: BUILDKITE_AGENT_ACCESS_TOKEN is not set/, /Buildkite agent/],
    [{ CIRCLECI: "true" }, "", /CircleCI job .*: SIGSTORE_ID_TOKEN is not set/, /circleci run oidc get --claims/],
    [{ BITBUCKET_BUILD_NUMBER: "7" }, "", /Bitbucket Pipelines job/, /audiences: \[sigstore\]/],
    [{}, "spiffe", /SPIFFE Workload API socket not found: \/tmp\/spire-agent/, /SPIFFE_ENDPOINT_SOCKET/],
    [
      { SPIFFE_ENDPOINT_SOCKET: "unix:///nowhere/api.sock" },
      "spiffe",
      /socket not found: \/nowhere\/api\.sock$/,
      /mounted/,
    ],
    [{}, "google-workload-identity", /not a Google Cloud machine/, /GCE_METADATA_HOST/],
    [{}, "google-impersonate", /GOOGLE_SERVICE_ACCOUNT_NAME is not set/, /service account/],
    [{}, "filesystem", /file not found: \/var\/run\/sigstore\/cosign\/oidc-token/, /mount a token/],
  ];
  for (const [env, provider, message, hint] of cases) {
    const { error } = await obtain({ provider }, { env });
    const context = `${JSON.stringify(env)} ${provider}`;
    assert.match(error?.message ?? "accepted", message, context);
    assert.match(error?.hint ?? "", hint, context);
  }
});

test("identity providers with invalid variables -> error names the variable, not its value, and is not internal", async () => {
  const good = answering(200, JSON.stringify({ value: TOKEN, token: TOKEN }));
  const cases: [env: Record<string, string>, http: Io["http"], message: RegExp, hint?: RegExp][] = [
    [
      { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "hunter2\nx" },
      good,
      /ACTIONS_ID_TOKEN_REQUEST_TOKEN contains a line break/,
      /one line/,
    ],
    [
      { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "hunter2 ü" },
      good,
      /REQUEST_TOKEN contains white space or characters/,
      /one line/,
    ],
    [
      { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_URL: "hunter2" },
      good,
      /ACTIONS_ID_TOKEN_REQUEST_URL is not an http\(s\) URL/,
    ],
    [
      { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_URL: "https://x\n.hunter2" },
      good,
      /ACTIONS_ID_TOKEN_REQUEST_URL is not an/,
    ],
    [BUILDKITE, answering(401, "hunter2"), /the Buildkite agent returned 401/, /buildkite-agent oidc request-token/],
    [GITHUB, answering(403, "hunter2"), /GitHub Actions returned 403/, /id-token: write/],
    [GITHUB, answering(200, "hunter2"), /response of GitHub Actions is not valid JSON/],
    [GITHUB, answering(200, '{"value":null}'), /GitHub Actions returned no identity token/],
    [GITHUB, answering(200, '{"value":"hunter2"}'), /github-actions does not contain an identity token/],
    [
      { ...BUILDKITE, BUILDKITE_AGENT_ACCESS_TOKEN: "hunter2\r\nx" },
      good,
      /BUILDKITE_AGENT_ACCESS_TOKEN contains a line break/,
    ],
    [
      { ...BUILDKITE, BUILDKITE_JOB_ID: "../hunter2" },
      good,
      /BUILDKITE_JOB_ID is not the id of a job/,
      /job of a Buildkite agent/,
    ],
    [{ BUILDKITE_AGENT_ACCESS_TOKEN: "a" }, good, /BUILDKITE_JOB_ID is not set/, /into its container/],
    [{ ...BUILDKITE, BUILDKITE_AGENT_ENDPOINT: "hunter2" }, good, /BUILDKITE_AGENT_ENDPOINT is not an http/],
    [{ SIGSTORE_ID_TOKEN: "hunter2" }, good, /SIGSTORE_ID_TOKEN does not contain an identity token/],
    [
      { SIGSTORE_ID_TOKEN: "$GITLAB_OIDC_TOKEN" },
      good,
      /SIGSTORE_ID_TOKEN contains an unexpanded variable: \$GITLAB_OIDC_TOKEN/,
    ],
    [{ SIGSTORE_ID_TOKEN: TOKEN.slice(0, 50) }, good, /SIGSTORE_ID_TOKEN does not contain an identity token/],
    [{ GCE_METADATA_HOST: "x\nhunter2" }, good, /GCE_METADATA_HOST is not an http/],
    [
      { GCE_METADATA_HOST: "metadata" },
      answering(404, "hunter2"),
      /Google's metadata server returned 404/,
      /attach a service account/,
    ],
    [{ GOOGLE_SERVICE_ACCOUNT_NAME: "a b\nhunter2" }, good, /GOOGLE_SERVICE_ACCOUNT_NAME is not the e-mail address/],
    [{ GOOGLE_SERVICE_ACCOUNT_NAME: "a@b", GOOGLE_APPLICATION_CREDENTIALS: "/nowhere" }, good, /\/nowhere/],
  ];
  for (const [env, http, message, hint] of cases) {
    const { error, io } = await obtain({}, { env, http });
    assert.match(error?.message ?? "accepted", message, JSON.stringify(env));
    assert.notEqual(error?.code, "internal");
    if (hint) assert.match(error?.hint ?? "", hint, JSON.stringify(env));
    assert.doesNotMatch(`${error?.message}${error?.hint}${io.err()}`, /hunter2|eyJ/, JSON.stringify(env));
  }
});

test("identity providers: variables with surrounding white space -> accepted", async () => {
  const http = answering(200, JSON.stringify({ value: TOKEN, token: TOKEN }));
  const padded = (env: Record<string, string>) =>
    Object.fromEntries(Object.entries(env).map(([name, value]) => [name, ` ${value}\r\n`]));
  for (const env of [GITHUB, BUILDKITE, { SIGSTORE_ID_TOKEN: TOKEN }]) {
    assert.equal((await obtain({}, { env: padded(env), http })).token, TOKEN, Object.keys(env).join());
  }
});

test("audienceHint: names how the CI system of the token, else of the job, issues one with the right audience", () => {
  const cases: [issuer: string, env: Record<string, string>, audience: string, hint: RegExp][] = [
    ["https://token.actions.githubusercontent.com", {}, "sigstore", /^pass no token: .*permissions: id-token: write/],
    ["https://token.actions.githubusercontent.com/acme", {}, "mine", /&audience=mine"/],
    ["https://gitlab.com", {}, "sigstore", /id_tokens: SIGSTORE_ID_TOKEN: aud: sigstore`$/],
    ["https://gitlab.example", { GITLAB_CI: "true" }, "mine", /id_tokens: SIGSTORE_ID_TOKEN: aud: mine`$/],
    ["https://agent.buildkite.com", {}, "sigstore", /`buildkite-agent oidc request-token --audience sigstore`$/],
    ["https://oidc.circleci.com/org/1", {}, "sigstore", /`circleci run oidc get --claims '\{"aud": "sigstore"\}'`$/],
    ["https://accounts.google.com", {}, "sigstore", /`gcloud auth print-identity-token .*--audiences=sigstore/],
    ["https://accounts.google.com", { GITLAB_CI: "true" }, "sigstore", /gcloud auth print-identity-token/],
    ["https://gitlab.com.example", {}, "sigstore", /^request a token with the audience "sigstore"$/],
    ["https://issuer.example", {}, "mine", /^request a token with the audience "mine"$/],
  ];
  for (const [issuer, env, audience, hint] of cases) assert.match(audienceHint({ env }, { issuer, audience }), hint);
});
