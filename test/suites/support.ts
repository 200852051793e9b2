import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";

/** The programs that the suites run: the built one, and the real ones in PATH (tools.sh). */
export const TSIGN = resolve(import.meta.dirname, "../../bin/tsign");
export const COSIGN = "cosign";
export const COSIGN_2 = "cosign-2";

export const OFFLINE = ["--use-signing-config=false", "--tlog-upload=false", "-y"];
export const NO_LOG = "--insecure-ignore-tlog";
export const LEGACY = "--new-bundle-format=false";

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end in a folder, with a password for keys and otherwise only PATH in the environment. */
export function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
): Promise<Result> {
  const env = { PATH: process.env["PATH"], HOME: options.cwd, COSIGN_PASSWORD: "suite", ...options.env };
  const child = spawn(program, args, { cwd: options.cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    output.stderr += text;
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? 128, ...output }));
  });
}

/** Runs a program like `run`, and requires that it succeeds. */
export async function must(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: Record<string, string> },
) {
  const result = await run(program, args, options);
  if (result.code !== 0) throw new Error(`${program} ${args.join(" ")} failed with ${result.code}: ${result.stderr}`);
  return result;
}

/** A new folder, removed with the test. */
export function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "tsign-suite-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A new folder with a key pair of each name, `NAME.key` and `NAME.pub`. */
export async function folderWithKeys(context: TestContext, ...names: readonly string[]): Promise<string> {
  const cwd = folder(context);
  for (const name of names) await must(TSIGN, ["generate-key-pair", "--output-key-prefix", name], { cwd });
  return cwd;
}

/** go-containerregistry's registry, with and without the referrers API: `localhost:<port>` of each. */
export async function registries(context: TestContext): Promise<{ ref: string; plain: string }> {
  const portFile = join(folder(context), "ports");
  const child = spawn("treg", ["-portfile", portFile, "-listen", "ref,referrers", "-listen", "plain"], {
    stdio: "ignore",
  });
  context.after(() => child.kill());
  for (let attempt = 0; attempt < 200; attempt++) {
    const ports = existsSync(portFile) ? readFileSync(portFile, "utf8") : "";
    const [, ref] = /^ref (\d+)$/m.exec(ports) ?? [];
    const [, plain] = /^plain (\d+)$/m.exec(ports) ?? [];
    if (ref && plain) return { ref: `localhost:${ref}`, plain: `localhost:${plain}` };
    await setTimeout(50);
  }
  throw new Error("the test registry did not start: is treg on the PATH (test/suites/tools.sh)?");
}

/** Pushes a small image that differs from every other; returns its reference by digest. */
export async function pushImage(registry: string, name: string, cwd: string): Promise<string> {
  writeFileSync(join(cwd, "content"), `${name} ${Math.random()}`);
  const pushed = await must(TSIGN, ["sandbox", "push", `${name}:v1`, "content"], {
    cwd,
    env: { TSIGN_SANDBOX: registry },
  });
  return pushed.stdout.trim();
}
