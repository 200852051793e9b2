import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  type Stats,
  statfsSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { release } from "../format/pieces.ts";
import { noteOwn, noteTemporary, removeOwn, renameOwn } from "./own.ts";
import { writeSpecial } from "./special.ts";

/** Names of what this process has open already: `/dev/stdout`, `/dev/fd/3`, what a shell makes of `>(command)`. */
const OPEN_ALREADY = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;
/** Space that must be left where a file is to be written. Bytes. */
const ROOM = 64 * 1024;
/** A file up to this size is kept in memory while it is written over, to be put back if that fails. Bytes. */
const MAX_KEPT = 16 * 1024 * 1024;
const MAX_LINKS = 40;

/**
 * Writes a file that the user named. One that is there is written in place, as cosign does: its mode, owner, links and
 * attributes stay, and it need not be possible to replace it. A new one appears with its whole content, with `mode` less the
 * umask. What is open already, a device and a pipe are written through.
 */
export async function writeFile(path: string, data: Uint8Array | string, mode: number): Promise<void> {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  if (OPEN_ALREADY.test(path)) return writeFileSync(path, bytes, { flag: "a" });
  const target = followLinks(path);
  const there = statSync(target, { throwIfNoEntry: false });
  if (!there) return writeNew(target, bytes, mode);
  if (there.isDirectory()) throw failure("EISDIR");
  if (!there.isFile()) return writeSpecial(target, bytes);
  refuseReadOnly(there);
  writeInPlace(target, bytes);
}

/**
 * Writes a file of the program's own state, which others may be reading: it has the old content or the new. Where it cannot
 * be replaced without a loss (other links to it, another owner, a mount) it is written in place.
 */
export async function replaceFile(
  path: string,
  data: Uint8Array | string | AsyncIterable<Uint8Array>,
  mode: number,
): Promise<void> {
  const target = followLinks(path);
  const there = statSync(target, { throwIfNoEntry: false });
  const content = typeof data === "string" ? Buffer.from(data) : data;
  if (!there) return writeBeside(target, content, { mode });
  if (there.isDirectory()) throw failure("EISDIR");
  if (!there.isFile()) throw failure("EEXIST");
  refuseReadOnly(there);
  if (!(content instanceof Uint8Array)) return writeBeside(target, content, { mode });
  if (!(await replaced(target, { content, there }))) writeInPlace(target, content);
}

/** Whether a file could be replaced by one of the same mode and owner. */
async function replaced(target: string, { content, there }: { content: Uint8Array; there: Stats }): Promise<boolean> {
  if (there.nlink > 1) return false;
  try {
    await writeBeside(target, content, { mode: there.mode & 0o7777, like: there });
    return true;
  } catch (cause) {
    if (["EACCES", "EBUSY", "EPERM", "EROFS", "EXDEV"].includes((cause as { code?: string }).code ?? "")) return false;
    throw cause;
  }
}

/**
 * Refuses a place that could not be written: no folder, no permission, no space, a read-only file. A file that is there is
 * opened and left as it is; where there is none, one is made beside it and removed.
 */
export function requireWritable(path: string): void {
  if (OPEN_ALREADY.test(path)) {
    statSync(path);
    return;
  }
  const target = followLinks(path);
  const there = statSync(target, { throwIfNoEntry: false });
  if (there?.isDirectory()) throw failure("EISDIR");
  if (there && !there.isFile()) {
    accessSync(target, constants.W_OK);
    return;
  }
  if (there) {
    refuseReadOnly(there);
    closeSync(openSync(target, constants.O_WRONLY));
    const { blocks, bfree, bsize } = statfsSync(target);
    if (blocks > 0 && bfree * bsize < ROOM) throw failure("ENOSPC");
    return;
  }
  const trial = temporaryName(target);
  try {
    writeFileSync(trial, Buffer.alloc(ROOM), { mode: 0o600, flag: "wx" });
    noteOwn(trial);
    removeOwn(trial, dirname(trial));
  } catch (cause) {
    removeHalf(trial);
    throw cause;
  }
}

/** Where a path leads, also when nothing is there yet: a link to a file that is still to be made is followed. */
function followLinks(path: string): string {
  let at = path;
  for (let count = 0; count < MAX_LINKS; count++) {
    if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
    const next = statSync(at, { throwIfNoEntry: false }) ? realpathSync(at) : resolve(dirname(at), readlinkSync(at));
    at = next;
  }
  throw failure("ELOOP");
}

/** For the superuser too, who could write it: whoever took the permission away meant the file to stay. */
function refuseReadOnly({ mode }: Stats): void {
  if ((mode & 0o222) === 0) throw Object.assign(new Error("it is read-only"), { code: "EREADONLY" });
}

function writeNew(target: string, bytes: Uint8Array, mode: number): void {
  const temporary = temporaryName(target);
  try {
    writeFileSync(temporary, bytes, { mode, flag: "wx" });
    noteOwn(temporary);
    renameOwn(temporary, target);
  } catch (cause) {
    removeHalf(temporary);
    throw cause;
  }
}

/** From bytes or a stream, put in its place when all of it was written; a stream that throws leaves nothing behind. */
async function writeBeside(
  target: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  { mode, like }: { mode: number; like?: Stats },
): Promise<void> {
  const temporary = temporaryName(target);
  const file = openSync(temporary, "wx", mode);
  noteTemporary(temporary);
  let open = true;
  try {
    if (content instanceof Uint8Array) writeAll(file, content);
    else {
      for await (const piece of content) {
        writeAll(file, piece);
        release(piece);
      }
    }
    open = false;
    closeSync(file);
    if (like) {
      const { uid, gid } = statSync(temporary);
      if (uid !== like.uid || gid !== like.gid) chownSync(temporary, like.uid, like.gid);
      chmodSync(temporary, mode);
    }
    renameOwn(temporary, target);
  } catch (cause) {
    if (open) closeSync(file);
    removeHalf(temporary);
    throw cause;
  }
}

/**
 * Writes over a file. What makes it longer is written first: if there is no space for it, the old content is still there.
 * Should the rest fail, the old content is put back.
 */
function writeInPlace(target: string, bytes: Uint8Array): void {
  const before = contentOf(target);
  const file = openSync(target, constants.O_WRONLY);
  try {
    const { size } = fstatSync(file);
    try {
      if (bytes.length > size) writeAll(file, bytes.subarray(size), size);
      writeAll(file, bytes.subarray(0, size), 0);
      ftruncateSync(file, bytes.length);
    } catch (cause) {
      ftruncateSync(file, size);
      if (before) writeAll(file, before, 0);
      throw cause;
    }
  } finally {
    closeSync(file);
  }
}

/** What a file holds, if it is small and may be read. */
function contentOf(target: string): Uint8Array | undefined {
  try {
    return statSync(target).size <= MAX_KEPT ? readFileSync(target) : undefined;
  } catch {
    return undefined; // it may be written but not read
  }
}

function writeAll(file: number, bytes: Uint8Array, position?: number): void {
  for (let at = 0; at < bytes.length; ) {
    at += writeSync(file, bytes, at, bytes.length - at, position === undefined ? null : position + at);
  }
}

function temporaryName(target: string): string {
  return join(dirname(target), `.tsign-${crypto.randomUUID()}.tmp`);
}

/** Removes a temporary file that was made but not finished. */
function removeHalf(temporary: string): void {
  if (!lstatSync(temporary, { throwIfNoEntry: false })) return;
  noteOwn(temporary);
  removeOwn(temporary, dirname(temporary));
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
