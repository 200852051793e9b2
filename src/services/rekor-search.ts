import type { TransparencyLogEntry } from "@sigstore/bundle";
import { encodeBase64 } from "../format/base64.ts";
import { isObject } from "../format/json.ts";
import { leafHash } from "../format/merkle.ts";
import type { TransportIo } from "../net/retry.ts";
import { INVALID_ENTRY, jsonOf, postJson, refusal, serviceClient, wrongAnswer } from "./exchange.ts";
import { readEntries } from "./rekor-v1.ts";

/** Most UUIDs accepted as the result of a search. */
const MAX_UUIDS = 100_000;
/** Most entries that Rekor returns at once (rekor's openapi.yaml, SearchLogQuery). */
const PER_REQUEST = 10;
const UUID = /^([0-9a-f]{16})?[0-9a-f]{64}$/;

/** What to search a log's index for (rekor's openapi.yaml, SearchIndex). */
export interface IndexQuery {
  /** `sha256:…`, of an artifact, a payload or an envelope. */
  readonly digest?: string;
  readonly email?: string;
  /** PEM of a public key or a certificate. */
  readonly publicKey?: string;
  /** Whether an entry must match everything, or anything. */
  readonly operator: "and" | "or";
}

/**
 * Searches the index of a Rekor v1 log (POST /api/v1/index/retrieve). The answer is not verified, and a log may leave entries out.
 *
 * @returns UUIDs, each once, in the order of the answer
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function searchIndex(io: TransportIo, url: URL, query: IndexQuery): Promise<string[]> {
  const client = serviceClient(io, { service: "rekor", url });
  const { digest, email, publicKey, operator } = query;
  const document = {
    ...(digest === undefined ? {} : { hash: digest }),
    ...(email === undefined ? {} : { email }),
    ...(publicKey === undefined
      ? {}
      : { publicKey: { format: "x509", content: encodeBase64(Buffer.from(publicKey)) } }),
    operator,
  };
  const answer = await postJson(client, "/api/v1/index/retrieve", { document });
  if (answer.status === 501) throw refusal(client, answer, "use another log: this one has no search index");
  if (answer.status !== 200) throw refusal(client, answer);
  const found = jsonOf(client, answer.bytes) ?? [];
  if (!Array.isArray(found) || found.length > MAX_UUIDS || !found.every(isUuid)) {
    throw wrongAnswer(client, "returned an invalid list of UUIDs");
  }
  return [...new Set(found)];
}

function isUuid(value: unknown): value is string {
  return typeof value === "string" && UUID.test(value);
}

/** An entry with its UUID. */
export interface FoundEntry {
  readonly uuid: string;
  readonly entry: TransparencyLogEntry;
}

/**
 * Fetches entries by UUID (POST /api/v1/log/entries/retrieve), several at a time. Nothing of them is verified but that each has the
 * UUID that was asked for.
 *
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function entriesByUuid(io: TransportIo, url: URL, uuids: readonly string[]): Promise<FoundEntry[]> {
  const client = serviceClient(io, { service: "rekor", url });
  const found: FoundEntry[] = [];
  for (let from = 0; from < uuids.length; from += PER_REQUEST) {
    const wanted = uuids.slice(from, from + PER_REQUEST);
    const answer = await postJson(client, "/api/v1/log/entries/retrieve", { document: { entryUUIDs: wanted } });
    if (answer.status !== 200) throw refusal(client, answer);
    const json = jsonOf(client, answer.bytes);
    if (!Array.isArray(json) || json.length > wanted.length) throw wrongAnswer(client, INVALID_ENTRY);
    const entries = json.flatMap((each: unknown) => (isObject(each) ? readEntries(each, client) : []));
    for (const entry of entries) {
      const uuid = wanted.find((each) => each.endsWith(leafHex(entry)));
      if (uuid === undefined) throw wrongAnswer(client, "returned another log entry than was asked for");
      found.push({ uuid, entry });
    }
  }
  return found;
}

/** The hash of an entry's leaf (RFC 6962 §2.1), hex: the last 64 digits of its UUID. */
export function leafHex({ canonicalizedBody }: Pick<TransparencyLogEntry, "canonicalizedBody">): string {
  return Buffer.from(leafHash(canonicalizedBody)).toString("hex");
}
