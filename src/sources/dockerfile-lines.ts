import { TsignError } from "../errors.ts";
import { type Heredoc, heredocsOf, takesDocuments } from "./dockerfile-heredocs.ts";
import { ShellSyntaxError } from "./shell-patterns.ts";
import { isSpace, splitAtSpaces, trimEnd, trimSpace, trimStart } from "./white-space.ts";

/** An instruction of a Dockerfile, with continued lines joined. */
export interface Instruction {
  /** Upper case. */
  readonly keyword: string;
  /** The words that begin with `--`, without quotes and escapes. */
  readonly flags: readonly string[];
  /** The text after the flags, as written. */
  readonly rest: string;
  /** The number of its first line, from 1. */
  readonly line: number;
  /** The instruction after `ONBUILD`, for builds that are based on this image. */
  readonly trigger?: Instruction;
}

/** A parsed Dockerfile. */
export interface Instructions {
  readonly instructions: readonly Instruction[];
  /** The escape character: that of the `escape` directive, otherwise a backslash. */
  readonly escaping: string;
}

/** The longest line that BuildKit reads, in bytes, with its line end. */
const MAX_LINE = 65_535;

/**
 * Splits a Dockerfile into instructions exactly as BuildKit does (frontend/dockerfile/parser, v0.34), because a line that is
 * parsed differently could hide an image.
 *
 * @throws TsignError "input" (with the line) for what BuildKit refuses, such as a here-document without an end marker or an
 *   invalid directive
 */
export function readInstructions(text: string, path: string): Instructions {
  return new Reader(text.replace(/^\uFEFF/, ""), path).read();
}

const trimLineEnd = (line: string) => trimEnd(line, "\r");

class Reader {
  readonly #lines: readonly string[];
  readonly #path: string;
  #index = 0;
  #escape = "\\";
  #continued = continuation("\\");

  constructor(text: string, path: string) {
    this.#lines = text.split("\n");
    this.#path = path;
  }

  read(): Instructions {
    this.#directives();
    const instructions: Instruction[] = [];
    for (let next = this.#instruction(); next; next = this.#instruction()) instructions.push(next);
    return { instructions, escaping: this.#escape };
  }

  #refuse(line: number, reason: string): never {
    throw new TsignError("input", `${this.#path}:${line}: ${reason}`);
  }

  /** Consumes the next line; refuses one that is longer than BuildKit reads. */
  #take(): string | undefined {
    const line = this.#lines[this.#index];
    if (line === undefined) return undefined;
    this.#index++;
    if (Buffer.byteLength(line) > MAX_LINE) {
      this.#refuse(this.#index, `line is longer than ${MAX_LINE} bytes`);
    }
    return line;
  }

  /** Reads the directives. They precede everything else, including comments, and end at the first unknown one. */
  #directives(): void {
    const seen = new Set<string>();
    for (const [at, line] of this.#lines.entries()) {
      const found = directive(trimStart(trimLineEnd(line)), "#");
      if (!found || !DIRECTIVES.includes(found[0])) return;
      const [name, value] = found;
      if (seen.has(name)) this.#refuse(at + 1, `duplicate directive ${name}`);
      seen.add(name);
      if (name !== "escape") continue;
      if (value !== "\\" && value !== "`") this.#refuse(at + 1, `"${value}" is not a valid escape character`);
      this.#escape = value;
      this.#continued = continuation(value);
    }
  }

  #instruction(): Instruction | undefined {
    for (let first = this.#take(); first !== undefined; first = this.#take()) {
      const line = this.#index;
      const joined = this.#joined(first);
      if (joined === "") continue;
      const instruction = this.#parse(joined, line);
      const holder = instruction.trigger ?? instruction;
      const documents = joined.includes("<<") && takesDocuments(holder) ? this.#documents(joined, line) : [];
      const bodies = documents.map((document) => this.#body(document, line));
      return instruction.trigger ? { ...instruction, trigger: this.#trigger(joined, { bodies, line }) } : instruction;
    }
    return undefined;
  }

  /** A line joined with those that continue it, without comments and empty lines, which do not end the continuation. */
  #joined(first: string): string {
    let part = trimStart(trimLineEnd(first));
    if (part.startsWith("#")) return "";
    let continues = this.#continued.test(part);
    if (!continues) return part;
    const parts = [part.replace(this.#continued, "$1")];
    while (continues) {
      const next = this.#take();
      if (next === undefined) break;
      part = trimLineEnd(next);
      const content = trimStart(part);
      if (content === "" || content.startsWith("#")) continue;
      continues = this.#continued.test(part);
      parts.push(continues ? part.replace(this.#continued, "$1") : part);
    }
    const joined = parts.join("");
    return joined === "" ? " " : joined; // BuildKit refuses an instruction of empty continued lines
  }

  #parse(joined: string, line: number): Instruction {
    const text = trimSpace(joined);
    const [keyword = ""] = splitAtSpaces(text);
    if (!/^[A-Za-z]+$/.test(keyword)) this.#refuse(line, `${keyword || "an empty line"} is not an instruction`);
    const { flags, rest } = this.#flags(text.slice(keyword.length), line);
    const instruction: Instruction = { keyword: keyword.toUpperCase(), flags, rest: trimSpace(rest), line };
    if (instruction.keyword !== "ONBUILD" || instruction.rest === "") return instruction;
    const trigger = this.#parse(instruction.rest, line);
    if (["ONBUILD", "FROM", "MAINTAINER"].includes(trigger.keyword)) {
      this.#refuse(line, `ONBUILD cannot contain ${trigger.keyword}`);
    }
    return { ...instruction, trigger };
  }

  /**
   * Reads the instruction after `ONBUILD` as a build that runs it does: as a Dockerfile of its own, with the here-documents at
   * its end and without the directives of this file.
   */
  #trigger(joined: string, { bodies, line }: { bodies: readonly string[]; line: number }): Instruction {
    const expression = joined.replace(/^[\t\n\f\r ]*ONBUILD[\t\n\f\r ]*/i, "");
    const inner = new Reader([expression, ...bodies].join("\n"), this.#path);
    const instructions = inner.#readTrigger(line);
    const [only] = instructions;
    if (only === undefined || instructions.length !== 1 || only.keyword === "ONBUILD") {
      this.#refuse(line, "ONBUILD must contain exactly one instruction");
    }
    return only;
  }

  #readTrigger(line: number): Instruction[] {
    try {
      return this.read().instructions.map((each) => ({ ...each, line }));
    } catch (error) {
      if (!(error instanceof TsignError)) throw error;
      this.#refuse(line, "ONBUILD does not contain a valid instruction");
    }
  }

  /** Splits the words that begin with `--` off the start. A lone `--` ends them. */
  #flags(text: string, line: number): { flags: string[]; rest: string } {
    const flags: string[] = [];
    let at = 0;
    for (;;) {
      while (isSpace(text.charAt(at))) at++;
      if (!text.startsWith("--", at)) return { flags, rest: text.slice(at) };
      const word = this.#flag(text, at, line);
      at = word.end;
      if (word.text === "--") return { flags, rest: text.slice(at) };
      flags.push(word.text);
    }
  }

  /** Reads one flag. Characters that are not ASCII are refused, because BuildKit reads flags byte by byte. */
  #flag(text: string, start: number, line: number): { text: string; end: number } {
    let [word, quote] = ["", ""];
    let at = start;
    for (; at < text.length; at++) {
      let character = text.charAt(at);
      if (character > "\x7f") this.#refuse(line, "option contains a character that is not ASCII");
      if (quote === "" && isSpace(character)) break;
      if (quote === "" ? character === "'" || character === '"' : character === quote) {
        quote = quote === "" ? character : "";
        continue;
      }
      if (character === this.#escape) {
        at++;
        character = text.charAt(at);
        if (character > "\x7f") this.#refuse(line, "option contains a character that is not ASCII");
      }
      word += character;
    }
    return { text: word, end: at };
  }

  #documents(joined: string, line: number): Heredoc[] {
    try {
      return heredocsOf(joined);
    } catch (error) {
      if (!(error instanceof ShellSyntaxError)) throw error;
      this.#refuse(line, `invalid here-document name: ${error.message}`);
    }
  }

  /** Consumes a here-document. @returns its lines, with the end marker */
  #body({ name, tabs }: Heredoc, line: number): string {
    const body: string[] = [];
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      const end = trimLineEnd(next);
      if ((tabs ? end.replace(/^\t+/, "") : end) === name) return [...body, name].join("\n");
      body.push(next);
    }
    this.#refuse(line, `here-document has no end marker ${name}`);
  }
}

/** The directives that BuildKit knows. */
const DIRECTIVES = ["syntax", "escape", "check"];

/** Parses `# name=value`, where mark is the comment character. @returns the name in lower case, and the value */
export function directive(line: string, mark: string): [name: string, value: string] | undefined {
  if (!line.startsWith(mark)) return undefined;
  const text = trimStart(line.slice(mark.length));
  const [, name, value] = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+)/s.exec(text) ?? [];
  if (name === undefined || value === undefined) return undefined;
  return [name.toLowerCase(), trimEnd(value, "\t\n\f\r ") || " "]; // BuildKit keeps one space if there are only spaces
}

/** A pattern for an escape character that continues the line. A doubled one at the end does not. */
function continuation(escaping: string): RegExp {
  const pattern = escaping === "\\" ? "\\\\" : "`";
  return new RegExp(`(^|[^${pattern}])${pattern}[ \\t]*$`);
}
