import type { Mail } from "../format/mail.ts";
import type { Handler, Listening, ListenOptions } from "./serving.ts";

export type { Handler, Listening, ListenOptions, ServerRequest, ServerResponse, ServerTls } from "./serving.ts";

/**
 * Access to everything outside the program. Domain functions take the part they use (`Pick<Io, "http" | "signal">`); only
 * commands take all of it. `systemIo()` in io/system.ts is the real one; tests create their own.
 */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array>;
  /** For results only. */
  readonly stdout: Output;
  /** For notices, warnings and errors. */
  readonly stderr: Lines;
  readonly tty: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path against which relative file names are resolved. */
  readonly cwd: string;
  readonly files: Files;
  now(): Date;
  random(bytes: number): Uint8Array;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Sends one HTTP request, without redirects, retries or limits. Only src/net/http.ts calls it. */
  http(request: HttpRequest): Promise<HttpResponse>;
  /** Reports whether a server uses TLS, without a proxy; each is asked once. Never throws: after an abort it returns false. */
  usesTls?(server: URL, signal: AbortSignal): Promise<boolean>;
  /** Runs a program to its end, its output collected (at most 1 MiB each). Throws TsignError "input" when it cannot start. */
  spawn(file: string, args: readonly string[], options?: SpawnOptions): Promise<Spawned>;
  /** Starts a background program that outlives this one, without stdin and stdout; its stderr goes to a file. */
  detach(file: string, args: readonly string[], options: { errors: string }): Promise<Detached>;
  /**
   * Runs work that must clean up when it is stopped: until it is done, Ctrl-C and SIGTERM abort `signal` instead of ending the
   * process at once. A second signal ends the process.
   */
  orderly<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Ends the process after a time, with a text on stderr, if a long computation keeps its timers from running. Returns a
   * function that cancels this.
   */
  deadline(milliseconds: number, text: string): () => void;
  /** Makes one unary gRPC call on a Unix socket. Throws TsignError "network". */
  unixCall(call: UnixCall): Promise<UnixCallAnswer>;
  sendMail(mail: Mail): Promise<void>; // throws TsignError "network"
  /** Serves HTTP, or HTTPS with `tls`, until closed. Port 0 selects a free port. Throws TsignError "input". */
  listen(options: ListenOptions, handler: Handler): Promise<Listening>;
  /** Aborted when --timeout runs out, and by Ctrl-C and SIGTERM during `orderly` work. */
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
   * Writes one line, or a part of one when it does not end in a line feed. The text may contain untrusted content: `main`
   * escapes every control character except that last line feed and tabs at the start, so that untrusted content cannot start
   * a line.
   */
  write(text: string, options?: LineOptions): unknown;
}

export interface LineOptions {
  /** The same text in parts with styles, for a stream that shows them. Each part is escaped like the text. */
  readonly parts?: readonly Part[];
  /** Whether --quiet leaves the line: errors, and what a user needs to answer a question or to log in. Default false. */
  readonly always?: boolean;
  /** Columns that the lines after the first are indented by when a terminal's line is wrapped. */
  readonly hanging?: number;
}

/** What a style means; src/cli/print/style.ts has the colours. */
export type Style = "strong" | "faint" | "good" | "bad" | "caution" | "hint";

/** A piece of a line. `link` is the URL that the text leads to, on terminals that show links. */
export type Part = { readonly text: string; readonly style?: Style; readonly link?: string };

export interface Output extends Lines {
  /** Writes documents, keys or payloads for other programs, byte for byte. On a terminal, control characters are escaped. */
  data(content: string | Uint8Array): unknown;
}

export interface Terminal {
  readonly stdin: boolean;
  /** Stdin is closed, or a device other than a terminal such as /dev/null: there is no input and no user to ask. */
  readonly stdinIsNull: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Width of the terminal on stderr in columns; 80 when unknown. */
  readonly columns: number;
  /** Replaces the status line of `key` at the end of the terminal on stderr, which may show several; "" removes it. */
  status(text: string, key?: object): void;
  /** Asks on the terminal. With `secret` the answer is not echoed. Throws TsignError "cancelled" on Ctrl-C. */
  prompt(question: string, options: { secret: boolean }): Promise<string>;
}

/** File access. Paths may be relative to `cwd`. Failures are TsignErrors "input" with the path and the reason. */
export interface Files {
  /** Reads the whole content. @throws TsignError "limit" above `maxBytes` */
  read(path: string, options: { maxBytes: number }): Promise<Uint8Array>;
  /** Reads the content, or a part of a regular file, in pieces of at most 1 MiB that belong to the reader (src/format/pieces.ts). */
  chunks(path: string, range?: { readonly offset: number; readonly length: number }): AsyncIterable<Uint8Array>;
  /** Describes a file; undefined when it does not exist. With `links: "shown"` a symbolic link is "other" and not followed. */
  stat(path: string, options?: { links: "followed" | "shown" }): Promise<FileFacts | undefined>;
  /**
   * Writes a file that the user named. An existing file keeps its mode, owner and links, and its content if there is no space
   * for the new one; a file without any write permission is refused. A new file has `mode` less the umask, and appears only
   * when it is complete.
   */
  write(path: string, data: Uint8Array | string, options: { mode: number }): Promise<void>;
  /**
   * Writes a file of the program's own state: concurrent readers see the old or the new content. A stream that throws leaves no
   * file behind.
   */
  replace(
    path: string,
    data: Uint8Array | string | AsyncIterable<Uint8Array>,
    options: { mode: number },
  ): Promise<void>;
  /** Replaces a file whose content is still `was`, in one step, after `prove` has read the new content from the disk. */
  replaceProven(path: string, was: Uint8Array, data: string, prove: Proof): Promise<void>;
  /** Throws when `write` could not write the path now: no folder, no permission, no space, a read-only file. Changes nothing. */
  requireWritable(path: string): Promise<void>;
  makeDirectory(path: string, options?: { mode: number }): Promise<void>;
  /** Creates a folder only for the owner, with a unique name that starts with `prefix`. It is removed when the process ends. */
  makeOwnFolder(parent: string, prefix: string): Promise<string>;
  /** Lists the names in a directory, sorted; empty when it does not exist. */
  list(path: string): Promise<string[]>;
  /**
   * Removes a file, or a folder with its content, that this process created. If another program has replaced it since, nothing
   * is removed.
   *
   * @throws TsignError "internal" for a path that this process did not create
   */
  remove(path: string): Promise<void>;
}

/** Resolves when the bytes are what the caller meant to write. */
type Proof = (written: Uint8Array) => Promise<void>;

/** Metadata of a file. */
export interface FileFacts {
  readonly kind: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  /** Equal for two paths of the same file, including links. */
  readonly identity: string;
}

/** A background program. */
export interface Detached {
  /** Settles when it has ended, if this program is still running. */
  readonly ended: Promise<void>;
}

export interface HttpRequest {
  url: URL;
  method: string;
  /** Lower-case names. */
  headers: Record<string, string>;
  /** A stream is sent with the content-length in `headers`, or chunked without one. */
  body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** Path of a regular file with the content of `body`, as long as content-length says. If it is sent, `body` is not read. */
  file?: string;
  tls?: TlsOptions;
  /** URL of the HTTP proxy. */
  proxy?: string;
  signal: AbortSignal;
}

export interface TlsOptions {
  /** PEM certificates that replace the system's CA certificates. */
  ca?: string;
  /** PEM client certificate and key. */
  cert?: string;
  key?: string;
  serverName?: string;
  /** Accepts any server certificate. */
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
  /** Connects the program to tsign's own stdin, stdout and stderr; the collected output is then empty. */
  inherit?: boolean;
  /** Kills the program when aborted; the call then throws the signal's reason. */
  signal?: AbortSignal;
  /** The program is a part of tsign: a message about the wait for it does not name it. */
  own?: boolean;
}

export interface Spawned {
  code: number;
  stdout: string;
  stderr: string;
}

/** An HTTP/2 request on a Unix socket, as used by local gRPC services. */
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
