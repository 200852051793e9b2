import type { Frontier } from "./merkle.ts";

/** A tree of a log, as the log describes it. */
export interface Shard {
  /** Decimal; "" for Rekor v2, which has one tree. */
  readonly treeId: string;
  readonly size: number;
  /** The signed head. */
  readonly checkpoint: string;
}

/** The trees of a log. Nothing is verified. */
export interface Shards {
  readonly active: Shard;
  /** The oldest first. */
  readonly inactive: readonly Shard[];
}

/** A tree of a known size. */
export interface SizedTree {
  readonly treeId: string;
  readonly size: number;
  /** Entries in the trees before it. */
  readonly offset: number;
}

/** A log's API. What it returns is not verified. Every method throws what the transport throws, and "auth" and "service". */
export interface LogSource {
  shards(): Promise<Shards>;
  /** The proof that the tree begins with its first `first` entries, of which there is at least one. */
  consistency(tree: SizedTree, first: number): Promise<readonly Uint8Array[]>;
  /**
   * The bodies of entries `from` up to `to` of the tree, in order and in groups. The groups end early at an entry that the log does
   * not return.
   */
  entries(tree: SizedTree, range: { from: number; to: number }): AsyncIterable<readonly Uint8Array[]>;
  /** The complete subtrees of the first `at` entries. */
  frontier(tree: SizedTree, at: number): Promise<Frontier>;
  /** A number of entries that is worth one search. */
  readonly chunk: number;
}

/** Requests to a log at a time. */
export const PARALLEL = 8;
