import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { goPlatform, goProgram } from "./go.ts";
import { TOOLS } from "./tools.ts";

/**
 * Installs the policy engine into dist/policy/. `npm run policy-engine` compiles the Go sources of policy-engine/ for this
 * machine and, for other platforms, to WebAssembly. It takes three to five minutes, downloads the modules of go.sum from the
 * Go module proxy, and Go itself where it is missing (go.ts), and caches the result in TSIGN_TOOLS (~/.cache/tsign-tools by
 * default) by the digest of the sources. build.ts only copies it from there.
 */
const SOURCES = resolve(import.meta.dirname, "../policy-engine");
const TARGET = resolve(import.meta.dirname, "../dist/policy");

/** Returns the folder of the engine in the cache. Tests are left out of the digest, because they are not compiled. */
function keptAt(): string {
  const digest = createHash("sha256");
  const sources = readdirSync(SOURCES).filter((name) => !name.endsWith("_test.go"));
  for (const name of sources.sort()) digest.update(`${name}\0`).update(readFileSync(join(SOURCES, name)));
  return join(TOOLS, "policy-engine", digest.digest("hex").slice(0, 16));
}

/** Copies the engine from the cache to a folder. Returns false when the cache has no engine for the current sources. */
export function installPolicyEngine(folder: string): boolean {
  const kept = keptAt();
  if (!existsSync(kept)) return false;
  rmSync(folder, { recursive: true, force: true });
  cpSync(kept, folder, { recursive: true });
  return true;
}

/** Compiles for a platform as named by Go, such as `linux` and `arm64`, without CGO, so that no system library is needed. */
function goBuild(go: string, target: { os: string; arch: string }, output: string): void {
  const env = {
    ...process.env,
    CGO_ENABLED: "0",
    GOOS: target.os,
    GOARCH: target.arch,
    GOFLAGS: "-mod=readonly",
    GOWORK: "off",
  };
  const args = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", output, "."];
  execFileSync(go, args, { cwd: SOURCES, env, stdio: ["ignore", "ignore", "inherit"] });
}

/**
 * Compiles the engine for another platform and returns its path; the cache keeps it.
 *
 * @param platform such as `linux-arm64`, `darwin-x64` or `windows-x64`; `-musl` makes no difference, because the engine is static
 */
export async function policyEngineFor(platform: string): Promise<string> {
  const [os = "", processor = ""] = platform.split("-");
  const target = { os, arch: processor === "x64" ? "amd64" : processor };
  const name = os === "windows" ? "engine.exe" : "engine";
  const own = goPlatform();
  if (own.os === target.os && own.arch === target.arch) {
    await compile();
    return join(keptAt(), name);
  }
  const kept = join(`${keptAt()}-${target.os}-${target.arch}`, name);
  if (existsSync(kept)) return kept;
  const work = join(`${keptAt()}-${target.os}-${target.arch}.${process.pid}`, name);
  process.stderr.write(`compiling the policy engine for ${platform}: one to three minutes, once\n`);
  goBuild(await goProgram(), target, work);
  renameSync(dirname(work), dirname(kept));
  return kept;
}

/**
 * Returns the files of the engine as WebAssembly, which Node runs on every platform, with their paths in the engine's folder. The
 * engine itself is compressed with Brotli.
 */
export async function portableEngine(): Promise<{ path: string; content: Buffer }[]> {
  await compile();
  const packed = `${keptAt()}-portable/engine.wasm.br`;
  if (!existsSync(packed)) {
    // Quality 9 takes ten seconds; the highest takes minutes, and saves a sixth.
    const params = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
    const content = brotliCompressSync(readFileSync(join(keptAt(), "engine.wasm")), { params });
    mkdirSync(dirname(packed), { recursive: true });
    writeFileSync(`${packed}.${process.pid}`, content);
    renameSync(`${packed}.${process.pid}`, packed);
  }
  const file = (path: string, at = join(keptAt(), path)) => ({ path, content: readFileSync(at) });
  return [file("engine.wasm.br", packed), file("run.cjs"), file("wasm_exec.js")];
}

async function compile(): Promise<void> {
  const kept = keptAt();
  if (existsSync(kept)) return;
  const work = `${kept}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const go = await goProgram();
    process.stderr.write("compiling the policy engine: three to five minutes, once\n");
    const own = goPlatform();
    goBuild(go, own, join(work, own.os === "windows" ? "engine.exe" : "engine"));
    goBuild(go, { os: "js", arch: "wasm" }, join(work, "engine.wasm"));
    const root = execFileSync(go, ["env", "GOROOT"], { cwd: SOURCES, encoding: "utf8" }).trim();
    copyFileSync(join(root, "lib/wasm/wasm_exec.js"), join(work, "wasm_exec.js"));
    copyFileSync(join(SOURCES, "run.cjs"), join(work, "run.cjs"));
    renameSync(work, kept); // atomic; a concurrent build makes the same
  } catch (error) {
    rmSync(work, { recursive: true, force: true });
    if (existsSync(kept)) return;
    process.stderr.write(`compile the policy engine: ${(error as Error).message}\n`);
    process.exit(1);
  }
}

if (import.meta.main) {
  await compile();
  installPolicyEngine(TARGET);
  process.stderr.write(`the policy engine is in ${TARGET}\n`);
}
