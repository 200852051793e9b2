import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { leafHash, MerkleTree } from "./merkle.ts";

/** Leaves and roots of the reference implementation (certificate-transparency's test vectors for RFC 6962). */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = [
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

function treeOf(size: number): MerkleTree {
  const tree = new MerkleTree();
  for (let index = 0; index < size; index++) tree.append(leafHash(Buffer.from(`leaf ${index}`)));
  return tree;
}

const node = (left: Uint8Array, right: Uint8Array) =>
  createHash("sha256")
    .update(Buffer.from([1]))
    .update(left)
    .update(right)
    .digest();

/** Verifies as RFC 9162 §2.1.3.2, which computes the root independently of the tree's own algorithm. */
function rootByInclusion(index: number, size: number, leaf: Buffer, proof: readonly Buffer[]): Buffer | undefined {
  let [fn, sn, hash] = [index, size - 1, leaf];
  for (const each of proof) {
    if (sn === 0) return undefined;
    if (fn % 2 === 1 || fn === sn) {
      hash = node(each, hash);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else hash = node(hash, each);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 ? hash : undefined;
}

/** RFC 9162 §2.1.4.2. */
function consistent(sizes: { first: number; second: number }, roots: Buffer[], path: readonly Buffer[]): boolean {
  const { first, second } = sizes;
  const [firstRoot = Buffer.alloc(0), secondRoot = Buffer.alloc(0)] = roots;
  const proof = Number.isInteger(Math.log2(first)) ? [firstRoot, ...path] : [...path];
  let [fn, sn] = [first - 1, second - 1];
  while (fn % 2 === 1) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  const start = proof.shift();
  if (!start) return false;
  let [fr, sr] = [start, start];
  for (const each of proof) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      fr = node(each, fr);
      sr = node(each, sr);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
    } else sr = node(sr, each);
    [fn, sn] = [Math.floor(fn / 2), Math.floor(sn / 2)];
  }
  return sn === 0 && fr.equals(firstRoot) && sr.equals(secondRoot);
}

test("MerkleTree: roots equal RFC 6962's reference vectors", () => {
  const tree = new MerkleTree();
  assert.equal(tree.root().toString("hex"), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  for (const [index, leaf] of LEAVES.entries()) {
    tree.append(leafHash(Buffer.from(leaf, "hex")));
    assert.equal(tree.root().toString("hex"), ROOTS[index]);
  }
  for (const [index, root] of ROOTS.entries()) assert.equal(tree.root(index + 1).toString("hex"), root);
});

test("MerkleTree: inclusion proof of every leaf -> the root, with another leaf -> another root", () => {
  const tree = treeOf(70);
  for (let size = 1; size <= 70; size++) {
    for (let index = 0; index < size; index++) {
      const leaf = leafHash(Buffer.from(`leaf ${index}`));
      const proof = tree.inclusionProof(index, size);
      assert.deepEqual(rootByInclusion(index, size, leaf, proof), tree.root(size), `${index} of ${size}`);
      const other = rootByInclusion(index, size, leafHash(Buffer.from("other")), proof);
      assert.notDeepEqual(other, tree.root(size));
    }
  }
});

test("MerkleTree: consistency proof of every earlier size -> valid, with another root -> invalid", () => {
  const tree = treeOf(70);
  for (let second = 2; second <= 70; second++) {
    for (let first = 1; first < second; first++) {
      const proof = tree.consistencyProof(first, second);
      const sizes = { first, second };
      assert.ok(consistent(sizes, [tree.root(first), tree.root(second)], proof), `${first} to ${second}`);
      assert.ok(!consistent(sizes, [leafHash(Buffer.from("other")), tree.root(second)], proof));
    }
  }
  assert.deepEqual(tree.consistencyProof(0, 5), []);
  assert.deepEqual(tree.consistencyProof(5, 5), []);
});
