import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { VARIABLES } from "../../src/cli/parser/variables.ts";
import { TsignError } from "../../src/errors.ts";
import type { HttpRequest, Io } from "../../src/io/io.ts";
import { commandLine, everyCommand, fill, sayingWorld, textFlags } from "../support/every-command.ts";
import { type Outcome, run, temporaryFolder } from "../support/test-io.ts";

/** A unique secret, and what must not appear of it: each half, and its base64 with a user name. */
const SECRET = "cAnaRy7f3a9c1eQ0b5d2468";
const encoded = Buffer.from(`bob:${SECRET}`).toString("base64");
const SEEN = new RegExp([SECRET.slice(0, 12), SECRET.slice(11), encoded, encoded.slice(8, 24)].join("|"), "i");
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A valid identity token for the audience of another service. */
const TOKEN = [
  part({ alg: "RS256", typ: "JWT" }),
  part({ iss: "https://issuer.example", sub: "repo:a/b", aud: "other", exp: 4e9, jti: SECRET }),
  Buffer.from(`${SECRET}${SECRET}`).toString("base64url"),
].join(".");
const TOKEN_SEEN = new RegExp(
  TOKEN.split(".")
    .slice(1)
    .flatMap((each) => [each.slice(0, 20), each.slice(-20)])
    .join("|"),
);
const IMAGE = "localhost:1/app:v1";

/** Spellings of a secret by shells, CI systems and copied texts. */
const spellings = (secret: string) => [
  secret,
  `${secret}\n`,
  ` ${secret} `,
  `"${secret}"`,
  `Bearer ${secret}`,
  `${secret}\r\nX: y`,
  `$${secret}`,
  secret.slice(0, -2),
];

function assertSilent(outcome: Outcome, context: string): void {
  for (const [stream, text] of Object.entries({ stdout: outcome.stdout, stderr: outcome.stderr })) {
    for (const pattern of [SEEN, TOKEN_SEEN]) {
      const found = pattern.exec(text);
      assert.equal(
        found,
        null,
        `${context}: "${found?.[0]}" on ${stream}:
${text}`,
      );
    }
  }
}

/** Services and programs whose responses contain everything they received. */
function echo({ url, method, headers, body }: HttpRequest): string {
  const sent = body instanceof Uint8Array ? Buffer.from(body).toString("utf8") : "";
  const message = `${method} ${url.href} ${JSON.stringify(headers)} ${sent}`;
  return JSON.stringify({
    error: "invalid",
    error_description: message,
    message,
    errors: [{ code: "DENIED", message }],
  });
}

async function folder(t: TestContext): Promise<string> {
  const cwd = temporaryFolder(t);
  const made = await run(["generate-key-pair", "--output-key-prefix", "k"], { cwd, env: { COSIGN_PASSWORD: "" } });
  assert.equal(made.code, 0, made.stderr);
  fill(cwd, { "file.json": "{}" });
  return cwd;
}

const worldOf = (cwd: string, status: number, headers: Record<string, string> = {}): Partial<Io> =>
  sayingWorld(cwd, (request) => ({ text: echo(request), status, headers }));

const REFUSING = { "www-authenticate": 'Basic realm="r"' };

test("every command: secret flag in any spelling -> not in the output", async (t) => {
  const cwd = await folder(t);
  let runs = 0;
  for (const each of await everyCommand()) {
    if (each.name.startsWith("sandbox")) continue;
    for (const { key, flag } of textFlags(each.command)) {
      if (each.command.flags[key]?.secret !== true) continue;
      for (const value of spellings(key === "identityToken" ? TOKEN : SECRET)) {
        const keyless = key === "identityToken";
        const line = commandLine(each, { file: "file.json", image: IMAGE, key: "k.pub" });
        const given = [
          ...(keyless ? line.filter((word) => !word.startsWith("--key")) : line),
          `${flag}=${value}`,
          "-d",
        ];
        if (key === "registryPassword") given.push("--registry-username=bob");
        const env = { COSIGN_PASSWORD: "" };
        assertSilent(await run(given, { cwd, env, io: worldOf(cwd, 401, REFUSING) }), given.join(" "));
        runs++;
      }
    }
  }
  assert.ok(runs > 200, `${runs}`);
});

test("every command: secret in the environment -> not in the output, whatever fails", async (t) => {
  const cwd = await folder(t);
  const secret = VARIABLES.filter(({ secret }) => secret).map(({ name }) => name);
  const more = [
    "COSIGN_REGISTRY_PASSWORD",
    "COSIGN_REGISTRY_TOKEN",
    "VAULT_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AZURE_CLIENT_SECRET",
  ];
  const variables = (value: string) => Object.fromEntries([...secret, ...more].map((name) => [name, value]));
  for (const each of await everyCommand()) {
    if (each.name.startsWith("sandbox")) continue;
    const line = commandLine(each, { file: "file.json", image: IMAGE, key: "k.pub" });
    for (const value of spellings(SECRET)) {
      const env = { ...variables(value), COSIGN_REGISTRY_USERNAME: "bob" };
      const keyless = [...line.filter((word) => !word.startsWith("--key")), "-d"];
      assertSilent(await run(keyless, { cwd, env, io: worldOf(cwd, 403) }), `${each.name} ${value}`);
    }
    for (const value of [
      "http://bob:SECRET@proxy:3128",
      "http://bob:SECRET#@proxy:1",
      "http://bob:/SECRET@p:1",
      "bob:SECRET%@p:1",
    ]) {
      const proxy = value.replace("SECRET", SECRET);
      const env = {
        HTTP_PROXY: proxy,
        HTTPS_PROXY: proxy,
        COSIGN_PASSWORD: "",
        COSIGN_REPOSITORY: "registry.example/a/b",
      };
      const io = { ...worldOf(cwd, 407), http: () => Promise.reject(new TsignError("network", `no way to ${proxy}`)) };
      assertSilent(await run([...line, "-d"], { cwd, env, io }), `${each.name} ${value}`);
    }
  }
});

test("every command: password in a URL -> not in the output", async (t) => {
  const cwd = await folder(t);
  for (const each of await everyCommand()) {
    if (each.name.startsWith("sandbox")) continue;
    const line = commandLine(each, { file: "file.json", image: IMAGE, key: "k.pub" });
    for (const { flag } of textFlags(each.command)) {
      for (const userinfo of [
        `https://bob:${SECRET}`,
        `oci://bob:${SECRET}`,
        `hashivault://bob:${SECRET}`,
        `https://${SECRET}`,
      ]) {
        const given = [...line, `${flag}=${userinfo}@host.example/path`, "-d"];
        assertSilent(
          await run(given, { cwd, env: { COSIGN_PASSWORD: "" }, io: worldOf(cwd, 404) }),
          `${each.name} ${flag}`,
        );
      }
    }
    for (const variable of ["TUF_MIRROR", "COSIGN_REPOSITORY", "VAULT_ADDR", "GITLAB_HOST", "GITHUB_HOST"]) {
      const env = { COSIGN_PASSWORD: "", [variable]: `https://bob:${SECRET}@host.example/path` };
      assertSilent(await run([...line, "-d"], { cwd, env, io: worldOf(cwd, 404) }), `${each.name} ${variable}`);
    }
    const pasted = commandLine(each, {
      file: `https://bob:${SECRET}@host.example/file`,
      image: `https://bob:${SECRET}@host.example/app:v1`,
      key: "k.pub",
    });
    assertSilent(await run([...pasted, "-d"], { cwd, env: { COSIGN_PASSWORD: "" }, io: worldOf(cwd, 404) }), each.name);
  }
});

test("secrets in files: docker's configuration, credential helpers, token files, key files", async (t) => {
  const cwd = await folder(t);
  const auth = { "localhost:1": { auth: encoded } };
  const pem = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----\n`;
  const configs: Record<string, string> = {
    good: JSON.stringify({ auths: auth }),
    cut: JSON.stringify({ auths: auth }).slice(0, -2),
    number: JSON.stringify({ auths: { "localhost:1": { auth: 7, password: SECRET } } }),
    helper: JSON.stringify({ credsStore: "x" }),
    colonless: JSON.stringify({ auths: { "localhost:1": { auth: Buffer.from(SECRET).toString("base64") } } }),
    token: JSON.stringify({ auths: { "localhost:1": { identitytoken: SECRET } } }),
  };
  const helper = JSON.stringify({ ServerURL: "localhost:1", Username: "bob", Secret: SECRET });
  const lines = [
    ["tree", IMAGE],
    ["sign", "--key", "k.key", "--use-signing-config=false", "--tlog-upload=false", IMAGE],
    ["login", "localhost:1", "-u", "bob", "-p", SECRET],
  ];
  for (const [name, config] of Object.entries(configs)) {
    writeFileSync(join(cwd, "config.json"), config);
    for (const line of lines) {
      for (const [status, output] of [
        [401, helper],
        [403, helper.slice(0, -1)],
      ] as const) {
        const headers = { "www-authenticate": 'Bearer realm="http://localhost:1/token",service="s"' };
        const spawn: Io["spawn"] = async () => ({ code: 0, stdout: output, stderr: "" });
        const io = { ...worldOf(cwd, status, headers), spawn };
        const env = { DOCKER_CONFIG: cwd, COSIGN_PASSWORD: "" };
        assertSilent(await run([...line, "-d"], { cwd, env, io }), `${name} ${line[0]} ${status}`);
      }
    }
  }
  writeFileSync(join(cwd, "key"), pem);
  writeFileSync(join(cwd, "token"), `"${TOKEN}"x`);
  writeFileSync(join(cwd, "secret"), Buffer.concat([Buffer.from(SECRET), Buffer.from([0xff])]));
  const files = [
    ["sign-blob", "--key", "key", "--bundle", "out", "file.json"],
    ["sign-blob", "--key", "env://KEY", "--bundle", "out", "file.json"],
    ["import-key-pair", "--key", "key"],
    ["public-key", "--key", "key"],
    ["verify-blob", "--key", "key", "--bundle", "file.json", "file.json"],
    ["sign-blob", "--identity-token", "token", "--bundle", "out", "file.json"],
    [
      "sign-blob",
      "--oidc-client-secret-file",
      "secret",
      "--fulcio-auth-flow=client_credentials",
      "--bundle",
      "out",
      "file.json",
    ],
    ["sign-blob", "--key", "key", "--output-file", "/nowhere/out", "file.json"],
  ];
  for (const line of files) {
    const env = { COSIGN_PASSWORD: SECRET, KEY: pem };
    assertSilent(await run([...line, "-d"], { cwd, env, io: worldOf(cwd, 400) }), line.join(" "));
  }
});
