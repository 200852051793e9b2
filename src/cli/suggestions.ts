import { TsignError } from "../errors.ts";
import { didYouMean } from "../format/nearest.ts";
import { commandsBelow } from "./help/groups.ts";
import type { Command } from "./parser/define.ts";
import type { Entry } from "./table.ts";

/** Returns the hint of a usage error in a command that has no better one. */
export function usageHint({ words }: Entry): string {
  return `run \`tsign ${words.join(" ")} --help\` for details`;
}

/** Returns the hint of a wrong number of arguments: the usage line. */
export function argumentsHint({ words }: Entry, { usage }: Command): string {
  return `run \`${`tsign ${words.join(" ")} ${usage}`.trim()}\``;
}

/**
 * Returns the error for a word that is not a command of the program or of a group, with the nearest commands. Hidden and
 * deprecated commands are not proposed.
 *
 * @param prefix the words of the group, or of the command that takes no subcommand; empty for the program
 * @param topics further words that `tsign help` explains
 */
export function unknownCommand(prefix: readonly string[], word: string, topics: readonly string[] = []): TsignError {
  const names = commandsBelow(prefix).map((below) => below.word);
  const program = ["tsign", ...prefix].join(" ");
  const help = `run \`${program} --help\` for ${names.length > 0 ? "a list of commands" : "details"}`;
  const shown = (name: string) => `\`${topics.includes(name) ? `tsign help ${name}` : `${program} ${name}`}\``;
  return new TsignError("usage", `unknown command "${word}" for "${program}"`, {
    hint: didYouMean(word, [...names, ...topics], shown) ?? help,
  });
}
