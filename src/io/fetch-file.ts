import { closeSync, constants, fstatSync, openSync } from "node:fs";
import type { TsignError } from "../errors.ts";
import { sizeMismatch } from "./http-errors.ts";
import type { HttpRequest } from "./io.ts";

/** Time between two checks of the size, in milliseconds: the rest of a file that became shorter would be waited for in vain. */
const INTERVAL = 1000;

const { Bun } = globalThis as { Bun?: { file(descriptor: number): Blob } };

/** A file that Bun's fetch sends. */
export interface SentFile {
  readonly content: Blob;
  /**
   * Waits for the response, and closes the file.
   *
   * @param stop ends the request when the size of the file changes
   * @throws TsignError "input" when it has changed
   */
  whileUnchanged<T>(response: Promise<T>, stop: AbortController): Promise<T>;
}

/**
 * Opens the file of a request. On Linux and without TLS, fetch has the kernel send it (sendfile); in other cases fetch would read all
 * of it into memory.
 *
 * @returns undefined where fetch would do that, and unless it is a regular file of the stated size, not a symbolic link
 */
export function openSentFile({ url, file, headers }: HttpRequest): SentFile | undefined {
  if (!Bun || file === undefined || process.platform !== "linux" || url.protocol !== "http:") return undefined;
  if (headers["content-type"] === undefined) return undefined; // fetch would add one
  const size = Number(headers["content-length"]);
  let opened: number | undefined;
  try {
    opened = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = fstatSync(opened);
    if (found.isFile() && found.size === size) return sentFile(opened, size, Bun.file(opened).slice(0, size));
  } catch {
    // node:http reads the file and reports why it cannot
  }
  if (opened !== undefined) closeSync(opened);
  return undefined;
}

function sentFile(file: number, size: number, content: Blob): SentFile {
  return {
    content,
    async whileUnchanged(response, stop) {
      let changed: TsignError | undefined;
      const check = () => {
        const { size: now } = fstatSync(file);
        if (now === size || changed) return;
        changed = sizeMismatch(now, size);
        stop.abort();
      };
      const timer = setInterval(check, INTERVAL);
      try {
        const settled = await Promise.allSettled([response]);
        check();
        if (changed) throw changed;
        if (settled[0].status === "rejected") throw settled[0].reason;
        return settled[0].value;
      } finally {
        clearInterval(timer);
        closeSync(file);
      }
    },
  };
}
