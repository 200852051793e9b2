import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { type FakeReply, refuses, serviceIo } from "../../../test/support/fake-service.ts";
import type { Io } from "../../io/io.ts";
import { impersonatedToken, isOnGoogleCloud, metadataToken } from "./google.ts";

const PRODUCT = "/sys/class/dmi/id/product_name";
const ACCOUNT = { GOOGLE_SERVICE_ACCOUNT_NAME: "signer@project.iam" };
const KEY = String(
  generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }),
);

/** Returns an Io with only these files. */
function files(contents: Readonly<Record<string, string>>): Partial<Io> {
  const read = async (path: string) => Buffer.from(contents[path] ?? assert.fail(`${path} was read`));
  const stat = async (path: string) => (contents[path] === undefined ? undefined : { isFile: true, size: 1 });
  return { files: { read, stat } as never };
}

test("isOnGoogleCloud: by GCE_METADATA_HOST or the exact product name of the hardware", async () => {
  const on = (contents: Record<string, string>, env = {}) => isOnGoogleCloud({ env, ...files(contents) } as Io);
  assert.equal(await on({}, { GCE_METADATA_HOST: "metadata" }), true);
  assert.equal(await on({}), false);
  assert.equal(await on({ [PRODUCT]: "Google Compute Engine\n" }), true);
  assert.equal(await on({ [PRODUCT]: "Google" }), true);
  assert.equal(await on({ [PRODUCT]: "Not Google" }), false);
  assert.equal(await on({ [PRODUCT]: "Google Chromebook" }), false);
});

test("metadataToken: sends the request to the default address or to GCE_METADATA_HOST", async () => {
  for (const [env, host] of [
    [{}, "169.254.169.254"],
    [{ GCE_METADATA_HOST: "metadata.example:8080" }, "metadata.example:8080"],
  ] as const) {
    const { io, asked } = serviceIo(() => ({ text: " token\n" }), { env });
    assert.equal(await metadataToken(io, "sig store"), "token");
    assert.equal(asked[0]?.request.url.host, host);
    assert.match(asked[0]?.path ?? "", /\/service-accounts\/default\/identity\?audience=sig%20store&format=full$/);
    assert.equal(asked[0]?.headers["metadata-flavor"], "Google");
  }
  const { io } = serviceIo(() => ({ text: "token" }), { env: { GCE_METADATA_HOST: "a b" } });
  await refuses(() => metadataToken(io, "sigstore"), { code: "auth", text: /GCE_METADATA_HOST is not an http/ });
});

/** Requests an impersonated token with credentials; returns the requests and the result. */
function impersonate(
  credentials: unknown,
  options: { env?: Record<string, string>; path?: string; replies?: Record<string, FakeReply> } = {},
) {
  const { path = "/c.json", env = { GOOGLE_APPLICATION_CREDENTIALS: path }, replies = {} } = options;
  const text = typeof credentials === "string" ? credentials : JSON.stringify(credentials);
  const { io, asked } = serviceIo(
    ({ request: { url } }) =>
      replies[url.host] ??
      (url.host === "iamcredentials.googleapis.com"
        ? { json: { token: "identity" } }
        : { json: { access_token: "access" } }),
    { env: { ...ACCOUNT, ...env }, io: files(credentials === undefined ? {} : { [path]: text }) },
  );
  return { asked, token: impersonatedToken(io, "sigstore") };
}

const SERVICE = {
  type: "service_account",
  token_uri: "https://token.example/t",
  client_email: "a@b.c",
  private_key: KEY,
};
const USER = { type: "authorized_user", client_id: "id", client_secret: "hidden", refresh_token: "refresh" };

test("impersonatedToken: works with a key, a user login or the account of the machine", async () => {
  const byKey = impersonate(SERVICE);
  assert.equal(await byKey.token, "identity");
  assert.equal(byKey.asked[0]?.request.url.href, "https://token.example/t");
  const [, claims = ""] = String(byKey.asked[0]?.json["assertion"]).split(".");
  assert.equal(JSON.parse(Buffer.from(claims, "base64url").toString()).aud, "https://token.example/t");
  assert.equal(byKey.asked[1]?.headers["authorization"], "Bearer access");
  assert.match(byKey.asked[1]?.path ?? "", /signer@project\.iam:generateIdToken$/);

  const home = "/home/u/.config/gcloud/application_default_credentials.json";
  const byLogin = impersonate(USER, { env: { HOME: "/home/u" }, path: home });
  assert.equal(await byLogin.token, "identity");
  assert.equal(byLogin.asked[0]?.request.url.href, "https://oauth2.googleapis.com/token");
  assert.equal(byLogin.asked[0]?.json["refresh_token"], "refresh");

  const byMachine = impersonate(undefined, { env: { GCE_METADATA_HOST: "metadata" } });
  assert.equal(await byMachine.token, "identity");
  assert.match(byMachine.asked[0]?.path ?? "", /default\/token$/);
});

test("impersonatedToken: unusable credentials -> error names file and member, without secrets", async () => {
  const none = impersonate(undefined, { env: {} });
  await refuses(none.token, {
    code: "auth",
    text: /missing Google credentials\n.*GOOGLE_APPLICATION_CREDENTIALS/,
  });
  const wrong: [unknown, RegExp][] = [
    [[], /c\.json": missing type/],
    [{ type: 7 }, /c\.json": missing type/],
    [{ type: "external_account" }, /unsupported type: external_account/],
    [{ type: "service_account" }, /c\.json": missing token_uri/],
    [{ ...SERVICE, token_uri: "ftp://x" }, /c\.json is not an http\(s\) URL/],
    [{ ...SERVICE, client_email: undefined }, /c\.json": missing client_email/],
    [{ ...SERVICE, private_key: "secret" }, /read Google credentials "\/c\.json": unusable private key/],
    [{ ...USER, client_secret: undefined }, /c\.json": missing client_secret/],
  ];
  for (const [credentials, text] of wrong)
    await refuses(impersonate(credentials).token, {
      code: "auth",
      text,
      secrets: ["secret", "hidden"].filter((each) => !text.source.includes(each)),
    });
  await refuses(impersonate("{").token, { code: "bad-bundle", text: /c\.json/ });
  for (const name of ["", "a/b", "a b", "x:y"])
    await refuses(impersonate(SERVICE, { env: { GOOGLE_SERVICE_ACCOUNT_NAME: name } }).token, {
      code: "auth",
      text: /is not the e-mail address of a service account/,
    });
});

test("impersonatedToken: refusal or response without a token -> error names the service", async () => {
  const iam = "iamcredentials.googleapis.com";
  const cases: [Record<string, FakeReply>, RegExp][] = [
    [{ [iam]: { status: 403, text: "no" } }, /Google's IAM returned 403/],
    [{ [iam]: { json: {} } }, /Google's IAM returned no identity token/],
    [{ [iam]: { json: ["token"] } }, /Google's IAM returned no identity token/],
    [{ "token.example": { json: { access_token: 7 } } }, /Google's token endpoint returned no identity token/],
    [{ "token.example": { status: 400 } }, /Google's token endpoint returned 400/],
  ];
  for (const [replies, text] of cases)
    await refuses(impersonate(SERVICE, { replies }).token, { code: "auth", text, secrets: ["access"] });
  const created = impersonate(SERVICE, { replies: { [iam]: { status: 201, json: { token: "identity" } } } });
  assert.equal(await created.token, "identity");
});
