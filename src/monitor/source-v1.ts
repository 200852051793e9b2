import { leafHash } from "../format/merkle.ts";
import type { TransportIo } from "../net/retry.ts";
import { mapAhead } from "../oci/parallel.ts";
import { serviceClient, wrongAnswer } from "../services/exchange.ts";
import { entryAtIndex } from "../services/rekor-v1.ts";
import { consistencyV1, entryBodies, logInfo, PER_REQUEST } from "../services/rekor-v1-log.ts";
import type { Log } from "../trust/material.ts";
import { verifyLogEntry } from "../verify/log-entry.ts";
import { CheckFailed } from "../verify/model.ts";
import { Frontier, frontierBefore } from "./merkle.ts";
import { type LogSource, PARALLEL } from "./source.ts";

/** Opens a Rekor v1 log: proofs and entries come from its API. */
export function openV1(io: TransportIo, url: URL, logs: readonly Log[]): LogSource {
  const client = serviceClient(io, { service: "rekor", url });
  return {
    chunk: 2000,
    shards: () => logInfo(client),
    consistency: ({ treeId, size }, first) => consistencyV1(client, { treeId, first, last: size }),
    async *entries({ offset }, { from, to }) {
      for await (const { indexes, bodies } of mapAhead(groups(from, to), { limit: PARALLEL }, async (group) => {
        const indexes = group.map((index) => index + offset);
        return { indexes, bodies: await entryBodies(client, indexes) };
      })) {
        const found = indexes.map((index) => bodies.get(index));
        const missing = found.indexOf(undefined);
        yield found.slice(0, missing < 0 ? found.length : missing).flatMap((body) => body ?? []);
        if (missing >= 0) return;
      }
    },
    async frontier(tree, at) {
      if (at === 0) return new Frontier(0, []);
      // The proof of an entry joins the subtrees before it from the left, whatever the size of its tree.
      const last = await entryAtIndex(io, url, String(tree.offset + at - 1));
      try {
        verifyLogEntry(last, logs);
      } catch (error) {
        if (!(error instanceof CheckFailed)) throw error;
        throw wrongAnswer(client, `returned log entry ${tree.offset + at - 1} with an invalid proof: ${error.message}`);
      }
      return including(last, at - 1, client);
    },
  };
}

function including(
  entry: Awaited<ReturnType<typeof entryAtIndex>>,
  index: number,
  client: Parameters<typeof wrongAnswer>[0],
): Frontier {
  const { inclusionProof, canonicalizedBody } = entry;
  if (!inclusionProof || inclusionProof.logIndex !== String(index)) {
    throw wrongAnswer(client, "returned another log entry than was asked for");
  }
  const before = frontierBefore(index, Number(inclusionProof.treeSize), inclusionProof.hashes);
  before.append(leafHash(canonicalizedBody));
  return before;
}

function* groups(from: number, to: number): Generator<number[]> {
  for (let at = from; at < to; at += PER_REQUEST) {
    yield Array.from({ length: Math.min(PER_REQUEST, to - at) }, (_, index) => at + index);
  }
}
