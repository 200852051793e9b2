import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { TsignError } from "./errors.ts";
import type { Files } from "./io.ts";

const PIECE = 1024 * 1024;
/** Pieces read at a stretch before the event loop gets its turn, for time-outs and Ctrl-C. */
const STRETCH = 16;

/** File access below `cwd`; also used by tests, which have their own working directory. */
export function systemFiles(cwd: string): Files {
  const at = (path: string) => resolve(cwd, path);
  return {
    async read(path, { maxBytes }) {
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of this.chunks(path)) {
        size += piece.length;
        if (size > maxBytes) throw new TsignError("limit", `${path} is larger than ${maxBytes} bytes`);
        pieces.push(new Uint8Array(piece));
      }
      return Buffer.concat(pieces);
    },
    chunks: (path) => readPieces(path, at(path)),
    async stat(path, options = { links: "followed" }) {
      try {
        const found = options.links === "shown" ? lstatSync(at(path)) : statSync(at(path));
        const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
        return { kind, size: found.size };
      } catch (cause) {
        if (isMissing(cause)) return undefined;
        throw fileError("read", path, cause);
      }
    },
    async write(path, data, { mode }) {
      try {
        if (typeof data === "string" || data instanceof Uint8Array) writeWhole(at(path), data, mode);
        else await writePieces(at(path), data, mode);
      } catch (cause) {
        throw cause instanceof TsignError ? cause : fileError("write", path, cause);
      }
    },
    async makeDirectory(path, options = { mode: 0o777 }) {
      try {
        makeDirectories(at(path), options.mode);
      } catch (cause) {
        throw fileError("create", path, cause);
      }
    },
    async list(path) {
      try {
        return readdirSync(at(path)).sort();
      } catch (cause) {
        if (isMissing(cause)) return [];
        throw fileError("list", path, cause);
      }
    },
    async remove(path) {
      try {
        rmSync(at(path), { recursive: true, force: true });
      } catch (cause) {
        throw fileError("remove", path, cause);
      }
    },
  };
}

/**
 * Reads a file piece by piece. Regular files are read synchronously, which costs half of what the thread pool does; pipes
 * and devices may keep us waiting, and are left to the event loop.
 */
async function* readPieces(path: string, absolute: string): AsyncIterable<Uint8Array> {
  const file = openFile(path, absolute);
  try {
    if (!fstatSync(file).isFile()) return yield* readSlowly(file);
    const buffer = Buffer.allocUnsafe(PIECE);
    for (let count = 1; ; count++) {
      const length = readSync(file, buffer, 0, PIECE, null);
      if (length === 0) return;
      yield buffer.subarray(0, length);
      if (count % STRETCH === 0) await new Promise((turn) => setImmediate(turn));
    }
  } catch (cause) {
    throw cause instanceof TsignError ? cause : fileError("read", path, cause);
  } finally {
    closeSync(file);
  }
}

function openFile(path: string, absolute: string): number {
  try {
    return openSync(absolute, "r");
  } catch (cause) {
    throw fileError("read", path, cause);
  }
}

async function* readSlowly(file: number): AsyncIterable<Uint8Array> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const length = await new Promise<number>((done, fail) => {
      read(file, buffer, 0, buffer.length, null, (error, count) => (error ? fail(error) : done(count)));
    });
    if (length === 0) return;
    yield buffer.subarray(0, length);
  }
}

/**
 * Makes a folder and those above it that are missing. Not by node's `recursive`, which never ends where the system says of
 * a new folder that its parent is missing, as below /proc.
 */
function makeDirectories(path: string, mode: number): void {
  const missing: string[] = [];
  let existing = path;
  for (; statSync(existing, { throwIfNoEntry: false }) === undefined; existing = dirname(existing)) {
    missing.unshift(existing);
  }
  for (const each of missing) {
    try {
      mkdirSync(each, { mode });
    } catch (cause) {
      if ((cause as { code?: string }).code !== "EEXIST") throw cause; // another program was faster
    }
  }
  if (!statSync(path).isDirectory()) throw Object.assign(new Error("a file has that name"), { code: "EEXIST" });
}

/** Names of what this process has open already: `/dev/stdout`, `/dev/fd/3`, what a shell makes of `>(command)`. */
const OPEN_ALREADY = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

/**
 * A device or pipe is written through, and so is what is open already; a file is replaced in one step, following a link to
 * where it points.
 */
function writeWhole(path: string, data: Uint8Array | string, mode: number): void {
  if (OPEN_ALREADY.test(path)) {
    writeFileSync(path, data, { flag: "a" });
    return;
  }
  const existing = lstatSync(path, { throwIfNoEntry: false });
  const target = existing?.isSymbolicLink() ? realpathSync(path) : path;
  const there = existing?.isSymbolicLink() ? statSync(target) : existing;
  if (there && !there.isFile()) {
    accessSync(path, constants.W_OK);
    writeFileSync(path, data);
    return;
  }
  const temporary = join(dirname(target), `.tsign-${crypto.randomUUID()}.tmp`);
  try {
    writeFileSync(temporary, data, { mode, flag: "wx" });
    chmodSync(temporary, mode); // whatever the umask says
    renameSync(temporary, target);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw cause;
  }
}

/** A file from a stream, put in its place when the stream has ended well. */
async function writePieces(path: string, pieces: AsyncIterable<Uint8Array>, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.tsign-${crypto.randomUUID()}.tmp`);
  const file = openSync(temporary, "wx", mode);
  let open = true;
  try {
    for await (const piece of pieces) for (let at = 0; at < piece.length; ) at += writeSync(file, piece, at);
    open = false;
    closeSync(file);
    chmodSync(temporary, mode);
    renameSync(temporary, path);
  } catch (cause) {
    if (open) closeSync(file);
    rmSync(temporary, { force: true });
    throw cause;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "it is a directory",
  EEXIST: "a file has that name",
  ENOTDIR: "a part of the path is not a directory",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
};

function isMissing(cause: unknown): boolean {
  const code = (cause as { code?: string }).code;
  return code === "ENOENT" || code === "ENOTDIR";
}

function reasonOf(cause: unknown): string {
  const { code, message } = cause as { code?: string; message?: string };
  return REASONS[code ?? ""] ?? message ?? "unknown reason";
}

function fileError(action: string, path: string, cause: unknown): TsignError {
  return new TsignError("input", `cannot ${action} ${path}: ${reasonOf(cause)}`, { cause });
}
