/**
 * Everything from outside the program, in one value: streams, terminal, environment, clock, files, processes, network.
 * Domain functions take the part they need (`Pick<Io, "http" | "signal">`); only commands see all of it. The real one is
 * `systemIo()` in io/system.ts, tests make their own.
 */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Results, and nothing else. */
  readonly stdout: Output;
  /** Notices, warnings, errors: text for people. */
  readonly stderr: Lines;
  readonly tty: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path that relative file names are resolved against. */
  readonly cwd: string;
  readonly files: Files;
  now(): Date;
  random(bytes: number): Uint8Array;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** One HTTP exchange: no redirect is followed, nothing is retried or limited. Only src/net/http.ts calls it. */
  http(request: HttpRequest): Promise<HttpResponse>;
  /** Runs a program to its end, its output collected (at most 1 MiB each). Throws TsignError "input" when it cannot start. */
  spawn(file: string, args: readonly string[], options?: SpawnOptions): Promise<Spawned>;
  /** Starts a program that outlives this one, without input and output; what it writes to stderr goes to a file. */
  detach(file: string, args: readonly string[], options: { errors: string }): Promise<Detached>;
  /**
   * Runs work that has something to put in order when it is stopped: until it is done, Ctrl-C and SIGTERM abort `signal`
   * instead of ending the process at once. A second one still does.
   */
  orderly<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Ends the process at a time when it does not do so itself, because it computes and lets no timer have its turn. Returns
   * what calls this off.
   *
   * @param milliseconds from now
   * @param text said on stderr then
   */
  deadline(milliseconds: number, text: string): () => void;
  /** One unary gRPC exchange on a Unix socket. Throws TsignError "network". */
  unixCall(call: UnixCall): Promise<UnixCallAnswer>;
  /** Serves HTTP on a loopback address until closed. Port 0 takes a free one. */
  listen(options: { host: string; port: number }, handler: Handler): Promise<Listening>;
  /** Aborted when --timeout runs out, and by Ctrl-C and SIGTERM while something has to be put in order (`orderly`). */
  readonly signal: AbortSignal;
  /** E.g. `node v26.10.0`, `linux`, `x64`. */
  readonly platform: { readonly runtime: string; readonly os: string; readonly arch: string };
  readonly launcher: Launcher;
}

/** How this program was started, for starting it again. */
interface Launcher {
  /** The program and its first arguments; what tsign is asked to do follows. */
  readonly command: readonly string[];
  /** Folder that holds a program called `tsign`. */
  readonly folder: string;
  /** The Node that runs tsign; undefined where tsign is an executable of its own. */
  readonly node: string | undefined;
}

/** Text for people, one line at a time. */
export interface Lines {
  /**
   * Writes one line, or a part of one when it does not end in a line feed. Text from outside may be part of it: `main` hands
   * commands a stream that escapes every control character except that last line feed and tabs at the start, so that only
   * the program itself begins a line.
   */
  write(text: string, options?: LineOptions): unknown;
}

export interface LineOptions {
  /** The same text in parts with styles, for a stream that shows them. Each part is escaped like the text. */
  readonly parts?: readonly Part[];
  /** Whether --quiet leaves the line: errors, and what a user needs to answer a question or to log in. Default false. */
  readonly always?: boolean;
}

/** What a style means; src/cli/print/style.ts has the colours. */
export type Style = "strong" | "faint" | "good" | "bad" | "caution" | "hint";

/** A piece of a line. */
export interface Part {
  readonly text: string;
  readonly style?: Style;
  /** URL that the text leads to, on terminals that show links. */
  readonly link?: string;
}

export interface Output extends Lines {
  /** What another program reads: documents, keys, payloads, to the byte. On a terminal its control characters are made visible. */
  data(content: string | Uint8Array): unknown;
}

export interface Terminal {
  readonly stdin: boolean;
  /** Stdin is a device but no terminal, such as /dev/null, or closed: nothing was piped in, and nobody can answer. */
  readonly nobody: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Columns of the terminal on stderr; 80 when unknown. */
  readonly columns: number;
  /**
   * Replaces the status lines at the end of the terminal on stderr. Several may be shown at once, one for each `key`; "" removes
   * the one of `key`.
   */
  status(text: string, key?: object): void;
  /** Asks on the terminal. With `secret` the answer is not echoed. Throws TsignError "cancelled" on Ctrl-C. */
  prompt(question: string, options: { secret: boolean }): Promise<string>;
}

/** File access. Paths may be relative to `cwd`. A failure is a TsignError "input" that names the path and the reason. */
export interface Files {
  /** Whole content; TsignError "limit" when longer than `maxBytes`. */
  read(path: string, options: { maxBytes: number }): Promise<Uint8Array>;
  /** Content in pieces of at most 1 MiB, which belong to the reader (src/format/pieces.ts). */
  chunks(path: string): AsyncIterable<Uint8Array>;
  /** What is at the path; undefined when nothing is. With `links: "shown"` a symbolic link is "other", not what it points at. */
  stat(path: string, options?: { links: "followed" | "shown" }): Promise<FileFacts | undefined>;
  /**
   * Writes a file that the user named. One that is there keeps its mode, owner and links, and its content if there is no space
   * for the new one; one without write permission for anybody is refused. A new one has `mode` less the umask, and is there
   * whole or not at all.
   */
  write(path: string, data: Uint8Array | string, options: { mode: number }): Promise<void>;
  /**
   * Writes a file of the program's own state: whoever reads it meanwhile gets the old content or the new. A stream that throws
   * leaves nothing behind.
   */
  replace(
    path: string,
    data: Uint8Array | string | AsyncIterable<Uint8Array>,
    options: { mode: number },
  ): Promise<void>;
  /** Refuses a path that `write` could not write now: no folder, no permission, no space, a read-only file. Changes nothing. */
  requireWritable(path: string): Promise<void>;
  makeDirectory(path: string, options?: { mode: number }): Promise<void>;
  /** A new folder for the owner alone, with a name of its own that starts with `prefix`. It is removed when the process ends. */
  makeOwnFolder(parent: string, prefix: string): Promise<string>;
  /** Names in a directory, sorted; empty when it does not exist. */
  list(path: string): Promise<string[]>;
  /**
   * Removes a file, or an own folder with what is in it, that this run made and nobody has replaced since; of anything else
   * nothing happens.
   *
   * @throws TsignError "internal" for a path that this run made nothing at
   */
  remove(path: string): Promise<void>;
}

/** What is known of a file without reading it. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  /** The same for two paths of one file, whatever links lead to it. */
  readonly identity: string;
}

/** A program that goes on without this one. */
export interface Detached {
  /** Settles when it has ended, if this program is still there. */
  readonly ended: Promise<void>;
}

export interface HttpRequest {
  url: URL;
  method: string;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** A stream is sent with the content-length given in `headers`, or chunked without one. */
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  tls?: TlsOptions;
  /** URL of the HTTP proxy to go through. */
  proxy?: string;
  signal: AbortSignal;
}

export interface TlsOptions {
  /** PEM certificates trusted in place of the system's. */
  ca?: string;
  /** PEM client certificate and key. */
  cert?: string;
  key?: string;
  serverName?: string;
  /** Accept any server certificate. */
  insecure?: boolean;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names; repeated headers joined with ", ". */
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
  /** Drops the connection without reading the rest of the body. */
  discard(): void;
}

export interface SpawnOptions {
  stdin?: string | Uint8Array;
  /** Replaces the environment. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Connects the child to tsign's own stdin, stdout and stderr; the collected output is then empty. */
  inherit?: boolean;
  /** Kills the program when it aborts; the call then throws its reason. */
  signal?: AbortSignal;
  /** The program is a part of tsign: a message about the wait for it does not name it. */
  own?: boolean;
}

export interface Spawned {
  code: number;
  stdout: string;
  stderr: string;
}

/** A request of HTTP/2 on a Unix socket: what gRPC services of this machine speak. */
export interface UnixCall {
  readonly socket: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A gRPC frame. */
  readonly body: Uint8Array;
}

export interface UnixCallAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface ServerRequest {
  method: string;
  /** Path and query, as sent. */
  url: string;
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
}

export interface ServerResponse {
  status: number;
  headers?: Record<string, string>;
  body?: Uint8Array | string | AsyncIterable<Uint8Array>;
}

export type Handler = (request: ServerRequest) => Promise<ServerResponse>;

export interface Listening {
  port: number;
  close(): Promise<void>;
}
