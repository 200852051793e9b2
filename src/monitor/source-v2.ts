import type { TransportIo } from "../net/retry.ts";
import { mapAhead } from "../oci/parallel.ts";
import { serviceClient, wrongAnswer } from "../services/exchange.ts";
import { checkpointV2, consistencyPath, entryBundle, subtreeHash, TILE, tilesOf } from "../services/tiles.ts";
import { Frontier, subtreesOf } from "./merkle.ts";
import { type LogSource, PARALLEL } from "./source.ts";

/** The beginning of a checkpoint: origin, size and root (C2SP tlog-checkpoint). */
const HEAD = /^.+\n(\d{1,16})\n[A-Za-z0-9+/]+=*\n/;

/** Opens a Rekor v2 log: proofs and entries come from its tiles (C2SP tlog-tiles). @param url where the tiles are */
export function openV2(io: TransportIo, url: URL): LogSource {
  const client = serviceClient(io, { service: "rekor", url });
  return {
    chunk: 16 * 1024,
    async shards() {
      const checkpoint = await checkpointV2(client);
      const [, size] = HEAD.exec(checkpoint) ?? [];
      if (size === undefined) throw wrongAnswer(client, "returned a response that is not a checkpoint");
      return { active: { treeId: "", size: Number(size), checkpoint }, inactive: [] };
    },
    consistency: ({ size }, first) => consistencyPath(tilesOf(client, size), first),
    async *entries({ size }, { from, to }) {
      const read = async (number: number) => {
        const bodies = await entryBundle(tilesOf(client, size), number); // its own tiles: a long range is not kept
        const start = number * TILE;
        const wanted = { from: Math.max(from, start) - start, to: Math.min(to - start, TILE) };
        return { bodies: bodies.slice(wanted.from, wanted.to), count: wanted.to - wanted.from };
      };
      for await (const { bodies, count } of mapAhead(bundles(from, to), { limit: PARALLEL }, read)) {
        yield bodies;
        if (bodies.length < count) return;
      }
    },
    async frontier({ size }, at) {
      const tree = tilesOf(client, size);
      const nodes: Uint8Array[] = [];
      for (const subtree of subtreesOf(at)) nodes.push(await subtreeHash(tree, subtree));
      return new Frontier(at, nodes);
    },
  };
}

function* bundles(from: number, to: number): Generator<number> {
  for (let number = Math.floor(from / TILE); number * TILE < to; number++) yield number;
}
