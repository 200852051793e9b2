import { TsignError } from "../errors.ts";
import type { Io } from "./io.ts";
import { readStdinLine, takeStdin } from "./stdin.ts";

/** Longest password taken from a pipe, in bytes. */
const MAX_INPUT = 1024 * 1024;

/**
 * The password of a private key: COSIGN_PASSWORD if set (even empty), else asked for on a terminal, else the whole of
 * stdin as it is, newline included. From /dev/null nothing is read: a key would get an empty password that nobody chose.
 *
 * @throws TsignError "input" when the two answers differ, or nobody can give one
 */
export async function readPassword(
  io: Pick<Io, "env" | "tty" | "stdin">,
  options: { confirm: boolean },
): Promise<Uint8Array> {
  const fromEnvironment = io.env["COSIGN_PASSWORD"];
  if (fromEnvironment !== undefined) return Buffer.from(fromEnvironment);
  if (io.tty.nobody) {
    throw new TsignError(
      "input",
      "a password is needed: COSIGN_PASSWORD is not set, and there is no terminal to ask on",
      {
        hint: "COSIGN_PASSWORD= is the empty password",
      },
    );
  }
  if (!io.tty.stdin) return readAll(takeStdin(io, "the password of a key"));
  const password = await io.tty.prompt("Enter password for private key: ", { secret: true });
  if (options.confirm) {
    const again = await io.tty.prompt("Enter password for private key again: ", { secret: true });
    if (again !== password) throw new TsignError("input", "passwords do not match");
  }
  return Buffer.from(password);
}

/**
 * Asks before something that cannot be undone; only `y` goes on. One line is read from stdin, terminal or not, and an
 * end of input is a no.
 *
 * @param options.warning printed before the question, also when it is not asked
 * @param options.instead what to do where nobody can answer; by default pass --yes
 * @throws TsignError "cancelled"
 */
export async function confirm(
  io: Pick<Io, "stdin" | "stderr" | "tty">,
  options: { assumeYes: boolean; warning: string; instead?: string },
): Promise<void> {
  io.stderr.write(`WARNING: ${options.warning}\n`);
  if (options.assumeYes) return;
  const question = "Are you sure you would like to continue? [y/N] ";
  let answer: string;
  if (io.tty.stdin) answer = await io.tty.prompt(question, { secret: false });
  else {
    io.stderr.write(question);
    answer = await readStdinLine(io);
    io.stderr.write("\n");
  }
  const given = answer.trim();
  if (given.toLowerCase() === "y") return;
  if (given === "" && !io.tty.stdin) {
    throw new TsignError("cancelled", "nobody answered: there is no terminal to ask at", {
      hint: options.instead ?? "pass --yes to go on without a question",
    });
  }
  if (given === "" || given.toLowerCase() === "n") throw new TsignError("cancelled", "user declined the prompt");
  throw new TsignError("cancelled", `invalid input "${given.slice(0, 40)}" (allowed values y, n)`);
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of stream) {
    size += piece.length;
    if (size > MAX_INPUT) throw new TsignError("limit", "the password on stdin is larger than 1 MiB");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
