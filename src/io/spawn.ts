import { TsignError } from "../errors.ts";
import type { Spawned, SpawnOptions } from "./io.ts";
import { holdingSignals, interruption } from "./signals.ts";

/** Characters of a program's output that are kept. */
const MAX_OUTPUT = 1024 * 1024;

/** Runs a program to its end, and stops it when a signal stops tsign (Io.spawn). */
export function spawnToEnd(file: string, args: readonly string[], options: SpawnOptions = {}): Promise<Spawned> {
  const { Bun } = globalThis as { Bun?: { spawn: Spawn } };
  return holdingSignals(() =>
    Bun && options.own && !options.inherit
      ? spawnByBun(Bun.spawn, [file, ...args], options)
      : spawnChild(file, args, options),
  );
}

/** Runs a program to its end. Signals to this process are not handled. */
export async function spawnChild(file: string, args: readonly string[], options: SpawnOptions): Promise<Spawned> {
  const { spawn } = await import("node:child_process");
  const env = options.env as NodeJS.ProcessEnv | undefined;
  const stdio = options.inherit ? "inherit" : "pipe";
  const { signal = interruption } = options;
  signal.throwIfAborted();
  const child = spawn(file, args, { stdio, ...(env ? { env } : {}) });
  const kill = () => child.kill(options.inherit ? "SIGTERM" : "SIGKILL"); // the user's own program may need to clean up
  signal.addEventListener("abort", kill, { once: true });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      output[name] = (output[name] + text).slice(0, MAX_OUTPUT);
    });
  }
  child.stdin?.on("error", () => {}); // the program may end without reading its input
  child.stdin?.end(options.stdin ?? "");
  return new Promise((done, fail) => {
    child.on("error", (cause) => {
      const reason = (cause as { code?: string }).code === "ENOENT" ? "program not found" : cause.message;
      fail(new TsignError("input", `run ${file}: ${reason}`, { cause }));
    });
    child.on("close", (code, killed) => {
      signal.removeEventListener("abort", kill);
      if (signal.aborted) fail(signal.reason);
      else done({ code: code ?? (killed ? 128 : 1), ...output });
    });
  });
}

interface Child {
  readonly stdout: AsyncIterable<Uint8Array>;
  readonly stderr: AsyncIterable<Uint8Array>;
  /** The exit code. */
  readonly exited: Promise<number>;
  /** Set when a signal ended the program. */
  readonly signalCode: string | null;
  kill(signal: "SIGKILL"): void;
}

type Spawn = (command: readonly string[], options: object) => Child;

/**
 * Like `spawnChild`, by Bun's own spawn: loading node:child_process takes 5 ms there. It serves tsign's own programs, which are
 * named by their paths.
 */
async function spawnByBun(
  spawn: Spawn,
  command: readonly [file: string, ...args: string[]],
  { stdin = "", env, signal = interruption }: SpawnOptions,
): Promise<Spawned> {
  signal.throwIfAborted();
  const child = startOf(spawn, command, {
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
    ...(env ? { env } : {}),
  });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  const [stdout, stderr, code] = await Promise.all([textOf(child.stdout), textOf(child.stderr), child.exited]);
  signal.removeEventListener("abort", kill);
  signal.throwIfAborted();
  return { code: child.signalCode === null ? code : 128, stdout, stderr };
}

function startOf(spawn: Spawn, command: readonly [string, ...string[]], options: object): Child {
  try {
    return spawn(command, options);
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string };
    throw new TsignError("input", `run ${command[0]}: ${code === "ENOENT" ? "program not found" : message}`, { cause });
  }
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of stream) text = (text + decoder.decode(piece, { stream: true })).slice(0, MAX_OUTPUT);
  return text;
}
