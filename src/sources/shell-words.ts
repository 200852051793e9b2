import { TsignError } from "../errors.ts";
import { Characters } from "./shell-characters.ts";
import { replacePattern, ShellSyntaxError, trimPattern } from "./shell-patterns.ts";
import { isSpace } from "./white-space.ts";

/** Options for expanding a word. */
export interface LexOptions {
  /** The escape character: `\`, or a backtick if set by a directive. */
  readonly escaping: string;
  /** Whether to keep quotes. */
  readonly rawQuotes?: boolean;
  /** Whether to keep escapes. */
  readonly rawEscapes?: boolean;
  /** Whether to keep an unset variable as written; by default it becomes empty. */
  readonly keepUnset?: boolean;
}

/** The variables for expanding words, and callbacks. */
export interface Variables {
  get(name: string): string | undefined;
  /** Called for an unset variable that became empty. */
  unset?(name: string): void;
  /** Called before matching a pattern with the number of characters to examine; throws when the limit is reached. */
  spend?(steps: number): void;
}

/** Longest expanded word, in characters. */
const MAX_EXPANDED = 65_536;
/** Deepest nesting of `${A:-${B:-…}}`. */
const MAX_NESTING = 40;

/**
 * Expands variables, quotes and escapes in one word as BuildKit does (frontend/dockerfile/shell, ProcessWord): `$A`, `${A}`,
 * `${A:-b}`, `${A-b}`, `${A:+b}`, `${A+b}`, `${A:?b}`, `${A?b}`, `${A#b}`, `${A##b}`, `${A%b}`, `${A%%b}`, `${A/b/c}`, `${A//b/c}`.
 *
 * @throws ShellSyntaxError for what BuildKit would refuse; TsignError "limit" for a text that grows too long
 */
export function expandWord(word: string, options: LexOptions, variables: Variables): string {
  return new Lexer(word, options, variables).run().result;
}

/**
 * Splits a line into words as BuildKit does (ProcessWords): at white space that is not quoted or escaped, after variables are
 * expanded.
 *
 * @throws ShellSyntaxError for invalid syntax, such as an unclosed quote
 */
export function splitWords(line: string, options: LexOptions, variables: Variables): string[] {
  return new Lexer(line, options, variables).run().words;
}

/** The text read so far at one level of `${…}`: as a whole, and split into complete words. */
interface Level {
  result: string;
  readonly words: string[];
}

class Lexer {
  readonly #text: Characters;
  readonly #options: LexOptions;
  readonly #variables: Variables;
  #nesting = 0;
  /** The word being read, shared by all levels as in BuildKit: when a nested level ends, the outer level loses its part of it. */
  #word = "";

  constructor(text: string, options: LexOptions, variables: Variables) {
    this.#text = new Characters(text);
    this.#options = options;
    this.#variables = variables;
  }

  run(): Level {
    return this.#readUntil("", { rawEscapes: this.#options.rawEscapes === true, pattern: false });
  }

  /** Reads to a closing character, or to the end for "". In a pattern, escapes inside quotes are doubled. */
  #readUntil(stop: string, mode: { rawEscapes: boolean; pattern: boolean }): Level {
    const level: Level = { result: "", words: [] };
    for (let next = this.#text.peek(); next !== ""; next = this.#text.peek()) {
      if (next === stop) {
        this.#text.next();
        return this.#finish(level);
      }
      if (next === "$") this.#addSplit(level, this.#dollar(level.result.length));
      else if (next === "<") this.#addWhole(level, this.#angle());
      else if (next === "'") this.#addWhole(level, this.#singleQuoted(mode));
      else if (next === '"') this.#addWhole(level, this.#doubleQuoted(mode));
      else if (next === this.#options.escaping) {
        this.#text.next();
        if (mode.rawEscapes) this.#addWhole(level, next);
        this.#addWhole(level, this.#text.next());
      } else this.#addSplit(level, this.#text.next());
    }
    if (stop !== "") throw new ShellSyntaxError(`missing closing ${stop}`);
    return this.#finish(level);
  }

  #finish(level: Level): Level {
    if (this.#word !== "") level.words.push(this.#word);
    this.#word = "";
    return level;
  }

  /** Adds quoted or escaped text, which is never split. */
  #addWhole(level: Level, text: string): void {
    level.result += text;
    this.#word += text;
  }

  #addSplit(level: Level, text: string): void {
    level.result += text;
    for (const character of text) {
      if (isSpace(character)) this.#finish(level);
      else this.#word += character;
    }
  }

  /** Reads `<`, or `<<` with the white space after it, which is part of the word. */
  #angle(): string {
    let text = this.#text.next();
    if (this.#text.peek() !== "<") return text;
    text += this.#text.next();
    while (/^[\t\r ]$/.test(this.#text.peek())) text += this.#text.next();
    return text;
  }

  #singleQuoted({ pattern }: { pattern: boolean }): string {
    const quote = this.#options.rawQuotes ? "'" : "";
    this.#text.next();
    let text = quote;
    for (;;) {
      const character = this.#text.next();
      if (character === "") throw new ShellSyntaxError("unclosed single quote");
      if (character === "'") return text + quote;
      if (pattern && character === this.#options.escaping) text += character;
      text += character;
    }
  }

  #doubleQuoted(mode: { rawEscapes: boolean; pattern: boolean }): string {
    const { escaping, rawQuotes } = this.#options;
    const quote = rawQuotes ? '"' : "";
    this.#text.next();
    let text = quote;
    for (;;) {
      const next = this.#text.peek();
      if (next === "") throw new ShellSyntaxError("unclosed double quote");
      if (next === "$") {
        text += this.#dollar(text.length);
        continue;
      }
      this.#text.next();
      if (next === '"') return text + quote;
      if (next !== escaping) {
        text += next;
        continue;
      }
      const escaped = this.#text.peek(); // an escape character at the end is dropped
      if (escaped === '"' || escaped === "$" || escaped === escaping) {
        if (mode.rawEscapes) text += next;
        text += this.#text.next();
      } else if (escaped !== "") text += mode.rawEscapes && (!rawQuotes || mode.pattern) ? next + next : next;
    }
  }

  /** Reads a variable. @param before length of the text that the value is added to, in characters */
  #dollar(before: number): string {
    const value = this.#substitution();
    if (value.length + before > MAX_EXPANDED && !this.#options.keepUnset) {
      throw new TsignError("limit", `build argument is longer than ${MAX_EXPANDED} characters`);
    }
    return value;
  }

  #substitution(): string {
    this.#text.next();
    if (this.#text.peek() !== "{") {
      const name = this.#text.name();
      if (name === "") return "$";
      return this.#variables.get(name) ?? (this.#options.keepUnset ? `$${name}` : this.#empty(name));
    }
    this.#text.next();
    if (["", "{", "}", ":"].includes(this.#text.peek())) throw new ShellSyntaxError("bad substitution");
    if (++this.#nesting > MAX_NESTING) {
      throw new TsignError("limit", `variables are nested deeper than ${MAX_NESTING} levels`);
    }
    const value = this.#braced(this.#text.name());
    this.#nesting--;
    return value;
  }

  /** Reads the part after the name in `${NAME…}`. */
  #braced(name: string): string {
    const keep = this.#options.keepUnset === true;
    let operator = this.#text.next();
    if (operator === "}") return this.#variables.get(name) ?? (keep ? `\${${name}}` : this.#empty(name));
    if (operator === "/") return this.#replaced(name, keep);
    const colon = operator === ":" ? ":" : "";
    if (colon !== "") operator = this.#text.next();
    const trims = operator === "#" || operator === "%";
    if (!["+", "-", "?", "#", "%"].includes(operator) || (trims && colon !== "")) {
      throw new ShellSyntaxError(`unsupported modifier ${colon}${operator}`);
    }
    const other = this.#readUntil("}", { rawEscapes: trims, pattern: trims }).result;
    const value = this.#variables.get(name);
    if (value === undefined && keep) return `\${${name}${colon}${operator}${other}}`;
    const isSet = value !== undefined && (value !== "" || colon === "");
    if (operator === "-") return isSet ? value : other;
    if (operator === "+") return isSet ? other : "";
    if (operator === "?") {
      if (!isSet) throw new ShellSyntaxError(`${name}: ${other || "is not set"}`);
      return value;
    }
    const longest = other.startsWith(operator);
    const pattern = longest ? other.slice(1) : other;
    return trimPattern(value ?? "", pattern, { longest, fromEnd: operator === "%", spend: this.#spend });
  }

  #replaced(name: string, keep: boolean): string {
    const all = this.#text.peek() === "/";
    if (all) this.#text.next();
    const pattern = this.#readUntil("/", { rawEscapes: true, pattern: true }).result;
    const replacement = this.#readUntil("}", { rawEscapes: true, pattern: false }).result;
    const value = this.#variables.get(name);
    if (value === undefined && keep) return `\${${name}/${pattern}/${replacement}}`;
    return replacePattern(value ?? "", pattern, { replacement, all, spend: this.#spend });
  }

  readonly #spend = (steps: number): void => {
    this.#variables.spend?.(steps);
  };

  #empty(name: string): "" {
    this.#variables.unset?.(name);
    return "";
  }
}
