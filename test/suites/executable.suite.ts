import assert from "node:assert/strict";
import { execFile, execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { dirname, join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { folder, must, NO_LOG, OFFLINE, run, TSIGN } from "./support.ts";

/**
 * Nothing of the folder that tsign runs in, and no variable meant for a JavaScript runtime, changes what it does: on Node, started
 * by bin/tsign, and as the executable dist/tsign (`npm run executable`).
 */
const EXECUTABLE = resolve(import.meta.dirname, "../../dist/tsign");
const FORMS: [name: string, program: string, env: Record<string, string>][] = [
  ["Node", TSIGN, { PATH: "/usr/bin:/bin", TSIGN_RUNTIME: "node" }],
  ["executable", EXECUTABLE, {}],
];

interface Finished {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a program with exactly this environment. */
function finished(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: Record<string, string> },
): Promise<Finished> {
  return new Promise((done) => {
    execFile(program, args, { ...options, timeout: 60_000 }, (error, stdout, stderr) => {
      done({ status: error === null ? 0 : Number(error.code ?? 128), stdout, stderr });
    });
  });
}

/** Writes NAME.key and NAME.pem, a certificate for localhost. */
function selfSigned(cwd: string, name: string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", `${name}.key`];
  const subject = ["-subj", `/CN=suite ${name}`, "-addext", "subjectAltName=DNS:localhost"];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", `${name}.pem`, ...subject], { cwd, stdio: "pipe" });
}

/** A copy of the program, without the policy engine, that every user can read, wherever the clone is. */
function stageReadable(context: TestContext): string {
  const root = resolve(import.meta.dirname, "../..");
  const staged = folder(context);
  chmodSync(staged, 0o755);
  const node = globSync("node_modules/node-*/bin/node", { cwd: root });
  for (const path of ["bin", ...globSync("dist/*", { cwd: root }), ...node]) {
    if (path !== "dist/policy") cpSync(join(root, path), join(staged, path), { recursive: true });
  }
  return staged;
}

/** A folder with keys, a signed file, and a CA that signed the certificate of a server. */
async function workshop(context: TestContext) {
  const cwd = folder(context);
  writeFileSync(join(cwd, "file"), "content");
  writeFileSync(join(cwd, "other"), "other content");
  await must(TSIGN, ["generate-key-pair"], { cwd });
  await must(TSIGN, ["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "bundle", "file"], { cwd });
  selfSigned(cwd, "server");
  const [private_, certificate] = ["server.key", "server.pem"].map((file) => readFileSync(join(cwd, file)));
  const server = createServer({ key: private_, cert: certificate }, (_, answer) => answer.writeHead(404).end());
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => server.close());
  const verifyBlob = ["verify-blob", "--key", join(cwd, "cosign.pub"), NO_LOG, "--bundle", join(cwd, "bundle")];
  const image = `localhost:${(server.address() as AddressInfo).port}/app:v1`;
  return {
    cwd,
    authority: join(cwd, "server.pem"),
    commands: {
      version: ["version", "--json"],
      genuine: [...verifyBlob, join(cwd, "file")],
      altered: [...verifyBlob, join(cwd, "other")],
      tls: ["verify", "--key", join(cwd, "cosign.pub"), NO_LOG, image],
      package: [
        "verify-blob",
        "--key",
        "awskms:///alias/a",
        NO_LOG,
        "--bundle",
        join(cwd, "bundle"),
        join(cwd, "file"),
      ],
    },
  };
}

/** A folder in which every runtime would find something to run. Whatever runs adds a line to `hacked`. */
function hostileFolder(context: TestContext): string {
  const cwd = folder(context);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  };
  const hack = `require("node:fs").appendFileSync(${JSON.stringify(join(cwd, "hacked"))}, "run\\n");`;
  const manifest = (name: string) =>
    JSON.stringify({ name, version: "9.9.9", main: "index.js", preload: ["./evil.js"] });
  write("evil.js", hack);
  write("evil.mjs", 'import "./evil.js";');
  for (const path of ["bunfig.toml", "home/.bunfig.toml"]) {
    write(path, `preload = ["${cwd}/evil.js"]\n[run]\npreload = ["${cwd}/evil.js"]\n[install]\nauto = "force"\n`);
  }
  write(
    ".env",
    "COSIGN_KEY=stolen.pub\nNODE_TLS_REJECT_UNAUTHORIZED=0\nBUN_OPTIONS=--preload ./evil.js\nHTTPS_PROXY=http://127.0.0.1:1\n",
  );
  for (const name of [".env.local", ".env.production", ".env.development"])
    write(name, "HTTPS_PROXY=http://127.0.0.1:1\n");
  write("tsconfig.json", JSON.stringify({ compilerOptions: { baseUrl: ".", paths: { "*": ["./evil.js"] } } }));
  write("package.json", manifest("here"));
  write(".npmrc", "node-options=--require ./evil.js\n");
  write("index.js", hack);
  for (const name of [
    "@aws-sdk/client-kms",
    "pkcs11js",
    "undici",
    "commander",
    "zod",
    "@sigstore/core",
    "tsign",
    "ws",
  ]) {
    write(`node_modules/${name}/package.json`, manifest(name));
    write(`node_modules/${name}/index.js`, hack);
  }
  return cwd;
}

/** Variables that would run `evil.js`, open a port, write a file, change TLS or change the engine. */
const variables = (cwd: string, authority: string): Record<string, string> => ({
  NODE_OPTIONS: `--require=${cwd}/evil.js`,
  NODE_PATH: `${cwd}/node_modules`,
  NODE_TLS_REJECT_UNAUTHORIZED: "0",
  NODE_EXTRA_CA_CERTS: authority,
  NODE_USE_ENV_PROXY: "1",
  NODE_DEBUG: "http,net,tls,module",
  NODE_V8_COVERAGE: `${cwd}/coverage`,
  NODE_REDIRECT_WARNINGS: `${cwd}/warnings`,
  NODE_PENDING_DEPRECATION: "1",
  NODE_COMPILE_CACHE: `${cwd}/cache`,
  NODE_UNIQUE_ID: "1",
  NODE_ENV: "production",
  BUN_OPTIONS: `--preload ${cwd}/evil.js`,
  BUN_BE_BUN: "1",
  BUN_INSPECT: "ws://127.0.0.1:0/",
  BUN_INSPECT_PRELOAD: `${cwd}/evil.js`,
  BUN_INSPECT_NOTIFY: `unix://${cwd}/inspect`,
  BUN_INSPECT_CONNECT_TO: `unix://${cwd}/inspect`,
  BUN_INSTALL: `${cwd}/home`,
  BUN_RUNTIME_TRANSPILER_CACHE_PATH: `${cwd}/cache`,
  BUN_BYTECODE_ORDER_OUT: `${cwd}/order`,
  BUN_CONFIG_VERBOSE_FETCH: "1",
  BUN_CRASH_REPORT_URL: "http://127.0.0.1:1",
  BUN_FEATURE_FLAG_INTERNAL_FOR_TESTING: "1",
  BUN_GARBAGE_COLLECTOR_LEVEL: "2",
  BUN_JSC_dumpOptions: "2",
  BUN_JSC_functionOverrides: `${cwd}/evil.js`,
  BUN_JSC_useDollarVM: "1",
  BUN_JSC_unknown: "1",
  BUN_TRACE: `${cwd}/trace`,
  JSC_dumpOptions: "2",
  HOME: `${cwd}/home`,
  XDG_CONFIG_HOME: `${cwd}/home`,
  npm_config_node_options: `--require=${cwd}/evil.js`,
});

for (const [form, program, base] of FORMS) {
  test(`${form}: hostile folder and variables -> the same output as without`, async (t) => {
    assert.ok(existsSync(program), "run `npm run executable` first");
    const { cwd: clean, commands, authority } = await workshop(t);
    const cwd = hostileFolder(t);
    const start = (place: string, command: readonly string[], env: Record<string, string> = {}) =>
      finished(program, command, { cwd: place, env: { ...base, ...env } });
    const expected: [readonly string[], Finished][] = [];
    for (const command of Object.values(commands)) expected.push([command, await start(clean, command)]);
    assert.deepEqual(
      expected.map(([, { status }]) => status),
      [0, 0, 1, 1, 1],
    );
    assert.match(expected[3]?.[1].stderr ?? "", /unknown authority|self-signed/);
    assert.match(expected[4]?.[1].stderr ?? "", /requires a package that is not installed: @aws-sdk\/client-kms/);
    const before = execFileSync("find", [cwd], { encoding: "utf8" });
    for (const [name, value] of [["NONE", ""], ...Object.entries(variables(cwd, authority))] as [string, string][]) {
      for (const [command, result] of expected) {
        const found = await start(cwd, command, { [name]: value });
        const { stderr } = found;
        found.stderr = stderr.replace("; NODE_EXTRA_CA_CERTS is ignored", "");
        assert.deepEqual(found, result, `${name}=${value} tsign ${command.join(" ")}`);
        if (command === commands.tls) assert.equal(found.stderr !== stderr, name === "NODE_EXTRA_CA_CERTS", name);
      }
    }
    const all = await start(cwd, commands.genuine, variables(cwd, authority));
    assert.equal(all.status, 0, all.stderr);
    assert.equal((await start(cwd, commands.altered, variables(cwd, authority))).status, 1);
    assert.equal(execFileSync("find", [cwd], { encoding: "utf8" }), before, "nothing ran and nothing was written");
    // What does count.
    const trusted = await start(cwd, commands.tls, { SSL_CERT_FILE: authority });
    assert.doesNotMatch(trusted.stderr, /unknown authority|self-signed/);
    assert.equal(trusted.status, 11, "the server answers 404");
  });

  test(`${form}: read-only file system, no home, empty environment -> the same verdicts`, async (t) => {
    const { cwd, commands } = await workshop(t);
    const readOnly = [
      "--mount",
      "sh",
      "-c",
      'mount -o remount,ro,bind / && ! touch "$PWD/probe" 2>&1 && exec "$@"',
      "sh",
    ];
    const start = (command: readonly string[], env: Record<string, string>) =>
      spawnSync("unshare", [...readOnly, program, ...command], { cwd, env: { ...base, ...env }, encoding: "utf8" });
    for (const env of [{}, { HOME: "/nonexistent" }, { HOME: "/nonexistent", TMPDIR: "/nonexistent" }] as Record<
      string,
      string
    >[]) {
      const genuine = start(commands.genuine, { PATH: "/usr/bin:/bin", ...env });
      assert.equal(genuine.status, 0, genuine.stderr);
      assert.match(genuine.stderr, /Verified OK/);
      assert.equal(start(commands.altered, { PATH: "/usr/bin:/bin", ...env }).status, 1);
    }
    assert.equal((await run(program, commands.version, { cwd, env: base })).code, 0);
  });

  test(`${form}: another user, without a home, in a folder of root's -> the same verdicts`, async (t) => {
    const { cwd, commands } = await workshop(t);
    const staged = stageReadable(t);
    const start = (command: readonly string[]) => {
      const asNobody = [
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        join(staged, form === "Node" ? "bin" : "dist", "tsign"),
      ];
      return spawnSync("setpriv", [...asNobody, ...command], { cwd, env: base, encoding: "utf8" });
    };
    chmodSync(cwd, 0o755);
    chmodSync(join(cwd, "bundle"), 0o644);
    const genuine = start(commands.genuine);
    assert.equal(genuine.status, 0, genuine.stderr);
    assert.match(genuine.stderr, /Verified OK/);
    assert.equal(start(commands.altered).status, 1);
    assert.match(start(["generate-key-pair"]).stderr, /permission denied/i);
  });

  test(`${form}: a CA certificate of the system's folder is trusted, and no longer once it is removed`, async (t) => {
    const { cwd, commands, authority } = await workshop(t);
    const withSystem = (...certificates: readonly string[]) => {
      const system = join(folder(t), "certs");
      mkdirSync(system);
      writeFileSync(join(system, "ca-certificates.crt"), certificates.map((path) => readFileSync(path)).join(""));
      const mounted = ["--mount", "sh", "-c", `mount --bind ${system} /etc/ssl/certs && exec "$@"`, "sh"];
      return finished("unshare", [...mounted, program, ...commands.tls], {
        cwd,
        env: { PATH: "/usr/bin:/bin", ...base },
      });
    };
    const other = join(cwd, "other.pem");
    selfSigned(cwd, "other");
    const trusted = await withSystem(other, authority);
    assert.equal(trusted.status, 11, `the server answers 404: ${trusted.stderr}`);
    const removed = await withSystem(other);
    assert.equal(removed.status, 1);
    assert.match(removed.stderr, /unknown authority|self-signed/);
  });
}

test("the hostile folder is one: Node itself runs its code", (t) => {
  const cwd = hostileFolder(t);
  const { NODE_OPTIONS = "" } = variables(cwd, "");
  execFileSync(process.execPath, ["-e", ""], { cwd, env: { NODE_OPTIONS } });
  execFileSync(process.execPath, ["-e", 'require("@aws-sdk/client-kms")'], { cwd, env: {} });
  assert.equal(readFileSync(join(cwd, "hacked"), "utf8"), "run\nrun\n");
});
