import { TsignError } from "../errors.ts";
import type { Io } from "./io.ts";
import { readStdinLine, takeStdin } from "./stdin.ts";

/** Size limit of a password from a pipe, in bytes. */
const MAX_INPUT = 1024 * 1024;

/**
 * Returns the password of a private key: COSIGN_PASSWORD if set (even empty), else prompted for on a terminal, else the whole of
 * stdin, including line feeds. /dev/null is refused, because it would silently result in an empty password.
 *
 * @throws TsignError "input" when the two answers differ, or when there is no password and no terminal
 */
export async function readPassword(
  io: Pick<Io, "env" | "tty" | "stdin">,
  options: { confirm: boolean },
): Promise<Uint8Array> {
  const fromEnvironment = io.env["COSIGN_PASSWORD"];
  if (fromEnvironment !== undefined) return Buffer.from(fromEnvironment);
  if (io.tty.stdinIsNull) {
    throw new TsignError("input", "read password: COSIGN_PASSWORD is not set and stdin is not a terminal", {
      hint: "set COSIGN_PASSWORD; COSIGN_PASSWORD= sets an empty password",
    });
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
 * Returns the new password of a private key: COSIGN_NEW_PASSWORD if set (even empty), else prompted for twice on a terminal.
 * It is not read from stdin, which may contain the old password.
 *
 * @throws TsignError "input" when the two answers differ, or when there is no password and no terminal
 */
export async function readNewPassword(io: Pick<Io, "env" | "tty">): Promise<Uint8Array> {
  const fromEnvironment = io.env["COSIGN_NEW_PASSWORD"];
  if (fromEnvironment !== undefined) return Buffer.from(fromEnvironment);
  if (!io.tty.stdin) {
    throw new TsignError("input", "read new password: COSIGN_NEW_PASSWORD is not set and stdin is not a terminal", {
      hint: "set COSIGN_NEW_PASSWORD; COSIGN_NEW_PASSWORD= sets an empty password",
    });
  }
  const password = await io.tty.prompt("Enter new password for private key: ", { secret: true });
  const again = await io.tty.prompt("Enter new password for private key again: ", { secret: true });
  if (again !== password) throw new TsignError("input", "passwords do not match");
  return Buffer.from(password);
}

/**
 * Asks for confirmation before an operation that cannot be undone; only `y` continues. Reads one line from stdin, terminal or
 * not; the end of input counts as no.
 *
 * @param options.warning printed before the question, also when the question is skipped
 * @param options.instead hint for the case that stdin is not a terminal; by default to pass --yes
 * @throws TsignError "cancelled" when the user declines
 */
export async function confirm(
  io: Pick<Io, "stdin" | "stderr" | "tty">,
  options: { assumeYes: boolean; warning: string; instead?: string },
): Promise<void> {
  const always = !options.assumeYes; // --quiet must not hide what is being asked
  io.stderr.write(`WARNING: ${options.warning}\n`, { always });
  if (options.assumeYes) return;
  const question = "Are you sure you would like to continue? [y/N] ";
  let answer: string;
  if (io.tty.stdin) answer = await io.tty.prompt(question, { secret: false });
  else {
    io.stderr.write(question, { always });
    answer = await readStdinLine(io);
    io.stderr.write("\n", { always });
  }
  const given = answer.trim();
  if (given.toLowerCase() === "y") return;
  if (given === "" && !io.tty.stdin) {
    throw new TsignError("cancelled", "ask for confirmation: stdin is not a terminal", {
      hint: options.instead ?? "pass --yes to skip the confirmation",
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
    if (size > MAX_INPUT) throw new TsignError("limit", "read password from stdin: larger than 1 MiB");
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
