import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { TsignError } from "../src/errors.ts";
import type { HttpRequest, HttpResponse } from "../src/io/io.ts";
import { run, temporaryFolder } from "./support/test-io.ts";

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
/** The manifest that the registry returns for every tag. */
const MANIFEST = "{}";
const FLAG = "--k8s-keychain";
/** The credentials that give access to the image of the registry. */
const KNOWN = ["octo:ghp_token", "stored:password", "flag:password"].map(basic);

interface World {
  env?: Record<string, string>;
  docker?: unknown;
  /** The registry issues tokens to everyone and refuses afterwards. */
  generous?: boolean;
}

/** Looks up an image on a fake ghcr.io. Returns the result, and what the token service received. */
async function lookUp(context: TestContext, flags: string[], { env = {}, docker, generous = false }: World = {}) {
  const cwd = temporaryFolder(context);
  if (docker !== undefined) {
    mkdirSync(join(cwd, ".docker"));
    writeFileSync(join(cwd, ".docker/config.json"), JSON.stringify(docker));
  }
  const shown: (string | undefined)[] = [];
  const http = async ({ url, headers, method }: HttpRequest): Promise<HttpResponse> => {
    const answer = (status: number, more: Record<string, string> = {}, text = "") => ({
      status,
      headers: more,
      body: (async function* () {
        if (text !== "" && method !== "HEAD") yield Buffer.from(text);
      })(),
      discard: () => {},
    });
    if (url.host !== "ghcr.io") throw new TsignError("network", `connect to ${url.host}`);
    const { authorization = "" } = headers;
    if (url.pathname === "/token") {
      shown.push(headers["authorization"]);
      const good = KNOWN.includes(authorization);
      if (!good && !generous) return answer(403, {}, '{"errors":[{"code":"DENIED"}]}');
      return answer(200, {}, JSON.stringify({ token: good ? "sesame" : "nobody" }));
    }
    const challenge = 'Bearer realm="https://ghcr.io/token",service="ghcr.io"';
    if (authorization === "") return answer(401, { "www-authenticate": challenge });
    if (authorization !== "Bearer sesame") return answer(403);
    const type = "application/vnd.oci.image.manifest.v1+json";
    return answer(200, { "content-type": type }, MANIFEST);
  };
  const outcome = await run(["triangulate", ...flags, "ghcr.io/octo/app:v1"], { cwd, env, io: { http } });
  return { ...outcome, shown };
}

const WORKFLOW = { GITHUB_TOKEN: "ghp_token", GITHUB_ACTOR: "octo" };
const PASSWORD = ["--registry-username", "flag", "--registry-password", "password"];

test("--k8s-keychain: cloud credentials are used with the flag only", async (t) => {
  const found = await lookUp(t, [FLAG], { env: WORKFLOW });
  assert.equal(found.code, 0, found.stderr);
  assert.deepEqual(found.shown, [basic("octo:ghp_token")]);
  const variable = await lookUp(t, [], { env: { ...WORKFLOW, COSIGN_K8S_KEYCHAIN: "true" } });
  assert.equal(variable.code, 0, variable.stderr);
  for (const flags of [[], [`${FLAG}=false`]]) {
    const { code, stderr, shown } = await lookUp(t, flags, { env: WORKFLOW });
    assert.equal(code, 1);
    assert.deepEqual(shown, [undefined]);
    assert.match(stderr, /hint: run `tsign login ghcr.io`/);
  }
});

test("--k8s-keychain: stored login before cloud credentials before flags", async (t) => {
  const docker = { auths: { "ghcr.io": { auth: Buffer.from("stored:password").toString("base64") } } };
  const shown = async (world: World, ...flags: string[]) => (await lookUp(t, [FLAG, ...flags], world)).shown;
  assert.deepEqual(await shown({ env: WORKFLOW, docker }, ...PASSWORD), [basic("stored:password")]);
  assert.deepEqual(await shown({ env: WORKFLOW, docker: { auths: {} } }, ...PASSWORD), [basic("octo:ghp_token")]);
  assert.deepEqual(await shown({}, ...PASSWORD), [basic("flag:password")]);
  const token = await lookUp(t, [FLAG, "--registry-token", "sesame"]);
  assert.equal(token.code, 0, token.stderr);
  assert.deepEqual(token.shown, []);
  const both = await lookUp(t, [...PASSWORD, "--registry-token", "wrong"], { docker });
  assert.deepEqual(both.shown, [basic("flag:password")]);
});

test("--k8s-keychain: refused login -> hint names the source of the credentials, not the secret", async (t) => {
  const none = await lookUp(t, [FLAG]);
  assert.equal(none.code, 1);
  assert.match(none.stderr, /Error: log in to ghcr.io: .*403/);
  assert.match(none.stderr, /hint: check the GitHub credentials: GITHUB_TOKEN is not set\n/);
  const late = await lookUp(t, [FLAG], { generous: true });
  assert.match(late.stderr, /ghcr.io returned 403.*\nhint: check the GitHub credentials: GITHUB_TOKEN is not set\n/);
  for (const generous of [false, true]) {
    const env = { GITHUB_TOKEN: "ghp_expired", GITHUB_ACTOR: "octo" };
    const { code, stdout, stderr } = await lookUp(t, [FLAG, "--verbose"], { env, generous });
    assert.equal(code, 1);
    assert.match(stderr, /hint: check the GitHub credentials from GITHUB_TOKEN/);
    for (const secret of ["ghp_expired", basic("octo:ghp_expired").slice(6), "nobody"]) {
      assert.ok(!(stdout + stderr).includes(secret), stderr);
    }
  }
});
