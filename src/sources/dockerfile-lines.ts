import { TsignError } from "../errors.ts";
import { type Heredoc, heredocsOf, takesDocuments } from "./dockerfile-heredocs.ts";
import { ShellSyntaxError } from "./shell-patterns.ts";
import { isSpace, splitAtSpaces, trimEnd, trimSpace, trimStart } from "./white-space.ts";

/** An instruction of a Dockerfile, its lines joined. */
export interface Instruction {
  /** Upper case. */
  readonly keyword: string;
  /** The words that begin with `--`, quotes and escapes taken away. */
  readonly flags: readonly string[];
  /** What follows the flags, as it is written. */
  readonly rest: string;
  /** Where it begins, from 1. */
  readonly line: number;
  /** What `ONBUILD` keeps for the builds on this image. */
  readonly trigger?: Instruction;
}

/** A Dockerfile, instruction by instruction. */
export interface Instructions {
  readonly instructions: readonly Instruction[];
  /** What the `escape` directive says, else a backslash. */
  readonly escaping: string;
}

/** The longest line that BuildKit reads, with what ends it. Bytes. */
const MAX_LINE = 65_535;

/**
 * Splits a Dockerfile into instructions exactly as BuildKit does (frontend/dockerfile/parser, v0.34): a line taken for
 * something else than the build takes it for could hide an image.
 *
 * @throws TsignError "input" for what BuildKit refuses, with the line: a here-document without an end, a bad directive
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

  /** The next line, which must not be longer than BuildKit reads. */
  #take(): string | undefined {
    const line = this.#lines[this.#index];
    if (line === undefined) return undefined;
    this.#index++;
    if (Buffer.byteLength(line) > MAX_LINE) {
      this.#refuse(this.#index, `line is longer than ${MAX_LINE} bytes`);
    }
    return line;
  }

  /** Directives stand before everything else, comments too, and end at the first that BuildKit does not know. */
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

  /** A line and those that continue it. Comments and empty lines among them are left out and end nothing. */
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
    return joined === "" ? " " : joined; // BuildKit refuses what is nothing but continued lines
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
   * What an `ONBUILD` keeps is a Dockerfile of one instruction to the build that runs it, with here-documents at its end and
   * without this file's directives.
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

  /** Takes the words that begin with `--` off the start. Words after a lone `--` are none of them. */
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

  /** BuildKit reads flags byte by byte, which breaks letters beyond ASCII: those are refused. */
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

  /** Passes over a here-document. @returns what it holds, and its end */
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

/** `# name=value`, after the comment's own mark. @returns the name in lower case, and the value */
export function directive(line: string, mark: string): [name: string, value: string] | undefined {
  if (!line.startsWith(mark)) return undefined;
  const text = trimStart(line.slice(mark.length));
  const [, name, value] = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=[\t\n\f\r ]*(.+)/s.exec(text) ?? [];
  if (name === undefined || value === undefined) return undefined;
  return [name.toLowerCase(), trimEnd(value, "\t\n\f\r ") || " "]; // BuildKit's pattern leaves one of nothing but spaces
}

/** A doubled escape character at the end of a line continues nothing. */
function continuation(escaping: string): RegExp {
  const pattern = escaping === "\\" ? "\\\\" : "`";
  return new RegExp(`(^|[^${pattern}])${pattern}[ \\t]*$`);
}
