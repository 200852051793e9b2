import { TsignError } from "../errors.ts";
import type { HttpRequest, HttpResponse, Io } from "./io.ts";
import { spawnChild } from "./spawn.ts";
import { lazyFiles, sleep } from "./system.ts";

/** The parts of the outside world that a program gives to the embedded library. */
export interface Embedding {
  /** Sends one HTTP request; undefined for no network. */
  readonly http: ((request: HttpRequest) => Promise<HttpResponse>) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Receives each warning, one line without a line feed. */
  readonly warn: (text: string) => void;
  readonly now: (() => Date) | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Creates the Io of the embedded library: only the given environment, no home folder, no terminal, no standard streams, and
 * network access only through the given transport. Files are those that the program names.
 */
export function embeddedIo({ http, env, warn, ...given }: Embedding): Io {
  const { now = () => new Date(), signal = new AbortController().signal } = given;
  return {
    stdin: (async function* () {})(),
    stdout: { write: () => {}, data: () => {} },
    stderr: { write: (text) => warn(text.replace(/\n$/, "")) },
    tty: NO_TERMINAL,
    env,
    cwd: "",
    files: lazyFiles("."),
    now,
    random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
    sleep,
    http: http ?? (() => Promise.reject(noTransport())),
    spawn: (file, args, options = {}) => spawnChild(file, args, { env, signal, ...options, inherit: false }),
    detach: () => Promise.reject(unavailable("starting a background program")),
    orderly: (work) => work(),
    deadline: () => () => {},
    unixCall: () => Promise.reject(unavailable("calling services on Unix sockets")),
    sendMail: () => Promise.reject(unavailable("sending email")),
    listen: async (options, handler) => (await import("./listen.ts")).listen(options, handler),
    signal,
    platform: { runtime: "", os: "", arch: "" },
    launcher: { command: [], folder: "", node: undefined },
  };
}

const NO_TERMINAL: Io["tty"] = {
  stdin: false,
  stdinIsNull: true,
  stdout: false,
  stderr: false,
  columns: 80,
  status: () => {},
  prompt: () => Promise.reject(unavailable("prompting on a terminal")),
};

function unavailable(operation: string): TsignError {
  return new TsignError("unsupported", `${operation} is not supported in the library`);
}

function noTransport(): TsignError {
  return new TsignError("usage", "connect: no transport was given", {
    hint: "pass { transport: createTransport() }",
  });
}
