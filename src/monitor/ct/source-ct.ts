import { TsignError } from "../../errors.ts";
import { leafHash } from "../../format/merkle.ts";
import type { TransportIo } from "../../net/retry.ts";
import { mapAhead } from "../../oci/parallel.ts";
import { ctConsistency, ctInclusion, ctLeaves, ctTreeHead } from "../../services/ct-log.ts";
import { serviceClient, wrongAnswer } from "../../services/exchange.ts";
import { CheckFailed } from "../../verify/model.ts";
import { treeHeadText } from "../../verify/tree-head.ts";
import { Frontier, frontierBefore } from "../merkle.ts";
import { type LogSource, PARALLEL } from "../source.ts";

/** Entries in one request; a log may return fewer. */
const PER_REQUEST = 256;

/** Opens a certificate transparency log (RFC 6962 §4): the body of an entry is its MerkleTreeLeaf. */
export function openCt(io: TransportIo, url: URL): LogSource {
  const client = serviceClient(io, { service: "ct", url });
  /** Asks until all are there, or the log returns none. */
  const leaves = async (from: number, to: number) => {
    const found: Uint8Array[] = [];
    while (from + found.length < to) {
      const more = await fewerLeaves(client, { from: from + found.length, to });
      if (more.length === 0) break;
      found.push(...more);
    }
    return found;
  };
  return {
    chunk: 4096,
    async shards() {
      const { text, size } = await ctTreeHead(client);
      try {
        return { active: { treeId: "", size, checkpoint: treeHeadText(text) }, inactive: [] };
      } catch (error) {
        if (!(error instanceof CheckFailed)) throw error;
        throw wrongAnswer(client, "returned an invalid tree head");
      }
    },
    consistency: ({ size }, first) => ctConsistency(client, first, size),
    async *entries(_, { from, to }) {
      const read = async (start: number) => {
        const end = Math.min(start + PER_REQUEST, to);
        return { bodies: await leaves(start, end), count: end - start };
      };
      for await (const { bodies, count } of mapAhead(starts(from, to), { limit: PARALLEL }, read)) {
        yield bodies;
        if (bodies.length < count) return;
      }
    },
    async frontier({ size }, at) {
      if (at === 0) return new Frontier(0, []);
      const [last] = await leaves(at - 1, at);
      if (!last) throw wrongAnswer(client, `does not return entry ${at - 1}`);
      const hash = leafHash(last);
      const { index, path } = await ctInclusion(client, { hash, size });
      if (index !== at - 1) throw wrongAnswer(client, "returned another entry than was asked for");
      const frontier = frontierBefore(index, size, path);
      frontier.append(hash);
      return frontier;
    },
  };
}

/** Asks for half of the entries if they are too large for one answer. */
async function fewerLeaves(
  client: Parameters<typeof ctLeaves>[0],
  { from, to }: { from: number; to: number },
): Promise<Uint8Array[]> {
  try {
    return await ctLeaves(client, { from, to });
  } catch (error) {
    if (!(error instanceof TsignError && error.code === "limit") || to - from === 1) throw error;
    return fewerLeaves(client, { from, to: from + Math.ceil((to - from) / 2) });
  }
}

function* starts(from: number, to: number): Generator<number> {
  for (let start = from; start < to; start += PER_REQUEST) yield start;
}
