import type { Io } from "../../io/io.ts";

/** Milliseconds between two checks. */
const INTERVAL = 500;
/** A service that has not answered for this long is shown. Milliseconds. */
const SHOW_AFTER = 1000;

/**
 * Shows on a terminal which services have not answered for a second or more, a status line for each, until `done` is aborted.
 *
 * @param names returns the services that have not answered yet
 */
export async function showWaiting(
  io: Pick<Io, "sleep" | "now" | "tty" | "env">,
  names: () => readonly string[],
  done: AbortSignal,
): Promise<void> {
  const lines = new Map<string, { since: number; key: object }>();
  for (let last = io.now().getTime(); ; ) {
    try {
      await io.sleep(INTERVAL, done);
    } catch {
      return; // done
    }
    const now = io.now().getTime();
    // Asked only here: short commands never open the stream. A clock that stands still is not a real one.
    if (done.aborted || now <= last || !io.tty.stderr || io.env["TERM"] === "dumb") return;
    const waited = new Set(names());
    for (const [name, { since, key }] of lines) {
      if (waited.has(name)) continue;
      lines.delete(name);
      if (last - since >= SHOW_AFTER) io.tty.status("", key);
    }
    for (const name of waited) {
      const line = lines.get(name) ?? { since: now - INTERVAL, key: {} };
      lines.set(name, line);
      const waiting = now - line.since;
      if (waiting >= SHOW_AFTER) io.tty.status(`waiting for ${name} (${Math.floor(waiting / 1000)} s)`, line.key);
    }
    last = now;
  }
}
