import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ERROR_CODES } from "../src/cli/help/errors.ts";
import { parseCommandLine } from "../src/cli/program.ts";
import { TABLE } from "../src/cli/table.ts";
import { loadCommand } from "../src/commands.ts";
import type { Io } from "../src/io/io.ts";
import { commandLine, everyCommand, sayingWorld } from "./support/every-command.ts";
import { fakeCluster, runningPod } from "./support/fake-cluster.ts";
import { assertSchema, jsonAnswer } from "./support/json-answer.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { storageWorkshop } from "./support/storage.ts";
import { NO_LOG, OFFLINE, type Outcome, run, temporaryFolder, testIo } from "./support/test-io.ts";

const SCHEMAS = resolve(import.meta.dirname, "../docs/schema");
/** Commands without --json: their output is a script, or that of another program. */
const WITHOUT = ["admission serve", "completion", "sandbox exec"];
/** Commands that cannot succeed in these tests: they need a token, or start a program. test/sandbox.test.ts runs the last. */
const UNTRIED = [
  ...["attestation", "generate-key", "reset", "set-management-key", "set-pin", "set-puk", "unblock"].map(
    (name) => `piv-tool ${name}`,
  ),
  ...["pkcs11-tool list-keys-uris", "pkcs11-tool list-tokens"],
  ...["log get", "log search", "log verify"], // test/log-commands.test.ts
  ...["monitor", "monitor ack", "monitor init"], // test/monitor.test.ts
];

const WITH = TABLE.filter(({ name }) => !WITHOUT.includes(name));

test("every command has --json and a published schema, except those that print for other programs", async () => {
  for (const { name, words } of TABLE) {
    const asked = await parseCommandLine([...words, "--help"], testIo(), loadCommand);
    const shown = asked.kind === "print" && /--json\b/.test(asked.text);
    assert.equal(shown, !WITHOUT.includes(name), `${name}: --json in its help`);
    assert.equal(existsSync(join(SCHEMAS, `${words.join("-")}.json`)), !WITHOUT.includes(name), `${name}: schema`);
  }
  const answer = JSON.parse(readFileSync(join(SCHEMAS, "answer.json"), "utf8"));
  assert.deepEqual(answer.$defs.code.enum.toSorted(), [...ERROR_CODES].sort(), "the error codes of the schema");
});

/** Checks the document of a failure. */
function assertFailure(outcome: Outcome, name: string): void {
  assert.notEqual(outcome.code, 0, name);
  const { document } = jsonAnswer(outcome, name);
  const { code = "", message = "", hint } = document.error ?? {};
  assert.notEqual(code, "internal", `${name}: ${message}`);
  assert.ok(outcome.stderr.includes(message), `${name}: ${message}`);
  if (hint !== undefined) assert.ok(outcome.stderr.includes(hint), `${name}: ${hint}`);
}

test("every command with --json: wrong flag, wrong arguments -> one document with code, message and hint", async () => {
  for (const { name, words } of WITH) {
    assertFailure(await run([...words, "--json", "--no-such-flag"]), name);
    assertFailure(await run(["--json", ...words, "--timeout=x"]), name);
    assertFailure(await run([...words, "--json", "--quiet", "--verbose", "a", "b", "c"]), name);
  }
});

test("--json: asked for in any spelling -> a document also for a command line that cannot be parsed", async () => {
  for (const [argv, env, asked] of [
    [["--json", "no-such-command"], {}, true],
    [["env", "--json=1", "--bad"], {}, true],
    [["env", "--json", "--json=false", "--bad"], {}, false],
    [["env", "--bad"], { COSIGN_JSON: "true" }, true],
    [["env", "--json=false", "--bad"], { COSIGN_JSON: "true" }, false],
    [["env", "--bad", "--", "--json"], {}, false],
  ] as const) {
    const { code, stdout } = await run([...argv], { env });
    assert.equal(code, 1);
    if (!asked) assert.equal(stdout, "");
    else {
      const document = JSON.parse(stdout);
      assertSchema(document, "answer.json");
      assert.equal(document.error.code, "usage");
    }
  }
});

test("every command with --json: a world that refuses everything -> one document", async (t) => {
  const cwd = temporaryFolder(t);
  writeKeyPairs(cwd, "k");
  writeFileSync(join(cwd, "file"), "text");
  mkdirSync(join(cwd, "in-the-way"));
  const io = sayingWorld(cwd, () => ({ text: "refused", status: 403 }));
  for (const each of await everyCommand()) {
    if (WITHOUT.includes(each.name) || each.name === "sandbox up") continue;
    const line = commandLine(each, { file: "file", image: "localhost:1/app:v1", key: "k.key" });
    const outcome = await run([...line, "--json"], { cwd, env: { COSIGN_PASSWORD: "no" }, io });
    if (outcome.code === 0) assertSuccess(outcome, each.name);
    else assertFailure(outcome, each.name);
  }
});

function assertSuccess(outcome: Outcome, name: string): Record<string, unknown> {
  assert.equal(outcome.code, 0, `${name}: ${outcome.stderr}`);
  if (name === "version") {
    assertSchema(JSON.parse(outcome.stdout), "version.json");
    return {};
  }
  const { document } = jsonAnswer(outcome, name);
  assert.equal(document.command, name);
  return document.result as unknown as Record<string, unknown>;
}

/** A command line for each command, in an order in which each succeeds. */
function successes({ image, registry, tuf }: { image: string; registry: string; tuf: string }) {
  const key = ["--key", "a.key", ...OFFLINE];
  const blob = ["--key", "a.pub", NO_LOG];
  const at = (word: string) => image.replace(/@.*/, word);
  return {
    "generate-key-pair": ["--output-key-prefix=new"],
    "import-key-pair": ["--key=pem", "--output-key-prefix=imported"],
    "public-key": ["--key=a.key"],
    "key test": ["a.key"],
    "key inspect": ["a.key"],
    "key change-password": ["new.key"],
    sign: [...key, "-y", image],
    attest: [...key, "-y", "--predicate=p.json", image],
    "sign-blob": [...key, "-y", "--bundle=out.json", "file"],
    "attest-blob": [...key, "-y", "--predicate=p.json", "--bundle=att.json", "file"],
    "attach sbom": ["--sbom=p.json", image],
    "attach signature": ["--payload=out.sigstore.json", image],
    "attach attestation": ["--attestation=att.sigstore.json", image],
    verify: [...blob, image],
    "verify-attestation": [...blob, "--type=custom", image],
    "verify-blob": [...blob, "--bundle=out.json", "file"],
    "verify-blob-attestation": [...blob, "--type=custom", "--bundle=att.json", "file"],
    "dockerfile verify": [...blob, "Dockerfile"],
    "manifest verify": [...blob, "pod.yaml"],
    "policy init": ["--insecure-ignore-tlog", "--key=a.pub", image],
    "policy check": ["policy.yaml"],
    "policy explain": ["policy.yaml", image],
    "policy diff": ["policy.yaml", "policy.yaml", image],
    "policy test": ["policy.yaml"],
    "admission audit": ["--trust-policy=policy.yaml", "--kubeconfig=kubeconfig"],
    "admission manifests": [
      "--trust-policy=policy.yaml",
      "--cert-manager",
      `${registry}/tsign@sha256:${"0".repeat(64)}`,
    ],
    "admission test": ["--trust-policy=policy.yaml", "pod.yaml"],
    "policy fmt": ["policy.yaml"],
    "policy export": ["--format=policy.json", "policy.yaml"],
    "policy import": ["verify.sh"],
    tree: ["--signers", image],
    identify: [image],
    triangulate: [image],
    "download signature": [image],
    "download attestation": [image],
    "download sbom": [image],
    "bundle create": ["--artifact=file", "--signature=sig", "--key=a.pub", "--ignore-tlog"],
    "bundle upgrade": ["old.json"],
    "bundle inspect": ["out.json"],
    generate: [image],
    copy: [image, at("-copy:v1")],
    save: ["--dir=saved", image],
    load: ["--dir=saved", at("-loaded:v1")],
    "upload blob": ["--files=file", at("-blob:v1")],
    "upload wasm": ["--file=file", at("-wasm:v1")],
    prune: [...blob, image],
    repair: [image],
    clean: ["--force", image],
    "signing-config create": ["--out=config.json"],
    "trusted-root create": [],
    doctor: ["--signing-config=config.json", "--trusted-root=trust.json", image],
    initialize: ["--mirror", tuf, "--root=root.json"],
    login: ["--username=bob", "--password=word", registry],
    logout: [registry],
    "debug providers": [],
    env: [],
    "generate-fig-spec": [],
    version: [],
    "sandbox push": ["other:v1"],
  };
}

test("every command with --json: success -> one document with the result that its schema describes", async (t) => {
  const { cwd, env, ok, tsign, image, registry } = await storageWorkshop(t);
  const sigstore = await testSigstore();
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  for (const [name, text] of Object.entries({
    file: "content",
    "p.json": "{}",
    "root.json": sigstore.files["tuf_root.json"],
    "trust.json": sigstore.trustedRoot,
  })) {
    write(name, text);
  }
  write("Dockerfile", `FROM ${image}\n`);
  write(
    "policy.yaml",
    "version: 1\nsigners: {a: {key: a.pub}}\n" +
      `rules: [{images: ["r.example/**", "${registry}/**"], signatures: {signers: a, log: insecure-skip}}]\n` +
      `tests: [{name: unsigned, image: "r.example/app", digest: "sha256:${"0".repeat(64)}", expect: refuse}]\n`,
  );
  const pods = { items: [runningPod("p", [["c", image]])], metadata: {} };
  await fakeCluster(t, cwd, (path) => (path === "/api/v1/pods" ? { body: pods } : undefined));
  write("verify.sh", "cosign verify --key a.pub r.example/app\n");
  write("pod.yaml", `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - {name: a, image: "${image}"}\n`);
  const { generateKeyPairSync } = await import("node:crypto");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  write("pem", privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  await ok("sign", "--key=a.key", "-y", ...OFFLINE, "--bundle=out.sigstore.json", image);
  await ok("attest", "--key=a.key", "-y", ...OFFLINE, "--predicate=p.json", image);
  write("att.sigstore.json", (await ok("download", "attestation", image)).stdout);
  write("sig", (await ok("sign-blob", "--key=a.key", "-y", ...OFFLINE, "--new-bundle-format=false", "file")).stdout);
  const lines = successes({ image, registry, tuf: sigstore.at.tuf });
  const results: Record<string, Record<string, unknown>> = {};
  for (const [name, args] of Object.entries(lines)) {
    if (name === "bundle upgrade") {
      const { mediaType: _, ...old } = JSON.parse(readFileSync(join(cwd, "out.json"), "utf8"));
      write("old.json", JSON.stringify({ mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.3", ...old }));
    }
    const outcome =
      name === "initialize"
        ? await run([name, "--json", ...args], { cwd, env, io: sigstore.io })
        : await tsign(...name.split(" "), "--json", ...args);
    results[name] = assertSuccess(outcome, name);
  }
  const list = (name: string, member: string) => results[name]?.[member] as { where?: string }[];
  assert.match(list("sign", "stored")[0]?.where ?? "", /@sha256:/);
  assert.deepEqual(results["generate-key-pair"]?.["files"], ["new.key", "new.pub"]);
  assert.deepEqual(results["sign-blob"]?.["files"], ["out.json"]);
  assert.ok(list("download signature", "signatures").length > 0);
  assert.ok(list("download attestation", "attestations").length > 0);
  const [tree] = list("tree", "images") as { attached?: unknown[] }[];
  assert.ok((tree?.attached?.length ?? 0) > 0);
  assert.ok(list("clean", "removed").length > 0);
  const tried = [...Object.keys(lines), ...SANDBOX, ...UNTRIED];
  const named = WITH.map(({ name }) => name as string);
  assert.deepEqual(tried.sort(), named.sort(), "every command is tried, or listed as untried");
});

/** Commands of a running sandbox. */
const SANDBOX = ["sandbox up", "sandbox env", "sandbox status", "sandbox token", "sandbox fault", "sandbox down"];

test("sandbox commands with --json: one document each, from the start of the sandbox to its end", async (t) => {
  const cwd = temporaryFolder(t);
  const env = { XDG_RUNTIME_DIR: cwd };
  const tsign = (name: string, ...args: string[]) => run([...name.split(" "), "--json", ...args], { cwd, env });
  const up = tsign("sandbox up", "--foreground");
  const lines: Record<string, string[]> = { "sandbox token": ["--email=a@example.com"], "sandbox fault": ["--clear"] };
  for (let tries = 0; (await tsign("sandbox status")).code !== 0; tries++) {
    assert.ok(tries < 200, "the sandbox starts");
    await sleep(20);
  }
  for (const name of SANDBOX.slice(1)) assertSuccess(await tsign(name, ...(lines[name] ?? [])), name);
  assertSuccess(await up, "sandbox up");
  assertFailure(await tsign("sandbox status"), "sandbox status");
});

test("--json: a command that fails half-way -> its result names what was stored before", async (t) => {
  const { ok, image, cwd, env } = await storageWorkshop(t);
  const other = (await ok("sandbox", "push", "other:v1")).stdout.trim();
  const { http } = testIo();
  const refusing: Partial<Io> = {
    http: async (request) => {
      const isUpload =
        request.method !== "GET" && request.method !== "HEAD" && request.url.pathname.includes("/other/");
      return isUpload ? { status: 403, headers: {}, body: (async function* () {})(), discard() {} } : http(request);
    },
  };
  const sign = (...images: string[]) =>
    run(["sign", "--json", "--key=a.key", "-y", ...OFFLINE, ...images], { cwd, env, io: refusing });
  const half = await sign(image, other);
  assertFailure(half, "sign");
  const result = jsonAnswer(half, "sign").document.result as unknown as { stored: { where: string }[] };
  assert.deepEqual(
    result.stored.map(({ where }) => where.replace(/@.*/, "")),
    [image.replace(/@.*/, "")],
  );
  const none = await sign(other);
  assertFailure(none, "sign");
  assert.equal(jsonAnswer(none, "sign").document.result, undefined);
});

test("--output-file: a command that fails without output leaves the file as it was; with --json it gets the error", async (t) => {
  const { tsign, image, cwd } = await storageWorkshop(t);
  writeFileSync(join(cwd, "out"), "earlier");
  const verify = ["verify", "--key=a.pub", NO_LOG, image];
  assert.equal((await tsign(...verify, "--output-file=out")).code, 10);
  assert.equal(readFileSync(join(cwd, "out"), "utf8"), "earlier");
  assert.equal((await tsign(...verify, "--output-file=none")).code, 10);
  assert.ok(!existsSync(join(cwd, "none")));
  assert.equal((await tsign(...verify, "--json", "--output-file=out")).code, 10);
  const answer = { code: 10, stdout: readFileSync(join(cwd, "out"), "utf8") };
  assert.equal(jsonAnswer(answer, "verify").document.error?.code, "no-signatures");
});
