import { type Command, type Flags, flag } from "./define.ts";

/** The flags of every command. */
export const GLOBAL_FLAGS = {
  help: flag.bool("print the help of the command", { short: "h" }),
  json: flag.bool("print one JSON document on stdout, on success and on failure"),
  outputFile: flag.string("file to write the output to instead of stdout", { output: true }),
  quiet: flag.bool("print nothing on stderr except errors", { short: "q" }),
  timeout: flag.duration("time limit of the command", { short: "t", default: 180_000 }),
  verbose: flag.bool("print HTTP requests and the causes and codes of errors on stderr", { short: "d" }),
};

/** The flags of the program when it runs without a command. */
export const PROGRAM_FLAGS = { ...GLOBAL_FLAGS, version: flag.bool("print the version", { short: "v" }) };

/** The global flags of a command: not --json if it has none, or one of its own. */
export function globalFlagsOf({ result, flags }: Pick<Command, "result" | "flags">): Flags {
  const { json: _, ...others } = GLOBAL_FLAGS;
  return result === "none" || flags["json"] ? others : GLOBAL_FLAGS;
}
