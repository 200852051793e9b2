import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

/**
 * Brings the policy engine into dist/policy/: Go sources of policy-engine/, compiled to WebAssembly once (two to four
 * minutes, with the modules of go.sum from the Go module proxy) and kept in TSIGN_TOOLS, ~/.cache/tsign-tools by default,
 * under the digest of the sources. build.ts takes it from there and never compiles; `npm run policy-engine` compiles.
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

function compile(): void {
  const kept = keptAt();
  if (existsSync(kept)) return;
  const work = `${kept}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  const env = { ...process.env, CGO_ENABLED: "0", GOOS: "js", GOARCH: "wasm", GOFLAGS: "-mod=readonly", GOWORK: "off" };
  const go = (...args: string[]) =>
    execFileSync("go", args, { cwd: SOURCES, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }).trim();
  try {
    process.stderr.write("compiling the policy engine: two to four minutes, once\n");
    go("build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", join(work, "engine.wasm"), ".");
    copyFileSync(join(go("env", "GOROOT"), "lib/wasm/wasm_exec.js"), join(work, "wasm_exec.js"));
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
