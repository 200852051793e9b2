import { constants } from "node:fs";
import { access, chmod, lstat, mkdir, open, readdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { TsignError } from "./errors.ts";
import type { Files } from "./io.ts";

const PIECE = 1024 * 1024;

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
        pieces.push(piece.slice());
      }
      return Buffer.concat(pieces);
    },
    chunks: (path) => readAhead(path, at(path)),
    async stat(path) {
      try {
        const found = await stat(at(path));
        const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
        return { kind, size: found.size };
      } catch (cause) {
        if (isMissing(cause)) return undefined;
        throw fileError("read", path, cause);
      }
    },
    async write(path, data, { mode }) {
      try {
        await writeWhole(at(path), data, mode);
      } catch (cause) {
        throw fileError("write", path, cause);
      }
    },
    async makeDirectory(path, options = { mode: 0o777 }) {
      try {
        await mkdir(at(path), { recursive: true, mode: options.mode });
      } catch (cause) {
        throw fileError("create", path, cause);
      }
    },
    async list(path) {
      try {
        return (await readdir(at(path))).sort();
      } catch (cause) {
        if (isMissing(cause)) return [];
        throw fileError("list", path, cause);
      }
    },
    async remove(path) {
      try {
        await rm(at(path), { recursive: true, force: true });
      } catch (cause) {
        throw fileError("remove", path, cause);
      }
    },
  };
}

/** Reads a file piece by piece, the next piece under way while this one is used. */
async function* readAhead(path: string, absolute: string): AsyncIterable<Uint8Array> {
  const file = await open(absolute, "r").catch((cause) => {
    throw fileError("read", path, cause);
  });
  try {
    const buffers = [Buffer.allocUnsafe(PIECE), Buffer.allocUnsafe(PIECE)] as const;
    let next = file.read(buffers[0], 0, PIECE, null);
    for (let turn = 0; ; turn ^= 1) {
      const { bytesRead } = await next;
      if (bytesRead === 0) return;
      next = file.read(buffers[turn ? 0 : 1], 0, PIECE, null);
      next.catch(() => {}); // reported by the await above, unless the consumer stops first
      yield buffers[turn ? 1 : 0].subarray(0, bytesRead);
    }
  } catch (cause) {
    throw cause instanceof TsignError ? cause : fileError("read", path, cause);
  } finally {
    await file.close();
  }
}

/** A device or pipe is written through; a file is replaced in one step, following a link to where it points. */
async function writeWhole(path: string, data: Uint8Array | string, mode: number): Promise<void> {
  const existing = await lstat(path).catch(() => undefined);
  const target = existing?.isSymbolicLink() ? await realpath(path) : path;
  if (existing && !existing.isSymbolicLink() && !existing.isFile()) {
    await access(path, constants.W_OK);
    return writeFile(path, data);
  }
  const temporary = join(dirname(target), `.tsign-${crypto.randomUUID()}.tmp`);
  try {
    await writeFile(temporary, data, { mode, flag: "wx" });
    await chmod(temporary, mode); // whatever the umask says
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw cause;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EISDIR: "it is a directory",
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
