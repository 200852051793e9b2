import { TsignError } from "../errors.ts";

/** An instruction of a Dockerfile, its lines joined. */
export interface Instruction {
  /** Upper case; for `ONBUILD` that of the instruction it holds. */
  readonly keyword: string;
  /** What follows, split at white space, quotes and escapes taken away. */
  readonly words: readonly string[];
  /** Where it begins, from 1. */
  readonly line: number;
}

/** Instructions that take here-documents. */
const WITH_HEREDOC = ["RUN", "COPY", "ADD"];

/**
 * Splits a Dockerfile into instructions exactly as BuildKit does (frontend/dockerfile/parser): a line taken for something
 * else than the build takes it for could hide an image. Comments are left out, continued lines joined, the `escape`
 * directive obeyed, here-documents passed over, since what they hold is no instruction.
 *
 * @throws TsignError "input" for a here-document without an end, and an escape that is none
 */
export function readInstructions(text: string, path: string): Instruction[] {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  const continued = continuation(lines, path);
  const found: Instruction[] = [];
  for (let index = 0; index < lines.length; index++) {
    if (isComment(lines[index]) || lines[index]?.trim() === "") continue;
    const line = index + 1;
    let joined = lines[index] ?? "";
    while (continued.test(joined)) {
      joined = joined.replace(continued, "$1");
      index++;
      while (index < lines.length && (isComment(lines[index]) || lines[index]?.trim() === "")) index++; // do not end it
      if (index >= lines.length) break;
      joined += lines[index] ?? "";
    }
    const { words, raw } = splitWords(joined.trim());
    const instruction = instructionOf(words, line);
    if (!instruction) continue;
    found.push(instruction);
    for (const document of WITH_HEREDOC.includes(instruction.keyword) ? heredocs(raw) : []) {
      index = endOf(document, { lines, index, where: `${path}:${line}` });
    }
  }
  return found;
}

function isComment(line: string | undefined): boolean {
  return line?.trimStart().startsWith("#") === true;
}

/** Directives stand before everything else. A doubled escape at the end of a line continues nothing. */
function continuation(lines: readonly string[], path: string): RegExp {
  let escaping = "\\";
  for (const line of lines) {
    const [, name = "", value = ""] = /^\s*#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+?)\s*$/.exec(line) ?? [];
    if (name === "") break;
    if (name.toLowerCase() !== "escape") continue;
    if (value !== "\\" && value !== "`") throw new TsignError("input", `${path}: "${value}" cannot be the escape`);
    escaping = value;
  }
  const pattern = escaping === "\\" ? "\\\\" : "`";
  return new RegExp(`(^|[^${pattern}])${pattern}[ \\t]*$`);
}

function instructionOf([keyword = "", ...words]: readonly string[], line: number): Instruction | undefined {
  const [inner, ...rest] = words;
  if (keyword.toUpperCase() === "ONBUILD" && inner) return { keyword: inner.toUpperCase(), words: rest, line };
  return keyword === "" ? undefined : { keyword: keyword.toUpperCase(), words, line };
}

/**
 * Splits at white space, as a shell does: quotes keep it together, a backslash takes the next character as it is, but not
 * in single quotes.
 *
 * @returns each word without and with what quotes it
 */
function splitWords(text: string): { words: string[]; raw: string[] } {
  const words: string[] = [];
  const raw: string[] = [];
  const part = /\s+|\\(.)?|'([^']*)(?:'|$)|"((?:\\.|[^"\\])*)(?:"|$)|[^\s\\'"]+/gs;
  let [word, written]: [string, string] = ["", ""];
  const end = () => {
    if (written === "") return;
    words.push(word);
    raw.push(written);
    [word, written] = ["", ""];
  };
  for (const [all, escaped, single, double] of text.matchAll(part)) {
    if (/^\s/.test(all)) end();
    else {
      written += all;
      word += escaped ?? single ?? double?.replace(/\\(.)/gs, "$1") ?? (all === "\\" ? "" : all);
    }
  }
  end();
  return { words, raw };
}

interface Heredoc {
  /** The line that ends it. */
  readonly end: string;
  /** Whether tabs before that line do not count. */
  readonly tabs: boolean;
}

/** `<<EOF`, `<<-EOF`, `<<"EOF"`: words of their own, not parts of quoted text. */
function heredocs(raw: readonly string[]): Heredoc[] {
  return raw.flatMap((word) => {
    const [, dash, name = ""] = /^\d*<<(-?)([^<]+)$/.exec(word) ?? [];
    return name === "" ? [] : [{ end: splitWords(name).words.join(""), tabs: dash === "-" }];
  });
}

function endOf({ end, tabs }: Heredoc, by: { lines: readonly string[]; index: number; where: string }): number {
  for (let index = by.index + 1; index < by.lines.length; index++) {
    const line = by.lines[index] ?? "";
    if ((tabs ? line.replace(/^\t+/, "") : line) === end) return index;
  }
  throw new TsignError("input", `${by.where}: the here-document has no end, ${end}`);
}
