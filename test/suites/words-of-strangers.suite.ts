import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandLine, everyCommand, fill, sayingWorld, textFlags } from "../support/every-command.ts";
import { attachReferrer, descriptorOf, storageWorkshop } from "../support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, type Outcome, run, temporaryFolder } from "../support/test-io.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Hostile text: lines that imitate tsign's output, control characters and hidden characters. */
const PLANTED = "Verified OK";
const HOSTILE = `x\n${PLANTED}\r\nError: planted\u0085${PLANTED}\u2028${PLANTED}\u2029\u001b[2J\u009b1m\u202eKO\u2066\u200f\u061c\u200b\ufeff\u007f\b`;
const FORBIDDEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

function assertTame(outcome: Outcome, context: string): void {
  for (const [stream, text] of Object.entries({ stdout: outcome.stdout, stderr: outcome.stderr })) {
    const lines = text.split(/\r\n|[\n\r\u0085\u2028\u2029]/);
    assert.ok(!lines.includes(PLANTED), `${context}: a planted line on ${stream}:\n${text}`);
    assert.ok(!lines.includes("Error: planted"), `${context}: a planted error on ${stream}:\n${text}`);
    const found = FORBIDDEN.exec(text);
    assert.equal(found, null, `${context}: ${JSON.stringify(found?.[0])} on ${stream}:\n${JSON.stringify(text)}`);
  }
}

/** A document with the hostile text in every field that is read. */
const document = JSON.stringify({
  mediaType: HOSTILE,
  schemaVersion: 2,
  artifactType: HOSTILE,
  payloadType: HOSTILE,
  payload: Buffer.from(
    JSON.stringify({ _type: HOSTILE, predicateType: HOSTILE, subject: [{ name: HOSTILE }] }),
  ).toString("base64"),
  signatures: [{ keyid: HOSTILE, sig: "AAAA" }],
  manifests: [],
  layers: [{ mediaType: HOSTILE, digest: HOSTILE, size: 1, annotations: { [HOSTILE]: HOSTILE } }],
  annotations: { [HOSTILE]: HOSTILE },
  errors: [{ code: HOSTILE, message: HOSTILE, detail: HOSTILE }],
  error: HOSTILE,
  error_description: HOSTILE,
  message: HOSTILE,
  [HOSTILE]: HOSTILE,
});
const FILES: Readonly<Record<string, string>> = {
  "file.json": document,
  "file.txt": HOSTILE,
  "file.pem": `-----BEGIN ${HOSTILE}-----\nAAAA\n-----END ${HOSTILE}-----\n`,
  "file.yaml": `kind: Pod\nspec:\n  containers:\n    - image: "${HOSTILE.replaceAll("\n", "\\n").replaceAll("\r", "\\r")}"\n`,
  Dockerfile: `FROM img${HOSTILE.replaceAll(/[\r\n]/g, "")}\n`,
  "policy.rego": `package signature\n${HOSTILE}`,
};

/** The key pair of the command lines. */
async function makeKeys(cwd: string): Promise<void> {
  const made = await run(["generate-key-pair", "--output-key-prefix", "k"], { cwd, env: { COSIGN_PASSWORD: "" } });
  assert.equal(made.code, 0, made.stderr);
}

test("every command: control characters in flags and arguments -> escaped", async (t) => {
  const cwd = temporaryFolder(t);
  fill(cwd, FILES);
  await makeKeys(cwd);
  const io = sayingWorld(cwd, () => ({ text: "", status: 404 }));
  let runs = 0;
  for (const each of await everyCommand()) {
    if (each.name === "sandbox exec" || each.name === "sandbox up") continue; // they keep running; their flags are parsed like those of others
    for (const { flag } of textFlags(each.command)) {
      const line = [
        ...commandLine(each, { file: "file.json", image: "localhost:1/app:v1", key: "k.pub" }),
        `${flag}=${HOSTILE}`,
      ];
      assertTame(await run(line, { cwd, env: { COSIGN_PASSWORD: "" }, io: { ...io } }), `${each.name} ${flag}`);
      runs++;
    }
    const line = commandLine(each, { file: HOSTILE, image: `localhost:1/${HOSTILE}`, key: "k.pub" });
    assertTame(await run(line, { cwd, env: { COSIGN_PASSWORD: "" }, io: { ...io } }), `${each.name}, arguments`);
  }
  assert.ok(runs > 400, `${runs} runs`);
});

test("every command: control characters in files and responses -> escaped", async (t) => {
  const cwd = temporaryFolder(t);
  fill(cwd, FILES);
  await makeKeys(cwd);
  const headers = {
    "content-type": HOSTILE,
    "www-authenticate": `Bearer realm="${HOSTILE}",service="${HOSTILE}"`,
    location: HOSTILE,
    "docker-content-digest": HOSTILE,
    "retry-after": HOSTILE,
    warning: HOSTILE,
  };
  const env = {
    COSIGN_PASSWORD: "",
    SIGSTORE_ID_TOKEN: HOSTILE,
    TUF_MIRROR: `https://mirror.example/${HOSTILE}`,
    DOCKER_CONFIG: cwd,
  };
  for (const each of await everyCommand()) {
    if (each.name === "sandbox exec" || each.name === "sandbox up" || each.name === "env") continue;
    for (const file of Object.keys(FILES)) {
      const io = sayingWorld(cwd, () => ({ text: document, status: 400, headers }));
      const line = [...commandLine(each, { file, image: "localhost:1/app:v1", key: "k.pub" }), "-d"];
      assertTame(await run(line, { cwd, env, io }), `${each.name} ${file}`);
    }
    for (const status of [200, 401, 404]) {
      const io = sayingWorld(cwd, () => ({ text: document, status, headers }));
      const line = commandLine(each, { file: "file.json", image: "localhost:1/app:v1", key: "k.key" });
      assertTame(await run(line, { cwd, env, io }), `${each.name} ${status}`);
    }
  }
});

test("image commands: control characters in attached data -> escaped", async (t) => {
  const { cwd, env, image, digest, store, sign, ok } = await storageWorkshop(t);
  await sign("-a", `note=${HOSTILE.replaceAll(/[\0\r\n]/g, " ")}`);
  await sign(LEGACY, "-a", `note=${HOSTILE.replaceAll(/[\0\r\n]/g, " ")}`);
  writeFileSync(join(cwd, "statement.json"), JSON.stringify({ text: HOSTILE }));
  await ok(
    "attest",
    "--key",
    "a.key",
    ...OFFLINE,
    "--predicate",
    "statement.json",
    "--type",
    "https://x.example/\u202etype",
    image,
  );
  const subject = await descriptorOf(store, digest);
  const annotations = { [HOSTILE]: HOSTILE, "org.opencontainers.image.created": HOSTILE };
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    predicateType: HOSTILE,
    subject: [{ name: HOSTILE, digest: { sha256: digest.slice(7) } }],
  };
  const envelope = {
    payloadType: "application/vnd.in-toto+json",
    payload: Buffer.from(JSON.stringify(statement)).toString("base64"),
    signatures: [{ keyid: HOSTILE, sig: "AAAA" }],
  };
  const bundle = { mediaType: BUNDLE, verificationMaterial: { publicKey: { hint: HOSTILE } }, dsseEnvelope: envelope };
  const others: [string, string, Record<string, unknown>][] = [
    [JSON.stringify({ mediaType: HOSTILE }), BUNDLE, { artifactType: BUNDLE, annotations }],
    [JSON.stringify(bundle), BUNDLE, { artifactType: BUNDLE, annotations }],
    [HOSTILE, HOSTILE, { artifactType: HOSTILE, annotations }],
    ["not JSON\nVerified OK\n", "application/spdx+json", { artifactType: "application/spdx+json", annotations }],
  ];
  for (const [layer, layerType, more] of others) await attachReferrer(store, subject, { layer, layerType, more });
  const key = ["--key", "a.pub", NO_LOG];
  const lines = [
    ["tree", image],
    ["tree", "--signers", image],
    ["verify", ...key, image],
    ["verify", ...key, "-o", "text", image],
    ["verify", ...key, "--check-claims=false", "-o", "text", image],
    ["verify", ...key, LEGACY, "-o", "text", image],
    ["verify-attestation", ...key, "--type", HOSTILE, image],
    ["verify-attestation", ...key, image],
    ["verify", "--certificate-identity", HOSTILE, "--certificate-oidc-issuer", HOSTILE, NO_LOG, image],
    ["copy", image, `${store.name.split("/")[0]}/copy:v1`],
    ["save", "--dir", "saved", image],
    ["triangulate", image],
    ["clean", "--force", "--type", "all", image],
  ];
  for (const line of lines) assertTame(await run([...line, "-d"], { cwd, env }), line.join(" "));
});
