import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { TOOLS } from "../../scripts/tools.ts";
import { folder, type Result, run } from "./support.ts";

/** The backends: the README of the kit describes what represents each key service, and how it is started. */
export const BACKENDS = ["softhsm", "vault", "aws", "k8s", "plugin", "gcp", "azure", "forge"] as const;
export type Backend = (typeof BACKENDS)[number];
/** The backends of `.ci/run`; the others are fakes from the authors of the kit. */
const DEFAULT: readonly Backend[] = ["softhsm", "vault", "aws", "k8s", "plugin"];

const ROOT = resolve(import.meta.dirname, "../..");
const KIT = join(resolve(process.env["TSIGN_SHARED"] ?? join(ROOT, "../shared")), "backends/backends");
const exec = promisify(execFile);

/** The requested backends: TSIGN_BACKENDS is a list of names or `all`. */
export function chosenBackends(): readonly Backend[] {
  const names = (process.env["TSIGN_BACKENDS"] ?? "").split(/[\s,]+/).filter((name) => name !== "");
  if (names.length === 0) return DEFAULT;
  return BACKENDS.filter((name) => names.includes(name) || names.includes("all"));
}

/** A program in the environment of one backend. */
export type Runner = (program: string, ...args: readonly string[]) => Promise<Result>;

export interface Kit {
  /** tsign with every optional package installed. */
  readonly tsign: string;
  /** cosign with PKCS#11. */
  readonly cosign: string;
  readonly cwd: string;
  /** The backend's variables, BACKENDS_* and those of its client. */
  env(backend: Backend): Record<string, string>;
  in(backend: Backend, more?: Record<string, string>): Runner;
}

/** Installs what is missing, starts the backends, and afterwards stops those that were not running before. */
export async function startKit(context: TestContext, backends: readonly Backend[]): Promise<Kit> {
  const cwd = folder(context);
  const services = backends.filter((name) => name !== "plugin");
  const kit = (...args: string[]) => exec(KIT, args, { maxBuffer: 2 ** 24 });
  await kit("install", ...services);
  await kit("install", "cosign");
  const before = await kit("status").then(
    ({ stdout }) => stdout,
    () => "",
  );
  const started = services.filter((name) => !new RegExp(`^${name} (running|ready)`, "m").test(before));
  context.after(async () => {
    if (started.length > 0) await kit("down", ...started);
  });
  // One after the other, because the kit copies a file that two of them share while the first reads it.
  for (const name of services) await kit("up", name);
  const environments = new Map<Backend, Record<string, string>>([["plugin", pluginEnvironment(cwd)]]);
  for (const name of services) environments.set(name, await readEnvironment((await kit("env", name)).stdout.trim()));
  const env = (backend: Backend) => environments.get(backend) ?? {};
  const home = join(process.env["BACKENDS_HOME"] ?? join(process.env["HOME"] ?? "", ".cache/tsign-backends"));
  return {
    tsign: await stageProgram(cwd),
    cosign: join(home, "bin/cosign"),
    cwd,
    env,
    in: (backend, more = {}) => {
      const variables = { ...env(backend), ...more };
      return (program, ...args) => run(program, args, { cwd, env: variables });
    },
  };
}

/** Returns the variables that the kit's file sets in an environment with only a PATH. */
async function readEnvironment(file: string): Promise<Record<string, string>> {
  const script = 'set -a; . "$1"; env -0';
  const { stdout } = await exec("bash", ["-c", script, "-", file], { env: { PATH: process.env["PATH"] ?? "" } });
  const pairs = stdout.split("\0").map((line) => line.split(/=(.*)/s));
  return Object.fromEntries(pairs.filter(([name = ""]) => !["", "_", "PWD", "SHLVL"].includes(name)));
}

/**
 * Copies the built program into a separate folder and installs the optional packages there, as a user would,
 * because the clone must work without them.
 *
 * @param names the packages; all by default
 * @returns the program's path
 */
export async function stageProgram(cwd: string, names?: readonly string[]): Promise<string> {
  const { peerDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    peerDependencies: Record<string, string>;
  };
  const chosen = names ?? Object.keys(peerDependencies);
  const wanted = chosen.map((name) => `${name}@${peerDependencies[name]}`);
  const packages = join(TOOLS, "packages");
  const installed = wanted.every((each) => {
    const at = each.lastIndexOf("@");
    const file = join(packages, "node_modules", each.slice(0, at), "package.json");
    return existsSync(file) && JSON.parse(readFileSync(file, "utf8")).version === each.slice(at + 1);
  });
  if (!installed) {
    mkdirSync(packages, { recursive: true });
    // In the environment of the suite, which contains the address of the package registry.
    await exec("npm", ["install", "--prefix", packages, "--no-audit", "--no-fund", "--save-exact", ...wanted], {
      maxBuffer: 2 ** 24,
    });
  }
  const modules = join(cwd, "program/node_modules");
  const program = join(modules, "tsign");
  mkdirSync(program, { recursive: true });
  for (const part of ["bin", "dist", "package.json"])
    cpSync(join(ROOT, part), join(program, part), { recursive: true });
  for (const name of chosen) {
    mkdirSync(join(modules, name, ".."), { recursive: true });
    symlinkSync(join(packages, "node_modules", name), join(modules, name));
  }
  return join(program, "bin/tsign");
}

/** The suite's own plugin, which is found in PATH by its name. */
function pluginEnvironment(cwd: string): Record<string, string> {
  const programs = join(cwd, "programs");
  mkdirSync(programs);
  mkdirSync(join(cwd, "plugin-keys"));
  symlinkSync(join(import.meta.dirname, "sigstore-kms-suite.ts"), join(programs, "sigstore-kms-suite"));
  return { PATH: `${programs}:${process.env["PATH"]}`, SUITE_KEYS: join(cwd, "plugin-keys") };
}
