import assert from "node:assert/strict";
import { test } from "node:test";
import { giveBack, newPiece, PIECE_SIZE, release } from "./pieces.ts";

test("a piece that was given back is empty for whoever kept it, and another one takes its memory", () => {
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

test("what is no piece of a file is not given back", () => {
  const bytes = Buffer.alloc(100_000, 1);
  giveBack(bytes);
  assert.equal(bytes.length, 100_000);
});

test("memory that is released is freed only where nothing else lies in it", () => {
  const whole = new Uint8Array(100_000);
  const [part, other] = [new Uint8Array(200_000).subarray(0, 100_000), Buffer.from("small")];
  for (const each of [whole, part, other]) release(each);
  assert.deepEqual([whole.length, part.length, other.toString()], [0, 100_000, "small"]);
  const piece = newPiece();
  release(piece.subarray(0, 10));
  assert.equal(piece.length, 0);
});
