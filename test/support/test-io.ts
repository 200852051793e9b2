import "./remembered-scrypt.ts";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { systemFiles } from "../../src/io/files.ts";
import type { Io, Terminal } from "../../src/io/io.ts";
import { systemIo } from "../../src/io/system.ts";
import { main } from "../../src/main.ts";
import { createRegistryHandler } from "../../src/sandbox/registry/registry.ts";
import { RUNS_EXECUTABLE, runProgram } from "./program.ts";

const real = systemIo();

export interface TestIo extends Io {
  /** The output so far. */
  out(): string;
  err(): string;
}

export interface TestOptions {
  cwd?: string;
  env?: Record<string, string | undefined>;
  stdin?: string | Uint8Array;
  tty?: Partial<Terminal>;
  io?: Partial<Io>;
}

/** Creates a folder that is removed after the test. */
export function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "tsign-test-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Creates an Io with the real files and network, no terminal, an empty environment, and the test's overrides. */
export function testIo({ cwd = tmpdir(), env = {}, stdin = "", tty = {}, io = {} }: TestOptions = {}): TestIo {
  const written = { out: [] as Uint8Array[], err: [] as Uint8Array[] };
  const text = (pieces: Uint8Array[]) => Buffer.concat(pieces).toString("utf8");
  return {
    ...real,
    stdin: (async function* () {
      if (stdin.length > 0) yield Buffer.from(stdin);
    })(),
    stdout: {
      write: (text) => written.out.push(Buffer.from(text)),
      data: (bytes) => written.out.push(Buffer.from(bytes)),
    },
    stderr: { write: (text) => written.err.push(Buffer.from(text)) },
    tty: {
      stdin: false,
      stdinIsNull: false,
      stdout: false,
      stderr: false,
      columns: 80,
      status: (text) => written.err.push(Buffer.from(`\r\u001b[K${text}`)),
      prompt: () => Promise.reject(new Error("prompt without a terminal")),
      ...tty,
    },
    env: { HOME: cwd, ...env },
    cwd,
    deadline: () => () => {},
    files: systemFiles(cwd),
    out: () => text(written.out),
    err: () => text(written.err),
    ...io,
  };
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Runs a command line in this process. With `npm run test:executable` the executable runs it, unless the test replaces a part of
 * its surroundings.
 */
export async function run(argv: string[], options: TestOptions = {}): Promise<Outcome> {
  if (RUNS_EXECUTABLE && options.io === undefined && options.tty === undefined) {
    const { cwd = tmpdir(), env = {}, stdin = "" } = options;
    return runProgram(argv, { cwd, env: { HOME: cwd, ...env }, stdin });
  }
  const io = testIo(options);
  const code = await main(argv, io);
  return { code, stdout: io.out(), stderr: io.err() };
}

/** Starts an empty registry for the test: `localhost:<port>`. */
export async function testRegistry(context: TestContext, options = { referrers: true }): Promise<string> {
  const { port, close } = await real.listen({ host: "127.0.0.1", port: 0 }, createRegistryHandler(options));
  context.after(close);
  return `localhost:${port}`;
}

/** Flags for signing and verifying with a key and without services. */
export const OFFLINE = ["--use-signing-config=false", "--tlog-upload=false"];
export const LEGACY = "--new-bundle-format=false";
export const NO_LOG = "--insecure-ignore-tlog";

export { PLAIN_REGISTRY } from "../../src/oci/open.ts";
