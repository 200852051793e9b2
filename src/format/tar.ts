import { TsignError } from "../errors.ts";
import { readPaxRecords } from "./tar-pax.ts";

/** Size of a header and of the unit that content is padded to, in bytes (POSIX.1-2017, pax, "ustar Interchange Format"). */
const BLOCK = 512;
/** Most entries of an archive. */
const MAX_ENTRIES = 200_000;
/** Largest content of a header of its own, such as a long name, in bytes. */
const MAX_EXTENDED = 1024 * 1024;
/** Largest size that the 11 octal digits of a header can express, in bytes. */
const MAX_OCTAL = 0o77777777777;

/** A file in an archive. */
export interface TarEntry {
  /** Position of its content in the archive, in bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
}

/** An archive that can be read at any position. */
export interface TarSource {
  /** Its name in errors. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Returns `length` bytes at an offset; fewer at the end. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

/**
 * Lists the files of a tar archive: ustar, GNU and pax. Contents are skipped, so memory depends on the number of files only. What
 * programs read differently is refused: two files with one name, links, sparse files, devices, paths that leave the archive,
 * a folder with content.
 *
 * @returns the files by name, without `./` in front
 * @throws TsignError "input" for what is refused, or is not a complete archive; "limit" for more than 200,000 entries
 */
export async function listTar(source: TarSource): Promise<Map<string, TarEntry>> {
  const files = new Map<string, TarEntry>();
  const folders = new Set<string>();
  const fail = (reason: string) => new TsignError("input", `read archive ${source.name}: ${reason}`);
  let named: { path?: string; size?: number } = {};
  let at = 0;
  for (let count = 0; ; count++) {
    if (count > MAX_ENTRIES) {
      throw new TsignError("limit", `read archive ${source.name}: it contains more than ${MAX_ENTRIES} entries`);
    }
    const block = await source.read(at, BLOCK);
    if (block.length < BLOCK) throw fail(count === 0 ? "it is not a tar archive" : "it is truncated");
    if (isZero(block)) {
      if (!isZero(await source.read(at + BLOCK, BLOCK))) throw fail("an entry follows the end of the archive");
      break;
    }
    const header = readHeader(block, count === 0 ? fail : (reason) => fail(`entry ${count + 1}: ${reason}`));
    const size = named.size ?? header.size;
    const offset = at + BLOCK;
    if (offset + size > source.size) throw fail("it is truncated");
    at = offset + Math.ceil(size / BLOCK) * BLOCK;
    if (EXTENDED.has(header.type)) {
      if (size > MAX_EXTENDED) throw fail(`entry ${count + 1}: the extended header is too large`);
      named = extended(header.type, await source.read(offset, size), { named, fail });
      continue;
    }
    const name = normalName(named.path ?? header.name, fail);
    named = {};
    if (kindOf(header.type, name, fail) === "folder" || (name.folder && size === 0)) {
      if (size > 0) throw fail(`the folder ${name.path} has content`);
      folders.add(name.path);
    } else {
      if (name.folder || name.path === "") throw fail(`invalid name of a file: ${name.path}/`);
      if (files.has(name.path)) throw fail(`it contains ${name.path} twice`);
      files.set(name.path, { offset, size });
    }
  }
  refuseFilesAsFolders(files, folders, fail);
  return files;
}

type Fail = (reason: string) => TsignError;

/** Types of entries that describe the next one: GNU long names, and pax headers for the next entry and for all. */
const EXTENDED = new Set(["L", "K", "x", "g"]);
/** Types that are refused, by what they are. */
const REFUSED: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a pipe",
  S: "a sparse file",
};

function kindOf(type: string, { path }: { path: string }, fail: Fail): "file" | "folder" {
  if (type === "0" || type === "\0" || type === "7") return "file";
  if (type === "5") return "folder";
  throw fail(`${path} is ${REFUSED[type] ?? "an entry of an unknown type"}`);
}

function extended(
  type: string,
  content: Uint8Array,
  { named, fail }: { named: { path?: string; size?: number }; fail: Fail },
): { path?: string; size?: number } {
  if (type === "K") return named; // the target of a link, which is refused itself
  const records = type === "L" ? { path: text(content, fail) } : readPaxRecords(content, fail);
  const isRenamed = records.path !== undefined;
  if (type === "g" && (isRenamed || "size" in records)) throw fail("a global header sets a path or a size");
  if (isRenamed && named.path !== undefined) throw fail("an entry has two names"); // which one counts differs
  return { ...named, ...records };
}

function readHeader(block: Uint8Array, fail: Fail): { name: string; size: number; type: string } {
  if (isCompressed(block)) throw fail("it is compressed; decompress it first");
  const sum = block.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (number(block.subarray(148, 156), fail) !== sum) throw fail("it is not a tar archive, or is damaged");
  const magic = Buffer.from(block.subarray(257, 265)).toString("latin1");
  const prefix = magic === "ustar\x0000" ? text(block.subarray(345, 500), fail) : "";
  const name = text(block.subarray(0, 100), fail);
  return {
    name: prefix === "" ? name : `${prefix}/${name}`,
    size: number(block.subarray(124, 136), fail),
    type: String.fromCharCode(block[156] ?? 0),
  };
}

/** Whether a block starts like gzip or Zstandard. */
function isCompressed(block: Uint8Array): boolean {
  return (block[0] === 0x1f && block[1] === 0x8b) || Buffer.from(block.subarray(1, 4)).equals(ZSTD);
}

const ZSTD = Buffer.from([0xb5, 0x2f, 0xfd]);

/** Reads a number: octal digits, or, for large values, GNU's binary form. */
function number(field: Uint8Array, fail: Fail): number {
  if (field[0] === 0x80) {
    const value = BigInt(`0x${Buffer.from(field.subarray(1)).toString("hex")}`);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw fail("a size is too large");
    return Number(value);
  }
  const digits = /^[ ]*([0-7]*)[ \0]*$/.exec(Buffer.from(field).toString("latin1"))?.[1];
  if (digits === undefined) throw fail("it is not a tar archive, or is damaged");
  return Number.parseInt(digits || "0", 8);
}

/** Reads text up to its first NUL. */
function text(field: Uint8Array, fail: Fail): string {
  const end = field.indexOf(0);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(end < 0 ? field : field.subarray(0, end));
  } catch {
    throw fail("the name of an entry is not UTF-8");
  }
}

/** Returns a path without `./` in front, and whether it ends like a folder's. */
function normalName(name: string, fail: Fail): { path: string; folder: boolean } {
  const bare = name.replace(/^(\.\/+)+/, "").replace(/^\.$/, "");
  const path = bare.replace(/\/+$/, "");
  const isSafe = path === "" ? !bare.startsWith("/") : path.split("/").every((part) => !/^\.{0,2}$/.test(part));
  if (!isSafe || path.includes("\0")) throw fail(`the path ${name} leaves the archive or is not plain`);
  return { path, folder: bare !== path || path === "" };
}

/** Refuses a name that is a file and a folder. */
function refuseFilesAsFolders(files: ReadonlyMap<string, TarEntry>, folders: Set<string>, fail: Fail): void {
  for (const name of files.keys()) {
    for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1)) {
      const folder = name.slice(0, end);
      if (files.has(folder)) throw fail(`${folder} is a file and a folder`);
    }
    if (folders.has(name)) throw fail(`${name} is a file and a folder`);
  }
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/**
 * Returns the header of a file, with a pax header in front if its size needs one. Time and owner are fixed, so that equal contents
 * make equal archives.
 *
 * @param name at most 100 bytes of ASCII
 * @param size bytes
 */
export function tarHeader(name: string, size: number): Uint8Array {
  const header = ustarHeader(name, Math.min(size, MAX_OCTAL), "0");
  if (size <= MAX_OCTAL) return header;
  const value = `size=${size}\n`;
  let length = value.length + 2;
  while (`${length} ${value}`.length !== length) length++;
  const record = Buffer.from(`${length} ${value}`);
  return Buffer.concat([ustarHeader("pax-header", record.length, "x"), record, tarPadding(record.length), header]);
}

function ustarHeader(name: string, size: number, type: string): Uint8Array {
  if (name.length > 100) throw new TsignError("internal", `write archive: the name ${name} is too long`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, "0");
  for (const [offset, field] of [
    [0, name],
    [100, "0000644\0"],
    [108, "0000000\0"],
    [116, "0000000\0"],
    [124, octal(size, 12)],
    [136, octal(0, 12)],
    [148, "        "],
    [156, type],
    [257, "ustar\x0000"],
  ] as const) {
    block.write(field, offset, "latin1");
  }
  block.write(
    `${octal(
      block.reduce((total, byte) => total + byte, 0),
      7,
    )}\0 `,
    148,
    "latin1",
  );
  return block;
}

/** Returns the zeros that follow a content of `size` bytes. */
export function tarPadding(size: number): Uint8Array {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** Returns the end of an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(2 * BLOCK);
}
