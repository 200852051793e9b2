import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { BUILT_FROM, NODE_FETCH } from "./bundle.ts";
import { oneFile } from "./executable-chunks.ts";
import { closeDoors } from "./executable-doors.ts";
import { signAgain } from "./executable-signature.ts";
import { lightCommander, recordOrders, withLightImports } from "./executable-start.ts";
import { TOOLS } from "./tools.ts";

/**
 * Builds dist/tsign, a single executable that needs no runtime: the program as one CommonJS file, compiled to bytecode and
 * embedded in Bun's executable, whose doors are closed before (executable-doors.ts). `npm run executable` builds it for this
 * platform, `-- --platform P` (repeatable, or `all`) for others, as dist/PLATFORM/tsign. Bun's packages come from npm, are
 * checked against the digests below, and kept in TSIGN_TOOLS.
 */
const ROOT = resolve(import.meta.dirname, "..");
export const BUN_VERSION = "1.4.5";

interface Platform {
  /** Name of the package in the scope `@oven`, and its integrity as npm states it (SHA-512, base64). */
  readonly bun: string;
  readonly integrity: string;
  readonly target: string;
}

/** The x64 executables do not use AVX2, so that they run on every x86-64 machine. */
export const PLATFORMS: Readonly<Record<string, Platform>> = {
  "linux-x64": {
    bun: "bun-linux-x64-baseline",
    integrity: "sha512-s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA==",
    target: "bun-linux-x64-baseline",
  },
  "linux-arm64": {
    bun: "bun-linux-aarch64",
    integrity: "sha512-4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
    target: "bun-linux-arm64",
  },
  "linux-x64-musl": {
    bun: "bun-linux-x64-musl-baseline",
    integrity: "sha512-cWJhU8h0+MiUgpSt99sQhjxLIIosKEcKYdtKddohokUvAuN6jKOy7g7+QDTZTXtwHxz93wL3BX+L6wXVPDUH3A==",
    target: "bun-linux-x64-musl-baseline",
  },
  "linux-arm64-musl": {
    bun: "bun-linux-aarch64-musl",
    integrity: "sha512-XCNc+WvvMAdNNb+OWTogpy+N9wm62fkVeEVLb6how0RZhW5LPi6c7BlkeVCuWps7XjEl2saFpHFa20/1E+PAHg==",
    target: "bun-linux-arm64-musl",
  },
  "darwin-x64": {
    bun: "bun-darwin-x64-baseline",
    integrity: "sha512-zqfLA5A4B+hYMh5WYzYSot3uZ06FzhdP0OEwQisEzdirYtXGj5cQFlfy31BGfNsAsk1Gd/w/OxJ/jqqJ3cMclw==",
    target: "bun-darwin-x64-baseline",
  },
  "darwin-arm64": {
    bun: "bun-darwin-aarch64",
    integrity: "sha512-4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ==",
    target: "bun-darwin-arm64",
  },
  "windows-x64": {
    bun: "bun-windows-x64-baseline",
    integrity: "sha512-/U3Dc74uGqE6EUqef7mPtg9KwJs7iJH4JHRMfIZIn18MrJh6Xz4gVvWDXRvzCL2j8wPlTnJVyrO4n7Qq4uM7TQ==",
    target: "bun-windows-x64-baseline",
  },
};

/** Returns this machine's platform, a key of PLATFORMS. */
export function thisPlatform(): string {
  const musl =
    process.platform === "linux" && existsSync(`/lib/ld-musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`);
  const glibc = existsSync("/lib64/ld-linux-x86-64.so.2") || existsSync("/lib/ld-linux-aarch64.so.1");
  const system = process.platform === "win32" ? "windows" : process.platform;
  return `${system}-${process.arch}${musl && !glibc ? "-musl" : ""}`;
}

/** Returns the path of Bun for a platform; downloads it from npm the first time. */
function runtimeFor({ bun, integrity }: Platform): string {
  const kept = join(TOOLS, "bun", `${bun}-${BUN_VERSION}`);
  const program = join(kept, "package/bin", bun.includes("windows") ? "bun.exe" : "bun");
  if (existsSync(program)) return program;
  mkdirSync(join(TOOLS, "bun"), { recursive: true });
  const work = mkdtempSync(join(TOOLS, "bun/new-"));
  try {
    const packed = execFileSync("npm", ["pack", "--silent", `@oven/${bun}@${BUN_VERSION}`], {
      cwd: work,
      encoding: "utf8",
    });
    const archive = join(work, packed.trim());
    const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
    if (found !== integrity)
      throw new Error(`@oven/${bun}@${BUN_VERSION}: integrity mismatch: got ${found}, want ${integrity}`);
    execFileSync("tar", ["-xzf", archive, "-C", work]);
    rmSync(archive);
    rmSync(kept, { recursive: true, force: true });
    renameSync(work, kept);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return program;
}

/** Looks optional packages up beside the executable: Bun would take them from the current folder. */
const packagesBeside: Plugin = {
  name: "packages-beside",
  setup({ onResolve }) {
    onResolve({ filter: /\/import-package\.ts$/ }, () => ({ path: join(ROOT, "src/io/packages-beside.ts") }));
  },
};

/** How the program becomes chunks, which `oneFile` joins. */
export const bundleOptions = {
  absWorkingDir: ROOT,
  entryPoints: ["bin/main.ts"],
  outdir: "none",
  write: false,
  bundle: true,
  format: "esm",
  splitting: true,
  minify: true,
  platform: "node",
  target: "node24",
  alias: { "node-fetch": NODE_FETCH },
  define: { ...BUILT_FROM, TSIGN_EXECUTABLE: "true", "import.meta.dirname": "undefined" },
  plugins: [packagesBeside, lightCommander],
  logLevel: "warning",
} satisfies BuildOptions;

/** Writes the program as one CommonJS file and returns its path. */
async function bundleProgram(folder: string): Promise<string> {
  const program = join(folder, "tsign.cjs");
  const { outputFiles } = await build(bundleOptions);
  writeFileSync(program, withLightImports(oneFile(outputFiles, "main.js")));
  return program;
}

/**
 * Compiles the bundled program with Bun and returns the path of the executable.
 *
 * @param options.runtime the Bun that becomes the executable
 * @param options.orders files of `recordOrders`
 */
function compile(
  program: string,
  { platform, runtime, orders }: { platform: Platform; runtime: string; orders: readonly string[] },
): string {
  const builder = PLATFORMS[thisPlatform()];
  if (builder === undefined) throw new Error(`unsupported platform: ${thisPlatform()}`);
  const work = mkdtempSync(join(dirname(program), `${platform.target}-`));
  const made = join(work, platform.target.includes("windows") ? "tsign.exe" : "tsign");
  const args = [
    "build",
    "--compile",
    "--bytecode",
    "--compile-jit-policy=100",
    ...(orders.length > 0 ? [`--bytecode-order=${orders.join(",")}`] : []),
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--compile-autoload-package-json", // optional packages are found by the "main" and "exports" of their package.json
    `--target=${platform.target}`,
    `--compile-executable-path=${runtime}`,
    program,
    "--outfile",
    made,
  ];
  execFileSync(runtimeFor(builder), args, { cwd: dirname(program), stdio: ["ignore", "ignore", "inherit"] });
  return made;
}

/** Compiles the program for this platform, with Bun's variables, and returns the orders of its functions (`recordOrders`). */
function ordersOf(program: string): string[] {
  const platform = PLATFORMS[thisPlatform()];
  if (platform === undefined) throw new Error(`unsupported platform: ${thisPlatform()}`);
  const first = compile(program, { platform, runtime: runtimeFor(platform), orders: [] });
  return recordOrders(first, join(dirname(program), "orders"));
}

/** Compiles the program for a platform and returns the finished file. */
function finish(program: string, { platform, orders }: { platform: Platform; orders: readonly string[] }): Buffer {
  const runtime = join(dirname(program), `${platform.target}.runtime`);
  writeFileSync(runtime, closeDoors(readFileSync(runtimeFor(platform))), { mode: 0o755 });
  const file = readFileSync(compile(program, { platform, runtime, orders }));
  signAgain(file);
  return file;
}

/**
 * Builds the program for platforms, one after the other.
 *
 * @param write takes each file, with the platform's name
 */
export async function buildExecutables(
  platforms: readonly string[],
  write: (platform: string, file: Buffer) => void,
): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "tsign-executable-"));
  try {
    const program = await bundleProgram(work);
    const orders = ordersOf(program);
    for (const name of platforms) {
      const platform = PLATFORMS[name];
      if (platform === undefined)
        throw new Error(`unknown platform ${name}; known: ${Object.keys(PLATFORMS).join(", ")}`);
      write(name, finish(program, { platform, orders }));
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { platform: { type: "string", multiple: true } } });
  const all = values.platform?.includes("all") ? Object.keys(PLATFORMS) : values.platform;
  await buildExecutables(all ?? [thisPlatform()], (name, file) => {
    const folder = all === undefined ? join(ROOT, "dist") : join(ROOT, "dist", name);
    mkdirSync(folder, { recursive: true });
    const target = join(folder, name.startsWith("windows") ? "tsign.exe" : "tsign");
    writeFileSync(`${target}.new`, file);
    chmodSync(`${target}.new`, 0o755);
    renameSync(`${target}.new`, target);
    process.stderr.write(`${target}: ${(file.length / 1e6).toFixed(0)} MB\n`);
  });
}

if (import.meta.main) await main();
