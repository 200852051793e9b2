import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { isCount, isObject, textOf } from "../format/json.ts";
import { apiUrl, get, INVALID_ENTRY, jsonOf, postJson, refusal, type ServiceClient, wrongAnswer } from "./exchange.ts";

/** Most entries that Rekor returns at once (rekor's openapi.yaml, SearchLogQuery). */
export const PER_REQUEST = 10;
const HASH = /^[0-9a-f]{64}$/;
const TREE_ID = /^[0-9]{1,20}$/;
/** More hashes than a consistency proof between any two trees has. */
const MAX_HASHES = 128;
const MAX_SHARDS = 1000;
/** Bytes of the answer with one entry. Several are read at a time, and parsed: a larger limit would not bound memory. */
const MAX_ENTRY = 16 * 1024 * 1024;

/** A tree of a Rekor v1 log, as the log describes it. Nothing is verified. */
interface ShardInfo {
  /** Decimal. */
  readonly treeId: string;
  readonly size: number;
  /** The signed tree head. */
  readonly checkpoint: string;
}

/** The trees of a Rekor v1 log. */
interface LogInfo {
  readonly active: ShardInfo;
  /** The trees that grow no longer, the oldest first. The log numbers entries through all of them. */
  readonly inactive: readonly ShardInfo[];
}

/** Asks for the log's trees (GET /api/v1/log). @throws TsignError "auth", "service", and what the transport throws */
export async function logInfo(client: ServiceClient): Promise<LogInfo> {
  const answer = await get(client, apiUrl(client, "/api/v1/log"));
  if (answer.status !== 200) throw refusal(client, answer);
  const json = jsonOf(client, answer.bytes);
  const inactive = isObject(json) ? (json["inactiveShards"] ?? []) : undefined;
  if (!Array.isArray(inactive) || inactive.length > MAX_SHARDS) throw wrongAnswer(client, "returned an invalid log");
  return { active: readShard(client, json), inactive: inactive.map((each: unknown) => readShard(client, each)) };
}

function readShard(client: ServiceClient, json: unknown): ShardInfo {
  const { treeID, treeSize, signedTreeHead } = isObject(json) ? json : {};
  const treeId = textOf(treeID);
  if (!TREE_ID.test(treeId) || !isCount(treeSize) || typeof signedTreeHead !== "string") {
    throw wrongAnswer(client, "returned an invalid log");
  }
  return { treeId, size: treeSize, checkpoint: signedTreeHead };
}

/**
 * Asks for a consistency proof (GET /api/v1/log/proof), which is not verified.
 *
 * @param tree.first at least one
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function consistencyV1(
  client: ServiceClient,
  tree: { treeId: string; first: number; last: number },
): Promise<Uint8Array[]> {
  const url = apiUrl(client, "/api/v1/log/proof");
  url.searchParams.set("firstSize", String(tree.first));
  url.searchParams.set("lastSize", String(tree.last));
  url.searchParams.set("treeID", tree.treeId);
  const answer = await get(client, url);
  if (answer.status !== 200) throw refusal(client, answer);
  const json = jsonOf(client, answer.bytes);
  const hashes = isObject(json) ? (json["hashes"] ?? []) : undefined;
  if (!Array.isArray(hashes) || hashes.length > MAX_HASHES || !hashes.every((each) => HASH.test(textOf(each)))) {
    throw wrongAnswer(client, "returned an invalid consistency proof");
  }
  return hashes.map((each) => Buffer.from(textOf(each), "hex"));
}

/**
 * Fetches the bodies of entries (POST /api/v1/log/entries/retrieve), one by one if they are too large for one answer.
 *
 * @param indexes numbers through all trees of the log, at most ten
 * @returns the bodies that the log returned, by index
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function entryBodies(
  client: ServiceClient,
  indexes: readonly number[],
): Promise<ReadonlyMap<number, Uint8Array>> {
  try {
    return await retrieved(client, indexes, undefined);
  } catch (error) {
    if (!(error instanceof TsignError && error.code === "limit")) throw error;
  }
  const bodies = new Map<number, Uint8Array>();
  for (const index of indexes) {
    for (const [found, body] of await retrieved(client, [index], MAX_ENTRY)) bodies.set(found, body);
  }
  return bodies;
}

async function retrieved(
  client: ServiceClient,
  indexes: readonly number[],
  maxBytes: number | undefined,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const request = { document: { logIndexes: indexes }, maxBytes };
  const answer = await postJson(client, "/api/v1/log/entries/retrieve", request);
  if (answer.status !== 200) throw refusal(client, answer);
  const json = jsonOf(client, answer.bytes);
  if (!Array.isArray(json) || json.length > indexes.length) throw wrongAnswer(client, INVALID_ENTRY);
  const bodies = new Map<number, Uint8Array>();
  for (const entry of json.flatMap((each: unknown) => (isObject(each) ? Object.values(each) : []))) {
    const { logIndex, body } = isObject(entry) ? entry : {};
    const bytes = typeof body === "string" ? decodeBase64(body) : undefined;
    if (!isCount(logIndex) || !bytes || !indexes.includes(logIndex)) throw wrongAnswer(client, INVALID_ENTRY);
    bodies.set(logIndex, bytes);
  }
  return bodies;
}
