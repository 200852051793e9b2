import { createHash } from "node:crypto";
import { crc32, deflateRawSync, gzipSync } from "node:zlib";

/** A file in an archive. */
export interface Entry {
  /** With slashes, relative to the archive. A folder ends with a slash. */
  readonly path: string;
  readonly content: Uint8Array;
  /** Permissions; 0o644 by default. */
  readonly mode?: number;
  /** Target of a symbolic link; the content is empty then. */
  readonly link?: string;
  /** User and group; 0 by default. */
  readonly owner?: number;
}

const BLOCK = 512;

/**
 * Returns a tar archive (POSIX ustar). The same entries give the same bytes: they are sorted, belong to root, and have one time.
 *
 * @param seconds the time of all entries, in seconds since 1970
 * @throws Error for a path that does not fit, over 100 characters after the last slash that leaves at most 155 before it
 */
export function tar(entries: readonly Entry[], seconds: number): Buffer {
  const blocks: Uint8Array[] = [];
  for (const entry of sorted(entries)) {
    blocks.push(header(entry, seconds), entry.content, Buffer.alloc(padding(entry.content.length)));
  }
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** Returns a compressed tar archive. */
export function tarGz(entries: readonly Entry[], seconds: number): Buffer {
  return gzip(tar(entries, seconds));
}

/** Compresses a file. The name of the system is left out, so that the same content gives the same bytes. */
export function gzip(content: Uint8Array): Buffer {
  const packed = gzipSync(content, { level: 6 });
  packed[9] = 255; // "unknown" (RFC 1952, section 2.3.1)
  return packed;
}

/** Returns the SHA-256 in hex. */
export function sha256(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}

function sorted(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function header({ path, content, mode = 0o644, link, owner = 0 }: Entry, seconds: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const [prefix, name] = split(path);
  const octal = (value: number, at: number, length: number) =>
    block.write(`${value.toString(8).padStart(length - 1, "0")}\0`, at, "latin1");
  block.write(name, 0);
  octal(mode, 100, 8);
  octal(owner, 108, 8);
  octal(owner, 116, 8);
  octal(content.length, 124, 12);
  octal(seconds, 136, 12);
  block.write(" ".repeat(8), 148); // the sum counts its own field as spaces
  block.write(link !== undefined ? "2" : path.endsWith("/") ? "5" : "0", 156);
  block.write(link ?? "", 157);
  block.write("ustar\x0000", 257, "latin1");
  block.write(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** A longer path is divided at a slash into a prefix and a name. */
function split(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ["", path];
  const at = path.indexOf("/", path.length - 101);
  const parts: [string, string] = [path.slice(0, at), path.slice(at + 1)];
  if (at < 1 || Buffer.byteLength(parts[0]) > 155) throw new Error(`archive ${path}: path too long`);
  return parts;
}

/** The times that a zip archive can have, in seconds since 1970: 1980-01-01 to 2107-12-31. */
export const ZIP_TIMES = { first: 315_532_800, last: 4_354_819_198 } as const;

/** Returns a zip archive. The times are in UTC, because the format has no time zone, and within ZIP_TIMES. */
export function zip(entries: readonly Entry[], seconds: number): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  const list = sorted(entries);
  for (const entry of list) {
    const name = Buffer.from(entry.path);
    const packed = deflateRawSync(entry.content, { level: 6 });
    const common = zipFields(entry, packed, seconds);
    const local = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), common, name, packed]);
    const central = Buffer.alloc(14);
    central.writeUInt32LE((((entry.mode ?? 0o644) | 0o100000) << 16) >>> 0, 6);
    central.writeUInt32LE(offset, 10);
    directory.push(Buffer.from("PK\x01\x02\x14\x03", "latin1"), common, central, name);
    files.push(local);
    offset += local.length;
  }
  const index = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(list.length, 8);
  end.writeUInt16LE(list.length, 10);
  end.writeUInt32LE(index.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...files, index, end]);
}

/** The fields that a file's own header and the directory have in common (APPNOTE.TXT, 4.3.7 and 4.3.12). */
function zipFields({ path, content }: Entry, packed: Buffer, seconds: number): Buffer {
  const date = new Date(Math.min(Math.max(seconds, ZIP_TIMES.first), ZIP_TIMES.last) * 1000);
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(0x0800, 2); // names in UTF-8
  fields.writeUInt16LE(8, 4); // deflate
  fields.writeUInt16LE((date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1), 6);
  fields.writeUInt16LE(((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate(), 8);
  fields.writeUInt32LE(crc32(content), 10);
  fields.writeUInt32LE(packed.length, 14);
  fields.writeUInt32LE(content.length, 18);
  fields.writeUInt16LE(Buffer.byteLength(path), 22);
  return fields;
}
