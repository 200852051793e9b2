import { TsignError } from "../errors.ts";
import { Characters } from "./shell-characters.ts";
import { ShellSyntaxError } from "./shell-patterns.ts";
import { expandWord } from "./shell-words.ts";
import { isSpace } from "./white-space.ts";

/** How much text patterns in build arguments may look at. Characters. */
const MAX_MATCHING = 4_000_000;
/** What a registry could have: a host and port, a path, a tag, a digest (distribution/reference). */
const IMAGE =
  /^(?:[A-Za-z0-9.-]+(?::[0-9]+)?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+|\/)[a-z0-9]+)*(?::\w[\w.-]{0,127})?(?:@[A-Za-z][\w.+-]*:[0-9a-fA-F]{32,})?$/;

/**
 * The build arguments that a `FROM` sees: those declared before the first one, and the platforms'. An argument has the default
 * of its `ARG`, else the variable of that name in the environment. What has neither is empty.
 */
export class DockerfileArguments {
  readonly notices: string[] = [];
  readonly #values = new Map<string, string>();
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #escape: string;
  readonly #platform: string;
  /**
   * Arguments that the build itself gives a value (Dockerfile reference, "Automatic platform ARGs in the global scope"), where
   * nothing else did.
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

  /** BuildKit calls the stage that is built by the name of the last one. */
  setTargetStage(name: string | undefined): void {
    this.#values.set("TARGETSTAGE", this.#env["TARGETSTAGE"] ?? name ?? "default");
  }

  /**
   * Takes the arguments of an `ARG` before the first `FROM`; each may use those before it.
   *
   * @param rest what follows the keyword
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
   * The image that a word after `FROM` means.
   *
   * @throws TsignError "input" where nothing is left, or no image's name because an argument has no value
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
 * The words of an `ARG`, quotes and escapes still in them (frontend/dockerfile/parser, parseWords). An escape at the very end
 * is dropped; inside single quotes there is none.
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
