import { sameBytes } from "../format/bytes.ts";
import { hash } from "../format/digest.ts";
import { nodeHash } from "../format/merkle.ts";

/** A tree by its size in entries and its root. */
export interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
}

const half = (count: number) => Math.floor(count / 2);
const isPowerOfTwo = (count: number) => Number.isInteger(Math.log2(count));

/**
 * Whether a proof shows that the first tree is the beginning of the second (RFC 9162 §2.1.4.2). Every tree begins with the empty
 * one, without a proof.
 */
export function isConsistent(first: TreeHead, second: TreeHead, proof: readonly Uint8Array[]): boolean {
  if (first.size === 0) return proof.length === 0;
  if (first.size > second.size) return false;
  if (first.size === second.size) return proof.length === 0 && sameBytes(first.root, second.root);
  const path = isPowerOfTwo(first.size) ? [first.root, ...proof] : [...proof];
  let [fn, sn] = [first.size - 1, second.size - 1];
  while (fn % 2 === 1) [fn, sn] = [half(fn), half(sn)];
  const start = path.shift();
  if (!start) return false;
  let [ofFirst, ofSecond] = [start, start];
  for (const each of path) {
    if (sn === 0) return false;
    if (fn % 2 === 1 || fn === sn) {
      ofFirst = nodeHash(each, ofFirst);
      ofSecond = nodeHash(each, ofSecond);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      ofSecond = nodeHash(ofSecond, each);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && sameBytes(ofFirst, first.root) && sameBytes(ofSecond, second.root);
}

/** The complete subtrees of the first entries of a tree, from which its root and those of longer trees follow. */
export class Frontier {
  /** Entries. */
  size: number;
  /** Hashes of the complete subtrees, the largest first: one for each bit of `size`. */
  readonly nodes: Uint8Array[];

  constructor(size: number, nodes: readonly Uint8Array[]) {
    this.size = size;
    this.nodes = [...nodes];
  }

  /** Whether there are as many subtrees as a tree of this size has. */
  get isComplete(): boolean {
    return this.nodes.length === subtreesOf(this.size).length;
  }

  /** Adds an entry by the hash of its leaf. */
  append(leaf: Uint8Array): void {
    let node = leaf;
    for (let count = this.size; count % 2 === 1; count = half(count)) {
      node = nodeHash(this.nodes.pop() ?? new Uint8Array(), node);
    }
    this.nodes.push(node);
    this.size++;
  }

  /** The root (RFC 6962 §2.1). */
  root(): Uint8Array {
    const [last, ...others] = this.nodes.toReversed();
    if (!last) return hash("sha256", new Uint8Array());
    return others.reduce((right, left) => nodeHash(left, right), last);
  }
}

/** The entries of the complete subtrees of a tree, the largest first. */
export function subtreesOf(size: number): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  for (let from = 0; from < size; ) {
    const to = from + 2 ** Math.floor(Math.log2(size - from));
    found.push({ from, to });
    from = to;
  }
  return found;
}

/**
 * The complete subtrees before an entry, from its inclusion proof: those that the proof joins from the left.
 *
 * @param proof from the leaf upwards, verified (RFC 6962 §2.1.1)
 */
export function frontierBefore(index: number, size: number, proof: readonly Uint8Array[]): Frontier {
  const left: Uint8Array[] = [];
  let [fn, sn] = [index, size - 1];
  for (const each of proof) {
    if (fn % 2 === 1 || fn === sn) {
      left.push(each);
      while (fn % 2 === 0 && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return new Frontier(index, left.reverse());
}
