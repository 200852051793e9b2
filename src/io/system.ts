import { TsignError } from "../errors.ts";
import { once } from "../format/once.ts";
import type { Detached, Files, Io, Terminal } from "./io.ts";
import { directOutlet, type Outlet, standardError, streamOutlet } from "./output.ts";
import { holdingSignals, interruption } from "./signals.ts";
import { startWatchdog } from "./watchdog.ts";

/** Set where the program is one executable (scripts/executable.ts). */
declare const TSIGN_EXECUTABLE: boolean | undefined;

/** Longest delay of a timer, 24 days; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** The error for Ctrl-C at a prompt, where it arrives as a character; with the exit code of a program ended by SIGINT. */
const interrupted = () => new TsignError("cancelled", "interrupted", { exitCode: 130 });

/**
 * Creates the real Io. Only src/io and bin/ access process, files, clock and network. `process` and `crypto` are used as
 * globals: importing node:process opens every stream, and importing node:crypto would double the time of `tsign version`.
 */
export function systemIo(): Io & {
  /** Waits until all output is written; a signal ends the wait. */
  written(): Promise<void>;
} {
  const isBun = process.versions["bun"] !== undefined;
  let probe: Io["usesTls"];
  const loadHttp = once(async () =>
    isBun ? (await import("./fetch.ts")).exchangeOnBun : (await import("./http.ts")).exchange,
  );
  const writing = new Set<Promise<void>>();
  const [stdout, stderr] = outlets();
  // A stream may call back for an empty write before what came earlier is out (Bun): each real write is waited for.
  const write = (outlet: Outlet, data: string | Uint8Array) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    writing.add(promise);
    outlet.write(data, () => {
      writing.delete(promise);
      resolve();
    });
  };
  return {
    // Opened on first use, because opening a stream takes time.
    get stdin() {
      return process.stdin;
    },
    stdout: { write: (text) => write(stdout, text), data: (bytes) => write(stdout, bytes) },
    stderr: { write: (text) => write(stderr, text) },
    async written() {
      const stopped = new Promise<void>((done) => {
        interruption.addEventListener("abort", () => done(), { once: true });
      });
      if (!interruption.aborted) await Promise.race([Promise.all(writing), stopped]);
    },
    tty: systemTerminal(stdout, stderr),
    env: process.env,
    cwd: process.cwd(),
    files: lazyFiles(process.cwd()),
    now: () => new Date(),
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    sleep,
    http: async (request) => (await loadHttp())(request),
    usesTls: async (server, signal) => {
      probe ??= (await import("./probe.ts")).tlsProbe();
      return probe(server, signal);
    },
    unixCall: async (call) => (await import("./unix.ts")).unixCall(call),
    sendMail: async (mail) => (await import("./mail.ts")).sendMail(mail),
    listen: async (options, handler) => (await import("./listen.ts")).listen(options, handler),
    spawn: async (file, args, options) => (await import("./spawn.ts")).spawnToEnd(file, args, options),
    detach,
    orderly: holdingSignals,
    deadline: startWatchdog,
    signal: interruption,
    platform: { runtime: runtime(), os: process.platform, arch: process.arch },
    launcher: launcher(),
  };
}

/** Standard output and standard error. */
function outlets(): [stdout: Outlet, stderr: Outlet] {
  const isDirect = process.versions["bun"] !== undefined && process.platform !== "win32";
  const outlet = (descriptor: number, stream: () => NodeJS.WriteStream) =>
    isDirect ? directOutlet(descriptor, stream) : streamOutlet(stream);
  return [outlet(1, () => process.stdout), outlet(2, standardError)];
}

/** The runtime and its version, for `tsign version`. */
function runtime(): string {
  const { bun } = process.versions;
  return bun === undefined ? `node ${process.version}` : `bun v${bun}`;
}

/** Io.launcher: the executable starts itself, anything else is a script that Node starts. */
function launcher(): Io["launcher"] {
  const self = process.execPath;
  if (typeof TSIGN_EXECUTABLE === "boolean") return { command: [self], folder: dirnameOf(self), node: undefined };
  const script = process.argv[1] ?? "";
  return { command: [self, script], folder: `${dirnameOf(script)}/../bin`, node: self };
}

function dirnameOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")));
}

/** Io.sleep. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const stopped = () => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener("abort", stopped);
        done();
      },
      Math.min(milliseconds, LONGEST_TIMER),
    );
    if (signal?.aborted) stopped();
    else signal?.addEventListener("abort", stopped, { once: true });
  });
}

async function detach(file: string, args: readonly string[], { errors }: { errors: string }): Promise<Detached> {
  const { spawn } = await import("node:child_process");
  const { closeSync, openSync } = await import("node:fs");
  const log = openSync(errors, "w", 0o600);
  try {
    const child = spawn(file, args, { detached: true, stdio: ["ignore", "ignore", log] });
    child.unref();
    const ended = new Promise<void>((done) => {
      child.once("error", () => done());
      child.once("exit", () => done());
    });
    return { ended };
  } finally {
    closeSync(log);
  }
}

/** Creates file access whose module is loaded on first use. */
export function lazyFiles(cwd: string): Files {
  const load = async () => (await import("./files.ts")).systemFiles(cwd);
  return {
    read: async (path, options) => (await load()).read(path, options),
    async *chunks(path, range) {
      yield* (await load()).chunks(path, range);
    },
    stat: async (path, options) => (await load()).stat(path, options),
    write: async (path, data, options) => (await load()).write(path, data, options),
    replace: async (path, data, options) => (await load()).replace(path, data, options),
    replaceProven: async (path, was, data, prove) => (await load()).replaceProven(path, was, data, prove),
    requireWritable: async (path) => (await load()).requireWritable(path),
    makeDirectory: async (path, options) => (await load()).makeDirectory(path, options),
    makeOwnFolder: async (parent, prefix) => (await load()).makeOwnFolder(parent, prefix),
    list: async (path) => (await load()).list(path),
    remove: async (path) => (await load()).remove(path),
  };
}

function isDeviceOrClosed(stream: number): boolean {
  try {
    return process.getBuiltinModule("node:fs").fstatSync(stream).isCharacterDevice();
  } catch {
    return true; // the stream is closed
  }
}

function systemTerminal(stdout: Outlet, stderr: Outlet): Terminal {
  let below = 0; // status lines under the first
  return {
    get stdin() {
      return process.stdin.isTTY === true;
    },
    get stdinIsNull() {
      return process.stdin.isTTY !== true && isDeviceOrClosed(0);
    },
    get stdout() {
      return stdout.isTerminal;
    },
    get stderr() {
      return stderr.isTerminal;
    },
    get columns() {
      return stderr.isTerminal ? process.stderr.columns || 80 : 80; // opening the stream takes time
    },
    status(text) {
      const up = below > 0 ? `\u001b[${below}A` : "";
      stderr.write(`${up}\r\u001b[J${text}`);
      below = text.split("\n").length - 1;
    },
    async prompt(question, { secret }) {
      const { createInterface } = await import("node:readline");
      const { Writable } = await import("node:stream");
      const output = new Writable({ write: (_chunk, _encoding, done) => done() }); // readline must not echo the input
      const reader = createInterface({ input: process.stdin, output, terminal: secret });
      stderr.write(question); // only now, when echo is already off
      try {
        return await new Promise<string>((answer, fail) => {
          reader.once("line", answer);
          reader.once("SIGINT", () => fail(interrupted()));
          // Enter alone is an empty password; the end of input is not a password.
          const ended = new TsignError("cancelled", "read password: unexpected end of input");
          reader.once("close", () => (secret ? fail(ended) : answer("")));
        });
      } finally {
        reader.close();
        if (secret) stderr.write("\n");
      }
    },
  };
}
