import { resolve } from "node:path";

/**
 * How tests start tsign as a process: from its sources, or as the executable that TSIGN_EXECUTABLE names (`npm run
 * test:executable`).
 */
const executable = process.env["TSIGN_EXECUTABLE"];

/** The program, and the arguments that come before those of tsign. */
export const [PROGRAM, BEFORE]: readonly [string, readonly string[]] =
  executable === undefined
    ? [process.execPath, [resolve(import.meta.dirname, "../../bin/main.ts")]]
    : [resolve(executable), []];

/** The variables that every process gets: the compile cache halves the time that the program takes to start. */
export const ENVIRONMENT: Readonly<Record<string, string | undefined>> = {
  PATH: process.env["PATH"],
  NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"],
};
