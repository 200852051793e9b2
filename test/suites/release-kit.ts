import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { PLATFORMS, thisPlatform } from "../../scripts/executable.ts";
import { TOOLS } from "../../scripts/tools.ts";
import { COSIGN, folder, folderWithKeys, must, NO_LOG, OFFLINE, pushImage, TSIGN } from "./support.ts";

/** What the tests of a release have in common: the release, a sandbox that signs it, and programs to run it with. */
export const ROOT = resolve(import.meta.dirname, "../..");
const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
export const { version } = manifest;
export const RELEASE = join(ROOT, "release", version);
export const PLATFORM = thisPlatform();
/** RELEASE_PLATFORMS=all builds for all platforms, otherwise for this one. */
export const BUILT = process.env["RELEASE_PLATFORMS"] === "all" ? Object.keys(PLATFORMS) : [PLATFORM];
export const ARCHIVE = `tsign-${version}-${PLATFORM}.tar.gz`;
export const SIGNER = "releaser@example.com";

/** Makes the release anew. */
export function release(env: Readonly<Record<string, string>> = {}): void {
  const flags = ["--current-debian", ...BUILT.flatMap((platform) => ["--platform", platform])];
  execFileSync("npm", ["run", "--silent", "release", "--", version, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, ...env },
  });
}

/**
 * Starts a sandbox.
 *
 * @returns its variables, and a function that stops it
 */
export async function startSandbox(): Promise<{ env: Record<string, string>; stop: () => void }> {
  const home = mkdtempSync(join(tmpdir(), "tsign-suite-"));
  const script = "env > env.part; mv env.part env; cat";
  const program = [join(ROOT, "bin/main.ts"), "sandbox", "exec", "--timeout", "1h", "--", "sh", "-c", script];
  const env = { PATH: process.env["PATH"], HOME: home };
  const child = spawn(process.execPath, program, { cwd: home, env, stdio: ["pipe", "inherit", "inherit"] });
  for (let attempt = 0; attempt < 600 && !existsSync(join(home, "env")); attempt++) await setTimeout(100);
  const lines = readFileSync(join(home, "env"), "utf8").split("\n");
  const pairs = lines.filter((line) => /^(TSIGN|TUF)_\w+=/.test(line)).map((line) => line.split(/=(.*)/s).slice(0, 2));
  const stop = () => {
    child.stdin.end();
    rmSync(home, { recursive: true, force: true });
  };
  return { env: Object.fromEntries(pairs), stop };
}

/** The flags that require the sandbox's identity, and its trusted root. */
export function identityFlags(env: Readonly<Record<string, string>>): string[] {
  const { TSIGN_SANDBOX_ISSUER: issuer = "", TSIGN_SANDBOX_TRUSTED_ROOT: root = "" } = env;
  return ["--certificate-identity", SIGNER, "--certificate-oidc-issuer", issuer, "--trusted-root", root];
}

/** Verifies the signature and the three attestations of a file of the release. */
export async function verifyFile(name: string, flags: readonly string[], env: Record<string, string>): Promise<void> {
  const kinds = { provenance: "slsaprovenance1", spdx: "spdxjson", cyclonedx: "cyclonedx" };
  for (const program of [TSIGN, COSIGN]) {
    const bundle = (suffix: string) => ["--bundle", `signatures/${name}${suffix}.sigstore.json`];
    await must(program, ["verify-blob", ...flags, ...bundle(""), name], { cwd: RELEASE, env });
    for (const [suffix, type] of Object.entries(kinds)) {
      const args = ["verify-blob-attestation", ...flags, "--type", type, ...bundle(`.${suffix}`), name];
      await must(program, args, { cwd: RELEASE, env });
    }
  }
}

const EMPTY = { env: {}, encoding: "utf8" } as const;

/**
 * Checks that a program is the released one, signs and verifies, and has its policy engine.
 *
 * @param runner what runs it, such as an emulator of another processor; the program itself by default
 */
export function check(context: TestContext, program: string, runner: readonly string[] = []): void {
  const start = (path: string, args: readonly string[], options: object = {}) => {
    const [first = "", ...rest] = [...runner, path, ...args];
    return spawnSync(first, rest, { ...EMPTY, ...options });
  };
  const shown = start(program, ["version", "--json"]);
  assert.equal(shown.status, 0, shown.stderr);
  const { gitVersion, goVersion, policyEngine } = JSON.parse(shown.stdout);
  assert.deepEqual([gitVersion, /^bun v/.test(goVersion)], [`v${version}`, true]);
  assert.match(policyEngine, /^native: cue v\d\S+, opa v\d\S+$/);
  const cwd = folder(context);
  writeFileSync(join(cwd, "file"), "content");
  writeFileSync(join(cwd, "p.json"), "{}");
  const tsign = (...args: string[]) => start(program, args, { cwd, env: { COSIGN_PASSWORD: "x" } });
  assert.equal(tsign("generate-key-pair").status, 0);
  const signing = ["--key", "cosign.key", "--use-signing-config=false", "--tlog-upload=false", "-y", "--bundle", "b"];
  const signed = tsign("attest-blob", ...signing, "--type", "custom", "--predicate", "p.json", "file");
  assert.equal(signed.status, 0, signed.stderr);
  const verify = ["verify-blob-attestation", "--key", "cosign.pub", NO_LOG, "--type", "custom", "--bundle", "b"];
  assert.equal(tsign(...verify, "file").status, 0);
  assert.notEqual(tsign(...verify, "p.json").status, 0);
  const engine = join(dirname(realpathSync(program)), "policy/engine");
  for (const [verdict, ok] of [
    ["true", true],
    ["false", false],
  ] as const) {
    const rego = [{ path: "p.rego", text: `package signature\nallow { ${verdict} }\n` }];
    const input = JSON.stringify({ statement: "e30=", cwd, cue: [], rego });
    const evaluated = start(engine, ["memory=1024"], { input });
    assert.equal(evaluated.status, 0, evaluated.stderr);
    assert.equal(JSON.parse(evaluated.stdout).ok, ok);
  }
}

/** An image with an attestation in a registry, a public key, and a Rego policy that accepts it and one that does not. */
export async function attestedImage(context: TestContext, registry: string) {
  const cwd = await folderWithKeys(context, "k");
  const image = await pushImage(registry, "attested", cwd);
  writeFileSync(join(cwd, "p.json"), "{}");
  const signing = ["--key", "k.key", ...OFFLINE, "--type", "custom", "--predicate", "p.json"];
  await must(TSIGN, ["attest", ...signing, image], { cwd });
  for (const verdict of ["true", "false"])
    writeFileSync(join(cwd, `${verdict}.rego`), `package signature\nallow { ${verdict} }\n`);
  const verify = (verdict: boolean) => {
    const policy = ["--type", "custom", "--policy", join(cwd, `${verdict}.rego`)];
    return ["verify-attestation", "--key", join(cwd, "k.pub"), NO_LOG, ...policy, image];
  };
  return { verify };
}

/** Returns the folder of a version of Node with its npm, which is kept with the tools of the suites. */
export function nodeFolder(nodeVersion: string): string {
  const name = `node-${process.platform}-${process.arch}`;
  const cwd = join(TOOLS, `node-${nodeVersion}`);
  const found = join(cwd, "node_modules", name, "bin");
  if (!existsSync(join(found, "node"))) {
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(cwd, "package.json"), "{}");
    execFileSync("npm", ["install", "--no-audit", "--no-fund", `${name}@${nodeVersion}`], { cwd, stdio: "ignore" });
  }
  return found;
}
