import { flag } from "./define.ts";

/** Flags of every command. */
export const GLOBAL_FLAGS = {
  help: flag.bool("print what the command does and its flags", { short: "h" }),
  outputFile: flag.string("file that takes what would go to stdout", { output: true }),
  timeout: flag.duration("time the whole command may take", { short: "t", default: 180_000 }),
  verbose: flag.bool("show every HTTP exchange, and the causes of errors, on stderr", { short: "d" }),
};
