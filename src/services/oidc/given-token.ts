import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { looksLikeToken, plainToken, unexpandedVariable } from "./token.ts";

/** Characters of the longest path on the supported systems. */
const MAX_PATH = 4096;

/**
 * Reads the value of `--identity-token`: a token, or a file, a URL, `env://NAME` or `-` (stdin) with one. Errors include the
 * value only if it is clearly a path or a variable, because part of a token is still a secret.
 *
 * @returns the text, and the name of its source for messages
 * @throws TsignError "input" for a value that is neither a token nor a source of one
 */
export async function givenToken(io: Io, given: string): Promise<{ text: string; source: string }> {
  const flag = "--identity-token";
  if (looksLikeToken(plainToken(given))) return { text: given, source: flag };
  if (given.trim() === "") throw new TsignError("input", `${flag} is empty`, { hint: HINT });
  const variable = unexpandedVariable(given);
  if (variable !== undefined) {
    throw new TsignError("input", `${flag} is an unexpanded variable: ${variable}`, {
      hint: `pass ${howToExpand(flag, variable)}, or the path of a file with the token`,
    });
  }
  if (await isSource(io, given)) {
    return { text: Buffer.from(await readBlob(io, given)).toString("utf8"), source: given };
  }
  if (isPath(given)) throw new TsignError("input", `${flag}: file not found: ${given}`, { hint: HINT });
  throw new TsignError("input", `${flag} is neither a token nor an existing file`, { hint: HINT });
}

/** How to pass the value of a variable. Workflow expressions are only expanded in workflow files, other variables by a shell. */
function howToExpand(flag: string, variable: string): string {
  if (variable.startsWith("${{"))
    return "its value through a variable in `env:` of the step, because only workflow files expand expressions";
  return `its value, as in ${flag} "$${variable.replace(/^\$env:/, "").replace(/\W/g, "")}"`;
}

const HINT = "pass a JWT (three parts separated by dots), or the path of a file with one";

async function isSource(io: Pick<Io, "files">, given: string): Promise<boolean> {
  if (given === "-") return true;
  if (given.includes("://")) return /^[a-z][a-z0-9+.-]*:\/\/\S+$/i.test(given);
  if (given.length > MAX_PATH || /\p{Cc}/u.test(given)) return false;
  try {
    return (await io.files.stat(given)) !== undefined;
  } catch {
    return false; // the error would contain the value
  }
}

/** Whether a value is clearly a path: it starts or ends like one, and no part of it could belong to a token. */
function isPath(text: string): boolean {
  const begins = /^(?:\.{0,2}[\\/]|~|[A-Za-z]:[\\/])/.test(text) || /\.(?:jwt|jws|token|txt|json)$/i.test(text);
  return begins && text.length <= 255 && !/[\p{Cc}\s]|eyJ|[+=]|[A-Za-z0-9_-]{24,}/u.test(text);
}
