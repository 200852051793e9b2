import { TsignError } from "../errors.ts";
import { jsonNodes } from "./json-nodes.ts";
import { type Place, unexpandedTemplate } from "./named-image.ts";
import type { Scalar } from "./yaml-cursor.ts";
import { splitDocuments } from "./yaml-documents.ts";
import type { YamlNode } from "./yaml-parts.ts";
import { readYaml } from "./yaml-reader.ts";

/** Largest stream, in bytes; thousands of documents have a few megabytes. */
const MAX_STREAM = 8 * 1024 * 1024;

/** A document of a stream that has content. */
export interface SourceDocument {
  readonly root: YamlNode;
  readonly lines: DocumentLines;
}

/**
 * Reads a stream of YAML or JSON documents. Refuses what parsers read differently.
 *
 * @param content the stream's bytes, or its text
 * @param path name of the stream in errors
 * @throws TsignError "input" (with the line) for unsupported YAML and unexpanded templates; "limit" for a stream or its merges
 *   that are too large
 */
export function readDocuments(content: string | Uint8Array, path: string): SourceDocument[] {
  return splitDocuments(content, { path, maxBytes: MAX_STREAM }).flatMap(({ text: document, firstLine }) => {
    const lines = new DocumentLines(document, { path, firstLine });
    const nodes = jsonNodes(document, path) ?? [yamlNode(document, lines)];
    return nodes.flatMap((root) => (root ? [{ root, lines }] : []));
  });
}

/** The lines of a document, to tell where its nodes are. Offsets count from one character before the document. */
export class DocumentLines {
  readonly path: string;
  readonly firstLine: number;
  readonly #text: string;
  #starts: number[] | undefined;

  constructor(text: string, options: { path: string; firstLine: number }) {
    this.#text = text;
    this.path = options.path;
    this.firstLine = options.firstLine;
  }

  /** The line of an offset in the file, from 1. */
  line(at: number): number {
    return this.firstLine + this.#index(at);
  }

  /** `FILE:LINE` of an offset. */
  where(at: number): string {
    return `${this.path}:${this.line(at)}`;
  }

  /** Where the text of a scalar is. */
  place({ span: [start, end] }: Scalar): Place {
    const index = this.#index(start);
    return { line: this.firstLine + index, column: start - 1 - (this.#lineStarts()[index] ?? 0), length: end - start };
  }

  /** The text of a line, by its number in the file. */
  text(line: number): string {
    const starts = this.#lineStarts();
    const index = line - this.firstLine;
    return this.#text.slice(starts[index], (starts[index + 1] ?? this.#text.length + 1) - 1);
  }

  #lineStarts(): number[] {
    if (this.#starts) return this.#starts;
    const starts = [0];
    for (let end = this.#text.indexOf("\n"); end !== -1; end = this.#text.indexOf("\n", end + 1)) starts.push(end + 1);
    this.#starts = starts;
    return starts;
  }

  /** The index of the line that an offset is in, by bisection. */
  #index(at: number): number {
    const starts = this.#lineStarts();
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= at - 1) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Reads YAML; a line that is refused and has a template is refused for that. */
function yamlNode(document: string, lines: DocumentLines): YamlNode | undefined {
  const { path, firstLine } = lines;
  try {
    return readYaml(document, { path, firstLine });
  } catch (error) {
    if (!(error instanceof TsignError)) throw error;
    const number = Number(error.message.slice(path.length + 1).split(":", 1)[0]);
    const text = Number.isInteger(number) ? lines.text(number) : "";
    throw text.includes("{{") ? unexpandedTemplate(text, `${path}:${number}`) : error;
  }
}
