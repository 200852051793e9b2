import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { ALICE, ask, certify, keyOf, leafOf } from "./support/sandbox-client.ts";

const VERIFIER = "a-verifier-of-more-than-forty-three-characters-00";
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");
const CALLBACK = "http://localhost:12345/auth/callback";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

async function post(sandbox: TestSigstore, path: string, form: Record<string, string>) {
  return ask(sandbox, "POST", path, { body: Buffer.from(new URLSearchParams(form).toString()) });
}

function authUrl(changes: Record<string, string | undefined> = {}): string {
  const query = new URLSearchParams();
  const parameters = {
    response_type: "code",
    client_id: "sigstore",
    redirect_uri: CALLBACK,
    scope: "openid email",
    state: "the state",
    nonce: "the nonce",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
    ...changes,
  };
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
  return `/auth?${query}`;
}

async function codeFor(sandbox: TestSigstore, changes = {}): Promise<string> {
  const page = await ask(sandbox, "GET", authUrl(changes));
  const [, request] = /name="request" value="([^"]+)"/.exec(page.bytes.toString()) ?? [];
  const answered = await ask(
    sandbox,
    "GET",
    `/auth/approve?${new URLSearchParams({ request: request ?? "", email: ALICE })}`,
  );
  assert.equal(answered.status, 302);
  const location = new URL(answered.headers["location"] ?? "");
  assert.equal(location.origin + location.pathname, CALLBACK);
  assert.equal(location.searchParams.get("state"), "the state");
  return location.searchParams.get("code") ?? "";
}

const redeem = (code: string, changes = {}) => ({
  grant_type: "authorization_code",
  code,
  client_id: "sigstore",
  redirect_uri: CALLBACK,
  code_verifier: VERIFIER,
  ...changes,
});

test("OIDC: discovery -> keys that sign the tokens", async () => {
  const sandbox = await testSigstore();
  for (const [issuer, token] of [
    [sandbox.at.issuer, sandbox.mint(ALICE)],
    [sandbox.at.ciIssuer, sandbox.mintJob()],
  ] as const) {
    const document = (await ask(sandbox, "GET", `${issuer}/.well-known/openid-configuration`)).json() as unknown as {
      issuer: string;
      jwks_uri: string;
    };
    assert.equal(document.issuer, issuer);
    assert.equal(claimsOf(token).iss, issuer);
    const keys = (await ask(sandbox, "GET", document.jwks_uri)).json() as unknown as {
      keys: { kid: string; kty: string }[];
    };
    const { kid, alg } = JSON.parse(Buffer.from(token.split(".")[0] ?? "", "base64url").toString());
    assert.equal(alg, "RS256");
    const key = keys.keys.find((each) => each.kid === kid);
    assert.ok(key && !("d" in key));
    const [header, payload, signature = ""] = token.split(".");
    const object = createPublicKey({ key, format: "jwk" });
    assert.ok(verify("sha256", Buffer.from(`${header}.${payload}`), object, Buffer.from(signature, "base64url")));
  }
});

test("OIDC: authorization code with PKCE -> one token, accepted by Fulcio", async () => {
  const sandbox = await testSigstore();
  const code = await codeFor(sandbox);
  const answered = await post(sandbox, "/token", redeem(code));
  assert.equal(answered.status, 200);
  assert.equal(answered.headers["cache-control"], "no-store");
  const { id_token } = answered.json() as unknown as { id_token: string };
  const claims = claimsOf(id_token);
  assert.equal(claims.email, ALICE);
  assert.equal(claims.nonce, "the nonce");
  assert.equal(claims.aud, "sigstore");
  leafOf(await certify(sandbox, keyOf("P-256"), { token: id_token }));
  assert.equal((await post(sandbox, "/token", redeem(code))).status, 400);
});

test("OIDC: login_hint -> no sign-in page; no browser -> code shown", async () => {
  const sandbox = await testSigstore();
  assert.equal((await ask(sandbox, "GET", authUrl({ login_hint: ALICE }))).status, 302);
  const oob = await ask(sandbox, "GET", authUrl({ login_hint: ALICE, redirect_uri: "urn:ietf:wg:oauth:2.0:oob" }));
  assert.equal(oob.status, 200);
  assert.match(oob.bytes.toString(), /alice@example\.com.*<code>[\w-]{32}<\/code>/s);
});

test("OIDC: redirect to another machine, or code without its verifier -> refused", async () => {
  const sandbox = await testSigstore();
  for (const redirect_uri of [
    "https://evil.example/",
    "http://localhost.evil.example/",
    "javascript:alert(1)",
    "",
    undefined,
  ]) {
    assert.equal((await ask(sandbox, "GET", authUrl({ redirect_uri, login_hint: ALICE }))).status, 400);
  }
  for (const changes of [
    { code_challenge_method: "plain" },
    { code_challenge: undefined },
    { response_type: "token" },
  ]) {
    assert.equal((await ask(sandbox, "GET", authUrl({ ...changes, login_hint: ALICE }))).status, 400);
  }
  for (const changes of [
    { code_verifier: "another-verifier" },
    { redirect_uri: "http://localhost:1/" },
    { client_id: "other" },
    { code: "x" },
  ]) {
    const answered = await post(sandbox, "/token", redeem(await codeFor(sandbox), changes));
    assert.equal(answered.status, 400);
    assert.equal((answered.json() as unknown as { error: string }).error, "invalid_grant");
  }
  assert.equal((await ask(sandbox, "GET", "/auth/approve?request=x&email=a")).status, 400);
});

test("device flow: pending before approval, then one token", async () => {
  const sandbox = await testSigstore();
  const device = (
    await post(sandbox, "/device/code", { client_id: "sigstore", scope: "openid email" })
  ).json() as unknown as {
    device_code: string;
    user_code: string;
    verification_uri_complete: string;
  };
  const poll = () =>
    post(sandbox, "/token", { grant_type: DEVICE_GRANT, device_code: device.device_code, client_id: "sigstore" });
  assert.match((await poll()).bytes.toString(), /authorization_pending/);
  const page = await ask(sandbox, "GET", device.verification_uri_complete);
  assert.match(page.bytes.toString(), new RegExp(device.user_code));
  assert.equal((await ask(sandbox, "GET", "/device/approve?user_code=AAAA-AAAA")).status, 400);
  const query = new URLSearchParams({ user_code: device.user_code.toLowerCase(), email: ALICE });
  assert.equal((await ask(sandbox, "GET", `/device/approve?${query}`)).status, 200);
  const { id_token } = (await poll()).json() as unknown as { id_token: string };
  assert.equal(claimsOf(id_token).email, ALICE);
  assert.match((await poll()).bytes.toString(), /expired_token/);
});

test("OIDC: client credentials, token exchange, minting and CI job tokens -> token", async () => {
  const sandbox = await testSigstore();
  const credentials = await post(sandbox, "/token", { grant_type: "client_credentials", client_id: "sigstore" });
  assert.equal(credentials.status, 200);
  const exchange = (subject_token: string) =>
    post(sandbox, "/token", {
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token,
      audience: "sigstore",
    });
  const other = sandbox.mint(ALICE, {}, { aud: "elsewhere" });
  const { id_token } = (await exchange(other)).json() as unknown as { id_token: string };
  assert.equal(claimsOf(id_token).email, ALICE);
  assert.equal(claimsOf(id_token).aud, "sigstore");
  assert.equal((await exchange(sandbox.mint(ALICE, {}, { ttl: -1 }))).status, 400);
  assert.equal((await post(sandbox, "/token", { grant_type: "password" })).status, 400);

  const claims = JSON.stringify({ groups: ["x"] });
  const query = new URLSearchParams({ email: ALICE, aud: "a", ttl: "5", claims });
  const minted = claimsOf((await ask(sandbox, "GET", `/mint?${query}`)).bytes.toString());
  assert.deepEqual([minted.email, minted.aud, minted.exp - minted.iat, minted.groups], [ALICE, "a", 5, ["x"]]);
  for (const bad of ["ttl=x", "claims=x", "claims=[]"])
    assert.equal((await ask(sandbox, "GET", `/mint?${bad}`)).status, 400);

  const headers = { authorization: "Bearer x" };
  const ambient = await ask(sandbox, "GET", "/ci/gha?v=1&audience=sigstore", { headers });
  const { value } = ambient.json() as unknown as { value: string };
  assert.equal(claimsOf(value).iss, sandbox.at.ciIssuer);
  assert.equal((await ask(sandbox, "GET", "/ci/gha?audience=sigstore")).status, 401);
});

const BROWSER = { headers: { accept: "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8" } };
const OOB = "urn:ietf:wg:oauth:2.0:oob";

test("pages: text from a request -> escaped, on every page that shows it", async () => {
  const sandbox = await testSigstore();
  const text = `"'><script>alert(1)</script>&`;
  const device = async () => {
    const answered = await post(sandbox, "/device/code", { client_id: text, scope: `openid ${text}` });
    return (answered.json() as unknown as { user_code: string }).user_code;
  };
  const query = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString();
  for (const [path, status] of [
    [authUrl({ client_id: text, scope: text, state: text, nonce: text }), 200],
    [authUrl({ client_id: text, redirect_uri: OOB, login_hint: text }), 200],
    [`/device?${query({ user_code: text })}`, 400],
    [`/device?${query({ user_code: await device() })}`, 200],
    [`/device/approve?${query({ user_code: text, email: text })}`, 400],
    [`/device/approve?${query({ user_code: await device(), email: text })}`, 200],
    [`/${encodeURIComponent(text)}?${query({ a: text })}`, 404],
    [`/auth/approve?${query({ request: text, email: text })}`, 400],
  ] as const) {
    const page = await ask(sandbox, "GET", path, BROWSER);
    assert.equal(page.status, status, path);
    assert.match(page.headers["content-type"] ?? "", /^text\/html/, path);
    assert.doesNotMatch(page.bytes.toString(), /<script|["']>&/i, path);
    const policy = page.headers["content-security-policy"] ?? "";
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[^;]*; form-action http:; base-uri 'none'/, path);
  }
});

test("errors: a browser gets a page, a program JSON or text", async () => {
  const sandbox = await testSigstore();
  for (const [path, status, type] of [
    ["/auth", 400, "application/json"],
    [authUrl({ code_challenge: undefined }), 400, "application/json"],
    ["/auth/approve?request=x", 400, "application/json"],
    ["/device/approve?user_code=AAAA-AAAA", 400, "application/json"],
    ["/nothing-here", 404, "text/plain"],
  ] as const) {
    const toProgram = await ask(sandbox, "GET", path, { headers: { accept: "application/json, text/plain, */*" } });
    assert.deepEqual([toProgram.status, toProgram.headers["content-type"]], [status, type], path);
    const toBrowser = await ask(sandbox, "GET", path, BROWSER);
    assert.equal(toBrowser.status, status, path);
    assert.match(toBrowser.bytes.toString(), /<html lang="en">.*<h1>/s, path);
  }
  for (const [headers, status] of [
    [{ host: "evil.example" }, 421],
    [{ origin: "https://evil.example" }, 403],
  ] as const) {
    const page = await ask(sandbox, "GET", "/device", { headers: { ...BROWSER.headers, ...headers } });
    assert.equal(page.status, status);
    assert.match(page.bytes.toString(), /<h1>Request refused/);
    assert.equal((await ask(sandbox, "GET", "/device", { headers })).headers["content-type"], "text/plain");
  }
});

test("device page: asks for the code, then shows the code, the client and what it asks for", async () => {
  let now = Date.now();
  const sandbox = await testSigstore({ clock: () => new Date(now) });
  const textOf = async (path: string, status = 200) => {
    const page = await ask(sandbox, "GET", path, BROWSER);
    assert.equal(page.status, status, path);
    return page.bytes.toString();
  };
  for (const path of ["/device", "/device?user_code="]) {
    const form = await textOf(path);
    assert.match(form, /<label for="user-code">.*<input [^>]*id="user-code" name="user_code" value=""/s);
    assert.doesNotMatch(form, / aria-invalid|name="email"/);
  }
  const answered = await post(sandbox, "/device/code", { client_id: "a client", scope: "openid email other" });
  const { user_code: code } = answered.json() as unknown as { user_code: string };
  const typed = encodeURIComponent(` ${code.toLowerCase().replace("-", "")} `);
  const page = await textOf(`/device?user_code=${typed}`);
  for (const shown of [
    code,
    "a client",
    "your identity (openid)",
    "your e-mail address (email)",
    "other",
    'for="email"',
  ])
    assert.ok(page.includes(shown), shown);
  assert.match(
    await textOf("/device?user_code=BBBB-BBBB", 400),
    /role="alert">This code is wrong.*aria-invalid="true"/s,
  );
  now += 10 * 60 * 1000 + 1;
  assert.match(await textOf(`/device?user_code=${code}`, 400), /role="alert">This code has expired/);
  assert.match(await textOf(`/device/approve?user_code=${code}&email=${ALICE}`, 400), /This code has expired/);
});

test("device page: a code that was approved -> cannot be approved again, and the page says as whom", async () => {
  const sandbox = await testSigstore();
  const { user_code } = (await post(sandbox, "/device/code", {})).json() as unknown as { user_code: string };
  const query = new URLSearchParams({ user_code, email: ALICE });
  const done = await ask(sandbox, "GET", `/device/approve?${query}`, BROWSER);
  assert.match(done.bytes.toString(), /You are signed in.*alice@example\.com.*sigstore.*close this window/s);
  assert.equal((await ask(sandbox, "GET", `/device/approve?${query}`, BROWSER)).status, 400);
});
