import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../test/support/test-io.ts";
import { systemFiles } from "./io-files.ts";

const MIB = 1024 * 1024;

for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 12_345]) {
  test(`a file of ${size} bytes is read as it is, whole and in pieces`, async (t) => {
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

test("a file is replaced whole, with the mode asked for, and nothing is left beside it", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  for (const [mode, content] of [
    [0o644, "a longer first content"],
    [0o600, "short"],
  ] as const) {
    await files.write("f", content, { mode });
    assert.equal(readFileSync(join(folder, "f"), "utf8"), content);
    assert.equal(statSync(join(folder, "f")).mode & 0o777, mode);
  }
  assert.deepEqual(readdirSync(folder), ["f"]);
});

test("folders are made with those above them, and what cannot be one is said", { timeout: 10_000 }, async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  for (const path of ["a/b/c", "a/b/c", "a/d"]) {
    await files.makeDirectory(path, { mode: 0o700 });
    assert.equal(statSync(join(folder, path)).mode & 0o777, 0o700);
  }
  writeFileSync(join(folder, "file"), "");
  const input = (message: string) => ({ code: "input", message });
  await assert.rejects(files.makeDirectory("file"), input("cannot create file: a file has that name"));
  await assert.rejects(
    files.makeDirectory("file/x"),
    input("cannot create file/x: a part of the path is not a directory"),
  );
  if (process.platform !== "linux") return;
  await assert.rejects(
    files.makeDirectory("/proc/tsign"),
    input("cannot create /proc/tsign: no such file or directory"),
  );
});

test("a link stays a link, and what it points to is written", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "target"), "old");
  symlinkSync("target", join(folder, "link"));
  await systemFiles(folder).write("link", "new", { mode: 0o644 });
  assert.equal(readlinkSync(join(folder, "link")), "target");
  assert.equal(readFileSync(join(folder, "target"), "utf8"), "new");
});

test("what cannot be read or written is named with its reason", async (t) => {
  const folder = temporaryFolder(t);
  const files = systemFiles(folder);
  mkdirSync(join(folder, "folder"));
  writeFileSync(join(folder, "file"), "x");
  const read = (path: string) => files.read(path, { maxBytes: 10 });
  const input = (message: string) => ({ code: "input", message });
  await assert.rejects(read("none"), input("cannot read none: no such file or directory"));
  await assert.rejects(read("folder"), input("cannot read folder: it is a directory"));
  await assert.rejects(read("file/x"), input("cannot read file/x: a part of the path is not a directory"));
  const write = (path: string) => files.write(path, "x", { mode: 0o600 });
  await assert.rejects(write("none/x"), input("cannot write none/x: no such file or directory"));
  await assert.rejects(write("folder"), { code: "input" });
  assert.deepEqual(readdirSync(folder).sort(), ["file", "folder"]);
});

test("what is not there is no error to look for, to list or to remove", async (t) => {
  const files = systemFiles(temporaryFolder(t));
  assert.equal(await files.stat("none"), undefined);
  assert.deepEqual(await files.list("none"), []);
  await files.remove("none");
});

test("what is open already is written to, not replaced: /dev/stdout in a pipeline", async (t) => {
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
