#!/usr/bin/env node
// The portable launcher: checks that this Node can run tsign, then runs it.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major > 24 || (major === 24 && minor >= 15)) {
  import("../dist/main.mjs");
} else {
  process.stderr.write(`tsign needs Node.js 24.15 or newer, this is ${process.version}\n`);
  process.exitCode = 1;
}
