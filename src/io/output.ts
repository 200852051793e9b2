import { fstatSync, writeSync } from "node:fs";
import { once } from "../format/once.ts";

/** Standard output or standard error. */
export interface Outlet {
  /** Writes all of the data; `done` is called when it is out. */
  write(data: string | Uint8Array, done?: () => void): void;
  readonly isTerminal: boolean;
}

/** Writes through the runtime's stream, which is opened on first use. */
export function streamOutlet(stream: () => NodeJS.WriteStream): Outlet {
  return {
    write: (data, done) => void stream().write(data, () => done?.()),
    get isTerminal() {
      return stream().isTTY === true;
    },
  };
}

/**
 * Writes to the descriptor itself, as Node's streams do for files, pipes and terminals: on Bun, opening a stream takes 4 ms.
 * What cannot be written at once, and everything after it, goes to the stream, which waits for the reader or reports the error.
 *
 * @param descriptor 1 or 2
 */
export function directOutlet(descriptor: number, stream: () => NodeJS.WriteStream): Outlet {
  const streamed = streamOutlet(stream);
  // Asked for every line, and does not change.
  const isDevice = once(() => isCharacterDevice(descriptor));
  let isDirect = true;
  return {
    write(data, done) {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      const rest = isDirect ? writeNow(descriptor, bytes) : bytes;
      isDirect &&= rest.length === 0;
      if (isDirect) done?.();
      else streamed.write(rest, done);
    },
    get isTerminal() {
      return isDevice() && streamed.isTerminal;
    },
  };
}

/** Writes what the descriptor takes and returns the rest. */
function writeNow(descriptor: number, bytes: Uint8Array): Uint8Array {
  let at = 0;
  try {
    while (at < bytes.length) at += writeSync(descriptor, bytes, at);
  } catch {
    // the stream meets the same error, or waits
  }
  return bytes.subarray(at);
}

function isCharacterDevice(descriptor: number): boolean {
  try {
    return fstatSync(descriptor).isCharacterDevice();
  } catch {
    return true; // the stream knows
  }
}

let isWatched = false;

/**
 * Standard error. Lines that cannot be written there, on a full disk, are lost and do not change the exit code: the result is on
 * standard output. A reader that closes its pipe ends the program.
 */
export function standardError(): NodeJS.WriteStream {
  const { stderr } = process;
  if (isWatched) return stderr;
  isWatched = true;
  return stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") throw error;
  });
}
