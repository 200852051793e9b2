import type { SigningKey } from "../../pki/keyring.ts";
import type { FaultSwitches } from "../../server/faults.ts";
import { inOrder, type Journal, otherBody } from "../journal.ts";
import { leafHash, MerkleTree } from "../merkle.ts";
import { ed25519KeyId, signedCheckpoint } from "../note.ts";
import { spoilt } from "../rekor1/log.ts";
import type { CanonicalEntry } from "./canonical.ts";

/** Hashes, or entries, in a full tile (C2SP tlog-tiles). */
const TILE = 256;
const TILE_LEVELS = 8;

/** The log of Rekor v2: entries, a checkpoint signed with Ed25519, and tiles for reading. */
export class Rekor2Log {
  readonly keyId: Buffer;
  readonly spki: Buffer;
  readonly #origin: string;
  readonly #signingKey: SigningKey;
  readonly #tree = new MerkleTree();
  readonly #bodies: Buffer[] = [];
  readonly #known = new Map<string, number>();
  readonly #ordered = inOrder();
  readonly #journal: Journal;
  readonly #options: ConstructorParameters<typeof Rekor2Log>[0];

  constructor(options: { signingKey: SigningKey; journal: Journal; origin: string }) {
    this.#options = options;
    this.#signingKey = options.signingKey;
    this.#origin = options.origin;
    this.#journal = options.journal;
    this.spki = options.signingKey.spki;
    this.keyId = ed25519KeyId(options.origin, this.spki);
    for (const body of options.journal.entries) this.#keep(body);
  }

  get size(): number {
    return this.#tree.size;
  }

  #keep(body: Buffer): number {
    const index = this.#tree.size;
    const hash = leafHash(body);
    this.#tree.append(hash);
    this.#bodies.push(body);
    this.#known.set(hash.toString("hex"), index);
    return index;
  }

  /** Adds an entry unless the log already has it, and returns its index. */
  add({ body }: CanonicalEntry): Promise<number> {
    return this.#ordered(async () => {
      const known = this.#known.get(leafHash(body).toString("hex"));
      if (known !== undefined) return known;
      await this.#journal.append(body);
      return this.#keep(body);
    });
  }

  /** Returns a log with the same key in which one entry is another, for the fault `forked`. */
  forked(index: number): Rekor2Log {
    const entries = this.#bodies.map((body, at) => (at === index ? otherBody(body) : body));
    return new Rekor2Log({ ...this.#options, journal: { ...this.#journal, entries } });
  }

  checkpoint(size = this.size): string {
    const { key } = this.#signingKey;
    const signer = { origin: this.#origin, name: this.#origin, key, keyId: this.keyId };
    return signedCheckpoint(signer, { size, root: this.#tree.root(size) });
  }

  /** Returns the TransparencyLogEntry (sigstore_rekor.proto) of an entry as protojson. */
  entry(index: number, { kind, version, body }: CanonicalEntry, faults: FaultSwitches): object {
    const hashes = this.#tree.inclusionProof(index).map((hash) => hash.toString("base64"));
    const size = faults.has("stale-checkpoint") ? index : this.size;
    return {
      logIndex: String(index),
      logId: { keyId: this.keyId.toString("base64") },
      kindVersion: { kind, version },
      integratedTime: "0",
      inclusionProof: {
        logIndex: String(index),
        rootHash: this.#tree.root().toString("base64"),
        treeSize: String(this.size),
        hashes: faults.has("bad-proof") ? [...hashes, Buffer.alloc(32).toString("base64")] : hashes,
        checkpoint: { envelope: spoilt(faults, this.checkpoint(size)) },
      },
      canonicalizedBody: body.toString("base64"),
    };
  }

  /** Returns the hashes of a tile, `<level>/<number>` with an optional `.p/<width>`; undefined when it does not exist. */
  tile(path: string): Buffer | undefined {
    const [, levelText = "", rest = ""] = /^(\d)\/(.+)$/.exec(path) ?? [];
    const level = Number(levelText);
    const range = level < TILE_LEVELS ? this.#range(rest, Math.floor(this.size / TILE ** level)) : undefined;
    return range && Buffer.concat([...this.#tree.row(level * TILE_LEVELS, range.from, range.to)]);
  }

  /** Returns an entry bundle, in which each entry follows its length in two octets; undefined when it does not exist. */
  entries(path: string, faults?: FaultSwitches): Buffer | undefined {
    const range = this.#range(path, this.size);
    const bodies = [...this.#bodies];
    const changed = Number(faults?.value("changed-entry", "0") ?? -1);
    if (bodies[changed]) bodies[changed] = otherBody(bodies[changed]);
    const hidden = Number(faults?.value("hidden-entry", "0") ?? -1);
    return (
      range &&
      Buffer.concat(
        bodies.slice(range.from, range.to).flatMap((body, at) => {
          if (range.from + at === hidden) return [];
          const length = Buffer.alloc(2);
          length.writeUInt16BE(body.length);
          return [length, body];
        }),
      )
    );
  }

  /** Parses a tile number: groups of three digits, all but the last prefixed with `x`. */
  #range(path: string, available: number): { from: number; to: number } | undefined {
    const [, groups, width] = /^((?:x\d{3}\/)*\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path) ?? [];
    if (groups === undefined) return undefined;
    const from = Number(groups.replace(/[x/]/g, "")) * TILE;
    const to = from + (width === undefined ? TILE : Number(width));
    return to > from && to - from <= TILE && to <= available ? { from, to } : undefined;
  }
}
