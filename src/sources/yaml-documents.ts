import { TsignError } from "../errors.ts";
import { decodeDocument, lineOf, nameOfCharacter } from "./text.ts";

/** One document of a stream. */
export interface YamlDocument {
  /** Its lines, separated by line feeds. */
  readonly text: string;
  /** The number of its first line in the stream, from 1. */
  readonly firstLine: number;
}

/**
 * Splits a YAML stream into its documents.
 *
 * @param content the stream's bytes, or its text
 * @param options.path name of the stream in errors
 * @throws TsignError "input" (with the line) for text that is not UTF-8, characters and document marks that YAML parsers read
 * differently; "limit" for a stream larger than `maxBytes`
 */
export function splitDocuments(
  content: string | Uint8Array,
  options: { path: string; maxBytes: number },
): YamlDocument[] {
  const { path } = options;
  const text = decodeDocument(content, options).replace(/^\uFEFF/, "");
  refuseCharacters(text, path);
  return documentsOf(text.replaceAll("\r\n", "\n"), path);
}

/** Refuses characters that go-yaml refuses but other parsers accept. */
function refuseCharacters(text: string, path: string): void {
  const found = /[\0-\x08\v\f\x0E-\x1F\x7F-\x84\x86-\x9F\uFEFF\uFFFE\uFFFF]/.exec(text);
  if (!found) return;
  throw new TsignError(
    "input",
    `${path}:${lineOf(text, found.index)}: ${nameOfCharacter(found[0])} is not allowed in YAML`,
  );
}

/** Splits a stream at `---` lines, like kubectl and YAML. */
function documentsOf(text: string, path: string): YamlDocument[] {
  const documents: YamlDocument[] = [];
  const refuse = (line: number, reason: string): never => {
    throw new TsignError("input", `${path}:${line}: ${reason}`);
  };
  let lines: string[] = [];
  let firstLine = 1;
  let ended = false;
  const all = text.split("\n");
  for (const [index, line] of all.entries()) {
    const isMark = line.startsWith("---") || line.startsWith("...");
    if (isMark && !/^(?:---|\.\.\.)(?:[ \t]*|[ \t]+#.*)$/.test(line)) {
      refuse(
        index + 1,
        `${line.slice(0, 3)} with other text is a document ${line.startsWith("-") ? "start" : "end"} for some YAML parsers only`,
      );
    }
    if (line.startsWith("%")) refuse(index + 1, "YAML directives are not supported");
    if (ended && !isMark && !/^ *(?:#.*)?$/.test(line)) refuse(index + 1, "missing --- after ...");
    if (!isMark) {
      lines.push(line);
      continue;
    }
    ended = line.startsWith("...");
    documents.push({ text: lines.join("\n"), firstLine });
    [lines, firstLine] = [[], index + 2];
  }
  documents.push({ text: lines.join("\n"), firstLine });
  return documents;
}
