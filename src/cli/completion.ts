import { flagName, splitArguments } from "./argv.ts";
import type { Flags } from "./define.ts";
import { shownFlags } from "./help.ts";
import { GROUPS, TABLE } from "./table.ts";

/** What the shell does with an answer (cobra's ShellCompDirective). */
export const DIRECTIVE = { default: 0, noFiles: 4 } as const;

export interface Completion {
  readonly candidates: readonly { readonly word: string; readonly about: string }[];
  readonly directive: number;
}

/**
 * Candidates for the last word of a command line: commands, flags, or the values of a choice. Files are the shell's own
 * affair.
 */
export async function complete(words: readonly string[], global: Flags): Promise<Completion> {
  const current = words.at(-1) ?? "";
  const before = words.slice(0, -1);
  const command = before.filter((word) => !word.startsWith("-"));
  const entry = TABLE.find(({ words: own }) => own.every((word, index) => command[index] === word));
  if (!entry) return { candidates: commandsBelow(command, current), directive: DIRECTIVE.noFiles };
  const { default: definition } = await entry.load();
  const flags = { ...definition.flags, ...global };
  const choices = choicesOf(flags, { previous: before.at(-1) ?? "", current });
  if (choices) return { candidates: choices, directive: DIRECTIVE.noFiles };
  if (!current.startsWith("-")) return { candidates: [], directive: DIRECTIVE.default };
  const candidates = shownFlags(flags)
    .map(([key, flag]) => ({ word: `--${flagName(key)}`, about: flag.description }))
    .filter(({ word }) => word.startsWith(current));
  return { candidates, directive: DIRECTIVE.noFiles };
}

function commandsBelow(prefix: readonly string[], current: string): Completion["candidates"] {
  const found = new Map<string, string>();
  for (const { words, summary, hidden } of TABLE) {
    const word = words[prefix.length];
    if (hidden || word === undefined || !prefix.every((each, index) => words[index] === each)) continue;
    if (word.startsWith(current)) found.set(word, words.length > prefix.length + 1 ? (GROUPS[word] ?? "") : summary);
  }
  return [...found].map(([word, about]) => ({ word, about }));
}

/** The values of the flag just before, or of the one in `--flag=…`. */
function choicesOf(flags: Flags, line: { previous: string; current: string }): Completion["candidates"] | undefined {
  const [written = "", value] = line.current.startsWith("--") ? line.current.split("=") : [line.previous, line.current];
  if (!written.startsWith("-") || value === undefined) return undefined;
  try {
    const [given] = splitArguments([`${written}=`], flags).given;
    const choices = flags[given?.key ?? ""]?.choices?.filter((choice) => choice !== "" && choice.startsWith(value));
    return choices?.map((word) => ({ word, about: "" }));
  } catch {
    return undefined; // not a flag
  }
}

/** The answer in the form the completion scripts read: `word<tab>about` lines, then the directive. */
export function formatCompletion({ candidates, directive }: Completion, options: { descriptions: boolean }): string {
  const lines = candidates.map(({ word, about }) => (options.descriptions && about ? `${word}\t${about}` : word));
  return `${[...lines, `:${directive}`].join("\n")}\n`;
}
