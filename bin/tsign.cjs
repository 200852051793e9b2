#!/usr/bin/env node
// The portable launcher: checks the version of Node, then runs tsign.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 24 || (major === 24 && minor >= 15)) {
  import("../dist/main.mjs");
} else {
  process.stderr.write(`Error: tsign requires Node.js 24.15 or newer; this is ${process.version}\n`);
  process.exitCode = 1;
}
