/**
 * Pieces of files. A piece belongs to whoever gets it: it may be kept, queued or sent later, and nobody writes into it again.
 * A reader that only looks at a piece gives it back, so that a file of gigabytes passes through one buffer. What was given
 * back is detached: a view of it that was kept by mistake is empty, and never another part of the file.
 */

/** Bytes of a piece of a file, but for the last. */
export const PIECE_SIZE = 1024 * 1024;
/** Buffers kept for the next pieces. */
const MAX_FREE = 4;

/** Smaller buffers may be parts of node's pool. Bytes. */
const MIN_FREED = 16 * 1024;

const lent = new WeakSet<ArrayBuffer>();
const free: ArrayBuffer[] = [];

/** Room for a piece; its content is undefined. */
export function newPiece(): Uint8Array {
  const buffer = free.pop() ?? (Buffer.allocUnsafeSlow(PIECE_SIZE).buffer as ArrayBuffer);
  lent.add(buffer);
  return Buffer.from(buffer);
}

/**
 * Gives a piece back: the caller is done with it and with every view of it. Bytes that are no piece of a file (an answer's, a
 * part of standard input) are left alone, so that whoever reads any stream may call it.
 */
export function giveBack(piece: Uint8Array): void {
  const buffer = piece.buffer as ArrayBuffer;
  if (!lent.delete(buffer)) return;
  const detached = buffer.transfer();
  if (free.length < MAX_FREE) free.push(detached);
}

/**
 * Gives back a piece of a stream that nobody else holds, such as a part of an answer that was passed on: its memory is freed
 * now, and not when the collector gets to it, which lets a hundred megabytes gather first. A piece that shares its buffer with
 * others is left alone.
 */
export function release(piece: Uint8Array): void {
  const buffer = piece.buffer as ArrayBuffer;
  if (lent.has(buffer)) {
    giveBack(piece);
    return;
  }
  if (piece.byteLength !== buffer.byteLength || buffer.byteLength < MIN_FREED) return;
  try {
    buffer.transfer(0);
  } catch {
    // memory that belongs to something else than JavaScript is left to it
  }
}
