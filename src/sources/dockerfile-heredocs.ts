import { ShellSyntaxError } from "./shell-patterns.ts";
import { splitWords } from "./shell-words.ts";

/** A here-document: `<<EOF`, `<<-EOF`, `<<"EOF"`. */
export interface Heredoc {
  /** The line that ends it. */
  readonly name: string;
  /** Whether tabs at the start of that line are ignored. */
  readonly tabs: boolean;
}

const WITH_HEREDOC = ["RUN", "COPY", "ADD"];
const NO_VARIABLES = { get: () => undefined };

/** Whether an instruction may have here-documents. The JSON form may not, because a shell does not parse it. */
export function takesDocuments({ keyword, rest }: { readonly keyword: string; readonly rest: string }): boolean {
  return WITH_HEREDOC.includes(keyword) && !isJsonList(rest);
}

function isJsonList(rest: string): boolean {
  if (!rest.startsWith("[")) return false;
  try {
    return Array.isArray(JSON.parse(rest));
  } catch {
    return false;
  }
}

/**
 * Finds the here-documents of a line (frontend/dockerfile/parser, heredocsFromLine). The escape character is a backslash here,
 * also if the `escape` directive sets another.
 *
 * @returns the here-documents in order; none for a line with invalid shell syntax
 * @throws ShellSyntaxError for a name with invalid shell syntax
 */
export function heredocsOf(line: string): Heredoc[] {
  return wordsOf(line).flatMap((word) => {
    const [mark = "", dash] = /^[0-9]*<<(-?)[\t\n\f\r ]*/.exec(word) ?? [];
    const written = word.slice(mark.length);
    if (mark === "" || written.includes("<")) return [];
    const [name, ...more] = splitWords(written, { escaping: "\\", keepUnset: true }, NO_VARIABLES);
    return name !== undefined && more.length === 0 ? [{ name, tabs: dash === "-" }] : [];
  });
}

function wordsOf(line: string): string[] {
  try {
    return splitWords(line, { escaping: "\\", rawQuotes: true, rawEscapes: true, keepUnset: true }, NO_VARIABLES);
  } catch (error) {
    if (error instanceof ShellSyntaxError) return [];
    throw error;
  }
}
