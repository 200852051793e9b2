import { spawn } from "node:child_process";
import { resolve } from "node:path";

/**
 * How tests start tsign as a process: from its sources, or as the executable that TSIGN_EXECUTABLE names (`npm run
 * test:executable`).
 */
const executable = process.env["TSIGN_EXECUTABLE"];

/** Whether the tests run the executable, also for command lines that they otherwise run in their own process. */
export const RUNS_EXECUTABLE = executable !== undefined;

/** The program, and the arguments that come before those of tsign. */
export const [PROGRAM, BEFORE]: readonly [string, readonly string[]] =
  executable === undefined
    ? [process.execPath, [resolve(import.meta.dirname, "../../bin/main.ts")]]
    : [resolve(executable), []];

/** The variables that every process gets: the compile cache halves the time that the program takes to start. */
export const ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  PATH: process.env["PATH"],
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
};

/**
 * Runs a command line as a process of its own, in exactly this environment.
 *
 * @returns its exit code (128 after a signal) and its output
 */
export function runProgram(
  argv: readonly string[],
  options: { cwd: string; env: Readonly<Record<string, string | undefined>>; stdin: string | Uint8Array },
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { cwd, env, stdin } = options;
  const child = spawn(PROGRAM, [...BEFORE, ...argv], { cwd, env });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  }
  child.stdin.on("error", () => {}); // the program may end without reading its input
  child.stdin.end(stdin);
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? 128, ...output }));
  });
}
