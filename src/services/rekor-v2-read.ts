import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import { kindVersionOf } from "../evidence/legacy/proofs.ts";
import { decodeBase64 } from "../format/base64.ts";
import { hash } from "../format/digest.ts";
import type { TransportIo } from "../net/retry.ts";
import { apiUrl, get, INVALID_ENTRY, refusal, type ServiceClient, serviceClient, wrongAnswer } from "./exchange.ts";

/** Hashes, or entries, in a full tile (C2SP tlog-tiles). */
const TILE = 256;
/** Levels of the tree in a tile. */
const TILE_HEIGHT = 8;
const HASH = 32;
/** Bytes of the largest entry bundle: entries with two octets of length. */
const MAX_ENTRIES = TILE * (0xffff + 2);
const MAX_CHECKPOINT = 64 * 1024;

/** The tree that a checkpoint is for. */
interface Tree {
  readonly client: ServiceClient;
  readonly size: number;
  /** Tiles that were read, by path. */
  readonly tiles: Map<string, Promise<Uint8Array>>;
}

/**
 * Fetches the entry at an index of a Rekor v2 log, with an inclusion proof computed from the log's tiles (C2SP tlog-tiles) for its
 * current checkpoint. Nothing is verified. The entry has no log ID: the checkpoint is signed by the log.
 *
 * @throws TsignError "input" for an index that the log does not have yet; "auth", "service", and what the transport throws
 */
export async function entryAtIndexV2(io: TransportIo, url: URL, index: number): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const envelope = Buffer.from(await read(client, "checkpoint", MAX_CHECKPOINT)).toString("utf8");
  const [, sizeText = "", rootText = ""] = envelope.split("\n");
  const size = Number(sizeText);
  const root = decodeBase64(rootText);
  if (!/^\d{1,15}$/.test(sizeText) || root?.length !== HASH)
    throw wrongAnswer(client, "returned an invalid checkpoint");
  if (index >= size) {
    throw new TsignError("input", `no such log entry: ${index}; the log at ${url.host} has ${size} entries`);
  }
  const tree = { client, size, tiles: new Map<string, Promise<Uint8Array>>() };
  const body = await entryBody(tree, index);
  const hashes = await inclusionPath(tree, { index, from: 0, to: size });
  return {
    logIndex: String(index),
    logId: { keyId: Buffer.alloc(0) },
    kindVersion: kindVersionOf(body, "the log entry"),
    integratedTime: "0",
    inclusionPromise: undefined,
    inclusionProof: {
      logIndex: String(index),
      treeSize: String(size),
      rootHash: Buffer.from(root),
      hashes: hashes.map((each) => Buffer.from(each)),
      checkpoint: { envelope },
    },
    canonicalizedBody: Buffer.from(body),
  };
}

async function read(client: ServiceClient, path: string, maxBytes: number): Promise<Uint8Array> {
  const answer = await get(client, apiUrl(client, `/api/v2/${path}`), { accept: "*/*", maxBytes });
  if (answer.status !== 200) throw refusal(client, answer);
  return answer.bytes;
}

/** Reads a tile, or the full one if the log has grown and keeps the partial one no longer. */
async function readTile(tree: Tree, path: string, width: number): Promise<Uint8Array> {
  const { client, tiles } = tree;
  const maxBytes = path.startsWith("entries/") ? MAX_ENTRIES : TILE * HASH;
  const known = tiles.get(path);
  if (known) return known;
  const fetched = (async () => {
    if (width === TILE) return read(client, `tile/${path}`, maxBytes);
    const partial = await get(client, apiUrl(client, `/api/v2/tile/${path}.p/${width}`), { accept: "*/*", maxBytes });
    if (partial.status === 200) return partial.bytes;
    if (partial.status !== 404) throw refusal(client, partial);
    return read(client, `tile/${path}`, maxBytes);
  })();
  tiles.set(path, fetched);
  return fetched;
}

/** The path of a tile's number: groups of three digits, all but the last prefixed with `x`. */
function tilePath(number: number): string {
  const digits = String(number);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, "0").match(/.{3}/g) ?? [];
  return groups.map((each, index) => (index < groups.length - 1 ? `x${each}` : each)).join("/");
}

/** Entries or hashes in a tile at a level. */
function widthOf({ size }: Tree, level: number, number: number): number {
  return Math.min(TILE, Math.floor(size / TILE ** level) - number * TILE);
}

async function entryBody(tree: Tree, index: number): Promise<Uint8Array> {
  const number = Math.floor(index / TILE);
  const bytes = Buffer.from(await readTile(tree, `entries/${tilePath(number)}`, widthOf(tree, 0, number)));
  let at = 0;
  for (let skip = index % TILE; ; skip--) {
    const end = at + 2 <= bytes.length ? at + 2 + bytes.readUInt16BE(at) : Number.POSITIVE_INFINITY;
    if (end > bytes.length) throw wrongAnswer(tree.client, INVALID_ENTRY);
    if (skip === 0) return bytes.subarray(at + 2, end);
    at = end;
  }
}

/** The Merkle audit path of an entry in the tree over entries `from` to `to` (RFC 6962 §2.1.1). */
async function inclusionPath(
  tree: Tree,
  { index, from, to }: { index: number; from: number; to: number },
): Promise<Uint8Array[]> {
  if (to - from <= 1) return [];
  const middle = from + largestPowerBelow(to - from);
  const isLeft = index < middle;
  const below = await inclusionPath(tree, isLeft ? { index, from, to: middle } : { index, from: middle, to });
  return [...below, await subtreeHash(tree, isLeft ? { from: middle, to } : { from, to: middle })];
}

/** The Merkle tree hash of entries `from` to `to`. */
async function subtreeHash(tree: Tree, { from, to }: { from: number; to: number }): Promise<Uint8Array> {
  const count = to - from;
  const level = Math.log2(count);
  if (Number.isInteger(level)) return nodeHash(tree, level, from / count);
  const middle = from + largestPowerBelow(count);
  return nodeOf(await subtreeHash(tree, { from, to: middle }), await subtreeHash(tree, { from: middle, to }));
}

/** The hash of a complete subtree, from the lowest row of the tile that contains it. */
async function nodeHash(tree: Tree, level: number, index: number): Promise<Uint8Array> {
  const tileLevel = Math.floor(level / TILE_HEIGHT);
  const count = 2 ** (level % TILE_HEIGHT);
  const first = index * count;
  const number = Math.floor(first / TILE);
  const bytes = await readTile(tree, `${tileLevel}/${tilePath(number)}`, widthOf(tree, tileLevel, number));
  let row = Array.from({ length: count }, (_, at) => {
    const start = ((first % TILE) + at) * HASH;
    const hashBytes = bytes.subarray(start, start + HASH);
    if (hashBytes.length !== HASH) throw wrongAnswer(tree.client, "returned an incomplete tile");
    return hashBytes;
  });
  while (row.length > 1) {
    row = row.flatMap((left, at) => (at % 2 === 0 ? [nodeOf(left, row[at + 1] ?? new Uint8Array())] : []));
  }
  return row[0] ?? new Uint8Array();
}

function nodeOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash("sha256", Buffer.concat([Buffer.of(1), left, right]));
}

/** The largest power of two below a count of at least two. */
function largestPowerBelow(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}
