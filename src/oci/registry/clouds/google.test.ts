import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type Asked, type FakeReply, serviceIo } from "../../../../test/support/fake-service.ts";
import { temporaryFolder } from "../../../../test/support/test-io.ts";
import { TsignError } from "../../../errors.ts";
import type { Io, Spawned } from "../../../io/io.ts";
import type { Credentials } from "../keychain.ts";
import { findCloudCredentials } from "./find.ts";

const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const METADATA = "/computeMetadata/v1/instance/service-accounts/default/token";
type Answer = (asked: Asked) => FakeReply | undefined;
interface World {
  env?: Record<string, string>;
  answer?: Answer;
  /** The result of gcloud; undefined if it is not installed. */
  gcloud?: Spawned;
  /** Content of the file in GOOGLE_APPLICATION_CREDENTIALS. */
  file?: unknown;
}

/** Finds credentials for a Google registry in this environment. */
async function find(context: TestContext, { env = {}, answer = () => undefined, gcloud, file }: World) {
  const cwd = temporaryFolder(context);
  const path = join(cwd, "adc.json");
  if (file !== undefined) writeFileSync(path, typeof file === "string" ? file : JSON.stringify(file));
  const named = file === undefined ? {} : { GOOGLE_APPLICATION_CREDENTIALS: path };
  const ran: string[][] = [];
  const spawn: Io["spawn"] = async (program, args) => {
    ran.push([program, ...args]);
    if (gcloud) return gcloud;
    throw new TsignError("input", `cannot run ${program}: not found`);
  };
  const sleep: Io["sleep"] = async (milliseconds, signal) => {
    if (milliseconds >= 900)
      await setTimeout(milliseconds, undefined, signal ? { signal, ref: false } : { ref: false });
  };
  const { io, asked } = serviceIo(answer, { env: { HOME: cwd, ...named, ...env }, io: { spawn, sleep } });
  const origin = new URL("https://eu.gcr.io");
  const credentials = await findCloudCredentials(io, { registry: "eu.gcr.io", origin, tls: {} });
  return { credentials, asked, ran, path, cwd };
}

/** Returns the access token and its source, or the reason why there is none. */
function shown(credentials: Credentials): string {
  const note = credentials.note ?? "";
  if (credentials.kind !== "password") return note;
  assert.equal(credentials.username, "_token");
  return `${credentials.password} ${note.replace("check the Google credentials ", "")}`;
}

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const SERVICE_ACCOUNT = {
  type: "service_account",
  client_email: "robot@project.example",
  private_key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  private_key_id: "key-1",
  token_uri: "https://oauth2.example/token",
};
const USER = { type: "authorized_user", client_id: "id", client_secret: "s3cret", refresh_token: "refresh" };
const token = (value: string) => ({ json: { access_token: value, expires_in: 3600 } });

test("service account: signed assertion -> access token", async (t) => {
  const { credentials, asked, path } = await find(t, { file: SERVICE_ACCOUNT, answer: () => token("robot") });
  assert.equal(shown(credentials), `robot from GOOGLE_APPLICATION_CREDENTIALS (${path})`);
  const [{ request, json } = assert.fail(), ...more] = asked;
  assert.equal(more.length, 0);
  assert.equal(request.url.href, "https://oauth2.example/token");
  assert.equal(json["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
  const [header = "", claims = "", signature = ""] = String(json["assertion"]).split(".");
  const read = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  assert.deepEqual(read(header), { alg: "RS256", typ: "JWT", kid: "key-1" });
  const { iss, scope, aud, iat, exp } = read(claims);
  assert.deepEqual({ iss, scope, aud }, { iss: "robot@project.example", scope: SCOPE, aud: SERVICE_ACCOUNT.token_uri });
  assert.equal(exp - iat, 3600);
  const signed = Buffer.from(`${header}.${claims}`);
  assert.ok(verify("sha256", signed, createPublicKey(privateKey), Buffer.from(signature, "base64url")));
});

test("user login: refresh token -> access token, also from gcloud's file", async (t) => {
  const named = await find(t, { file: USER, answer: () => token("user") });
  assert.match(shown(named.credentials), /^user from GOOGLE_APPLICATION_CREDENTIALS/);
  assert.equal(named.asked[0]?.request.url.href, "https://oauth2.googleapis.com/token");
  const { type: _, ...parts } = USER;
  assert.deepEqual(named.asked[0]?.json, { grant_type: "refresh_token", ...parts });
  const home = temporaryFolder(t);
  mkdirSync(join(home, ".config/gcloud"), { recursive: true });
  writeFileSync(join(home, ".config/gcloud/application_default_credentials.json"), JSON.stringify(USER));
  const kept = await find(t, { env: { HOME: home }, answer: () => token("user") });
  assert.match(shown(kept.credentials), /^user from .*\/application_default_credentials.json$/);
});

test("external account: token of another provider -> exchanged, and impersonates a service account if configured", async (t) => {
  const source = {
    url: "https://ids.example/token?audience=x",
    headers: { Authorization: "Bearer request" },
    format: { type: "json", subject_token_field_name: "value" },
  };
  const file = {
    type: "external_account",
    audience: "//iam.googleapis.com/pool",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: "https://sts.example/v1/token",
    service_account_impersonation_url: "https://iam.example/v1/robot:generateAccessToken",
    credential_source: source,
  };
  const answer: Answer = ({ request: { url }, headers, json }) => {
    if (url.host === "ids.example")
      return headers["authorization"] === "Bearer request" ? { json: { value: "jwt" } } : {};
    if (url.host === "sts.example") {
      assert.equal(json["audience"], file.audience);
      return json["subject_token"] === "jwt" ? token("federated") : { status: 400 };
    }
    assert.deepEqual(json["scope"], [SCOPE]);
    return headers["authorization"] === "Bearer federated" ? { json: { accessToken: "robot" } } : { status: 401 };
  };
  assert.match(shown((await find(t, { file, answer })).credentials), /^robot from/);
  const { service_account_impersonation_url: _, ...direct } = file;
  assert.match(shown((await find(t, { file: direct, answer })).credentials), /^federated from/);
  const foreign = { ...file, credential_source: { ...source, headers: {} } };
  assert.match(shown((await find(t, { file: foreign, answer })).credentials), /expected a JSON object/);
  for (const credential_source of [{ environment_id: "aws1" }, { executable: { command: "/bin/true" } }]) {
    const { credentials } = await find(t, { file: { ...file, credential_source }, answer });
    assert.match(shown(credentials), /credential_source has neither a file nor a url/);
  }
  const plain = { ...file, credential_source: { url: "http://ids.example/token" } };
  assert.match(
    shown((await find(t, { file: plain, answer })).credentials),
    /credential_source.url is not an https URL/,
  );
});

test("impersonated service account: token of the source -> token of the account", async (t) => {
  const url = "https://iam.example/v1/robot:generateAccessToken";
  const file = {
    type: "impersonated_service_account",
    service_account_impersonation_url: url,
    source_credentials: USER,
  };
  const answer: Answer = ({ request, headers }) => {
    if (request.url.href !== url) return token("user");
    return headers["authorization"] === "Bearer user" ? { json: { accessToken: "robot" } } : { status: 401 };
  };
  assert.match(shown((await find(t, { file, answer })).credentials), /^robot from/);
  const denied: Answer = (asked) =>
    asked.request.url.href === url ? { status: 403, json: { error: { status: "PERMISSION_DENIED" } } } : answer(asked);
  assert.match(shown((await find(t, { file, answer: denied })).credentials), /403 \(PERMISSION_DENIED\)/);
});

test("metadata server: Google's only, and never through a proxy", async (t) => {
  const metadata =
    (flavor: string): Answer =>
    ({ path, headers, request }) => {
      assert.equal(request.proxy, undefined);
      assert.equal(headers["metadata-flavor"], "Google");
      if (path.startsWith(METADATA)) return token(String(request.url.searchParams.get("scopes")));
      return { headers: { "metadata-flavor": flavor } };
    };
  const env = { HTTP_PROXY: "http://proxy.example" };
  const own = await find(t, { env, answer: metadata("Google") });
  assert.equal(shown(own.credentials), `${SCOPE} from the metadata server`);
  assert.equal(own.asked[0]?.request.url.href, "http://169.254.169.254/");
  const named = await find(t, { env: { ...env, GCE_METADATA_HOST: "m.example:8080" }, answer: metadata("") });
  assert.equal(shown(named.credentials), `${SCOPE} from the metadata server`);
  assert.deepEqual(
    named.asked.map(({ request }) => request.url.host),
    ["m.example:8080"],
  );
  const other = await find(t, { env, answer: metadata("Other") });
  assert.match(shown(other.credentials), /no metadata server at 169.254.169.254/);
});

test("gcloud login: used when nothing else is found", async (t) => {
  const gcloud = { code: 0, stdout: JSON.stringify({ credential: { access_token: "gcloud" } }), stderr: "" };
  const found = await find(t, { gcloud });
  assert.equal(shown(found.credentials), "gcloud from gcloud");
  const args = ["config", "config-helper", "--force-auth-refresh", "--format=json(credential)"];
  assert.deepEqual(found.ran, [["gcloud", ...args]]);
  const preferred = await find(t, { gcloud, file: USER, answer: () => token("user") });
  assert.match(shown(preferred.credentials), /^user/);
  assert.deepEqual(preferred.ran, []);
  const broken = await find(t, { gcloud, file: "{" });
  assert.equal(shown(broken.credentials), "gcloud from gcloud");
  for (const bad of [
    { ...gcloud, code: 1 },
    { ...gcloud, stdout: "{}" },
    { ...gcloud, stdout: "secret" },
  ]) {
    const { credentials } = await find(t, { gcloud: bad });
    assert.match(shown(credentials), /gcloud/);
    assert.doesNotMatch(shown(credentials), /secret/);
    assert.equal(credentials.kind, "anonymous");
  }
});

test("invalid credentials file: error names the file, never its content", async (t) => {
  const cases: [unknown, RegExp][] = [
    ["{ s3cret", /parse content: expected a JSON object/],
    [{ type: "odd" }, /missing or unsupported type/],
    [{ ...USER, refresh_token: 5 }, /missing or unsupported refresh_token/],
    [{ ...SERVICE_ACCOUNT, private_key: "s3cret" }, /invalid private_key/],
    [{ ...SERVICE_ACCOUNT, token_uri: "http://far.example/s3cret" }, /token_uri is not an https URL/],
  ];
  for (const [file, text] of cases) {
    const { credentials, asked, path } = await find(t, { file });
    assert.match(shown(credentials), text);
    assert.ok(shown(credentials).includes(path));
    assert.doesNotMatch(shown(credentials), /s3cret/);
    assert.equal(asked.length, 0);
  }
  const revoked = { status: 400, json: { error: "invalid_grant", error_description: "Token refresh s3cret revoked" } };
  const { credentials } = await find(t, { file: USER, answer: () => revoked });
  assert.match(shown(credentials), /oauth2.googleapis.com returned 400 \(invalid_grant\), and gcloud cannot be run/);
  assert.doesNotMatch(shown(credentials), /s3cret/);
});

test("no credentials: error names every source, within three seconds", async (t) => {
  const started = Date.now();
  const { credentials } = await find(t, {});
  const places = [
    /GOOGLE_APPLICATION_CREDENTIALS/,
    /application_default_credentials.json/,
    /169.254.169.254/,
    /gcloud/,
  ];
  for (const place of places) assert.match(shown(credentials), place);
  assert.ok(Date.now() - started < 3_000);
});
