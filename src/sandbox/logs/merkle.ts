import { createHash } from "node:crypto";

/** Returns the hash of a leaf. A leading 0x00 distinguishes leaves from nodes (RFC 6962 §2.1). */
export function leafHash(leaf: Uint8Array): Buffer {
  return createHash("sha256")
    .update(Buffer.from([0]))
    .update(leaf)
    .digest();
}

function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return createHash("sha256")
    .update(Buffer.from([1]))
    .update(left)
    .update(right)
    .digest();
}

/** Returns the largest power of two smaller than `size`, for sizes above 1. */
function split(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** An append-only Merkle tree over leaf hashes (RFC 6962 §2.1). It keeps the hashes of complete subtrees, so proofs take O(log n). */
export class MerkleTree {
  /** `levels[k][i]`: the hash of leaves i·2^k up to (i+1)·2^k. */
  readonly #levels: Buffer[][] = [[]];

  /** Number of leaves. */
  get size(): number {
    return this.#levels[0]?.length ?? 0;
  }

  /** Appends a leaf by its hash. */
  append(hash: Buffer): void {
    let carry = hash;
    for (let level = 0; ; level++) {
      const row = this.#levels[level] ?? [];
      this.#levels[level] = row;
      row.push(carry);
      const left = row.at(-2);
      if (row.length % 2 === 1 || !left) return;
      carry = nodeHash(left, carry);
    }
  }

  /** Returns the hashes of complete subtrees of 2^level leaves, the content of a tile. */
  row(level: number, from: number, to: number): readonly Buffer[] {
    return (this.#levels[level] ?? []).slice(from, to);
  }

  /** Returns the root of the first `size` leaves; for 0, the hash of the empty string. */
  root(size: number = this.size): Buffer {
    return size === 0 ? createHash("sha256").digest() : this.#hash(0, size);
  }

  /** PATH(index, D[size]) of RFC 6962 §2.1.1, from the leaf upwards. */
  inclusionProof(index: number, size: number = this.size): Buffer[] {
    return this.#path(index, 0, size);
  }

  /** PROOF(first, D[second]) of RFC 6962 §2.1.2. */
  consistencyProof(first: number, second: number = this.size): Buffer[] {
    return first === 0 || first >= second ? [] : this.#subproof(first, { from: 0, to: second, whole: true });
  }

  #hash(from: number, to: number): Buffer {
    const size = to - from;
    const level = Math.log2(size);
    const known = Number.isInteger(level) && from % size === 0 ? this.#levels[level]?.[from / size] : undefined;
    if (known) return known;
    const middle = from + split(size);
    return nodeHash(this.#hash(from, middle), this.#hash(middle, to));
  }

  #path(index: number, from: number, to: number): Buffer[] {
    if (to - from <= 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.#path(index, from, middle), this.#hash(middle, to)]
      : [...this.#path(index, middle, to), this.#hash(from, middle)];
  }

  #subproof(first: number, { from, to, whole }: { from: number; to: number; whole: boolean }): Buffer[] {
    if (first === to) return whole ? [] : [this.#hash(from, to)];
    const middle = from + split(to - from);
    return first <= middle
      ? [...this.#subproof(first, { from, to: middle, whole }), this.#hash(middle, to)]
      : [...this.#subproof(first, { from: middle, to, whole: false }), this.#hash(from, middle)];
  }
}
