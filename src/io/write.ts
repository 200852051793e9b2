import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
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

/** Names of files that this process has already open: `/dev/stdout`, `/dev/fd/3`, `>(command)` in a shell. */
const OPEN_ALREADY = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;
/** Free space required to write a file. Bytes. */
const ROOM = 64 * 1024;
/** Largest file whose content is kept in memory while it is overwritten, to restore it after a failure. Bytes. */
const MAX_KEPT = 16 * 1024 * 1024;
const MAX_LINKS = 40;

/**
 * Writes a file that the user named. An existing file is overwritten in place, as cosign does, so that its mode, owner, links
 * and attributes are kept, and its folder need not be writable. A new file appears complete, with `mode` less the umask.
 * Already open files, devices and pipes are written to.
 */
export async function writeFile(path: string, data: Uint8Array | string, mode: number): Promise<void> {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  if (OPEN_ALREADY.test(path)) return writeFileSync(path, bytes, { flag: "a" });
  const target = followLinks(path);
  const there = statSync(target, { throwIfNoEntry: false });
  if (!there) return writeNew(target, bytes, mode);
  if (there.isDirectory()) throw failure("EISDIR");
  if (!there.isFile()) {
    const { writeSpecial } = await import("./special.ts"); // its modules take milliseconds to load
    return writeSpecial(target, bytes);
  }
  refuseReadOnly(there);
  writeInPlace(target, bytes);
}

/**
 * Writes a file of the program's own state; concurrent readers see the old or the new content. A file that cannot be replaced
 * without changing its links, owner or mount is overwritten in place.
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

/** Replaces a file by one with the same mode and owner. Returns false when that is not possible. */
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
 * Throws when a path cannot be written: no folder, no permission, no space, a read-only file. An existing file is opened and
 * left unchanged; otherwise a temporary file is created in the folder and removed.
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

/** Follows symbolic links, also to a file that does not exist yet. */
export function followLinks(path: string): string {
  let at = path;
  for (let count = 0; count < MAX_LINKS; count++) {
    if (!lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink()) return at;
    const next = statSync(at, { throwIfNoEntry: false }) ? realpathSync(at) : resolve(dirname(at), readlinkSync(at));
    at = next;
  }
  throw failure("ELOOP");
}

/** Refuses a file without write permission, also for root, because somebody removed that permission on purpose. */
export function refuseReadOnly({ mode }: Stats): void {
  if ((mode & 0o222) === 0) throw Object.assign(new Error("the file is read-only"), { code: "EREADONLY" });
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

/**
 * Writes bytes or a stream to a temporary file and renames it when complete; a stream that throws leaves no file behind.
 *
 * @param options.before called with the temporary file, once it is on the disk; if it throws, nothing is renamed
 */
export async function writeBeside(
  target: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  { mode, like, before }: { mode: number; like?: Stats; before?: (temporary: string) => Promise<void> },
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
    if (before) fsyncSync(file);
    open = false;
    closeSync(file);
    if (like) {
      const { uid, gid } = statSync(temporary);
      if (uid !== like.uid || gid !== like.gid) chownSync(temporary, like.uid, like.gid);
      chmodSync(temporary, mode);
    }
    await before?.(temporary);
    renameOwn(temporary, target);
  } catch (cause) {
    if (open) closeSync(file);
    removeHalf(temporary);
    throw cause;
  }
}

/**
 * Overwrites a file. The part beyond its old size is written first, so that a full disk leaves the old content unchanged. If the
 * rest fails, the old content is restored.
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

/** Returns a file's content if it is at most MAX_KEPT long and readable. */
function contentOf(target: string): Uint8Array | undefined {
  try {
    return statSync(target).size <= MAX_KEPT ? readFileSync(target) : undefined;
  } catch {
    return undefined; // writable but not readable
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

/** Removes an incomplete temporary file. */
function removeHalf(temporary: string): void {
  if (!lstatSync(temporary, { throwIfNoEntry: false })) return;
  noteOwn(temporary);
  removeOwn(temporary, dirname(temporary));
}

export function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}
