import type { Io } from "../../io/io.ts";
import { shownFlags } from "../help/flag-groups.ts";
import { flagValue } from "../help/flag-values.ts";
import { commandsBelow } from "../help/groups.ts";
import { flagName, splitArguments } from "../parser/argv.ts";
import type { Command, Flags, LoadCommand } from "../parser/define.ts";
import { globalFlagsOf, PROGRAM_FLAGS } from "../parser/global-flags.ts";
import { TABLE } from "../table.ts";
import { bare, type Candidate, type Completion, DIRECTIVE, only, proposal } from "./answer.ts";
import { proposeImages, proposeKeys, proposeRegistries } from "./values.ts";

/**
 * Returns the candidates for the last word of a command line: commands, flags, values of a choice, keys and images. For files,
 * it returns name extensions, from which the shell completes.
 */
export async function complete(
  words: readonly string[],
  { global, load }: { global: Flags; load: LoadCommand },
  io: Io,
): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const named = commandWords(before, global);
  const entry = TABLE.find(({ words: own }) => own.every((word, index) => named[index] === word));
  const command = entry && (await load(entry));
  const flags = { ...command?.flags, ...(command ? globalFlagsOf(command) : global) };
  const ended = before.includes("--");
  const value = ended ? undefined : await flagValueOf(flags, { previous: before.at(-1) ?? "", current }, io);
  if (value) return value;
  if (current.startsWith("-") && !ended)
    return proposal(flagsBelow(named.length === 0 ? PROGRAM_FLAGS : flags), current);
  if (named[0] === "help" && named.length === 1 && current !== "")
    return proposal([...below([]), ...(await errorCodes())], current);
  if (!entry || !command) return proposal(below(named[0] === "help" ? named.slice(1) : named), current);
  return argumentOf({ command, flags, before, current, words: entry.words.length }, io);
}

/** The words that are neither flags nor values of global flags. */
function commandWords(before: readonly string[], global: Flags): string[] {
  const takesValue = Object.entries(global).flatMap(([key, { kind, short }]) =>
    kind === "bool" ? [] : [`--${flagName(key)}`, ...(short ? [`-${short}`] : [])],
  );
  return before.filter((word, index) => !word.startsWith("-") && !takesValue.includes(before[index - 1] ?? ""));
}

function flagsBelow(flags: Flags): Candidate[] {
  return shownFlags(flags).map(([key, flag]) => ({ word: `--${flagName(key)}`, about: flag.description }));
}

function below(prefix: readonly string[]): Candidate[] {
  return commandsBelow(prefix).map(({ word, summary }) => ({ word, about: summary }));
}

/** What `tsign help` explains besides commands; offered once a letter is typed. */
async function errorCodes(): Promise<Candidate[]> {
  const { ERROR_CODES } = await import("../help/errors.ts");
  return ERROR_CODES.map((code) => ({ word: code, about: "an error code" }));
}

/** The values of the preceding flag, or of the one in `--flag=…`; undefined if the word is not the value of a flag. */
async function flagValueOf(
  flags: Flags,
  line: { previous: string; current: string },
  io: Io,
): Promise<Completion | undefined> {
  const assigned = /^(--[^=]+)=(.*)$/s.exec(line.current);
  const [written, value] = assigned ? [assigned[1] ?? "", assigned[2] ?? ""] : [line.previous, line.current];
  const key = flagKey(written, flags);
  const flag = flags[key ?? ""];
  if (key === undefined || flag === undefined || (flag.kind === "bool" && !assigned)) return undefined;
  const choices = flag.kind === "bool" ? ["true", "false"] : (flag.choices ?? []).filter((choice) => choice !== "");
  const listed = flag.kind === "strings" ? value.slice(0, value.lastIndexOf(",") + 1) : "";
  if (choices.length > 0)
    return proposal(
      choices.map((choice) => bare(listed + choice)),
      value,
    );
  const { sort, endings = [] } = flagValue(key, flags);
  switch (sort) {
    case "text":
      return only(DIRECTIVE.noFiles);
    case "folder":
      return only(DIRECTIVE.folders);
    case "private-key":
    case "public-key":
      return proposeKeys(io, value, endings);
    case "file":
      return files(endings);
  }
}

function flagKey(written: string, flags: Flags): string | undefined {
  if (!written.startsWith("-") || written.includes("=")) return undefined;
  try {
    return splitArguments([`${written}=`], flags).given[0]?.key;
  } catch {
    return undefined; // not a flag
  }
}

function files(endings: readonly string[]): Completion {
  return endings.length > 0
    ? { candidates: endings.map(bare), directive: DIRECTIVE.fileEndings }
    : only(DIRECTIVE.default);
}

/** The candidates for an argument, by its placeholder in the usage line. */
async function argumentOf(
  line: { command: Command; flags: Flags; before: readonly string[]; current: string; words: number },
  io: Io,
): Promise<Completion> {
  const { command, current } = line;
  const position = positionOf(line);
  if (position === undefined) return only(DIRECTIVE.default);
  const { choices, max } = command.args;
  if (position >= max && max > 0) return only(DIRECTIVE.noFiles);
  if (choices) return proposal(choices.map(bare), current);
  const schemes = [...command.usage.matchAll(/\w+:\/\//g)].map(([scheme]) => bare(scheme));
  if (schemes.length > 0) return proposal(schemes, current, DIRECTIVE.noSpace);
  const name = argumentName(command.usage, position);
  if (name.endsWith("image")) {
    const onDisk = line.before.some((word) => /^--local-image(=true)?$/.test(word));
    return onDisk ? only(DIRECTIVE.folders) : proposeImages(io, current);
  }
  if (name === "registry") return proposeRegistries(io, current);
  if (name === "key") return proposeKeys(io, current, ["key"]);
  return name === "bundle" ? files(["sigstore.json", "bundle", "json"]) : only(DIRECTIVE.default);
}

/** The number of arguments before the word; undefined if a flag among them is unknown. */
function positionOf({
  before,
  flags,
  words,
}: {
  before: readonly string[];
  flags: Flags;
  words: number;
}): number | undefined {
  try {
    return splitArguments(before, flags).positionals.length - words;
  } catch {
    return undefined;
  }
}

/** The placeholder of an argument: `image` for every argument of `[flags] <image…>`. */
function argumentName(usage: string, position: number): string {
  const names = usage.replace(/--\S+ <[^>]*>/g, "").match(/<[^>]+>/g) ?? [];
  const name = names[position] ?? (names.at(-1)?.endsWith("…>") ? names.at(-1) : "");
  return (name ?? "").replace(/[<>…]/g, "");
}
