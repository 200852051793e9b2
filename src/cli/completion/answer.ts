import { printable } from "../../format/printable.ts";

/** Instructions for the shell: bits of cobra's ShellCompDirective. */
export const DIRECTIVE = {
  default: 0,
  noSpace: 2,
  noFiles: 4,
  /** Candidates without a colon are extensions of files to propose. */
  fileEndings: 8,
  folders: 16,
} as const;

/** A word to propose, and its description, which may be empty. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly directive: number;
}

/** Returns a candidate without a description. */
export const bare = (word: string): Candidate => ({ word, about: "" });

/** Returns a completion without candidates. */
export const only = (directive: number): Completion => ({ candidates: [], directive });

/** Returns the candidates that begin with the typed text, and no files. */
export function proposal(candidates: readonly Candidate[], typed: string, directive = 0): Completion {
  return {
    candidates: candidates.filter(({ word }) => word.startsWith(typed)),
    directive: directive | DIRECTIVE.noFiles,
  };
}

/** Formats a completion for the completion scripts: `word<tab>about` lines, then the directive. */
export function formatCompletion({ candidates, directive }: Completion, options: { descriptions: boolean }): string {
  // A line feed in a file name would be read as another candidate.
  const lines = candidates
    .filter(({ word }) => word === printable(word))
    .map(({ word, about }) => (options.descriptions && about ? `${word}\t${about}` : word));
  return `${[...lines, `:${directive}`].join("\n")}\n`;
}
