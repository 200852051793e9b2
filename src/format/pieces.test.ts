import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack, newPiece, PIECE_SIZE, release } from "./pieces.ts";

test("giveBack detaches a piece and reuses its memory", () => {
  const piece = newPiece();
  assert.equal(piece.length, PIECE_SIZE);
  const view = piece.subarray(0, 3);
  giveBack(view);
  assert.deepEqual([piece.length, view.length], [0, 0]);
  const next = newPiece();
  assert.equal(next.length, PIECE_SIZE);
  giveBack(piece); // twice: the memory is another's now
  assert.equal(next.length, PIECE_SIZE);
});

test("giveBack detaches a smaller piece, which is not reused", () => {
  const piece = newPiece(5000);
  assert.equal(piece.length, 5000);
  giveBack(piece);
  assert.deepEqual([piece.length, newPiece().length, newPiece(5000).length], [0, PIECE_SIZE, 5000]);
});

test("giveBack ignores other buffers", () => {
  const bytes = Buffer.alloc(100_000, 1);
  giveBack(bytes);
  assert.equal(bytes.length, 100_000);
});

test("release frees a buffer only if it is not shared", () => {
  const whole = new Uint8Array(100_000);
  const [part, other] = [new Uint8Array(200_000).subarray(0, 100_000), Buffer.from("small")];
  for (const each of [whole, part, other]) release(each);
  assert.deepEqual([whole.length, part.length, other.toString()], [0, 100_000, "small"]);
  const piece = newPiece();
  release(piece.subarray(0, 10));
  assert.equal(piece.length, 0);
});
