import type { TransparencyLogEntry } from "@sigstore/bundle";
import { writeEnvelope } from "../evidence/envelope.ts";
import { kindVersionOf } from "../evidence/legacy/proofs.ts";
import type { Evidence } from "../evidence/model.ts";
import { decodeBase64, encodeBase64 } from "../format/base64.ts";
import { type HashName, hash, type Message } from "../format/digest.ts";
import { isCount, isObject, textOf } from "../format/json.ts";
import type { Answer } from "../net/http.ts";
import type { TransportIo } from "../net/retry.ts";
import {
  apiUrl,
  get,
  INVALID_ENTRY,
  jsonOf,
  postJson,
  refusal,
  type ServiceClient,
  serviceClient,
  wrongAnswer,
} from "./exchange.ts";

const ENTRIES = "/api/v1/log/entries";
/** The largest number of entries accepted as the result of a search. */
const MAX_FOUND = 100;

/** A signature to record or to search for. */
export interface LogRequest {
  readonly content: Evidence["content"];
  /** JSON of the envelope as it was stored and logged; by default as tsign writes it. */
  readonly envelope?: string;
  /** The signed message; only its digest is used. */
  readonly message: Message;
  readonly hash: HashName;
  /** PEM of the certificate, or of the public key if there is none. */
  readonly verifier: string;
}

/** Returns the entry to propose for a signature: `dsse` for an envelope, else `hashedrekord` (rekor's pkg/types). */
function proposedEntry(request: LogRequest): Record<string, unknown> {
  const { content, message, hash: name, verifier } = request;
  const key = encodeBase64(Buffer.from(verifier));
  if (content.kind === "dsse") {
    const proposedContent = { envelope: request.envelope ?? writeEnvelope(content), verifiers: [key] };
    return { apiVersion: "0.0.1", kind: "dsse", spec: { proposedContent } };
  }
  return {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: name, value: Buffer.from(message.digest(name)).toString("hex") } },
      signature: { content: encodeBase64(content.signature), publicKey: { content: key } },
    },
  };
}

/** Returns the `intoto` entry of older clients for an envelope, to search for. */
function intotoEntry({ content, envelope: stored, verifier }: LogRequest): Record<string, unknown>[] {
  if (content.kind !== "dsse") return [];
  const envelope = stored ?? writeEnvelope(content);
  const value = Buffer.from(hash("sha256", Buffer.from(envelope))).toString("hex");
  const spec = {
    content: { envelope, hash: { algorithm: "sha256", value } },
    publicKey: encodeBase64(Buffer.from(verifier)),
  };
  return [{ apiVersion: "0.0.1", kind: "intoto", spec }];
}

/**
 * Records a signature in a Rekor v1 log (POST /api/v1/log/entries). If the log already has it (409), fetches that entry. The
 * entry is not verified here but in src/verify, before it is stored.
 *
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function uploadEntry(io: TransportIo, url: URL, request: LogRequest): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const answer = await postJson(client, ENTRIES, { document: proposedEntry(request) });
  if (answer.status === 409) return fetchExisting(client, answer.headers["location"]);
  if (answer.status !== 201 && answer.status !== 200) throw refusal(client, answer);
  return entryOf(answer, client);
}

async function fetchExisting(client: ServiceClient, location: string | undefined): Promise<TransparencyLogEntry> {
  const uuid = /\/api\/v1\/log\/entries\/([0-9a-f]{64,80})$/.exec(location ?? "")?.[1];
  if (!uuid) throw wrongAnswer(client, INVALID_ENTRY);
  const answer = await get(client, apiUrl(client, `${ENTRIES}/${uuid}`));
  if (answer.status !== 200) throw refusal(client, answer);
  return entryOf(answer, client);
}

/**
 * Finds the entries of a Rekor v1 log for a signature that was stored without one (POST /api/v1/log/entries/retrieve).
 *
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function searchEntries(io: TransportIo, url: URL, request: LogRequest): Promise<TransparencyLogEntry[]> {
  const client = serviceClient(io, { service: "rekor", url });
  const document = { entries: [proposedEntry(request), ...intotoEntry(request)] };
  const answer = await postJson(client, `${ENTRIES}/retrieve`, { document });
  if (answer.status !== 200) throw refusal(client, answer);
  const found = jsonOf(client, answer.bytes);
  if (!Array.isArray(found) || found.length > MAX_FOUND) throw wrongAnswer(client, INVALID_ENTRY);
  return found.flatMap((each: unknown) => readEntries(each, client));
}

/** Returns the oldest of several entries for a signature. Anyone can record a signature again, but only later. */
export function oldestEntry(entries: readonly TransparencyLogEntry[]): TransparencyLogEntry | undefined {
  return entries.toSorted((a, b) => Number(a.integratedTime) - Number(b.integratedTime))[0];
}

/**
 * Fetches the entry at an index of the log, for bundles without a proof (GET /api/v1/log/entries?logIndex=).
 *
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function entryAtIndex(io: TransportIo, url: URL, logIndex: string): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const address = apiUrl(client, ENTRIES);
  address.searchParams.set("logIndex", logIndex);
  const answer = await get(client, address);
  if (answer.status !== 200) throw refusal(client, answer);
  return entryOf(answer, client);
}

/**
 * Fetches the entry with a UUID (GET /api/v1/log/entries/{entryUUID}).
 *
 * @param uuid 64 hex digits, the hash of the entry's leaf, or 80 with the ID of its tree before it
 * @throws TsignError "auth", "service", and what the transport throws
 */
export async function entryByUuid(io: TransportIo, url: URL, uuid: string): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const answer = await get(client, apiUrl(client, `${ENTRIES}/${uuid}`));
  if (answer.status !== 200) throw refusal(client, answer);
  return entryOf(answer, client);
}

/** Reads the entry of a successful response. @throws TsignError "service" without an entry */
function entryOf({ bytes }: Answer, client: ServiceClient): TransparencyLogEntry {
  const [entry] = readEntries(jsonOf(client, bytes), client);
  if (!entry) throw wrongAnswer(client, INVALID_ENTRY);
  return entry;
}

/** Reads a LogEntry of rekor's openapi.yaml: an object of entries by UUID. @throws TsignError "service" */
export function readEntries(json: unknown, client: ServiceClient): TransparencyLogEntry[] {
  if (!isObject(json)) throw wrongAnswer(client, INVALID_ENTRY);
  return Object.values(json).map((each) => readEntry(each, client));
}

function readEntry(json: unknown, client: ServiceClient): TransparencyLogEntry {
  const value = isObject(json) ? json : {};
  const verification = isObject(value["verification"]) ? value["verification"] : {};
  const body = readBase64(value["body"]);
  const promise = readBase64(verification["signedEntryTimestamp"]);
  const { logID, logIndex, integratedTime } = value;
  if (!body || typeof logID !== "string" || !isCount(logIndex) || !isCount(integratedTime)) {
    throw wrongAnswer(client, INVALID_ENTRY);
  }
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logID, "hex") },
    kindVersion: kindVersionOf(body, "the log entry"),
    integratedTime: String(integratedTime),
    inclusionPromise: promise ? { signedEntryTimestamp: Buffer.from(promise) } : undefined,
    inclusionProof: readProof(verification["inclusionProof"]) as never, // absent if there is only a promise
    canonicalizedBody: Buffer.from(body),
  };
}

function readProof(json: unknown): TransparencyLogEntry["inclusionProof"] | undefined {
  if (!isObject(json)) return undefined;
  const { logIndex, treeSize, rootHash, hashes, checkpoint } = json;
  if (!isCount(logIndex) || !isCount(treeSize) || !Array.isArray(hashes)) return undefined;
  return {
    logIndex: String(logIndex),
    treeSize: String(treeSize),
    rootHash: Buffer.from(textOf(rootHash), "hex"),
    hashes: hashes.map((each) => Buffer.from(textOf(each), "hex")),
    checkpoint: { envelope: textOf(checkpoint) },
  };
}

function readBase64(value: unknown): Uint8Array | undefined {
  return typeof value === "string" ? decodeBase64(value) : undefined;
}
