import { TsignError } from "../errors.ts";
import type { HttpRequest, HttpResponse, Io } from "./io.ts";
import { lazyFiles, sleep, spawnChild } from "./system.ts";

/** What a program that embeds tsign lets in of the world. */
export interface Embedding {
  /** One HTTP exchange; undefined for no network. */
  readonly http: ((request: HttpRequest) => Promise<HttpResponse>) | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Gets each warning, one line without its end. */
  readonly warn: (text: string) => void;
  readonly now: (() => Date) | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * The outside world as a program that embeds tsign lets it in: no environment, no home folder, no terminal, no standard
 * streams, and the network only by the transport that was given. Files are those that the program names.
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
    detach: () => Promise.reject(unavailable("start a program in the background")),
    orderly: (work) => work(),
    deadline: () => () => {},
    unixCall: () => Promise.reject(unavailable("call services on Unix sockets")),
    listen: async (options, handler) => (await import("./http.ts")).listen(options, handler),
    signal,
    platform: { runtime: "", os: "", arch: "" },
    launcher: { command: [], folder: "", node: undefined },
  };
}

const NO_TERMINAL: Io["tty"] = {
  stdin: false,
  nobody: true,
  stdout: false,
  stderr: false,
  columns: 80,
  status: () => {},
  prompt: () => Promise.reject(unavailable("ask at a terminal")),
};

function unavailable(what: string): TsignError {
  return new TsignError("unsupported", `the library does not ${what}`);
}

function noTransport(): TsignError {
  return new TsignError("usage", "the network is needed, and no transport was given", {
    hint: "pass { transport: createTransport() }",
  });
}
