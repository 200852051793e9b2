import { printable } from "../../format/printable.ts";

/** What the shell does besides showing the candidates: bits of cobra's ShellCompDirective. */
export const DIRECTIVE = {
  default: 0,
  noSpace: 2,
  noFiles: 4,
  /** Candidates without `://` are endings of the files to propose. */
  fileEndings: 8,
  folders: 16,
} as const;

/** A word that may stand there, and what it is; "" when there is nothing to say. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly directive: number;
}

/** A candidate that needs no words. */
export const bare = (word: string): Candidate => ({ word, about: "" });

/** Nothing but what the directive says. */
export const only = (directive: number): Completion => ({ candidates: [], directive });

/** Of the candidates those that go on from what was typed, and no files. */
export function proposal(candidates: readonly Candidate[], typed: string, directive = 0): Completion {
  return {
    candidates: candidates.filter(({ word }) => word.startsWith(typed)),
    directive: directive | DIRECTIVE.noFiles,
  };
}

/** The answer in the form the completion scripts read: `word<tab>about` lines, then the directive. */
export function formatCompletion({ candidates, directive }: Completion, options: { descriptions: boolean }): string {
  // A file's name may hold a line end, which would be read as another candidate.
  const lines = candidates
    .filter(({ word }) => word === printable(word))
    .map(({ word, about }) => (options.descriptions && about ? `${word}\t${about}` : word));
  return `${[...lines, `:${directive}`].join("\n")}\n`;
}
