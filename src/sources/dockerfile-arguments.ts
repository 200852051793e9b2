import { TsignError } from "../errors.ts";
import { Characters } from "./shell-characters.ts";
import { ShellSyntaxError } from "./shell-patterns.ts";
import { expandWord } from "./shell-words.ts";
import { isSpace } from "./white-space.ts";

/** Most characters that patterns in build arguments may examine, for the whole file. */
const MAX_MATCHING = 4_000_000;
/** A valid image reference: host and port, path, tag, digest (distribution/reference). */
const IMAGE =
  /^(?:[A-Za-z0-9.-]+(?::[0-9]+)?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+|\/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@[A-Za-z][\w.+-]*:[0-9a-fA-F]{32,})?$/;

/**
 * The build arguments in scope for `FROM`: those declared before the first `FROM`, and the platform arguments. The value of an
 * argument is the default of its `ARG`, otherwise the environment variable with its name. An argument without either is empty.
 */
export class DockerfileArguments {
  readonly notices: string[] = [];
  readonly #values = new Map<string, string>();
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #escape: string;
  readonly #platform: string;
  /**
   * Arguments with the value that the build sets (Dockerfile reference, "Automatic platform ARGs in the global scope"), unless
   * the environment or an `ARG` sets another.
   */
  readonly #assumed = new Set<string>();
  #spent = 0;

  constructor(options: {
    env: Readonly<Record<string, string | undefined>>;
    escaping: string;
    platform?: string | undefined;
  }) {
    this.#env = options.env;
    this.#escape = options.escaping;
    this.#platform = options.platform ?? "linux/amd64";
    const [os = "", architecture = "", variant = ""] = this.#platform.split("/");
    const values = { PLATFORM: this.#platform, OS: os, OSVERSION: "", ARCH: architecture, VARIANT: variant };
    for (const [end, value] of Object.entries(values)) {
      for (const name of [`BUILD${end}`, `TARGET${end}`]) {
        const given = this.#env[name];
        this.#values.set(name, given ?? value);
        if (given === undefined) this.#assumed.add(name);
      }
    }
  }

  /** Sets TARGETSTAGE as BuildKit does for a build of the last stage: its name, or `default`. */
  setTargetStage(name: string | undefined): void {
    this.#values.set("TARGETSTAGE", this.#env["TARGETSTAGE"] ?? name ?? "default");
  }

  /**
   * Adds the arguments of an `ARG` before the first `FROM`; each may use those before it.
   *
   * @param rest the text after the keyword
   * @throws TsignError "input" for a missing name or invalid syntax; "limit" for values or patterns that are too large
   */
  define(rest: string, where: string): void {
    const words = wordsOf(rest, this.#escape);
    if (words.length === 0) throw new TsignError("input", `${where}: ARG requires a name`);
    for (const word of words) {
      const [name = "", ...parts] = word.split("=");
      if (name === "") throw new TsignError("input", `${where}: ARG requires a name before =`);
      const value = parts.length > 0 ? this.#expand(parts.join("="), where) : this.#env[name];
      if (value === undefined) continue;
      this.#values.set(name, value);
      this.#assumed.delete(name);
    }
  }

  /**
   * Expands the image in a `FROM`.
   *
   * @param word the image as written
   * @throws TsignError "input" if the result is empty, or is not an image reference because an argument has no value
   */
  expandImage(word: string, where: string): string {
    const unset: string[] = [];
    const given: string[] = [];
    const image = this.#expand(word, where, { unset, given });
    const [missing] = unset;
    if (image === "" || (missing !== undefined && !IMAGE.test(image))) {
      throw new TsignError(
        "input",
        missing === undefined
          ? `${where}: cannot resolve ${word}`
          : `${where}: the build argument ${missing} has no value`,
        missing === undefined
          ? {}
          : {
              hint: `give it a default with ARG before the first FROM, or declare it there and set the environment variable ${missing}`,
            },
      );
    }
    for (const name of unset) this.notices.push(`- build argument without a value is empty: ${name}`);
    if (given.some((name) => this.#assumed.has(name))) {
      const notice = `- build platform assumed: ${this.#platform}`;
      if (!this.notices.includes(notice)) this.notices.push(notice);
    }
    return image;
  }

  #expand(
    word: string,
    where: string,
    report: { unset: string[]; given: string[] } = { unset: [], given: [] },
  ): string {
    try {
      return expandWord(
        word,
        { escaping: this.#escape },
        {
          get: (name) => {
            report.given.push(name);
            return this.#values.get(name);
          },
          unset: (name) => {
            report.unset.push(name);
          },
          spend: (steps) => {
            this.#spent += steps;
            if (this.#spent > MAX_MATCHING) throw new TsignError("limit", "patterns take too long to match");
          },
        },
      );
    } catch (error) {
      if (error instanceof ShellSyntaxError)
        throw new TsignError("input", `${where}: cannot expand ${word}: ${error.message}`);
      if (error instanceof TsignError) throw new TsignError(error.code, `${where}: ${error.message}`, { cause: error });
      throw error;
    }
  }
}

/**
 * Splits the text of an `ARG` into words, and keeps quotes and escapes (frontend/dockerfile/parser, parseWords). An escape
 * character at the end is dropped; single quotes contain no escapes.
 */
function wordsOf(rest: string, escaping: string): string[] {
  const words: string[] = [];
  const text = new Characters(rest);
  let [word, quote] = ["", ""];
  for (let character = text.next(); character !== ""; character = text.next()) {
    if (quote === "" && isSpace(character)) {
      if (word !== "") words.push(word);
      word = "";
      continue;
    }
    if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
    else if (character === escaping && quote !== "'") {
      const escaped = text.next();
      if (escaped === "") break;
      word += character + escaped;
      continue;
    }
    word += character;
  }
  if (word !== "") words.push(word);
  return words;
}
