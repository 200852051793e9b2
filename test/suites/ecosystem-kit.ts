import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import { TOOLS } from "../../scripts/tools.ts";
import { must } from "./support.ts";

/** Go, pip and npm need the environment for their proxies, mirrors, caches and certificate authorities. */
const SETTINGS = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
);

/** A program on a command line: its file and the arguments that come first. */
export type Program = readonly [string, ...string[]];

/** A question to a library about a bundle, with files by their paths; `artifact` may also be `sha256:<hex>`. */
export interface VerifyJob {
  readonly bundle: string;
  readonly artifact: string;
  readonly identity: string;
  readonly issuer: string;
  readonly trustedRoot: string;
}

/** What a library signs, and the token; with a predicate, a statement about the artifact. */
export interface SignJob {
  readonly bundle: string;
  readonly artifact: string;
  readonly token: string;
  readonly signingConfig: string;
  readonly trustedRoot: string;
  readonly predicateType?: string;
  readonly predicate?: object;
}

/** podman's library: see containers-image/main.go. Pure Go, without what only its other image formats need. */
export async function containersImage(): Promise<string> {
  const kept = await keep("containers-image", "", async (cwd) => {
    const flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=containers_image_openpgp"];
    const env = { ...SETTINGS, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
    await must("go", ["build", ...flags, "-o", "containers-image", "."], { cwd, env });
  });
  return join(kept, "containers-image");
}

/** A folder of Go sources beside this file, built without C. @returns the program's path */
export async function goProgram(folder: string): Promise<string> {
  const kept = await keep(folder, "", async (cwd) => {
    const flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w"];
    const env = { ...SETTINGS, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
    await must("go", ["build", ...flags, "-o", "program", "."], { cwd, env });
  });
  return join(kept, "program");
}

/** sigstore-python: see sigstore-python/main.py. Installed beside it, which needs pip and no virtual environment. */
export async function sigstorePython(): Promise<Program> {
  const { python, version } = await findPython();
  const kept = await keep("sigstore-python", version, (cwd) => installWheels(python, cwd));
  return [python, join(kept, "main.py")];
}

/** A validator of JUnit reports: see junit/main.py. The schema is in the sources of pytest. */
export async function junitValidator(): Promise<Program> {
  const { python, version } = await findPython();
  const kept = await keep("junit", version, async (cwd) => {
    await installWheels(python, cwd);
    const checked = ["--require-hashes", "--no-binary=:all:", "--no-deps"];
    await must(python, ["-m", "pip", "download", "--quiet", ...checked, "-r", "schema.txt"], { cwd, env: SETTINGS });
    const archive = readdirSync(cwd).find((name) => name.endsWith(".tar.gz")) ?? "";
    await must("tar", ["-xzf", archive], { cwd });
  });
  return [python, join(kept, "main.py")];
}

/** The Python on PATH, also where it is called from another environment, and its version. */
async function findPython(): Promise<{ python: string; version: string }> {
  const show = "import sys; print(sys.executable, sys.version, sep='\\n')";
  const { stdout } = await must("python3", ["-c", show], { cwd: "/", env: SETTINGS });
  const [python = "python3"] = stdout.split("\n");
  return { python, version: stdout };
}

/** Installs the wheels of requirements.txt into the folder. */
async function installWheels(python: string, cwd: string): Promise<void> {
  const checked = ["--require-hashes", "--only-binary=:all:", "--no-deps"];
  const args = ["-m", "pip", "install", "--quiet", ...checked, "--target", ".", "-r", "requirements.txt"];
  await must(python, args, { cwd, env: SETTINGS });
}

/** The @sigstore packages in the versions of their own lock: see sigstore-js/main.js. */
export async function sigstoreJs(): Promise<Program> {
  const kept = await keep("sigstore-js", "", async (cwd) => {
    await must("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd, env: SETTINGS });
  });
  return [process.execPath, join(kept, "main.js")];
}

/** playwright-core and axe-core in the versions of their own lock: see pages/. @returns the folder of the packages */
export async function browserPackages(): Promise<string> {
  const kept = await keep("pages", "", async (cwd) => {
    await must("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd, env: SETTINGS });
  });
  return join(kept, "node_modules");
}

/**
 * A folder of this one, copied to TSIGN_TOOLS and built there once, under the digest of its files and of what else decides
 * what is built.
 */
async function keep(name: string, more: string, build: (folder: string) => Promise<void>): Promise<string> {
  const sources = resolve(import.meta.dirname, name);
  const digest = createHash("sha256").update(more);
  for (const file of readdirSync(sources).sort()) digest.update(`${file}\0`).update(readFileSync(join(sources, file)));
  const kept = join(TOOLS, name.replaceAll("..", "above"), digest.digest("hex").slice(0, 16));
  if (existsSync(kept)) return kept;
  const work = `${kept}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    cpSync(sources, work, { recursive: true });
    await build(work);
    renameSync(work, kept); // whole or not at all; another suite that was first has made the same
  } catch (error) {
    if (!existsSync(kept)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return kept;
}

/** Gives a library all its jobs at once. The suite ends if the library fails in another way than by refusing. */
export async function answers(
  [program, ...first]: Program,
  jobs: readonly (VerifyJob | SignJob)[],
  cwd: string,
): Promise<readonly string[]> {
  writeFileSync(join(cwd, "jobs.json"), JSON.stringify(jobs));
  const { stdout } = await must(program, [...first, "jobs.json"], { cwd });
  return JSON.parse(stdout);
}

/** The shared stack's variables, by their name without STACK_. */
export async function stackVariables(): Promise<(name: string) => string> {
  const file = process.env["STACK_ENV"];
  if (!file) throw new Error("no running stack: set STACK_ENV to the file that `stack env` names");
  const listing = await must("sh", ["-c", '. "$0" && env -0', file], { cwd: "/" });
  const variables = new Map(listing.stdout.split("\0").map((line) => line.split(/=(.*)/s) as [string, string]));
  return (name) => {
    const value = variables.get(`STACK_${name}`);
    if (!value) throw new Error(`the stack's environment has no STACK_${name}`);
    return value;
  };
}

/** An identity token of one of the stack's issuers: a person's, or a CI job's. */
export async function token(issuer: string, email = ""): Promise<string> {
  const answer = await fetch(`${issuer}/mint?email=${encodeURIComponent(email)}`);
  if (!answer.ok) throw new Error(`the stack's issuer answers ${answer.status}`);
  return (await answer.text()).trim();
}
