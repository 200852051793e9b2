import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import { kindVersionOf } from "../evidence/legacy/proofs.ts";
import { decodeBase64 } from "../format/base64.ts";
import type { TransportIo } from "../net/retry.ts";
import { serviceClient, wrongAnswer } from "./exchange.ts";
import { checkpointV2, entryBody, HASH, inclusionPath, tilesOf } from "./tiles.ts";

/**
 * Fetches the entry at an index of a Rekor v2 log, with an inclusion proof computed from the log's tiles (C2SP tlog-tiles) for its
 * current checkpoint. Nothing is verified. The entry has no log ID: the checkpoint is signed by the log.
 *
 * @param tiles where the tiles of the log are
 * @throws TsignError "input" for an index that the log does not have yet; "auth", "service", and what the transport throws
 */
export async function entryAtIndexV2(io: TransportIo, tiles: URL, index: number): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url: tiles });
  const envelope = await checkpointV2(client);
  const [, sizeText = "", rootText = ""] = envelope.split("\n");
  const size = Number(sizeText);
  const root = decodeBase64(rootText);
  if (!/^\d{1,15}$/.test(sizeText) || root?.length !== HASH)
    throw wrongAnswer(client, "returned an invalid checkpoint");
  if (index >= size) {
    throw new TsignError("input", `no such log entry: ${index}; the size of the log at ${tiles.host} is ${size}`);
  }
  const tree = tilesOf(client, size);
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
