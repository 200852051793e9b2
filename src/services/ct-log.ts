import { decodeBase64 } from "../format/base64.ts";
import { isCount, isObject } from "../format/json.ts";
import { apiUrl, get, INVALID_ENTRY, jsonOf, refusal, type ServiceClient, wrongAnswer } from "./exchange.ts";

const MAX_HASHES = 128;
const HASH_LENGTH = 32;
/** Bytes of an answer: a log may return a thousand entries with their chains. */
const MAX_ANSWER = 32 * 1024 * 1024;

/**
 * Asks a certificate transparency log for its signed tree head (RFC 6962 §4.3). Nothing is verified.
 *
 * @returns the answer as text, and the size in it
 * @throws TsignError "auth", "service", and what the transport throws; the same for the functions below
 */
export async function ctTreeHead(client: ServiceClient): Promise<{ text: string; size: number }> {
  const { json, bytes } = await ask(client, "get-sth", {});
  const { tree_size: size } = json;
  if (!isCount(size)) throw wrongAnswer(client, "returned an invalid tree head");
  return { text: Buffer.from(bytes).toString("utf8"), size };
}

/** Asks for a consistency proof (RFC 6962 §4.4), which is not verified. @param first at least one */
export async function ctConsistency(client: ServiceClient, first: number, second: number): Promise<Uint8Array[]> {
  const { json } = await ask(client, "get-sth-consistency", { first, second });
  return hashesOf(client, json["consistency"]);
}

/** Asks for an inclusion proof by the hash of a leaf (RFC 6962 §4.5), which is not verified. */
export async function ctInclusion(
  client: ServiceClient,
  leaf: { hash: Uint8Array; size: number },
): Promise<{ index: number; path: Uint8Array[] }> {
  const hash = Buffer.from(leaf.hash).toString("base64");
  const { json } = await ask(client, "get-proof-by-hash", { hash, tree_size: leaf.size });
  const { leaf_index: index } = json;
  if (!isCount(index)) throw wrongAnswer(client, "returned an invalid inclusion proof");
  return { index, path: hashesOf(client, json["audit_path"]) };
}

/**
 * Asks for the leaves of entries `from` up to `to` (RFC 6962 §4.6: MerkleTreeLeaf). A log may return fewer.
 *
 * @param range.to exclusive
 */
export async function ctLeaves(
  client: ServiceClient,
  { from, to }: { from: number; to: number },
): Promise<Uint8Array[]> {
  const { json } = await ask(client, "get-entries", { start: from, end: to - 1 });
  const { entries } = json;
  if (!Array.isArray(entries)) throw wrongAnswer(client, INVALID_ENTRY);
  return entries.slice(0, to - from).map((each: unknown) => {
    const leaf =
      isObject(each) && typeof each["leaf_input"] === "string" ? decodeBase64(each["leaf_input"]) : undefined;
    if (!leaf) throw wrongAnswer(client, INVALID_ENTRY);
    return leaf;
  });
}

async function ask(
  client: ServiceClient,
  operation: string,
  query: Readonly<Record<string, string | number>>,
): Promise<{ json: Record<string, unknown>; bytes: Uint8Array }> {
  const url = apiUrl(client, `/ct/v1/${operation}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
  const answer = await get(client, url, { maxBytes: MAX_ANSWER });
  if (answer.status !== 200) throw refusal(client, answer);
  const json = jsonOf(client, answer.bytes);
  if (!isObject(json)) throw wrongAnswer(client, "returned a response that is not an object");
  return { json, bytes: answer.bytes };
}

function hashesOf(client: ServiceClient, list: unknown): Uint8Array[] {
  const hashes = Array.isArray(list) ? list : [undefined];
  const decoded = hashes.map((each: unknown) => (typeof each === "string" ? decodeBase64(each) : undefined));
  const whole = decoded.filter((each) => each?.length === HASH_LENGTH) as Uint8Array[];
  if (whole.length !== hashes.length || whole.length > MAX_HASHES)
    throw wrongAnswer(client, "returned an invalid proof");
  return whole;
}
