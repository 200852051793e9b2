import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Brings the policy engine into dist/policy/: the Go sources of policy-engine/, compiled for this machine, and to WebAssembly
 * for those without (three to five minutes in all, with the modules of go.sum from the Go module proxy), and kept in
 * TSIGN_TOOLS, ~/.cache/tsign-tools by default, under the digest of the sources. build.ts takes it from there and never
 * compiles; `npm run policy-engine` compiles.
 */
const SOURCES = resolve(import.meta.dirname, "../policy-engine");
const TARGET = resolve(import.meta.dirname, "../dist/policy");

function keptAt(): string {
  const digest = createHash("sha256");
  for (const name of readdirSync(SOURCES).sort()) digest.update(`${name}\0`).update(readFileSync(join(SOURCES, name)));
  const tools = process.env["TSIGN_TOOLS"] ?? join(homedir(), ".cache/tsign-tools");
  return join(tools, "policy-engine", digest.digest("hex").slice(0, 16));
}

/** Copies the engine, where one of these very sources is kept; says whether it is there. */
export function installPolicyEngine(): boolean {
  const kept = keptAt();
  if (!existsSync(kept)) return false;
  rmSync(TARGET, { recursive: true, force: true });
  cpSync(kept, TARGET, { recursive: true });
  return true;
}

/** Compiles for a platform of Go's, e.g. `linux` and `arm64`. CGO is off: the engine needs no library of the system. */
function goBuild(target: { os: string; arch: string }, output: string): void {
  const env = {
    ...process.env,
    CGO_ENABLED: "0",
    GOOS: target.os,
    GOARCH: target.arch,
    GOFLAGS: "-mod=readonly",
    GOWORK: "off",
  };
  const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", output, "."];
  execFileSync("go", args, { cwd: SOURCES, env, stdio: ["ignore", "ignore", "inherit"] });
}

/** This machine as Go names it. */
function goPlatform(): { os: string; arch: string } {
  return {
    os: process.platform === "win32" ? "windows" : process.platform,
    arch: process.arch === "x64" ? "amd64" : process.arch,
  };
}

function compile(): void {
  const kept = keptAt();
  if (existsSync(kept)) return;
  const work = `${kept}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    process.stderr.write("compiling the policy engine: three to five minutes, once\n");
    const own = goPlatform();
    goBuild(own, join(work, own.os === "windows" ? "engine.exe" : "engine"));
    goBuild({ os: "js", arch: "wasm" }, join(work, "engine.wasm"));
    const root = execFileSync("go", ["env", "GOROOT"], { cwd: SOURCES, encoding: "utf8" }).trim();
    copyFileSync(join(root, "lib/wasm/wasm_exec.js"), join(work, "wasm_exec.js"));
    copyFileSync(join(SOURCES, "run.cjs"), join(work, "run.cjs"));
    renameSync(work, kept); // whole or not at all; another build that was first has made the same
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    if (existsSync(kept)) return;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    process.stderr.write(missing ? "the policy engine needs Go 1.21 or newer on the PATH\n" : "it did not compile\n");
    process.exit(1);
  }
}

if (import.meta.main) {
  compile();
  installPolicyEngine();
  process.stderr.write(`the policy engine is in ${TARGET}\n`);
}
