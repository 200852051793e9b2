import assert from "node:assert/strict";
import { test } from "node:test";
import * as openid from "openid-client";
import { type FakeReply, refuses, serviceIo } from "../../../test/support/fake-service.ts";
import { TsignError } from "../../errors.ts";
import { browserToken } from "./browser.ts";
import { asTsignErrors, discover, identityTokenOf } from "./client.ts";
import { clientCredentialsToken, deviceToken, exchangedToken, outOfBandToken } from "./flows.ts";

const ISSUER = new URL("https://issuer.example");
const CLIENT = { issuer: ISSUER, clientId: "sigstore", clientSecret: "hidden" };
const METADATA = {
  issuer: ISSUER.href.replace(/\/$/, ""),
  token_endpoint: "https://issuer.example/token",
  authorization_endpoint: "https://issuer.example/auth",
  device_authorization_endpoint: "https://issuer.example/device",
};

/** An issuer with valid metadata and these other responses. */
function issuer(replies: Readonly<Record<string, FakeReply>>) {
  return serviceIo(({ request: { url } }) => {
    const headers = { "content-type": "application/json" };
    const reply =
      replies[url.pathname] ?? (url.pathname.includes("openid-configuration") ? { json: METADATA } : undefined);
    return reply && { headers, ...reply };
  }).io;
}

test("discover: accepts https, and http on this machine only; error says why it failed", async () => {
  assert.equal((await discover(issuer({}), CLIENT)).serverMetadata().token_endpoint, METADATA.token_endpoint);
  assert.ok(await discover(issuer({}), { ...CLIENT, clientSecret: undefined }));
  const plain = new URL("http://issuer.example");
  await refuses(discover(issuer({}), { ...CLIENT, issuer: plain }), { code: "auth", text: /must use https/ });
  const local = new URL("http://localhost:1");
  const atHome = issuer({
    "/.well-known/openid-configuration": { json: { ...METADATA, issuer: "http://localhost:1" } },
  });
  assert.ok(await discover(atHome, { ...CLIENT, issuer: local }));
  const answers: [FakeReply, { code: string; text: RegExp }][] = [
    [
      { status: 404, text: "" },
      { code: "auth", text: /OIDC issuer \(issuer\.example\): / },
    ],
    [{ status: 204 }, { code: "auth", text: /OIDC issuer \(issuer\.example\): / }],
    [{ json: { ...METADATA, issuer: "https://other.example" } }, { code: "auth", text: /issuer\.example\): / }],
    [{ text: "<html>" }, { code: "auth", text: /issuer\.example\): / }],
  ];
  for (const [reply, told] of answers)
    await refuses(discover(issuer({ "/.well-known/openid-configuration": reply }), CLIENT), {
      ...told,
      secrets: ["hidden"],
    });
  const nobody = serviceIo(() => undefined).io;
  await refuses(discover(nobody, CLIENT), { code: "network", text: /connection refused/ });
});

test("exchangedToken: refusal -> the issuer's message on one line, without the secret", async () => {
  const flows = [
    (io: Parameters<typeof deviceToken>[0]) => clientCredentialsToken(io, CLIENT),
    (io: Parameters<typeof deviceToken>[0]) => exchangedToken(io, CLIENT, "subject.secret.token"),
  ];
  for (const flow of flows) {
    const refused = { status: 401, json: { error: "invalid_client", error_description: "no\nsuch client" } };
    const secrets = ["hidden", "subject.secret.token"];
    await refuses(flow(issuer({ "/token": refused })), {
      code: "auth",
      text: /invalid_client: no\\nsuch client/,
      secrets,
    });
    const bare = { status: 400, json: { error: "invalid_scope" } };
    await refuses(flow(issuer({ "/token": bare })), {
      code: "auth",
      text: /issuer\.example\): invalid_scope$/m,
      secrets,
    });
    const none = { json: { access_token: "a", token_type: "bearer" } };
    await refuses(flow(issuer({ "/token": none })), { code: "auth", text: /returned no identity token/, secrets });
  }
  const type = "urn:ietf:params:oauth:token-type:id_token";
  const exchanged = { json: { access_token: "exchanged", token_type: "N_A", issued_token_type: type } };
  assert.equal(await exchangedToken(issuer({ "/token": exchanged }), CLIENT, "t"), "exchanged");
});

test("deviceToken: refusal -> the issuer's reason", async () => {
  const refused = { status: 400, json: { error: "unauthorized_client" } };
  await refuses(deviceToken(issuer({ "/device": refused }), CLIENT), { code: "auth", text: /unauthorized_client/ });
});

test("asTsignErrors: errors of the library become one line, TsignErrors keep their code", async () => {
  const fail = (error: unknown) => asTsignErrors(ISSUER, () => Promise.reject(error));
  const own = new TsignError("timeout", "late");
  await assert.rejects(fail(new Error("outer", { cause: own })), own);
  await refuses(fail("no error"), { code: "auth", text: /issuer\.example\): unknown error/ });
  await refuses(fail(new Error("odd\n".repeat(200))), { code: "auth", text: /issuer\.example\): odd\\n/ });
  for (const [status, code] of [
    [503, "service"],
    [400, "auth"],
  ] as const) {
    const answered = new Error("answered", { cause: new Response(null, { status }) });
    await assert.rejects(fail(answered), { code, status, service: "oidc" });
    await assert.rejects(fail(Object.assign(new Error("answered"), { status })), { code, status });
  }
  const compared = Object.assign(new openid.ClientError("x"), { code: "OAUTH_JWT_CLAIM_COMPARISON_FAILED" });
  await refuses(fail(compared), { code: "auth", text: /for another login/ });
  assert.equal(identityTokenOf(ISSUER, { id_token: "t" }), "t");
});

test("outOfBandToken: empty code at a terminal or from a pipe -> cancelled", async () => {
  const io = issuer({});
  await refuses(outOfBandToken(io, CLIENT), { code: "cancelled", text: /no verification code was entered/ });
  const tty = { ...io.tty, stdin: true, prompt: async () => " " };
  await refuses(outOfBandToken({ ...io, tty }, CLIENT), {
    code: "cancelled",
    text: /no verification code was entered/,
  });
});

test("browserToken: redirect URL on another machine -> refused", async () => {
  for (const redirectUrl of ["https://localhost/", "http://evil.example/", "http://localhost.evil.example/", "none"])
    await refuses(browserToken(issuer({}), CLIENT, { redirectUrl }), {
      code: "usage",
      text: /must be an address on this machine/,
    });
});
