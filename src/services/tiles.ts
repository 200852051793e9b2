import { nodeHash } from "../format/merkle.ts";
import { apiUrl, get, INVALID_ENTRY, refusal, type ServiceClient, wrongAnswer } from "./exchange.ts";

/** Hashes, or entries, in a full tile (C2SP tlog-tiles). */
export const TILE = 256;
/** Levels of the tree in a tile. */
const TILE_HEIGHT = 8;
/** Bytes of a hash. */
export const HASH = 32;
/** Bytes of the largest entry bundle: entries with two octets of length. */
const MAX_ENTRIES = TILE * (0xffff + 2);
const MAX_CHECKPOINT = 64 * 1024;

/** Where the tiles of a Rekor v2 log are (C2SP tlog-tiles, "prefix"), unless the log says otherwise: below its base URL. */
export function tilesUrl(baseUrl: URL): URL {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/api/v2`;
  return url;
}

/** The tiles of a Rekor v2 log (C2SP tlog-tiles) for a tree of `size` entries. Nothing in them is verified. */
export interface Tree {
  /** Its URL is that of the tiles. */
  readonly client: ServiceClient;
  readonly size: number;
  /** Tiles that were read, by path. */
  readonly tiles: Map<string, Promise<Uint8Array>>;
}

/** Returns the tiles of a tree of this size; each is read when it is needed, once. */
export function tilesOf(client: ServiceClient, size: number): Tree {
  return { client, size, tiles: new Map() };
}

/** Fetches the log's checkpoint, not verified. @param client its URL is that of the tiles @throws TsignError "auth", "service", and what the transport throws */
export async function checkpointV2(client: ServiceClient): Promise<string> {
  return Buffer.from(await read(client, "checkpoint", MAX_CHECKPOINT)).toString("utf8");
}

async function read(client: ServiceClient, path: string, maxBytes: number): Promise<Uint8Array> {
  const answer = await get(client, apiUrl(client, `/${path}`), { accept: "*/*", maxBytes });
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
    const partial = await get(client, apiUrl(client, `/tile/${path}.p/${width}`), { accept: "*/*", maxBytes });
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

/** The entry at an index of the tree. @throws TsignError "service" */
export async function entryBody(tree: Tree, index: number): Promise<Uint8Array> {
  const bodies = await entryBundle(tree, Math.floor(index / TILE));
  const body = bodies[index % TILE];
  if (!body) throw wrongAnswer(tree.client, INVALID_ENTRY);
  return body;
}

/**
 * The entries of a bundle, of which the first is entry 256 · `number` of the tree. A bundle that ends within an entry is cut there, so
 * that there may be fewer than were asked for.
 *
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function entryBundle(tree: Tree, number: number): Promise<Uint8Array[]> {
  const bytes = Buffer.from(await readTile(tree, `entries/${tilePath(number)}`, widthOf(tree, 0, number)));
  const bodies: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    bodies.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return bodies;
}

/**
 * The consistency proof from the first `first` entries to the whole tree (RFC 6962 §2.1.2).
 *
 * @param first at least one, at most the size of the tree
 */
export async function consistencyPath(tree: Tree, first: number): Promise<Uint8Array[]> {
  const proof = async (count: number, from: number, to: number, isWhole: boolean): Promise<Uint8Array[]> => {
    if (count === to - from) return isWhole ? [] : [await subtreeHash(tree, { from, to })];
    const half = largestPowerBelow(to - from);
    const middle = from + half;
    return count <= half
      ? [...(await proof(count, from, middle, isWhole)), await subtreeHash(tree, { from: middle, to })]
      : [...(await proof(count - half, middle, to, false)), await subtreeHash(tree, { from, to: middle })];
  };
  return proof(first, 0, tree.size, true);
}

/** The Merkle audit path of an entry in the tree over entries `from` to `to` (RFC 6962 §2.1.1). */
export async function inclusionPath(
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
export async function subtreeHash(tree: Tree, { from, to }: { from: number; to: number }): Promise<Uint8Array> {
  const count = to - from;
  const level = Math.log2(count);
  if (Number.isInteger(level)) return subtreeNode(tree, level, from / count);
  const middle = from + largestPowerBelow(count);
  return nodeHash(await subtreeHash(tree, { from, to: middle }), await subtreeHash(tree, { from: middle, to }));
}

/** The hash of a complete subtree, from the lowest row of the tile that contains it. */
async function subtreeNode(tree: Tree, level: number, index: number): Promise<Uint8Array> {
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
    row = row.flatMap((left, at) => (at % 2 === 0 ? [nodeHash(left, row[at + 1] ?? new Uint8Array())] : []));
  }
  return row[0] ?? new Uint8Array();
}

/** The largest power of two below a count of at least two. */
function largestPowerBelow(count: number): number {
  return 2 ** Math.floor(Math.log2(count - 1));
}
