import { flagName, splitArguments } from "./argv.ts";
import type { Flags } from "./define.ts";
import { shownFlags } from "./flag-groups.ts";
import { GROUPS, isListed, TABLE } from "./table.ts";

/** What the shell does with an answer (cobra's ShellCompDirective). */
export const DIRECTIVE = { default: 0, noFiles: 4 } as const;

export interface Completion {
  readonly candidates: readonly { readonly word: string; readonly about: string }[];
  readonly directive: number;
}

type Candidates = Completion["candidates"];

/**
 * Candidates for the last word of a command line: commands, flags, or the values of a choice. Files are the shell's own
 * affair.
 */
export async function complete(words: readonly string[], global: Flags): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const named = commandWords(before, global);
  const entry = TABLE.find(({ words: own }) => own.every((word, index) => named[index] === word));
  const definition = entry ? (await entry.load()).default : undefined;
  const flags = { ...definition?.flags, ...global };
  const ended = before.includes("--");
  const values = ended ? undefined : valuesOf(flags, { previous: before.at(-1) ?? "", current });
  if (values) return values;
  if (current.startsWith("-") && !ended) return proposal(flagsBelow(flags), current);
  if (!entry) return proposal(commandsBelow(named[0] === "help" ? named.slice(1) : named), current);
  const atFirst = named.length === entry.words.length;
  const choices = atFirst ? definition?.args.choices : undefined;
  return choices ? proposal(choices.map(bare), current) : { candidates: [], directive: DIRECTIVE.default };
}

const bare = (word: string) => ({ word, about: "" });

function proposal(candidates: Candidates, current: string): Completion {
  return { candidates: candidates.filter(({ word }) => word.startsWith(current)), directive: DIRECTIVE.noFiles };
}

/** The words that are neither flags nor the values of flags that every command has. */
function commandWords(before: readonly string[], global: Flags): string[] {
  const takesValue = Object.entries(global).flatMap(([key, { kind, short }]) =>
    kind === "bool" ? [] : [`--${flagName(key)}`, ...(short ? [`-${short}`] : [])],
  );
  return before.filter((word, index) => !word.startsWith("-") && !takesValue.includes(before[index - 1] ?? ""));
}

function flagsBelow(flags: Flags): Candidates {
  return shownFlags(flags).map(([key, flag]) => ({ word: `--${flagName(key)}`, about: flag.description }));
}

function commandsBelow(prefix: readonly string[]): Candidates {
  const found = new Map<string, string>();
  for (const entry of TABLE) {
    const { words, summary } = entry;
    const word = words[prefix.length];
    if (!isListed(entry, prefix) || word === undefined || !prefix.every((each, index) => words[index] === each))
      continue;
    found.set(word, words.length > prefix.length + 1 ? (GROUPS[word]?.about ?? "") : summary);
  }
  if (prefix.length === 0) found.set("help", "Print what a command does and its flags");
  return [...found].map(([word, about]) => ({ word, about }));
}

/** The values of the flag just before, or of the one in `--flag=…`; undefined when the word is no value of a flag. */
function valuesOf(flags: Flags, line: { previous: string; current: string }): Completion | undefined {
  const assigned = /^(--[^=]+)=(.*)$/.exec(line.current);
  const [written, value] = assigned ? [assigned[1] ?? "", assigned[2] ?? ""] : [line.previous, line.current];
  if (!written.startsWith("-") || written.includes("=")) return undefined;
  try {
    const [given] = splitArguments([`${written}=`], flags).given;
    const flag = flags[given?.key ?? ""];
    if (flag === undefined || (flag.kind === "bool" && !assigned)) return undefined;
    const choices = flag.kind === "bool" ? ["true", "false"] : (flag.choices ?? []).filter((choice) => choice !== "");
    return choices.length > 0
      ? proposal(choices.map(bare), value)
      : { candidates: [], directive: flag.kind === "string" ? DIRECTIVE.default : DIRECTIVE.noFiles };
  } catch {
    return undefined; // not a flag
  }
}

/** The answer in the form the completion scripts read: `word<tab>about` lines, then the directive. */
export function formatCompletion({ candidates, directive }: Completion, options: { descriptions: boolean }): string {
  const lines = candidates.map(({ word, about }) => (options.descriptions && about ? `${word}\t${about}` : word));
  return `${[...lines, `:${directive}`].join("\n")}\n`;
}
