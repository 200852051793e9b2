import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  createRegistry,
  createTransport,
  createVerifier,
  openSession,
  type Sandbox,
  signImage,
  startSandbox,
  verifyImage,
} from "../src/lib/index.ts";
import { pemOf, signDigestDer } from "./support/fake-service.ts";
import { ENVIRONMENT } from "./support/program.ts";
import { temporaryFolder } from "./support/test-io.ts";

const EXAMPLES = resolve(import.meta.dirname, "../examples");
const HOOK = pathToFileURL(resolve(import.meta.dirname, "support/own-package.mjs")).href;
const SIGNER = "release@example.com";

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Starts an example; `ended` settles with its output. */
function start(
  t: TestContext,
  args: readonly string[],
  env: Record<string, string> = {},
): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, ["--import", HOOK, ...args], {
    cwd: EXAMPLES,
    env: { ...ENVIRONMENT, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => child.kill());
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  return { child, ended: new Promise((done) => child.on("close", (code) => done({ code, ...output }))) };
}

async function sandboxOf(t: TestContext): Promise<Sandbox> {
  const sandbox = await startSandbox();
  t.after(() => sandbox.close());
  return sandbox;
}

async function signAs(sandbox: Sandbox, email: string, image: string): Promise<void> {
  const transport = createTransport();
  const identity = sandbox.token({ email });
  const session = await openSession({ identity, signingConfig: sandbox.signingConfig, transport });
  await signImage(image, { session, registry: createRegistry({ transport }) });
}

test("examples/verify-server.ts: signed by the expected signer -> allowed by digest; anything else -> denied with the reason", async (t) => {
  const sandbox = await sandboxOf(t);
  const cwd = temporaryFolder(t);
  const root = join(cwd, "root.json");
  writeFileSync(root, sandbox.trustedRoot);
  const [good, foreign, unsigned] = await Promise.all(
    ["good:v1", "foreign:v1", "unsigned:v1"].map((name) => sandbox.pushImage(name)),
  );
  await signAs(sandbox, SIGNER, good ?? "");
  await signAs(sandbox, "mallory@example.com", foreign ?? "");
  const env = { TRUSTED_ROOT: root, SIGNER, ISSUER: sandbox.urls.issuer, PORT: "0" };
  const { child, ended } = start(t, ["verify-server.ts"], env);
  const line = new Promise<string>((done) => child.stdout?.once("data", (text: string) => done(text.trim())));
  const failed = ended.then(({ stderr }) => assert.fail(stderr));
  const address = await Promise.race([line, failed]);
  failed.catch(() => {});
  const ask = async (image: string) => {
    const answer = await fetch(`${address}/?image=${encodeURIComponent(image)}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const allowed = await ask(`${sandbox.registry}/good:v1`);
  assert.equal(allowed.status, 200);
  assert.equal(allowed.body["deploy"], good);
  const refused = await ask(`${sandbox.registry}/foreign:v1`);
  assert.deepEqual([refused.status, refused.body["code"], refused.body["check"]], [403, "no-match-bundle", "identity"]);
  assert.deepEqual((await ask(unsigned ?? "")).body["code"], "no-signatures");
  assert.deepEqual((await ask(`${sandbox.registry}/good:v2`)).body["code"], "image-not-found");
  const elsewhere = await ask("localhost:1/app:v1");
  assert.deepEqual([elsewhere.status, elsewhere.body["code"]], [502, "network"]);
});

test("examples/sign-build.ts: signs with a key in Vault; the public key verifies the image", async (t) => {
  const sandbox = await sandboxOf(t);
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const asked: string[] = [];
  const vault = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["x-vault-token"]}`);
    let body = "";
    for await (const piece of request) body += piece;
    const answer = (data: object) => response.end(JSON.stringify({ data }));
    if (request.method === "GET") return answer({ type: "ecdsa-p256", keys: { 1: { public_key: pemOf(key) } } });
    const digest = Buffer.from(JSON.parse(body).input, "base64");
    return answer({ signature: `vault:v1:${Buffer.from(signDigestDer(key, digest, "sha256")).toString("base64")}` });
  });
  await new Promise<void>((done) => vault.listen(0, "127.0.0.1", done));
  t.after(() => vault.close());
  const address = vault.address();
  const port = typeof address === "object" ? address?.port : 0;
  const image = await sandbox.pushImage("built:nightly");
  const env = { VAULT_ADDR: `http://127.0.0.1:${port}`, VAULT_TOKEN: "hvs.build" };
  const { code, stdout, stderr } = await start(t, ["sign-build.ts", "hashivault://release", image], env).ended;
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^${image} signed: ${sandbox.registry}/built@sha256:[0-9a-f]{64}\n$`));
  assert.ok(asked.length >= 2 && asked.every((each) => each.endsWith(" hvs.build")), asked.join("\n"));
  const verifier = await createVerifier();
  const registry = createRegistry({ transport: createTransport() });
  const wanted = { verifier, registry, insecureIgnoreTransparencyLog: true, annotations: { build: "nightly" } };
  assert.equal((await verifyImage(image, { ...wanted, key: pemOf(key) })).verified.length, 1);
  const other = pemOf(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  await assert.rejects(verifyImage(image, { ...wanted, key: other }), { code: "no-match-bundle" });

  const without = await start(t, ["sign-build.ts", "hashivault://release", image], {}).ended;
  assert.notEqual(without.code, 0);
  assert.match(without.stderr, /VAULT_ADDR/);
});

test("examples/sandbox.test.ts passes", async (t) => {
  const { code, stdout } = await start(t, ["--test", "sandbox.test.ts"]).ended;
  assert.equal(code, 0, stdout);
  assert.match(stdout, /pass 2\n/);
});
