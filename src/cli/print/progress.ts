import { printable } from "../../format/printable.ts";
import type { Io } from "../../io/io.ts";
import type { Transfer } from "../../oci/transfer.ts";
import { shortDigests } from "./style.ts";

type ProgressIo = Pick<Io, "tty" | "now" | "env">;

/** A status line that shows how far a long step is. */
export interface Progress {
  update(done: number): void;
  /** Removes the line. */
  end(): void;
}

/** Steps that take less show no progress. Milliseconds. */
const SHOW_AFTER = 1000;
const INTERVAL = 200;

/**
 * Shows the progress of a step that has taken a second, on a terminal's stderr. Without a terminal, or with TERM=dumb, nothing
 * is written.
 *
 * @param options.total 0 when unknown
 */
export function progress(io: ProgressIo, label: string, options: { total: number; unit: "bytes" | "items" }): Progress {
  const isPlain = !io.tty.stderr || io.env["TERM"] === "dumb";
  const started = io.now().getTime();
  const key = {};
  let shown = 0;
  return {
    update(done) {
      const now = io.now().getTime();
      if (isPlain || now - started < SHOW_AFTER || now - shown < INTERVAL) return;
      shown = now;
      const amount = options.unit === "bytes" ? formatBytes(done) : String(done);
      const total = options.unit === "bytes" ? formatBytes(options.total) : String(options.total);
      const share = options.total > 0 ? ` of ${total} (${Math.floor((100 * done) / options.total)} %)` : "";
      io.tty.status(printable(`${label}: ${amount}${share}`).slice(0, io.tty.columns - 1), key);
    },
    end() {
      if (shown > 0) io.tty.status("", key);
      shown = 0;
    },
  };
}

/** Returns a blob's pieces as they are, and shows how many bytes have been read. */
export async function watched(
  io: ProgressIo & Pick<Io, "files">,
  label: string,
  source: { file: string; pieces: AsyncIterable<Uint8Array> },
): Promise<AsyncIterable<Uint8Array>> {
  if (!io.tty.stderr) return source.pieces;
  const isPath = source.file !== "-" && !source.file.includes("://");
  const total = isPath ? ((await io.files.stat(source.file))?.size ?? 0) : 0;
  return counted(io, `${label} ${source.file}`, total, source.pieces);
}

/** Returns what `Transfer.watch` is: it shows how far each blob of a transfer is, by a short digest. */
export function watchedTransfer(io: ProgressIo, label: string): NonNullable<Transfer["watch"]> {
  if (!io.tty.stderr) return (_, pieces) => pieces;
  return ({ digest, size }, pieces) =>
    counted(io, shortDigests(`${label} ${digest}`, { terminal: true }), size, pieces);
}

/** Returns the pieces as they are, and shows how many bytes have been read. */
async function* counted(
  io: ProgressIo,
  label: string,
  total: number,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const line = progress(io, label, { total, unit: "bytes" });
  let done = 0;
  try {
    for await (const piece of pieces) {
      done += piece.length; // what it is passed on to may give it back
      yield piece;
      line.update(done);
    }
  } finally {
    line.end();
  }
}

/** `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}
