import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { COSIGN, folder, must, type Result, run, TSIGN } from "./support.ts";

/** The source of a situation's token: the command line, a file, or the environment. */
interface Given {
  readonly args?: readonly string[];
  readonly env?: Record<string, string>;
}

interface Situation {
  readonly name: string;
  /** Whether signing may succeed. */
  readonly good: boolean;
  given(tokens: Tokens): Given;
}

/** Tokens of one sandbox, and a folder for files. */
interface Tokens {
  readonly email: string;
  readonly odd: Readonly<Record<string, string>>;
  readonly ci: Record<string, string>;
  file(content: string): string;
}

/** Subjects of real CI jobs. */
const SUBJECTS = {
  "a tag pkg@1.2.3": "repo:acme/widget:ref:refs/tags/pkg@1.2.3",
  "a tag @scope/pkg@2.0.0": "repo:acme/widget:ref:refs/tags/@scope/pkg@2.0.0",
  "an environment prod@eu": "repo:acme/widget:environment:prod@eu",
  "a branch user@host": "repo:acme/widget:ref:refs/heads/user@example.com",
  "an enterprise's subject":
    "repository_owner:acme@corp:job_workflow_ref:acme/w/.github/workflows/r.yml@refs/heads/main",
};

const flag = (value: string): Given => ({ args: ["--identity-token", value] });
const variable = (value: string): Given => ({ env: { SIGSTORE_ID_TOKEN: value } });
const good = (name: string, given: Situation["given"]): Situation => ({ name, good: true, given });
const bad = (name: string, given: Situation["given"]): Situation => ({ name, good: false, given });

const SITUATIONS: readonly Situation[] = [
  good("an e-mail address", ({ email }) => flag(email)),
  ...Object.keys(SUBJECTS).map((name) => good(`a CI job of ${name}`, ({ odd }) => flag(odd[name] ?? ""))),
  good("a token with a line end", ({ email }) => flag(`${email}\n`)),
  good("a token with CR LF", ({ email }) => flag(`${email}\r\n`)),
  good("a token in spaces", ({ email }) => flag(` ${email} `)),
  good("a token in quotes", ({ email }) => flag(`"${email}"`)),
  good("a token after Bearer", ({ email }) => flag(`Bearer ${email}`)),
  good("a token file", ({ email, file }) => flag(file(email))),
  good("a token file with a line end", ({ email, file }) => flag(file(`${email}\n`))),
  good("a token file with a BOM and CR LF", ({ email, file }) => flag(file(`\uFEFF${email}\r\n`))),
  good("SIGSTORE_ID_TOKEN", ({ email }) => variable(email)),
  good("SIGSTORE_ID_TOKEN with a line end", ({ email }) => variable(`${email}\n`)),
  good("GitHub Actions", ({ ci }) => ({ env: ci })),
  good("GitHub Actions, a line end in its token", ({ ci }) => ({
    env: { ...ci, ACTIONS_ID_TOKEN_REQUEST_TOKEN: `${ci["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]}\n` },
  })),
  good("GitHub Actions, by name", ({ ci }) => ({ args: ["--oidc-provider", "github-actions"], env: ci })),
  good("GitHub Actions beside an empty SIGSTORE_ID_TOKEN", ({ ci }) => ({ env: { ...ci, SIGSTORE_ID_TOKEN: "" } })),
  bad("a token that expired", ({ odd }) => flag(odd["expired"] ?? "")),
  bad("a token for another audience", ({ odd }) => flag(odd["audience"] ?? "")),
  bad("an address that is not verified", ({ odd }) => flag(odd["unverified"] ?? "")),
  bad("a token cut off", ({ email }) => flag(email.slice(0, -80))),
  bad("half a token", ({ email }) => flag(email.slice(0, 60))),
  bad("a variable that nobody expanded", () => flag("$SIGSTORE_ID_TOKEN")),
  bad("a file that is not there", () => flag("./nosuch.jwt")),
  bad("GitHub Actions without the permission", () => ({ env: { GITHUB_ACTIONS: "true" } })),
  bad("GitHub Actions with half of its variables", ({ ci }) => ({
    env: { ACTIONS_ID_TOKEN_REQUEST_URL: ci["ACTIONS_ID_TOKEN_REQUEST_URL"] ?? "" },
  })),
  bad("a provider by name, and not there", () => ({ args: ["--oidc-provider", "github-actions"] })),
];

/** Starts a sandbox with its own clock. Returns its variables. */
async function sandbox(context: TestContext, clock: string): Promise<Record<string, string>> {
  const cwd = folder(context);
  const args = ["sandbox", "up", "--foreground", "--timeout", "30m", ...(clock === "" ? [] : [`--clock=${clock}`])];
  const env = { PATH: process.env["PATH"], HOME: cwd };
  const child = spawn(TSIGN, args, { cwd, env, stdio: "ignore" });
  context.after(() => child.kill());
  for (let attempt = 0; attempt < 200; attempt++) {
    const shown = await run(TSIGN, ["sandbox", "env"], { cwd });
    const pairs = [...shown.stdout.matchAll(/^export (\w+)='?([^'\n]*)'?$/gm)].map(([, name, value]) => [name, value]);
    if (shown.code === 0) return { ...Object.fromEntries(pairs), HOME: cwd };
    await setTimeout(100);
  }
  throw new Error("the sandbox did not start");
}

async function makeTokens(cwd: string, env: Record<string, string>): Promise<Tokens> {
  const mint = async (...args: string[]) =>
    (await must(TSIGN, ["sandbox", "token", ...args], { cwd, env })).stdout.trim();
  const odd: Record<string, string> = {
    expired: await mint("--email", "me@example.com", "--ttl=-1h"),
    audience: await mint("--email", "me@example.com", "--aud", "sts.amazonaws.com"),
    unverified: await mint("--email", "me@example.com", "--claims", '{"email_verified":false}'),
  };
  for (const [name, sub] of Object.entries(SUBJECTS)) {
    odd[name] = await mint("--github", "--ttl", "5h", "--claims", JSON.stringify({ sub }));
  }
  let files = 0;
  return {
    email: await mint("--email", "me@example.com", "--ttl", "5h"),
    odd,
    ci: {
      ACTIONS_ID_TOKEN_REQUEST_URL: env["TSIGN_SANDBOX_GITHUB_TOKEN_URL"] ?? "",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-token",
    },
    file: (content) => {
      const path = join(cwd, `token${files++}`);
      writeFileSync(path, content);
      return path;
    },
  };
}

/** Signs with a program, and reports whether the result verifies for the identity with tsign. */
async function outcome(
  program: string,
  { args = [], env: more = {} }: Given,
  { cwd, env }: { cwd: string; env: Record<string, string> },
): Promise<{ signed: boolean; verified: boolean; result: Result }> {
  const root = ["--trusted-root", env["TSIGN_SANDBOX_TRUSTED_ROOT"] ?? ""];
  const services = [...root, "--signing-config", env["TSIGN_SANDBOX_SIGNING_CONFIG_REKOR1_TSA"] ?? ""];
  const bundle = join(cwd, "out.json");
  writeFileSync(bundle, "");
  const line = ["sign-blob", "--yes", ...services, "--bundle", bundle, ...args, "--timeout", "20s", "blob"];
  // cosign waits for a login that never happens.
  const result = await run("timeout", ["15", program, ...line], { cwd, env: { HOME: cwd, ...more } });
  if (result.code !== 0) return { signed: false, verified: false, result };
  const identity = ["--certificate-identity-regexp", "^(me@example\\.com|https://github\\.com/acme/widget/.*)$"];
  const anyIssuer = ["--certificate-oidc-issuer-regexp", "^http://127\\.0\\.0\\.1:\\d+(/ci)?$"];
  const check = ["verify-blob", ...root, ...identity, ...anyIssuer, "--bundle", bundle];
  writeFileSync(join(cwd, "other"), "another file");
  const [own, other] = [await run(TSIGN, [...check, "blob"], { cwd }), await run(TSIGN, [...check, "other"], { cwd })];
  return { signed: true, verified: own.code === 0 && other.code !== 0, result };
}

for (const [clock, situations] of [
  ["", SITUATIONS],
  ["-12m", SITUATIONS.slice(0, 2)],
  ["+12m", SITUATIONS.slice(0, 2)],
] as const) {
  const when = clock === "" ? "clocks agree" : `the services' clock differs by ${clock}`;
  test(`identities beside cosign, ${when}`, { timeout: 600_000 }, async (context) => {
    const cwd = folder(context);
    mkdirSync(join(cwd, "home"));
    writeFileSync(join(cwd, "blob"), "content");
    const env = await sandbox(context, clock);
    const tokens = await makeTokens(cwd, env);
    const rows: string[] = [];
    for (const { name, good: may, given } of situations) {
      await context.test(name, async () => {
        const [own, cosign] = [
          await outcome(TSIGN, given(tokens), { cwd, env }),
          await outcome(COSIGN, given(tokens), { cwd, env }),
        ];
        const shown = ({ signed, verified }: typeof own) =>
          verified ? "signed" : signed ? "signed, not verified" : "refused";
        rows.push(`${name.padEnd(48)} tsign ${shown(own).padEnd(22)} cosign ${shown(cosign)}`);
        assert.equal(own.verified, may, own.result.stderr);
        assert.equal(own.signed, may, "nothing is signed that does not verify");
        assert.ok(own.verified || !cosign.verified, "worse than cosign");
        const said = own.result.stdout + own.result.stderr;
        for (const token of [tokens.email, ...Object.values(tokens.odd)]) {
          for (const piece of token.split(".").slice(1))
            assert.ok(!said.includes(piece.slice(0, 40)), "a token is in the output");
        }
        if (!may) assert.match(own.result.stderr, /^Error: .+$/m);
        if (clock !== "" && may) assert.match(said, /clock/i, "the difference is said");
      });
    }
    console.log(`\n${when}\n${rows.join("\n")}\n`);
  });
}
