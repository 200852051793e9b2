import { TsignError } from "../errors.ts";
import type { Io } from "../io/io.ts";
import { isStdin, takeStdin } from "../io/stdin.ts";

/** Size limit of keys, signatures, certificates and bundles named on the command line. Bytes. */
const MAX_SMALL_FILE = 128 * 1024 * 1024;

/**
 * Reads a blob named on the command line: `-` for stdin, an http(s) URL, `env://NAME`, otherwise a file.
 *
 * @throws TsignError "input" for an unknown scheme or an unset variable
 */
export async function* openBlob(io: Io, reference: string): AsyncIterable<Uint8Array> {
  if (await isPipedIn(io, reference)) return yield* takeStdin(io, "a file");
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(reference)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return yield* io.files.chunks(reference);
    case "http":
    case "https":
      return yield* (await import("./http.ts")).streamUrl(io, reference);
    case "env": {
      const name = reference.slice("env://".length);
      const value = io.env[name];
      if (value === undefined) throw new TsignError("input", `read env://${name}: ${name} is not set`);
      return yield Buffer.from(value);
    }
    default:
      throw new TsignError("input", `unrecognized scheme: ${scheme}://`);
  }
}

/** Reports whether a reference names standard input. A regular file redirected to it can be opened by name and read again. */
async function isPipedIn(io: Io, reference: string): Promise<boolean> {
  if (!isStdin(reference)) return false;
  return reference === "-" || (await io.files.stat(reference))?.kind !== "file";
}

/** Returns how messages name a blob: `standard input` for `-`, else its reference. */
export function blobName(reference: string): string {
  return reference === "-" ? "standard input" : reference;
}

/**
 * Reads the whole content of a blob named on the command line.
 *
 * @throws TsignError "limit" above `maxBytes`, by default 128 MiB
 */
export async function readBlob(
  io: Io,
  reference: string,
  { maxBytes, hint }: { maxBytes: number; hint?: string } = { maxBytes: MAX_SMALL_FILE },
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of openBlob(io, reference)) {
    size += piece.length;
    if (size > maxBytes) {
      const message = `read ${blobName(reference)}: larger than ${maxBytes} bytes`;
      throw new TsignError("limit", message, hint === undefined ? {} : { hint });
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
