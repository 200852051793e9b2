"use strict";
// Runs the engine beside this file: `node run.cjs`, a request on stdin, a verdict on stdout. Go's own glue for JavaScript
// is wasm_exec.js, which takes the outside from these globals. Start it by an absolute path: its HTTP does not use fetch in
// a process that is called "node".
const fs = require("node:fs");
const path = require("node:path");
const zlib = require("node:zlib");
globalThis.fs = fs;
globalThis.path = path;
require("./wasm_exec.js");

const go = new Go();
go.argv = ["policy-engine", ...process.argv.slice(2)];
go.env = { ...process.env };
go.exit = process.exit;

/** The npm package contains the engine compressed: 9 MB instead of 59. */
function engine() {
  const file = path.join(__dirname, "engine.wasm");
  return fs.existsSync(file) ? fs.readFileSync(file) : zlib.brotliDecompressSync(fs.readFileSync(`${file}.br`));
}

async function main() {
  const code = engine();
  const { instance } = await WebAssembly.instantiate(code, go.importObject);
  process.on("exit", (status) => {
    if (status === 0 && !go.exited) process.exitCode = 1; // it still waits for something
  });
  await go.run(instance);
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
