import assert from "node:assert/strict";
import { test } from "node:test";
import { leafHash } from "../format/merkle.ts";
import { MerkleTree, leafHash as sandboxLeaf } from "../sandbox/logs/merkle.ts";
import { Frontier, frontierBefore, isConsistent, subtreesOf } from "./merkle.ts";

const MOST = 40;
const body = (index: number) => Buffer.from(`leaf ${index}`);
/** The sandbox's tree is an implementation of its own. */
const tree = new MerkleTree();
for (let index = 0; index < MOST; index++) tree.append(sandboxLeaf(body(index)));
const head = (size: number) => ({ size, root: tree.root(size) });
const other = Buffer.alloc(32, 7);

test("Frontier: entries one by one -> the root of every size, with one subtree for each bit", () => {
  const frontier = new Frontier(0, []);
  for (let size = 0; size <= MOST; size++) {
    assert.deepEqual(Buffer.from(frontier.root()), tree.root(size), String(size));
    assert.equal(frontier.nodes.length, size.toString(2).replaceAll("0", "").length);
    assert.ok(frontier.isComplete);
    assert.ok(!new Frontier(size, [...frontier.nodes, other]).isComplete);
    frontier.append(leafHash(body(size)));
  }
});

test("frontierBefore: inclusion proof of an entry in a tree of any size -> the subtrees before it", () => {
  for (let size = 1; size <= MOST; size++) {
    for (let index = 0; index < size; index++) {
      const before = frontierBefore(index, size, tree.inclusionProof(index, size));
      assert.ok(before.isComplete);
      assert.deepEqual(Buffer.from(before.root()), tree.root(index), `${index} of ${size}`);
    }
  }
});

test("subtreesOf: -> the ranges that a tree's root is made of", () => {
  assert.deepEqual(subtreesOf(0), []);
  assert.deepEqual(subtreesOf(11), [
    { from: 0, to: 8 },
    { from: 8, to: 10 },
    { from: 10, to: 11 },
  ]);
});

test("isConsistent: proof of every two sizes -> true; one hash, root or size changed, added or left out -> false", () => {
  for (let second = 0; second <= MOST; second++) {
    for (let first = 0; first <= second; first++) {
      const proof = tree.consistencyProof(first, second);
      const name = `${first} to ${second}`;
      assert.ok(isConsistent(head(first), head(second), proof), name);
      assert.ok(!isConsistent(head(first), head(second), [...proof, other]), name);
      if (first === 0) continue; // every tree begins with the empty one
      assert.ok(!isConsistent({ size: first, root: other }, head(second), proof), name);
      assert.ok(!isConsistent(head(first), { size: second, root: other }, proof), name);
      if (first < second) assert.ok(!isConsistent(head(second), head(first), proof), name);
      for (const at of proof.keys()) {
        assert.ok(!isConsistent(head(first), head(second), proof.with(at, other)), name);
        assert.ok(!isConsistent(head(first), head(second), proof.toSpliced(at, 1)), name);
      }
    }
  }
});
