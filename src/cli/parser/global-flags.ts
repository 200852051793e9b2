import { flag } from "./define.ts";

/** The flags of every command. */
export const GLOBAL_FLAGS = {
  help: flag.bool("print the help of the command", { short: "h" }),
  outputFile: flag.string("file to write the output to instead of stdout", { output: true }),
  quiet: flag.bool("print nothing on stderr except errors", { short: "q" }),
  timeout: flag.duration("time limit of the command", { short: "t", default: 180_000 }),
  verbose: flag.bool("print HTTP requests and the causes and codes of errors on stderr", { short: "d" }),
};

/** The flags of the program when it runs without a command. */
export const PROGRAM_FLAGS = { ...GLOBAL_FLAGS, version: flag.bool("print the version", { short: "v" }) };
