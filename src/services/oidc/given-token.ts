import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { looksLikeToken, plainToken, unexpandedVariable } from "./token.ts";

/** The longest path the systems know, in characters. */
const MAX_PATH = 4096;

/**
 * What `--identity-token` was given, as text: the token itself, or what a file, a URL, `env://NAME` or `-` (stdin) holds.
 * No message names the value unless it can only be a place: a token that was cut off is a secret still.
 *
 * @returns the text and how to call its source in messages
 * @throws TsignError "input" for a value that is neither a token nor a place with one
 */
export async function givenToken(io: Io, given: string): Promise<{ text: string; source: string }> {
  const flag = "--identity-token";
  if (looksLikeToken(plainToken(given))) return { text: given, source: flag };
  if (given.trim() === "") throw new TsignError("input", `${flag} is empty`, { hint: HINT });
  const variable = unexpandedVariable(given);
  if (variable !== undefined) {
    throw new TsignError("input", `${flag} is the text of a variable that nobody expanded: ${variable}`, {
      hint: `pass ${howToExpand(flag, variable)}, or the name of a file that holds the token`,
    });
  }
  if (await isPlace(io, given)) {
    return { text: Buffer.from(await readBlob(io, given)).toString("utf8"), source: given };
  }
  if (isPath(given)) throw new TsignError("input", `${flag}: there is no file ${given}`, { hint: HINT });
  throw new TsignError("input", `${flag} is neither a token nor a file`, { hint: HINT });
}

/** A workflow's expression is expanded in the workflow alone; other variables by a shell, in double quotes. */
function howToExpand(flag: string, variable: string): string {
  if (variable.startsWith("${{"))
    return "its value, through `env:` of the step: expressions are expanded in workflow files only";
  return `its value, as in ${flag} "$${variable.replace(/^\$env:/, "").replace(/\W/g, "")}"`;
}

const HINT = "it takes a JWT (three parts, with dots), or the name of a file that holds one";

async function isPlace(io: Pick<Io, "files">, given: string): Promise<boolean> {
  if (given === "-") return true;
  if (given.includes("://")) return /^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(given);
  if (given.length > MAX_PATH || /\p{Cc}/u.test(given)) return false;
  try {
    return (await io.files.stat(given)) !== undefined;
  } catch {
    return false; // its error would name the value
  }
}

/** Whether a value can only be meant as a path: it begins or ends as one, and no part is as long and odd as a token's. */
function isPath(text: string): boolean {
  const begins = /^(?:\.{0,2}[\\/]|~|[A-Za-z]:[\\/])/.test(text) || /\.(?:jwt|jws|token|txt|json)$/i.test(text);
  return begins && text.length <= 255 && !/[\p{Cc}\s]|eyJ|[+=]|[A-Za-z0-9_-]{24,}/u.test(text);
}
