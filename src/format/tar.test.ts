import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { TsignError } from "../errors.ts";
import { listTar, type TarSource, tarEnd, tarHeader, tarPadding } from "./tar.ts";

function sourceOf(bytes: Uint8Array, size = bytes.length): TarSource {
  return { name: "x.tar", size, read: async (offset, length) => bytes.subarray(offset, offset + length) };
}

function file(name: string, content: string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([tarHeader(name, bytes.length), bytes, tarPadding(bytes.length)]);
}

/** Changes fields of a header and corrects its checksum. */
function patched(header: Uint8Array, fields: Readonly<Record<number, string | Uint8Array>>): Buffer {
  const block = Buffer.from(header);
  for (const [offset, text] of Object.entries(fields)) block.set(Buffer.from(text as string), Number(offset));
  block.write("        ", 148);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function special(type: string, content: string, fields: Readonly<Record<number, string | Uint8Array>> = {}): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([
    patched(tarHeader("special", bytes.length), { 156: type, ...fields }),
    bytes,
    tarPadding(bytes.length),
  ]);
}

const pax = (...records: readonly string[]) =>
  records
    .map((record) => {
      let length = Buffer.byteLength(record) + 3;
      while (Buffer.byteLength(`${length} ${record}\n`) !== length) length++;
      return `${length} ${record}\n`;
    })
    .join("");

const archive = (...parts: readonly Uint8Array[]) => Buffer.concat([...parts, tarEnd()]);

test("listTar: ustar, GNU and pax names -> the files and their contents", async () => {
  const long = `${"d/".repeat(80)}long`;
  const bytes = archive(
    file("a", "one"),
    patched(tarHeader("./b/", 0), { 156: "5" }),
    file("./b/c", "two"),
    special("L", `${long}\0`),
    file("short", "three"),
    special("x", pax("path=é/pax", "mtime=1.5")),
    file("other", "four"),
    special("g", pax("comment=x")),
    file("empty", ""),
    special("0", "five", { 0: "ustar-name\0", 345: "prefix\0" }),
    special("7", "six", {
      0: "old\0\0\0\0\0",
      124: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(10), Buffer.from([3])]),
    }),
  );
  const found = await listTar(sourceOf(bytes));
  const contents = [...found].map(([name, { offset, size }]) => [name, bytes.toString("utf8", offset, offset + size)]);
  assert.deepEqual(contents, [
    ["a", "one"],
    ["b/c", "two"],
    [long, "three"],
    ["é/pax", "four"],
    ["empty", ""],
    ["prefix/ustar-name", "five"],
    ["old", "six"],
  ]);
});

test("listTar: hostile and damaged archives -> refused with the reason", async () => {
  const good = file("a", "one");
  for (const [name, bytes, reason] of [
    ["traversal", archive(file("../a", "x")), /the path \.\.\/a leaves the archive/],
    ["traversal inside", archive(file("b/../../a", "x")), /leaves the archive/],
    ["absolute", archive(file("/etc/passwd", "x")), /the path \/etc\/passwd leaves/],
    ["pax traversal", archive(special("x", pax("path=../../a")), good), /leaves the archive/],
    ["GNU traversal", archive(special("L", "../a\0"), good), /leaves the archive/],
    ["dot segment", archive(file("b/./a", "x")), /is not plain/],
    ["empty segment", archive(file("b//a", "x")), /is not plain/],
    ["symbolic link", archive(special("2", "", { 157: "/etc/passwd" })), /special is a symbolic link/],
    ["hard link", archive(special("1", "", { 157: "a" })), /special is a hard link/],
    ["device", archive(special("3", "")), /special is a device/],
    ["pipe", archive(special("6", "")), /special is a pipe/],
    ["GNU sparse", archive(special("S", "x")), /special is a sparse file/],
    ["pax sparse", archive(special("x", pax("GNU.sparse.major=1")), good), /it contains a sparse file/],
    ["unknown type", archive(special("Z", "")), /an entry of an unknown type/],
    ["duplicate", archive(good, good), /it contains a twice/],
    ["duplicate by ./", archive(good, file("./a", "two")), /it contains a twice/],
    ["file and folder", archive(good, file("a/b", "x")), /a is a file and a folder/],
    ["folder and file", archive(file("a/b/c", "x"), file("a/b", "x")), /a\/b is a file and a folder/],
    ["folder with content", archive(special("5", "x")), /the folder special has content/],
    ["size beyond the end", archive(patched(tarHeader("a", 9_000), {})), /it is truncated/],
    ["pax size beyond the end", archive(special("x", pax("size=999999")), good), /it is truncated/],
    ["negative size", archive(special("0", "", { 124: Buffer.alloc(12, 0xff) })), /damaged/],
    [
      "huge size",
      archive(special("0", "", { 124: Buffer.concat([Buffer.from([0x80]), Buffer.alloc(11, 0xff)]) })),
      /a size is too large/,
    ],
    ["size is not a number", archive(special("0", "", { 124: "12x4" })), /damaged/],
    ["two names", archive(special("L", "b\0"), special("x", pax("path=c")), good), /an entry has two names/],
    ["global path", archive(special("g", pax("path=b")), good), /a global header sets a path/],
    ["repeated pax record", archive(special("x", pax("path=b", "path=c")), good), /a pax header is malformed/],
    ["pax length", archive(special("x", "99 path=b\n"), good), /a pax header is malformed/],
    ["pax without line feed", archive(special("x", "9 path=bc"), good), /a pax header is malformed/],
    ["NUL in a pax path", archive(special("x", pax("path=a\0b")), good), /not UTF-8/],
    [
      "name is not UTF-8",
      archive(special("0", "", { 0: Buffer.from([0xff, 0xfe]) })),
      /the name of an entry is not UTF-8/,
    ],
    ["checksum", archive(Buffer.from(good).fill(0x62, 0, 1)), /not a tar archive, or is damaged/],
    ["compressed", gzipSync(archive(good)), /it is not a tar archive|it is compressed/],
    [
      "compressed, larger",
      Buffer.concat([gzipSync(archive(good)), Buffer.alloc(600, 1)]),
      /it is compressed; decompress it first/,
    ],
    ["empty", Buffer.alloc(0), /it is not a tar archive/],
    ["text", Buffer.from("text"), /it is not a tar archive/],
    ["without its end", good, /it is truncated/],
    ["cut in a file", archive(file("a", "x".repeat(2000))).subarray(0, 1200), /it is truncated/],
    ["entry after the end", Buffer.concat([good, Buffer.alloc(512), good]), /an entry follows the end/],
  ] as const) {
    await assert.rejects(
      listTar(sourceOf(bytes)),
      (error) => {
        assert.ok(error instanceof TsignError && error.code === "input", name);
        assert.match(error.message, reason, name);
        assert.match(error.message, /^read archive x\.tar: /, name);
        return true;
      },
      name,
    );
  }
});

test("tarHeader: size above 8 GiB -> a pax header that listTar reads", async () => {
  const size = 9 * 1024 ** 3;
  const header = tarHeader("big", size);
  const all = Buffer.concat([header, tarEnd()]);
  const end = header.length + size;
  const source: TarSource = {
    name: "big.tar",
    size: end + 1024,
    read: async (offset, length) =>
      offset < end
        ? all.subarray(offset, Math.min(offset + length, header.length))
        : Buffer.alloc(Math.min(length, end + 1024 - offset)),
  };
  assert.deepEqual([...(await listTar(source))], [["big", { offset: header.length, size }]]);
});

test("listTar: archives of GNU tar, and ours read by GNU tar -> the same files", async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), "tsign-tar-"));
  t.after(() => rmSync(cwd, { recursive: true, force: true }));
  const tar = (...args: readonly string[]) => {
    try {
      return execFileSync("tar", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    } catch {
      return undefined;
    }
  };
  mkdirSync(join(cwd, "in/blobs/sha256"), { recursive: true });
  writeFileSync(join(cwd, "in/index.json"), "{}");
  writeFileSync(join(cwd, `in/blobs/sha256/${"a".repeat(64)}`), "blob");
  writeFileSync(
    join(cwd, "ours.tar"),
    archive(file("index.json", "{}"), file(`blobs/sha256/${"a".repeat(64)}`, "blob")),
  );
  if (tar("--version") === undefined) return t.skip("there is no tar program");
  assert.equal(tar("-tf", "ours.tar"), `index.json\nblobs/sha256/${"a".repeat(64)}\n`);
  for (const format of ["gnu", "pax", "ustar", "posix"]) {
    if (tar("-c", "--format", format, "-f", "theirs.tar", "-C", "in", ".") === undefined) continue; // not a format of this tar
    const bytes = readFileSync(join(cwd, "theirs.tar"));
    const names = [...(await listTar(sourceOf(bytes))).keys()].sort();
    assert.deepEqual(names, [`blobs/sha256/${"a".repeat(64)}`, "index.json"], format);
  }
  symlinkSync("index.json", join(cwd, "in/link"));
  tar("-cf", "link.tar", "-C", "in", ".");
  await assert.rejects(listTar(sourceOf(readFileSync(join(cwd, "link.tar")))), /link is a symbolic link/);
});
