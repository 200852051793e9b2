/**
 * Buffers for reading files in pieces. The receiver owns a piece: it may keep, queue or send it later. A reader that is done with a
 * piece gives it back, so that a file of gigabytes is read through one buffer. A piece that was given back is detached: a view kept
 * by mistake is empty, and never shows another part of the file.
 */

/** Size of the pieces of a large file but the last, in bytes. */
export const PIECE_SIZE = 1024 * 1024;
/** Most unused buffers kept for reuse. */
const MAX_FREE = 4;

/** Smallest buffer to free, in bytes; smaller ones may be parts of Node's pool. */
const MIN_FREED = 16 * 1024;

const lent = new WeakSet<ArrayBuffer>();
const free: ArrayBuffer[] = [];

/**
 * Returns a buffer for a piece; its content is undefined.
 *
 * @param size bytes, at most PIECE_SIZE; a smaller buffer is not reused
 */
export function newPiece(size: number = PIECE_SIZE): Uint8Array {
  const reused = size === PIECE_SIZE ? free.pop() : undefined;
  const buffer = reused ?? (Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer);
  lent.add(buffer);
  return Buffer.from(buffer);
}

/**
 * Gives a piece back for reuse; the caller must not use it or any view of it again. Ignores other buffers (of a response, of
 * standard input), so it can be called for any stream.
 */
export function giveBack(piece: Uint8Array): void {
  const buffer = piece.buffer as ArrayBuffer;
  if (!lent.delete(buffer)) return;
  const kept = buffer.byteLength === PIECE_SIZE && free.length < MAX_FREE;
  const detached = buffer.transfer(kept ? PIECE_SIZE : 0);
  if (kept) free.push(detached);
}

/**
 * Frees a piece of a stream that is not used elsewhere, such as a forwarded part of a response, at once: the garbage collector
 * would let a hundred megabytes accumulate. Ignores a piece that shares its buffer with others.
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
    // the memory is not managed by JavaScript
  }
}
