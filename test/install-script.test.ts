import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { thisPlatform } from "../scripts/executable.ts";
import { tarGz } from "../scripts/release/archive.ts";
import { installers } from "../scripts/release/installers.ts";
import { temporaryFolder } from "./support/test-io.ts";

const PLATFORM = thisPlatform();

/** Writes install.sh and an archive, whose program is a script that ends with an exit code, into a folder. */
function madeRelease(context: TestContext, version: string, exitCode = 0) {
  const from = realpathSync(temporaryFolder(context));
  const name = `tsign-${version}-${PLATFORM}`;
  const paths = ["LICENSE", "THIRD-PARTY-LICENSES.txt", "policy/engine", "man/man1/tsign.1"];
  const completions = ["tsign.bash", "_tsign", "tsign.fish"].map((each) => `completions/${each}`);
  const files = [...paths, ...completions].map((path) => ({ path: `${name}/${path}`, content: Buffer.from(version) }));
  const program = Buffer.from(`#!/bin/sh\necho ${version}\nexit ${exitCode}\n`);
  const content = tarGz([...files, { path: `${name}/tsign`, content: program, mode: 0o755 }], 1_700_000_000);
  const archive = { platform: PLATFORM, name: `${name}.tar.gz`, content };
  const [script] = installers([archive], { version, baseUrl: from });
  const installer = join(from, "install.sh");
  writeFileSync(installer, script?.[1] ?? "");
  writeFileSync(join(from, archive.name), content);
  const install = (args: readonly string[], { cwd = from, path = process.env["PATH"] } = {}) =>
    spawnSync("sh", [installer, ...args], { cwd, encoding: "utf8", env: { HOME: from, PATH: path } });
  return { from, archive: join(from, archive.name), install };
}

test("install.sh: a newer version replaces the files of an older one, and no others", (t) => {
  const prefix = temporaryFolder(t);
  const older = madeRelease(t, "1.0.0").install(["--prefix", prefix]);
  assert.equal(older.status, 0, older.stderr);
  const packages = join(prefix, "lib/tsign/node_modules/pkcs11js");
  mkdirSync(packages, { recursive: true });
  const newer = madeRelease(t, "1.1.0").install(["--prefix", prefix, "--cosign"]);
  assert.deepEqual([newer.status, newer.stderr], [0, ""]);
  for (const name of ["tsign", "cosign"])
    assert.equal(spawnSync(join(prefix, "bin", name), { encoding: "utf8" }).stdout, "1.1.0\n");
  assert.equal(readFileSync(join(prefix, "lib/tsign/policy/engine"), "utf8"), "1.1.0");
  assert.ok(existsSync(packages));
  const names = ["LICENSE", "THIRD-PARTY-LICENSES.txt", "node_modules", "policy", "tsign"];
  assert.deepEqual(readdirSync(join(prefix, "lib/tsign")).sort(), names);
});

test("install.sh: a program that does not run here -> the older version stays", (t) => {
  const prefix = temporaryFolder(t);
  madeRelease(t, "1.0.0").install(["--prefix", prefix]);
  const { status, stderr } = madeRelease(t, "1.1.0", 1).install(["--prefix", prefix]);
  assert.equal(status, 1);
  assert.match(stderr, /^Error: start tsign: it does not run on this machine\nhint: /);
  assert.equal(spawnSync(join(prefix, "bin/tsign"), { encoding: "utf8" }).stdout, "1.0.0\n");
  assert.equal(readFileSync(join(prefix, "lib/tsign/policy/engine"), "utf8"), "1.0.0");
  assert.ok(!existsSync(join(prefix, "lib/tsign/.new")));
});

test("install.sh: another program with the name of a link -> refused, nothing is installed", (t) => {
  const { install } = madeRelease(t, "1.0.0");
  for (const make of [
    (path: string) => writeFileSync(path, "cosign itself", { mode: 0o755 }),
    (path: string) => symlinkSync("../Cellar/cosign/bin/cosign", path),
  ]) {
    const prefix = temporaryFolder(t);
    mkdirSync(join(prefix, "bin"));
    const other = join(prefix, "bin/cosign");
    make(other);
    const before = lstatSync(other).ino;
    const { status, stderr } = install(["--prefix", prefix, "--cosign"]);
    assert.equal(status, 1);
    assert.match(stderr, /^Error: \S+\/bin\/cosign exists and was not installed by this script\nhint: .*--bin-dir\n$/);
    assert.equal(lstatSync(other).ino, before);
    assert.deepEqual(readdirSync(prefix), ["bin"]);
    assert.equal(install(["--prefix", prefix]).status, 0, "without --cosign");
  }
});

test("install.sh: relative prefix -> links with an absolute target", (t) => {
  const { from, install } = madeRelease(t, "1.0.0");
  assert.equal(install(["--prefix", "here"]).status, 0);
  assert.equal(readlinkSync(join(from, "here/bin/tsign")), join(from, "here/lib/tsign/tsign"));
  assert.equal(install(["--prefix", "here"]).status, 0, "again");
});

test("install.sh: altered or incomplete archive -> refused before it is unpacked, and not kept", (t) => {
  const { archive, from, install } = madeRelease(t, "1.0.0");
  const content = readFileSync(archive);
  const [prefix, cache] = [join(from, "prefix"), join(from, "cache")];
  for (const wrong of [content.subarray(0, 100), Buffer.concat([content, Buffer.from("x")])]) {
    writeFileSync(archive, wrong);
    const { status, stderr } = install(["--prefix", prefix, "--cache", cache]);
    assert.equal(status, 1);
    assert.match(stderr, /^Error: tsign-1\.0\.0-\S+: sha256 mismatch: got \w{64}, want \w{64}\nhint: /);
    assert.deepEqual([existsSync(prefix), existsSync(cache)], [false, false]);
  }
});

/** Returns a PATH with the tools that the script needs, and with a script as its only means to download. */
function pathWithWget(context: TestContext, wget: string): string {
  const folder = temporaryFolder(context);
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  for (const name of "cat cp cut gzip ln mkdir mktemp mv readlink rm rmdir sh sha256sum tar uname".split(" ")) {
    const found = folders.map((each) => join(each, name)).find((path) => existsSync(path));
    if (found !== undefined) symlinkSync(found, join(folder, name));
  }
  writeFileSync(join(folder, "wget"), `#!/bin/sh\n${wget}\n`, { mode: 0o755 });
  return folder;
}

test("install.sh: with wget in place of curl; its failure is reported", { skip: process.platform !== "linux" }, (t) => {
  const { archive, from, install } = madeRelease(t, "1.0.0");
  const args = ["--prefix", join(from, "prefix"), "--from", "https://example.com/v1"];
  const failed = install(args, { path: pathWithWget(t, "exit 4") });
  assert.equal(failed.status, 1);
  assert.match(failed.stderr, /^Error: download https:\/\/example\.com\/v1\/tsign-\S+: wget exited with 4\n$/);
  assert.ok(!existsSync(join(from, "prefix")));
  const fetched = install(args, {
    path: pathWithWget(t, `[ "$4" = "https://example.com/v1/\${3##*/}" ] && cp '${archive}' "$3"`),
  });
  assert.deepEqual([fetched.status, fetched.stderr], [0, ""]);
  assert.ok(existsSync(join(from, "prefix/lib/tsign/tsign")));
});
