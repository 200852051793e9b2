import type { TransparencyLogEntry } from "@sigstore/bundle";
import { writeEnvelope } from "../evidence/envelope.ts";
import { isCount, kindVersionOf } from "../evidence/legacy/proofs.ts";
import type { Evidence } from "../evidence/model.ts";
import { decodeBase64, encodeBase64 } from "../format/base64.ts";
import { type HashName, hash, type Message } from "../format/digest.ts";
import { isObject, parseJson, textOf } from "../format/json.ts";
import type { TransportIo } from "../net/retry.ts";
import {
  apiUrl,
  get,
  NO_LOG_ENTRY,
  post,
  refusal,
  type ServiceClient,
  serviceClient,
  wrongAnswer,
} from "./exchange.ts";

const ENTRIES = "/api/v1/log/entries";
/** Most entries a search is answered with before it is refused. */
const MAX_FOUND = 100;

/** What is asked of the log: a signature, over what, by whom. */
export interface LogRequest {
  readonly content: Evidence["content"];
  /** JSON of the envelope as it is stored, which is what was logged; without it, as tsign writes it. */
  readonly envelope?: string;
  /** What the signature covers; known by its digest. */
  readonly message: Message;
  readonly hash: HashName;
  /** PEM of the certificate, or of the bare public key. */
  readonly verifier: string;
}

/** The entry proposed for a signature: `dsse` for an envelope, else `hashedrekord` (rekor's pkg/types). */
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

/** The `intoto` entry older clients made of an envelope, to search for. */
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
 * Records a signature in a Rekor v1 log (POST /api/v1/log/entries). When the log has it already (409), that entry is
 * fetched and used. The entry is not verified here: src/verify does, before it is stored.
 *
 * @throws TsignError "auth", "service", "bad-bundle" for an answer that is not JSON, and what the transport throws
 */
export async function uploadEntry(io: TransportIo, url: URL, request: LogRequest): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const answer = await postJson(client, ENTRIES, proposedEntry(request));
  if (answer.status === 409) return fetchExisting(client, answer.headers["location"]);
  if (answer.status !== 201 && answer.status !== 200) throw refusal(client, answer);
  const [entry] = readEntries(parseJson(answer.bytes, "Rekor's answer"), client);
  if (!entry) throw wrongAnswer(client, NO_LOG_ENTRY);
  return entry;
}

async function fetchExisting(client: ServiceClient, location: string | undefined): Promise<TransparencyLogEntry> {
  const uuid = /\/api\/v1\/log\/entries\/([0-9a-f]{64,80})$/.exec(location ?? "")?.[1];
  if (!uuid) throw wrongAnswer(client, NO_LOG_ENTRY);
  const answer = await get(client, apiUrl(client, `${ENTRIES}/${uuid}`));
  if (answer.status !== 200) throw refusal(client, answer);
  const [entry] = readEntries(parseJson(answer.bytes, "Rekor's answer"), client);
  if (!entry) throw wrongAnswer(client, NO_LOG_ENTRY);
  return entry;
}

/**
 * The entries a Rekor v1 log has for a signature (POST /api/v1/log/entries/retrieve), for one that was stored without.
 *
 * @throws TsignError "auth", "service", "bad-bundle" for an answer that is not JSON, and what the transport throws
 */
export async function searchEntries(io: TransportIo, url: URL, request: LogRequest): Promise<TransparencyLogEntry[]> {
  const client = serviceClient(io, { service: "rekor", url });
  const query = { entries: [proposedEntry(request), ...intotoEntry(request)] };
  const answer = await postJson(client, `${ENTRIES}/retrieve`, query);
  if (answer.status !== 200) throw refusal(client, answer);
  const found = parseJson(answer.bytes, "Rekor's answer");
  if (!Array.isArray(found) || found.length > MAX_FOUND) throw wrongAnswer(client, NO_LOG_ENTRY);
  return found.flatMap((each: unknown) => readEntries(each, client));
}

/** Of several entries of a signature the one that counts: anyone may record it again, but nobody can do it earlier. */
export function oldestEntry(entries: readonly TransparencyLogEntry[]): TransparencyLogEntry | undefined {
  return entries.toSorted((a, b) => Number(a.integratedTime) - Number(b.integratedTime))[0];
}

/**
 * The entry at an index of the log, for bundles that lack a proof (GET /api/v1/log/entries?logIndex=).
 *
 * @throws TsignError "auth", "service", "bad-bundle" for an answer that is not JSON, and what the transport throws
 */
export async function entryAtIndex(io: TransportIo, url: URL, logIndex: string): Promise<TransparencyLogEntry> {
  const client = serviceClient(io, { service: "rekor", url });
  const address = apiUrl(client, ENTRIES);
  address.searchParams.set("logIndex", logIndex);
  const answer = await get(client, address);
  if (answer.status !== 200) throw refusal(client, answer);
  const [entry] = readEntries(parseJson(answer.bytes, "Rekor's answer"), client);
  if (!entry) throw wrongAnswer(client, NO_LOG_ENTRY);
  return entry;
}

function postJson(client: ServiceClient, path: string, body: unknown) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  return post(client, { url: apiUrl(client, path), headers, body: Buffer.from(JSON.stringify(body)) });
}

/** A LogEntry of rekor's openapi.yaml: entries by their UUID. */
function readEntries(json: unknown, client: ServiceClient): TransparencyLogEntry[] {
  if (!isObject(json)) throw wrongAnswer(client, NO_LOG_ENTRY);
  return Object.values(json).map((each) => readEntry(each, client));
}

function readEntry(json: unknown, client: ServiceClient): TransparencyLogEntry {
  const value = isObject(json) ? json : {};
  const verification = isObject(value["verification"]) ? value["verification"] : {};
  const body = readBase64(value["body"]);
  const promise = readBase64(verification["signedEntryTimestamp"]);
  const { logID, logIndex, integratedTime } = value;
  if (!body || typeof logID !== "string" || !isCount(logIndex) || !isCount(integratedTime)) {
    throw wrongAnswer(client, NO_LOG_ENTRY);
  }
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logID, "hex") },
    kindVersion: kindVersionOf(body, "the log entry"),
    integratedTime: String(integratedTime),
    inclusionPromise: promise ? { signedEntryTimestamp: Buffer.from(promise) } : undefined,
    inclusionProof: readProof(verification["inclusionProof"]) as never, // absent only where the promise is all there is
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
