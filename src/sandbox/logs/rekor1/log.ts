import { sign } from "node:crypto";
import { parseJson } from "../../../format/json.ts";
import type { SigningKey } from "../../pki/keyring.ts";
import { type Clock, unixSeconds } from "../../server/clock.ts";
import type { FaultSwitches } from "../../server/faults.ts";
import { canonicalJson } from "../canonical.ts";
import { inOrder, type Journal, otherBody } from "../journal.ts";
import { leafHash, MerkleTree } from "../merkle.ts";
import { signedCheckpoint, spkiKeyId } from "../note.ts";
import type { CanonicalEntry } from "./canonical.ts";

interface Rekor1Options {
  readonly signingKey: SigningKey;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly hostname: string;
  /** Number of trees before this one, and of the entries in them. */
  readonly tree?: number;
  readonly first?: number;
}

interface Stored {
  readonly body: Buffer;
  readonly hash: Buffer;
  /** Seconds since 1970. */
  readonly integratedTime: number;
  readonly keys: readonly string[];
  readonly attestation: Buffer | undefined;
}

/** The log of Rekor v1: one tree; every answer contains an inclusion proof. */
export class Rekor1Log {
  readonly keyId: Buffer;
  readonly spki: Buffer;
  readonly treeId: string;
  readonly #signer: Parameters<typeof signedCheckpoint>[0];
  readonly #tree = new MerkleTree();
  readonly #entries: Stored[] = [];
  readonly #byUuid = new Map<string, number>();
  readonly #ordered = inOrder();
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #options: Rekor1Options;
  /** The number of the first entry through all trees. */
  readonly #first: number;

  constructor(options: Rekor1Options) {
    const { signingKey, journal, hostname, tree = 0, first = 0 } = options;
    this.#options = options;
    this.#first = first;
    this.spki = signingKey.spki;
    this.keyId = spkiKeyId(signingKey.spki);
    // A constant number of 19 digits; Trillian's are random.
    const id = (this.keyId.readBigUInt64BE() % 8_000_000_000_000_000_000n) + 1_000_000_000_000_000_000n;
    this.treeId = String(id + BigInt(tree));
    this.#signer = {
      origin: `${hostname} - ${this.treeId}`,
      name: hostname,
      key: signingKey.key,
      keyId: this.keyId,
    };
    this.#clock = options.clock;
    this.#journal = journal;
    for (const entry of journal.entries) this.#keep(readStored(entry));
  }

  get size(): number {
    return this.#tree.size;
  }

  #keep(stored: Stored): number {
    const index = this.#tree.size;
    this.#tree.append(stored.hash);
    this.#entries.push(stored);
    this.#byUuid.set(stored.hash.toString("hex"), index);
    return index;
  }

  /** Adds an entry and returns its index; `known` is true when the log already had it. */
  add(entry: CanonicalEntry): Promise<{ index: number; known: boolean }> {
    return this.#ordered(async () => {
      const hash = leafHash(entry.body);
      const before = this.#byUuid.get(hash.toString("hex"));
      if (before !== undefined) return { index: before, known: true };
      const { body, index: keys, attestation } = entry;
      const stored = { body, hash, integratedTime: unixSeconds(this.#clock()), keys, attestation };
      await this.#journal.append(writeStored(stored));
      return { index: this.#keep(stored), known: false };
    });
  }

  /** Returns a log with the same key in which one entry is another, for the fault `forked`. */
  forked(index: number): Rekor1Log {
    const entries = this.#entries.map((stored, at) =>
      writeStored(at === index ? { ...stored, body: otherBody(stored.body) } : stored),
    );
    return new Rekor1Log({ ...this.#options, journal: { ...this.#journal, entries } });
  }

  /** Returns the two trees of a log that began a new one after some entries, for the fault `shard`. */
  sharded(count: number): { inactive: Rekor1Log; active: Rekor1Log } {
    const part = (tree: number, from: number, to: number) => {
      const entries = this.#entries.slice(from, to).map(writeStored);
      return new Rekor1Log({ ...this.#options, tree, first: from, journal: { ...this.#journal, entries } });
    };
    return { inactive: part(0, 0, count), active: part(1, count, this.size) };
  }

  /** Returns an entry's UUID: tree ID and leaf hash, 80 hex digits. */
  uuid(index: number): string {
    const tree = BigInt(this.treeId).toString(16).padStart(16, "0");
    return tree + (this.#entries[index]?.hash.toString("hex") ?? "");
  }

  /** Returns the index of an entry by its UUID, with or without the tree ID; undefined when there is none. */
  indexOf(uuid: string): number | undefined {
    const index = this.#byUuid.get(uuid.slice(-64).toLowerCase());
    return uuid.length === 64 || (index !== undefined && this.uuid(index) === uuid.toLowerCase()) ? index : undefined;
  }

  /** Returns the indices of the entries with a search key. */
  search(key: string): number[] {
    return this.#entries.flatMap(({ keys }, index) => (keys.includes(key) ? [index] : []));
  }

  root(size?: number): string {
    return this.#tree.root(size).toString("hex");
  }

  consistency(first: number, second: number): string[] {
    return this.#tree.consistencyProof(first, second).map((hash) => hash.toString("hex"));
  }

  checkpoint(size = this.size): string {
    return signedCheckpoint(this.#signer, { size, root: this.#tree.root(size) });
  }

  /** Returns an entry with its signed entry timestamp and inclusion proof (Rekor's openapi.yaml, LogEntry). */
  entry(index: number, faults: FaultSwitches): Record<string, unknown> | undefined {
    const stored = this.#entries[index];
    if (!stored) return undefined;
    const { integratedTime, attestation } = stored;
    const promised = {
      body: stored.body.toString("base64"),
      integratedTime,
      logID: this.keyId.toString("hex"),
      logIndex: this.#first + index,
    };
    const signed = canonicalJson(faults.has("bad-set") ? { ...promised, logIndex: index + 1 } : promised);
    const hashes = this.#tree.inclusionProof(index).map((hash) => hash.toString("hex"));
    const inclusionProof = {
      checkpoint: spoilt(faults, this.checkpoint(faults.has("stale-checkpoint") ? index : this.size)),
      hashes: faults.has("bad-proof") ? [...hashes, "00".repeat(32)] : hashes,
      logIndex: index,
      rootHash: this.root(),
      treeSize: this.size,
    };
    return {
      ...promised,
      ...(attestation ? { attestation: { data: attestation.toString("base64") } } : {}),
      verification: {
        inclusionProof,
        signedEntryTimestamp: sign("sha256", Buffer.from(signed), this.#signer.key).toString("base64"),
      },
    };
  }
}

/** Returns the checkpoint, with a changed text when the fault bad-checkpoint is on. */
export function spoilt(faults: FaultSwitches, checkpoint: string): string {
  return faults.has("bad-checkpoint") ? checkpoint.replace("\n\n", "\nspoilt\n\n") : checkpoint;
}

function writeStored({ body, integratedTime, keys, attestation }: Stored): Buffer {
  const kept = { body: body.toString("base64"), integratedTime, keys, attestation: attestation?.toString("base64") };
  return Buffer.from(JSON.stringify(kept));
}

function readStored(bytes: Buffer): Stored {
  const kept = parseJson(bytes, "stored log entry") as {
    body: string;
    integratedTime: number;
    keys: string[];
    attestation?: string;
  };
  const body = Buffer.from(kept.body, "base64");
  const attestation = kept.attestation === undefined ? undefined : Buffer.from(kept.attestation, "base64");
  return { body, hash: leafHash(body), integratedTime: kept.integratedTime, keys: kept.keys, attestation };
}
