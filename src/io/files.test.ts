import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/test-io.ts";
import { giveBack } from "../format/pieces.ts";
import { systemFiles } from "./files.ts";

const MIB = 1024 * 1024;

for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 12_345]) {
  test(`files.read, files.chunks: ${size} bytes -> same bytes`, async (t) => {
    const files = systemFiles(temporaryFolder(t));
    const content = randomBytes(size);
    await files.write("f", content, { mode: 0o600 });
    assert.ok(content.equals(await files.read("f", { maxBytes: size })));
    let at = 0;
    for await (const piece of files.chunks("f")) {
      assert.ok(content.subarray(at, at + piece.length).equals(piece));
      at += piece.length;
    }
    assert.equal(at, size);
    if (size > 0) await assert.rejects(files.read("f", { maxBytes: size - 1 }), { code: "limit" });
  });
}

test("files.chunks: small file -> small buffer; file that grows, or states no size -> read to its end", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  const content = randomBytes(3 * MIB);
  writeFileSync(join(folder, "f"), content.subarray(0, 10_000));
  const pieces: Uint8Array[] = [];
  for await (const piece of files.chunks("f")) {
    if (pieces.length === 0) {
      assert.equal(piece.buffer.byteLength, 10_000);
      writeFileSync(join(folder, "f"), content.subarray(10_000), { flag: "a" });
    }
    pieces.push(piece);
  }
  assert.ok(content.equals(Buffer.concat(pieces)));
  assert.ok(pieces.length < 8, "large pieces");
  if (process.platform !== "linux") return;
  assert.deepEqual(
    Buffer.from(await files.read("/proc/self/environ", { maxBytes: MIB })),
    readFileSync("/proc/self/environ"),
  );
});

test("files.chunks: pieces that are kept -> unchanged by further reads", async (t) => {
  const files = systemFiles(temporaryFolder(t));
  const content = randomBytes(3 * MIB + 7);
  await files.write("f", content, { mode: 0o600 });
  const kept: Uint8Array[] = [];
  for await (const piece of files.chunks("f")) kept.push(piece);
  assert.ok(content.equals(Buffer.concat(kept)));
});

test("giveBack: piece is emptied and its memory reused", async (t) => {
  const files = systemFiles(temporaryFolder(t));
  const content = randomBytes(8 * MIB);
  await files.write("f", content, { mode: 0o600 });
  const hash = createHash("sha256");
  const views: Uint8Array[] = [];
  for await (const piece of files.chunks("f")) {
    hash.update(piece);
    views.push(piece.subarray(0, 10));
    giveBack(piece);
  }
  assert.equal(hash.digest("hex"), createHash("sha256").update(content).digest("hex"));
  assert.deepEqual([...new Set(views.map(({ length }) => length))], [0]);
});

test("files.write: new file -> complete, mode less the umask, no temporary file left", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  const umask = process.umask(0o027);
  t.after(() => process.umask(umask));
  for (const write of [files.write, files.replace]) {
    for (const [name, mode, expected] of [
      ["a", 0o644, 0o640],
      ["b", 0o600, 0o600],
    ] as const) {
      await write(`${name}${write.name}`, "content", { mode });
      assert.equal(statSync(join(folder, `${name}${write.name}`)).mode & 0o777, expected);
    }
  }
  assert.equal(readdirSync(folder).length, 4);
});

test("files.write: existing file -> mode, links and inode kept", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  for (const content of ["longer than before", "short", ""]) {
    writeFileSync(join(folder, "f"), "the old one");
    chmodSync(join(folder, "f"), 0o640);
    linkSync(join(folder, "f"), join(folder, "g"));
    const { ino } = statSync(join(folder, "f"));
    await files.write("f", content, { mode: 0o600 });
    assert.equal(readFileSync(join(folder, "g"), "utf8"), content);
    const { mode, ino: after } = statSync(join(folder, "f"));
    assert.deepEqual([mode & 0o777, after], [0o640, ino]);
    await files.replace("f", "state", { mode: 0o600 });
    assert.equal(readFileSync(join(folder, "g"), "utf8"), "state", "a second link is kept");
    unlinkSync(join(folder, "g"));
    await files.replace("f", "more state", { mode: 0o600 });
    assert.equal(statSync(join(folder, "f")).mode & 0o777, 0o640);
    assert.deepEqual(readdirSync(folder), ["f"]);
  }
});

test("files.write: read-only file -> refused and unchanged, also for root", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  writeFileSync(join(folder, "f"), "kept", { mode: 0o444 });
  const refused = { code: "input", message: "write f: the file is read-only" };
  for (const attempt of [files.write, files.replace]) await assert.rejects(attempt("f", "x", { mode: 0o600 }), refused);
  await assert.rejects(files.requireWritable("f"), refused);
  assert.equal(readFileSync(join(folder, "f"), "utf8"), "kept");
});

test("files.replace: interrupted stream -> old file kept, no temporary file left", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  async function* broken() {
    yield Buffer.from("half");
    throw new Error("broken off");
  }
  await assert.rejects(files.replace("new", broken(), { mode: 0o600 }));
  assert.deepEqual(readdirSync(folder), []);
  writeFileSync(join(folder, "old"), "old");
  await assert.rejects(files.replace("old", broken(), { mode: 0o600 }));
  assert.equal(readFileSync(join(folder, "old"), "utf8"), "old");
  assert.deepEqual(readdirSync(folder), ["old"]);
});

test("files.requireWritable: writable path -> unchanged, other path -> refused", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  writeFileSync(join(folder, "file"), "content");
  symlinkSync("to-be-made", join(folder, "link"));
  for (const path of ["new", "file", "link", "/dev/null", "/dev/stdout"]) await files.requireWritable(path);
  assert.deepEqual(readdirSync(folder).sort(), ["file", "link"]);
  assert.equal(readFileSync(join(folder, "file"), "utf8"), "content");
  const input = (message: string) => ({ code: "input", message });
  await assert.rejects(files.requireWritable("none/x"), input("write none/x: no such file or directory"));
  await assert.rejects(files.requireWritable("."), input("write .: is a directory"));
  const long = "x".repeat(300);
  await assert.rejects(files.requireWritable(long), input(`write ${long}: file name too long`));
  symlinkSync("loop", join(folder, "loop"));
  await assert.rejects(files.requireWritable("loop"), input("write loop: too many symbolic links"));
  if (process.platform === "linux") {
    await assert.rejects(files.requireWritable("/proc/tsign"), { code: "input" });
  }
});

test("files.write: dangling link -> its target is created", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "sub"));
  symlinkSync("sub/target", join(folder, "link"));
  await systemFiles(folder).write("link", "new", { mode: 0o644 });
  assert.equal(readFileSync(join(folder, "sub/target"), "utf8"), "new");
});

test("files.makeDirectory: missing parents -> created, impossible path -> error", { timeout: 10_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  for (const path of ["a/b/c", "a/b/c", "a/d"]) {
    await files.makeDirectory(path, { mode: 0o700 });
    assert.equal(statSync(join(folder, path)).mode & 0o777, 0o700);
  }
  writeFileSync(join(folder, "file"), "");
  const input = (message: string) => ({ code: "input", message });
  await assert.rejects(files.makeDirectory("file"), input("create file: a file with that name already exists"));
  await assert.rejects(files.makeDirectory("file/x"), input("create file/x: a part of the path is not a directory"));
  if (process.platform !== "linux") return;
  await assert.rejects(files.makeDirectory("/proc/tsign"), input("create /proc/tsign: no such file or directory"));
});

test("files.write: link -> its target is written", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "target"), "old");
  symlinkSync("target", join(folder, "link"));
  await systemFiles(folder).write("link", "new", { mode: 0o644 });
  assert.equal(readlinkSync(join(folder, "link")), "target");
  assert.equal(readFileSync(join(folder, "target"), "utf8"), "new");
});

test("files: failed operation -> error names path and reason", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "file"), "x");
  const read = (path: string) => files.read(path, { maxBytes: 10 });
  const input = (message: string) => ({ code: "input", message });
  await assert.rejects(read("none"), input("read none: no such file or directory"));
  await assert.rejects(read("folder"), input("read folder: is a directory"));
  await assert.rejects(read("file/x"), input("read file/x: a part of the path is not a directory"));
  const write = (path: string) => files.write(path, "x", { mode: 0o600 });
  await assert.rejects(write("none/x"), input("write none/x: no such file or directory"));
  await assert.rejects(write("folder"), { code: "input" });
  assert.deepEqual(readdirSync(folder).sort(), ["file", "folder"]);
});

test("files.stat, files.list: missing path -> no error", async (t) => {
  const files = systemFiles(temporaryFolder(t));
  assert.equal(await files.stat("none"), undefined);
  assert.deepEqual(await files.list("none"), []);
});

test("files.remove: only files that this process created and nobody replaced", async (t) => {
  const folder = temporaryFolder(t);
  const cwd = join(folder, "cwd");
  mkdirSync(join(cwd, "sub"), { recursive: true });
  writeFileSync(join(cwd, "sub/file"), "precious");
  symlinkSync("sub", join(cwd, "link"));
  const files = systemFiles(cwd);
  const refused = { code: "internal", message: /^remove .*: not created by this process$/ };
  for (const path of ["", ".", "..", "/", "sub", "sub/file", "link", "none", cwd, process.cwd(), homedir()]) {
    await assert.rejects(files.remove(path), refused, path);
  }
  await files.makeDirectory("made"); // others may have put something there since
  await assert.rejects(files.remove("made"), refused);
  await files.write("sub/file", "written over", { mode: 0o600 });
  await assert.rejects(files.remove("sub/file"), refused);
  await files.write("own", "x", { mode: 0o600 });
  await files.remove("own");
  const own = await files.makeOwnFolder("below", "own-");
  assert.match(own, /below\/own-\w+$/);
  assert.equal(statSync(own).mode & 0o777, 0o700);
  symlinkSync(join(cwd, "sub"), join(own, "link"));
  writeFileSync(join(own, "inside"), "");
  await files.remove(own);
  await assert.rejects(files.remove(own), refused, "once");
  assert.deepEqual(readdirSync(cwd).sort(), ["below", "link", "made", "sub"]);
  assert.deepEqual(readdirSync(join(cwd, "sub")), ["file"]);
});

test("files.remove: file replaced by another program -> kept", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  await files.write("file", "mine", { mode: 0o600 });
  renameSync(join(folder, "file"), join(folder, "moved"));
  writeFileSync(join(folder, "file"), "theirs");
  await files.remove("file");
  assert.equal(readFileSync(join(folder, "file"), "utf8"), "theirs");
  const own = await files.makeOwnFolder(".", "own-");
  renameSync(own, join(folder, "elsewhere"));
  mkdirSync(join(folder, "precious"));
  symlinkSync(join(folder, "precious"), own);
  await files.remove(own);
  assert.deepEqual(readdirSync(folder).includes("precious"), true);
});

test("files.remove: own folder that is or contains the working directory -> kept", async (t) => {
  const parent = temporaryFolder(t);
  const own = await systemFiles(parent).makeOwnFolder(".", "own-");
  mkdirSync(join(own, "sub"));
  for (const cwd of [own, join(own, "sub")]) {
    await assert.rejects(systemFiles(cwd).remove(own), { code: "internal", message: /: it contains / });
  }
  await systemFiles(parent).remove(own);
});

test("files.write: /dev/stdout in a pipeline -> written to, not replaced", async (t) => {
  const cwd = temporaryFolder(t);
  const path = join(cwd, "out");
  writeFileSync(path, "before\n");
  const descriptor = openSync(path, "a");
  t.after(() => closeSync(descriptor));
  const { ino } = statSync(path);
  await systemFiles(cwd).write(`/dev/fd/${descriptor}`, "signature\n", { mode: 0o600 });
  assert.equal(readFileSync(path, "utf8"), "before\nsignature\n");
  assert.equal(statSync(path).ino, ino);
});
