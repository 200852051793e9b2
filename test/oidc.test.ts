import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Io } from "../src/io/io.ts";
import { systemIo } from "../src/io/system.ts";
import { type IdentityTokenOptions, obtainIdentityToken } from "../src/services/oidc/identity-token.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { type TestOptions, temporaryFolder, testIo } from "./support/test-io.ts";

const ALICE = "alice@example.com";
const TERMINAL = { stdin: true, prompt: () => Promise.resolve("y") };
const real = systemIo();

/** Requests Alice's token from the sandbox's issuer. */
function obtain(sigstore: TestSigstore, more: Partial<IdentityTokenOptions> & { with?: TestOptions } = {}) {
  const { with: options = {}, ...flags } = more;
  const io = testIo({ ...options, io: { ...sigstore.io, ...options.io } });
  const token = obtainIdentityToken(io, {
    identityToken: "",
    flow: "",
    issuer: new URL(sigstore.at.issuer),
    clientId: "sigstore",
    clientSecretFile: "",
    redirectUrl: "",
    provider: "",
    disableAmbient: false,
    yes: true,
    ...flags,
  });
  return { io, token };
}

/** A browser that logs Alice in, follows the redirect, and keeps the last page. */
function browser(sigstore: TestSigstore, change: (callback: URL) => void = () => {}) {
  const shown: { status?: number; text?: string } = {};
  const spawn: Io["spawn"] = async (_file, args) => {
    void (async () => {
      const url = new URL(args.at(-1) ?? "");
      url.searchParams.set("login_hint", ALICE);
      const headers = { host: url.host };
      const { signal } = testIo();
      const answer = await sigstore.io.http({ url, method: "GET", headers, signal });
      const callback = new URL(answer.headers["location"] ?? "");
      callback.hostname = "127.0.0.1";
      change(callback);
      const last = await fetch(callback);
      Object.assign(shown, { status: last.status, text: await last.text() });
    })();
    return { code: 0, stdout: "", stderr: "" };
  };
  return { spawn, shown };
}

test("browser: sends PKCE, state and nonce; last page reports the result", async () => {
  const sigstore = await testSigstore();
  const { spawn, shown } = browser(sigstore);
  const { token } = obtain(sigstore, { flow: "normal", with: { tty: TERMINAL, io: { spawn } } });
  const { subject, raw } = await token;
  assert.equal(subject, ALICE);
  await real.sleep(50);
  assert.equal(shown.status, 200);
  assert.match(shown.text ?? "", /You are signed in.*alice@example\.com.*You can close this window/s);
  assert.ok(!shown.text?.includes(raw));
});

test("browser: redirect with another state or the code of another login -> login fails", async () => {
  for (const [change, reason] of [
    [(url: URL) => url.searchParams.set("state", "forged"), /another login/],
    [(url: URL) => url.searchParams.delete("state"), /another login/],
    [(url: URL) => url.searchParams.set("code", "forged"), /issuer/],
    [(url: URL) => url.searchParams.set("error", "access_denied"), /access_denied/],
  ] as const) {
    const sigstore = await testSigstore();
    const { spawn, shown } = browser(sigstore, change);
    const { token } = obtain(sigstore, { flow: "normal", with: { tty: TERMINAL, io: { spawn } } });
    await assert.rejects(token, { code: "auth", message: reason });
    await real.sleep(50);
    assert.equal(shown.status, 400);
    assert.match(shown.text ?? "", /Login failed.*run the command again/s);
  }
});

test("browser: cannot be opened -> code entered by hand", async () => {
  const sigstore = await testSigstore();
  let url = "";
  let said = "";
  const spawn: Io["spawn"] = () => Promise.reject(new Error("no such program"));
  const prompt = async () => {
    const address = new URL(url);
    address.searchParams.set("login_hint", ALICE);
    const { signal } = testIo();
    const page = await sigstore.io.http({ url: address, method: "GET", headers: { host: address.host }, signal });
    let text = "";
    for await (const piece of page.body) text += Buffer.from(piece).toString();
    return /<code>([^<]+)/.exec(text)?.[1] ?? "";
  };
  const write = (data: string | Uint8Array) => {
    said += String(data);
    url = /\t(http\S+)/.exec(String(data))?.[1] ?? url;
  };
  const tty = { stdin: true, prompt };
  const { token } = obtain(sigstore, { flow: "normal", with: { tty, io: { spawn, stderr: { write } } } });
  assert.equal((await token).subject, ALICE);
  assert.equal(said.match(/http:/g)?.length, 1, "one address is printed, the one to go to");
});

test("browser: the address is printed when a browser opens, and after a second without an answer", async () => {
  for (const answers of [true, false]) {
    const sigstore = await testSigstore();
    const alice = browser(sigstore);
    const spawn: Io["spawn"] = async (file, args, options) => {
      const opened = alice.spawn(file, args, options);
      return answers ? opened : new Promise(() => {});
    };
    const sleep: Io["sleep"] = async (milliseconds, signal) => {
      if (milliseconds !== 1000) await real.sleep(milliseconds, signal);
    };
    const { io, token } = obtain(sigstore, { flow: "normal", with: { tty: TERMINAL, io: { spawn, sleep } } });
    await token;
    assert.match(io.err(), /^Your browser will now be opened to:\nhttp:\S+\n$/m);
  }
});

test("browser: an address or a name that is not the login's -> 404, and the login goes on", async () => {
  const sigstore = await testSigstore();
  const others: [number, string][] = [];
  const { spawn: open } = browser(sigstore);
  const spawn: Io["spawn"] = async (file, args, options) => {
    const redirect = new URL(new URL(args.at(-1) ?? "").searchParams.get("redirect_uri") ?? "");
    redirect.hostname = "127.0.0.1";
    const other = await fetch(new URL("/<script>", redirect));
    others.push([other.status, await other.text()]);
    return open(file, args, options);
  };
  const { token } = obtain(sigstore, { flow: "normal", with: { tty: TERMINAL, io: { spawn } } });
  assert.equal((await token).subject, ALICE);
  const [[status, text] = []] = others;
  assert.equal(status, 404);
  assert.match(text ?? "", /<h1>Page not found/);
  assert.doesNotMatch(text ?? "", /<script/);
});

test("browser: a token without a verified e-mail address -> the page and the command both say that the login failed", async () => {
  const sigstore = await testSigstore();
  const { spawn, shown } = browser(sigstore);
  const http: Io["http"] = async (request) => {
    const answer = await sigstore.io.http(request);
    if (request.url.pathname !== "/token") return answer;
    let text = "";
    for await (const piece of answer.body) text += Buffer.from(piece).toString();
    const claims = JSON.parse(Buffer.from(text.split(".")[1] ?? "", "base64url").toString());
    const id_token = sigstore.mint(ALICE, { nonce: claims.nonce, email_verified: false });
    const body = JSON.stringify({ ...JSON.parse(text), id_token });
    const headers = { ...answer.headers, "content-length": String(body.length) };
    return {
      ...answer,
      headers,
      body: (async function* () {
        yield Buffer.from(body);
      })(),
    };
  };
  const { token } = obtain(sigstore, { flow: "normal", with: { tty: TERMINAL, io: { spawn, http } } });
  await assert.rejects(token, { code: "auth" });
  await real.sleep(50);
  assert.equal(shown.status, 400);
  assert.match(shown.text ?? "", /Login failed.*unverified e-mail address/s);
});

test("browser: text of an issuer is escaped in the page", async () => {
  const sigstore = await testSigstore();
  const text = `<script>alert("'&")</script>`;
  const { spawn, shown } = browser(sigstore, (url) => {
    url.searchParams.set("error", "access_denied");
    url.searchParams.set("error_description", text);
  });
  const { token } = obtain(sigstore, { flow: "normal", with: { tty: TERMINAL, io: { spawn } } });
  await assert.rejects(token, (error: Error) => error.message.includes(text));
  await real.sleep(50);
  assert.doesNotMatch(shown.text ?? "", /<script/);
  assert.match(shown.text ?? "", /&#60;script&#62;alert\(&#34;&#39;&#38;&#34;\)/);
});

test("device: shows the code; approved -> token", async () => {
  const sigstore = await testSigstore();
  let asked = "";
  const write = (data: string | Uint8Array) => {
    asked += String(data);
    const code = /verification code (\S+) in/.exec(asked)?.[1];
    if (!code) return;
    const url = new URL("/device/approve", sigstore.at.base);
    url.search = new URLSearchParams({ user_code: code, email: ALICE }).toString();
    void sigstore.io.http({ url, method: "GET", headers: { host: url.host }, signal: testIo().signal });
  };
  const { token } = obtain(sigstore, { flow: "device", with: { io: { stderr: { write } } } });
  assert.equal((await token).subject, ALICE);
  assert.match(asked, /valid for \d+ seconds/);
});

test("client credentials and token exchange -> token", async (t) => {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "secret"), "secret\n");
  const flags = { flow: "client_credentials", clientSecretFile: "secret", with: { cwd } };
  assert.ok((await obtain(sigstore, flags).token).raw);
  const exchange = { flow: "token_exchange", identityToken: sigstore.mint(ALICE), with: { cwd } };
  assert.equal((await obtain(sigstore, exchange).token).subject, ALICE);
});

test("login without a terminal -> refused without opening a browser or waiting", async () => {
  const sigstore = await testSigstore();
  const never = () => Promise.reject(new Error("this must not happen"));
  const io = { spawn: never, listen: never };
  await assert.rejects(obtain(sigstore, { with: { io } }).token, {
    code: "auth",
    message: /no identity token, and no terminal/,
    hint: /SIGSTORE_ID_TOKEN.*--fulcio-auth-flow=device/,
  });
  const env = { GITHUB_ACTIONS: "true" };
  await assert.rejects(obtain(sigstore, { with: { env, io } }).token, { hint: /id-token: write/ });
  assert.deepEqual(sigstore.requests, []);
  await assert.rejects(obtain(sigstore, { flow: "token" }).token, /requires --identity-token/);
  await assert.rejects(obtain(sigstore, { flow: "bogus" }).token, /unsupported oauth flow: bogus/);
  await assert.rejects(obtain(sigstore, { provider: "google" }).token, /google is not a valid provider/);
});

test("login: question declined -> nothing is sent", async () => {
  const sigstore = await testSigstore();
  const tty = { stdin: true, prompt: () => Promise.resolve("n") };
  await assert.rejects(obtain(sigstore, { yes: false, with: { tty } }).token, { code: "cancelled" });
  assert.deepEqual(sigstore.requests, []);
});

test("OIDC issuer: https or loopback only; discovery document of another issuer -> refused", async () => {
  const sigstore = await testSigstore();
  const flags = { flow: "device", issuer: new URL("http://issuer.example") };
  await assert.rejects(obtain(sigstore, flags).token, /must use https/);
  const other = { flow: "device", issuer: new URL(`${sigstore.at.issuer}/elsewhere`) };
  await assert.rejects(obtain(sigstore, other).token, { code: "auth" });
});

/** A service that issues tokens over HTTP and records its requests. */
async function service(t: TestContext, answer: (path: string) => { status?: number; body: string }) {
  const asked: { url: string; headers: Record<string, string>; body: string }[] = [];
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, async ({ url, headers, body }) => {
    let text = "";
    for await (const piece of body) text += Buffer.from(piece).toString();
    asked.push({ url, headers, body: text });
    return { status: 200, ...answer(url) };
  });
  t.after(close);
  return { asked, url: `http://127.0.0.1:${port}` };
}

test("ambient: token from a variable, GitHub Actions, Buildkite or Google's metadata server", async (t) => {
  const sigstore = await testSigstore();
  const raw = sigstore.mint(ALICE);
  const github = await service(t, () => ({ body: JSON.stringify({ value: raw }) }));
  const buildkite = await service(t, () => ({ body: JSON.stringify({ token: raw }) }));
  const google = await service(t, () => ({ body: raw }));
  const cases: [string, Record<string, string>][] = [
    ["SIGSTORE_ID_TOKEN", { SIGSTORE_ID_TOKEN: raw }],
    [
      "github-actions",
      { ACTIONS_ID_TOKEN_REQUEST_URL: `${github.url}/t?v=1`, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-secret" },
    ],
    [
      "buildkite-agent",
      {
        BUILDKITE_AGENT_ACCESS_TOKEN: "agent-secret",
        BUILDKITE_AGENT_ENDPOINT: buildkite.url,
        BUILDKITE_JOB_ID: "job-1",
      },
    ],
    ["google-workload-identity", { GCE_METADATA_HOST: new URL(google.url).host }],
  ];
  for (const [name, env] of cases) {
    const token = await obtain(sigstore, { with: { env } }).token;
    assert.equal(token.source, name);
    assert.equal(token.subject, ALICE);
  }
  assert.equal(github.asked[0]?.url, "/t?v=1&audience=sigstore");
  assert.equal(github.asked[0]?.headers["authorization"], "bearer request-secret");
  assert.equal(buildkite.asked[0]?.url, "/jobs/job-1/oidc/tokens");
  assert.deepEqual(JSON.parse(buildkite.asked[0]?.body ?? ""), { audience: "sigstore" });
  assert.equal(google.asked[0]?.headers["metadata-flavor"], "Google");
  assert.match(google.asked[0]?.url ?? "", /identity\?audience=sigstore/);
});

test("ambient: credentials file -> service account impersonated", async (t) => {
  const sigstore = await testSigstore();
  const raw = sigstore.mint(ALICE);
  const cwd = temporaryFolder(t);
  const { generateKeyPairSync } = await import("node:crypto");
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const tokens = await service(t, () => ({ body: JSON.stringify({ access_token: "access" }) }));
  const iam = await service(t, () => ({ body: JSON.stringify({ token: raw }) }));
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  const credentials = {
    type: "service_account",
    client_email: "a@b.c",
    private_key: key,
    token_uri: `${tokens.url}/t`,
  };
  writeFileSync(join(cwd, "credentials.json"), JSON.stringify(credentials));
  const env = { GOOGLE_SERVICE_ACCOUNT_NAME: "signer@p.iam", GOOGLE_APPLICATION_CREDENTIALS: "credentials.json" };
  const http: Io["http"] = (request) => {
    const { host, pathname } = request.url;
    const url = host === "iamcredentials.googleapis.com" ? new URL(pathname, iam.url) : request.url;
    return real.http({ ...request, url });
  };
  const { token } = obtain(sigstore, { with: { cwd, env, io: { http } } });
  assert.equal((await token).source, "google-impersonate");
  assert.match(JSON.parse(tokens.asked[0]?.body ?? "").assertion, /^ey[\w-]+\.ey[\w-]+\.[\w-]+$/);
  assert.match(iam.asked[0]?.url ?? "", /serviceAccounts\/signer@p.iam:generateIdToken/);
  assert.equal(iam.asked[0]?.headers["authorization"], "Bearer access");
});

test("ambient: SPIFFE workload -> token over the socket", async (t) => {
  const sigstore = await testSigstore();
  const raw = sigstore.mint(ALICE);
  const socket = join(temporaryFolder(t), "api.sock");
  const field = (number: number, value: Buffer) => {
    const length = [
      (value.length & 0x7f) | (value.length > 0x7f ? 0x80 : 0),
      ...(value.length > 0x7f ? [value.length >> 7] : []),
    ];
    return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), value]);
  };
  const asked: Record<string, unknown>[] = [];
  let status = "0";
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    asked.push(headers);
    const svid = Buffer.concat([field(1, Buffer.from("spiffe://example/workload")), field(2, Buffer.from(raw))]);
    const message = field(1, svid);
    const frame = Buffer.concat([Buffer.alloc(5), message]);
    frame.writeUInt32BE(message.length, 1);
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
    stream.end(status === "0" ? frame : "");
  });
  await new Promise<void>((done) => server.listen(socket, done));
  t.after(() => server.close());
  const env = { SPIFFE_ENDPOINT_SOCKET: `unix://${socket}` };
  const token = await obtain(sigstore, { with: { env } }).token;
  assert.equal(token.source, "spiffe");
  assert.equal(token.raw, raw);
  assert.equal(asked[0]?.["workload.spiffe.io"], "true");
  assert.equal(asked[0]?.[":path"], "/SpiffeWorkloadAPI/FetchJWTSVID");
  status = "7";
  await assert.rejects(obtain(sigstore, { with: { env } }).token, /this workload is not registered/);
});

test("ambient: provider fails -> warning without secrets, next provider tried", async (t) => {
  const sigstore = await testSigstore();
  const github = await service(t, () => ({ status: 403, body: "request-secret" }));
  const failing = { ACTIONS_ID_TOKEN_REQUEST_URL: github.url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-secret" };
  const alone = obtain(sigstore, { with: { env: failing } });
  await assert.rejects(alone.token, { message: /github-actions: GitHub Actions returned 403/ });
  assert.equal(alone.io.err(), "", "the error is not also a warning");
  const google = await service(t, () => ({ body: sigstore.mint(ALICE) }));
  const env = { ...failing, GCE_METADATA_HOST: new URL(google.url).host };
  const next = obtain(sigstore, { with: { env } });
  assert.equal((await next.token).source, "google-workload-identity");
  assert.match(next.io.err(), /WARNING: no identity token from github-actions/);
  const disabled = obtain(sigstore, { disableAmbient: true, with: { env } });
  await assert.rejects(disabled.token, /no identity token, and no terminal/);
});
