#!/usr/bin/env node
// The portable launcher. As an npm package it starts the executable of this platform, after comparing its digest; elsewhere, and
// on a platform without one, it runs tsign as JavaScript, which needs a newer Node.
const { accessSync, closeSync, constants, existsSync, openSync, readFileSync, readSync } = require("node:fs");
const { join } = require("node:path");

const found = executable();
if (found === undefined) runAsScript();
else start(found);

/** Returns the path of the executable that npm installed with this package; undefined when there is none. */
function executable() {
  const list = join(__dirname, "executables.json");
  if (!existsSync(list)) return undefined;
  const { platform, arch } = process;
  const system = platform === "win32" ? "windows" : platform;
  const glibc = existsSync("/lib64/ld-linux-x86-64.so.2") || existsSync("/lib/ld-linux-aarch64.so.1");
  const musl = existsSync(`/lib/ld-musl-${arch === "x64" ? "x86_64" : "aarch64"}.so.1`);
  if (platform === "linux" && !glibc && !musl) return undefined; // the executable would not find its loader
  const entry = JSON.parse(readFileSync(list, "utf8"))[`${system}-${arch}${musl && !glibc ? "-musl" : ""}`];
  if (entry === undefined) return undefined;
  let manifest;
  try {
    manifest = require.resolve(`${entry.package}/package.json`);
  } catch {
    return undefined; // npm was told to leave optional packages out
  }
  const path = join(manifest, "..", entry.program);
  const reason = refusal(path, entry.sha256);
  if (reason === undefined) return path;
  process.stderr.write(`Error: start ${path}: ${reason}\nhint: install tsign again\n`);
  process.exit(1);
}

/** Returns why a file must not be started; undefined when it is the executable of this release. */
function refusal(path, sha256) {
  try {
    accessSync(path, constants.X_OK); // some versions of Node end with a stack trace when execve fails
    const digest = digestOf(path);
    return digest === sha256 ? undefined : `sha256 mismatch: got ${digest}, want ${sha256}`;
  } catch ({ message }) {
    return message.split(",")[0];
  }
}

/** The file is read in pieces: as a whole it costs half as much CPU time again, and 110 MB of memory. */
function digestOf(path) {
  const hash = require("node:crypto").createHash("sha256");
  const piece = Buffer.allocUnsafe(2 ** 18);
  const file = openSync(path);
  for (let size = readSync(file, piece); size > 0; size = readSync(file, piece)) hash.update(piece.subarray(0, size));
  closeSync(file);
  return hash.digest("hex");
}

/** Runs the executable in place of this process; as a child where Node cannot do that. */
function start(path) {
  const args = process.argv.slice(2);
  if (process.platform !== "win32") {
    try {
      process.execve?.(path, [path, ...args], process.env);
    } catch {} // not in worker threads, and not with --permission
  }
  const { signals } = require("node:os").constants;
  const child = require("node:child_process").spawn(path, args, { stdio: "inherit" });
  // A signal from the terminal reaches the child as well; others are passed on. The child decides when to end.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("error", ({ message }) => {
    process.stderr.write(`Error: start ${path}: ${message}\n`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + signals[signal];
  });
}

function runAsScript() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  // Older ones do not send requests through a proxy, and do not trust the CA certificates of the system.
  if (major > 24 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21)) {
    import("../dist/main.mjs");
    return;
  }
  process.stderr.write(`Error: tsign requires Node.js 22.21, 24.5 or newer; this is ${process.version}\n`);
  process.exitCode = 1;
}
