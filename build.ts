import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { buildProgram } from "./scripts/program.ts";

/** Builds the program and the library into dist/, which also removes the executable there. */
await buildProgram(join(import.meta.dirname, "dist"));

// These runs fill the compile cache, so that a user's first run is as fast as later ones.
for (const args of [
  ["version"],
  ["verify-blob", "--key", "none", "--insecure-ignore-tlog", "--bundle", "package.json", "-"],
]) {
  spawnSync("bin/tsign", args, { cwd: import.meta.dirname, stdio: "ignore" });
}
