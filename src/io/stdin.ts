import { TsignError } from "../errors.ts";
import type { Io } from "./io.ts";

/** What has been read from standard input, by the stream; and for lines, what is left of it. */
const taken = new WeakMap<object, string>();
const lines = new WeakMap<object, { iterator: AsyncIterator<Uint8Array>; rest: Buffer }>();

/** Longest line taken. Bytes. */
const MAX_LINE = 1024 * 1024;
const ANSWER = "an answer";

/** Names of standard input on a command line. */
export function isStdin(reference: string): boolean {
  return reference === "-" || /^\/(dev\/(stdin|fd\/0)|proc\/self\/fd\/0)$/.test(reference);
}

/**
 * Standard input, which is given out once: whoever read it second would find it empty, and sign the empty file.
 *
 * @param purpose what it is read as, with its article: `a file`
 * @throws TsignError "input" when it was given out before
 */
export function takeStdin(io: Pick<Io, "stdin">, purpose: string): AsyncIterable<Uint8Array> {
  const { stdin } = io;
  take(stdin, purpose);
  return stdin;
}

/**
 * The next line of standard input, without its end; "" at the end of the input. Several questions may be answered by a line
 * each.
 *
 * @throws TsignError "input" when standard input was given out for something else
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
    throw new TsignError("input", `standard input was already read as ${before}, and cannot be ${purpose} too`, {
      hint: "give one of them another way: COSIGN_PASSWORD holds a password, --yes answers questions",
    });
  }
  taken.set(stdin, purpose);
}
