import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { TsignError } from "../errors.ts";
import { giveBack, newPiece, PIECE_SIZE } from "../format/pieces.ts";
import { fileError, isMissing } from "./file-errors.ts";
import type { FileFacts, Files } from "./io.ts";
import { makeDirectories, makeFolder, removeOwn } from "./own.ts";
import { replaceProven } from "./proven.ts";
import { replaceFile, requireWritable, writeFile } from "./write.ts";

/** Pieces read before the event loop runs, for timeouts and Ctrl-C. */
const PIECES_PER_TURN = 16;
/** Smallest buffer, in bytes. */
const MIN_PIECE = 4096;

/** Creates file access relative to `cwd`. */
export function systemFiles(cwd: string): Files {
  const at = (path: string) => resolve(cwd, path);
  return {
    async read(path, { maxBytes }) {
      const pieces: Uint8Array[] = [];
      let size = 0;
      for await (const piece of this.chunks(path)) {
        size += piece.length;
        if (size > maxBytes) throw new TsignError("limit", `read ${path}: larger than ${maxBytes} bytes`);
        pieces.push(piece);
      }
      const whole = Buffer.concat(pieces);
      for (const piece of pieces) giveBack(piece);
      return whole;
    },
    chunks: (path, range) => readPieces(path, at(path), range),
    async stat(path, options = { links: "followed" }) {
      try {
        return factsOf(at(path), options.links);
      } catch (cause) {
        if (isMissing(cause)) return undefined;
        throw fileError("read", path, cause);
      }
    },
    write: (path, data, { mode }) => failing("write", path, () => writeFile(at(path), data, mode)),
    replace: (path, data, { mode }) => failing("write", path, () => replaceFile(at(path), data, mode)),
    replaceProven: (path, was, data, prove) =>
      failing("replace", path, () => replaceProven(at(path), was, data, prove)),
    requireWritable: (path) => failing("write", path, () => requireWritable(at(path))),
    makeDirectory: (path, options = { mode: 0o777 }) =>
      failing("create", path, () => makeDirectories(at(path), options.mode)),
    makeOwnFolder: (parent, prefix) => failing("create", `${parent}/${prefix}`, () => makeFolder(at(parent), prefix)),
    async list(path) {
      try {
        return readdirSync(at(path)).sort();
      } catch (cause) {
        if (isMissing(cause)) return [];
        throw fileError("list", path, cause);
      }
    },
    remove: (path) => failing("remove", path, () => removeOwn(path === "" ? "" : at(path), cwd)),
  };
}

/** Runs a step and converts its failure to an error about the path. */
async function failing<T>(action: string, path: string, step: () => T | Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    throw cause instanceof TsignError ? cause : fileError(action, path, cause);
  }
}

function factsOf(absolute: string, links: "followed" | "shown"): FileFacts {
  const found = links === "shown" ? lstatSync(absolute) : statSync(absolute);
  const kind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
  return { kind, size: found.size, identity: `${found.dev}:${found.ino}` };
}

/**
 * Reads a file piece by piece. Regular files are read synchronously, which takes half the time of the thread pool. Pipes and
 * devices may block, even while they are opened, and are read by the event loop.
 */
async function* readPieces(
  path: string,
  absolute: string,
  range?: Parameters<Files["chunks"]>[1],
): AsyncGenerator<Uint8Array> {
  const opened = openFile(path, absolute);
  if (opened === undefined) {
    if (range) throw new TsignError("input", `read ${path}: it is not a regular file`);
    const { readSpecial } = await import("./special.ts"); // its modules take milliseconds to load
    return yield* readSpecial(path, absolute);
  }
  const { file, size } = opened;
  let left = range?.length ?? size;
  let position = range?.offset ?? null;
  try {
    for (let count = 1; !range || left > 0; count++) {
      const piece = newPiece(pieceFor(left));
      const length = readSync(file, piece, 0, range ? Math.min(piece.length, left) : piece.length, position);
      if (length === 0) return giveBack(piece);
      if (position !== null) position += length;
      left -= length;
      yield piece.subarray(0, length);
      if (count % PIECES_PER_TURN === 0) await new Promise((turn) => setImmediate(turn));
    }
  } catch (cause) {
    throw cause instanceof TsignError ? cause : fileError("read", path, cause);
  } finally {
    closeSync(file);
  }
}

/** Size of the buffer for the rest of a file. Most files are small, and 1 MiB takes time to allocate. */
function pieceFor(left: number): number {
  if (left < 0) return PIECE_SIZE; // the file has grown, or does not state its size, as in /proc
  return Math.min(PIECE_SIZE, Math.max(left, MIN_PIECE));
}

/** Opens a regular file; undefined for anything else. Opening never blocks, even if the path has become a pipe meanwhile. */
function openFile(path: string, absolute: string): { file: number; size: number } | undefined {
  try {
    const found = statSync(absolute);
    if (found.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    if (!found.isFile()) return undefined;
    const file = openSync(absolute, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const opened = fstatSync(file);
    if (opened.isFile()) return { file, size: opened.size };
    closeSync(file);
    return undefined;
  } catch (cause) {
    throw fileError("read", path, cause);
  }
}
