import { TsignError } from "../errors.ts";
import type { Io } from "./io.ts";

/** The purpose for which each stream was read; and, for lines, its remaining input. */
const taken = new WeakMap<object, string>();
const lines = new WeakMap<object, { iterator: AsyncIterator<Uint8Array>; rest: Buffer }>();

/** Size limit of a line. Bytes. */
const MAX_LINE = 1024 * 1024;
const ANSWER = "an answer";

/** Reports whether a reference names standard input. */
export function isStdin(reference: string): boolean {
  return reference === "-" || /^\/(dev\/(stdin|fd\/0)|proc\/self\/fd\/0)$/.test(reference);
}

/**
 * Returns standard input, once only: a second reader would find it empty and sign an empty file.
 *
 * @param purpose what it is used as, with an article: `a file`
 * @throws TsignError "input" when it was already used
 */
export function takeStdin(io: Pick<Io, "stdin">, purpose: string): AsyncIterable<Uint8Array> {
  const { stdin } = io;
  take(stdin, purpose);
  return stdin;
}

/**
 * Reads the next line of standard input, without the line feed; "" at the end of the input. Several questions can be answered
 * with one line each.
 *
 * @throws TsignError "input" when standard input was used for something else
 */
export async function readStdinLine(io: Pick<Io, "stdin">): Promise<string> {
  const { stdin } = io;
  const known = lines.get(stdin);
  if (!known) take(stdin, ANSWER);
  const state = known ?? { iterator: stdin[Symbol.asyncIterator](), rest: Buffer.alloc(0) };
  lines.set(stdin, state);
  while (!state.rest.includes(0x0a) && state.rest.length < MAX_LINE) {
    const next = await state.iterator.next();
    if (next.done) break;
    state.rest = Buffer.concat([state.rest, next.value]);
  }
  const end = state.rest.indexOf(0x0a);
  const line = end < 0 ? state.rest : state.rest.subarray(0, end);
  state.rest = end < 0 ? Buffer.alloc(0) : state.rest.subarray(end + 1);
  return line.toString("utf8");
}

function take(stdin: object, purpose: string): void {
  const before = taken.get(stdin);
  if (before !== undefined) {
    throw new TsignError("input", `read stdin as ${purpose}: it was already read as ${before}`, {
      hint: "use stdin only once: set COSIGN_PASSWORD for a password, and pass --yes to skip confirmations",
    });
  }
  taken.set(stdin, purpose);
}
