import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, parseDigest } from "../../format/digest.ts";
import { type Answer, resolveLocation } from "../../net/http.ts";
import type { Repository } from "../ref.ts";
import type { BlobStream, Descriptor } from "../types.ts";
import { mountBlob } from "./mount.ts";
import { REGISTRY } from "./peer.ts";
import { sendFile } from "./send-file.ts";
import type { RegistrySession } from "./session.ts";

/** Most requests for a blob whose answers are interrupted. */
const MAX_ATTEMPTS = 3;
const BLOB_TYPE = "application/octet-stream";

/**
 * Reads a blob in pieces and checks it against its descriptor: excess bytes end the stream at once, a wrong digest or size is
 * thrown after the last piece.
 *
 * @throws TsignError "registry"
 */
export async function* readBlobStream(
  session: RegistrySession,
  repository: Repository,
  descriptor: Descriptor,
): AsyncIterable<Uint8Array> {
  const where = `${repository.name}@${descriptor.digest}`;
  yield* checked(retriedBlob(session, repository, descriptor), descriptor, where);
}

/** Reads a blob's bytes. After an interruption the blob is requested again and the bytes already passed on are skipped. */
async function* retriedBlob(
  session: RegistrySession,
  repository: Repository,
  { digest }: Descriptor,
): AsyncIterable<Uint8Array> {
  const path = `/v2/${repository.repository}/blobs/${digest}`;
  let passed = 0;
  for (let attempt = 1; ; attempt++) {
    const response = await session.stream({ method: "GET", path, followRedirects: true, action: "pull" });
    if (response.status !== 200) throw await session.streamRefusal(response, `read blob ${repository.name}@${digest}`);
    let at = 0;
    try {
      for await (const piece of response.body) {
        const fresh = piece.subarray(Math.min(piece.length, Math.max(0, passed - at)));
        at += piece.length;
        passed += fresh.length;
        if (fresh.length > 0) yield fresh;
      }
      return;
    } catch (error) {
      const again = error instanceof TsignError && error.code === "network" && attempt < MAX_ATTEMPTS;
      if (!again) throw error;
    } finally {
      response.discard();
    }
  }
}

/**
 * Passes bytes through and checks their size and digest.
 *
 * @param where the content's name in errors
 * @throws TsignError "registry" for a mismatch
 */
export async function* checked(
  pieces: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  where: string,
): AsyncIterable<Uint8Array> {
  const { algorithm, hex } = parseDigest(descriptor.digest);
  const hash = createHash(algorithm);
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > descriptor.size) {
      throw new TsignError("registry", `read ${where}: size mismatch: got more than ${descriptor.size} bytes`);
    }
    hash.update(piece);
    yield piece;
  }
  if (size !== descriptor.size) {
    const message = `read ${where}: size mismatch: got ${size} bytes, want ${descriptor.size}`;
    throw new TsignError("registry", message, { expected: String(descriptor.size), actual: String(size) });
  }
  const actual = hash.digest("hex");
  if (actual !== hex) throw digestMismatch(where, { expected: descriptor.digest, actual: `${algorithm}:${actual}` });
}

/** Checks a blob's size before it is read as a whole. @param where its name in errors @throws TsignError "limit" */
export function requireWithin(maxBytes: number, { size }: Descriptor, where: string): void {
  if (size <= maxBytes) return;
  throw new TsignError("limit", `read ${where}: size ${size} bytes exceeds the limit of ${maxBytes} bytes`, {
    hint: "set COSIGN_MAX_ATTACHMENT_SIZE to raise the limit",
  });
}

/** The error for content with the wrong digest. @param where the content's name in errors */
export function digestMismatch(
  where: string,
  fields: { expected: string; actual: string; service?: "registry" },
): TsignError {
  const message = `read ${where}: digest mismatch: got ${fields.actual}, want ${fields.expected}`;
  return new TsignError("registry", message, fields);
}

/** Statuses of HEAD after which a blob is uploaded: it does not exist, or the registry does not support the request. */
const ABSENT_OR_UNKNOWN = new Set([400, 403, 404, 405, 410, 501]);
const STORED = new Set([200, 201, 202, 204]);
/** Statuses of registries that do not support monolithic uploads, only PATCH. */
const NOT_MONOLITHIC = new Set([400, 404, 405, 411, 415, 416, 422, 501]);
/** Sessions whose registry supports uploads by PATCH only. */
const patchOnly = new WeakSet<RegistrySession>();

/**
 * Stores a blob. The registry takes it from another of its repositories if it can; otherwise the blob is sent unless it exists:
 * HEAD, then POST and PUT (distribution spec, "Pushing a blob monolithically"), or, where the
 * registry refuses that, POST, PATCH and PUT ("Pushing a blob in chunks", with one chunk). No credentials are sent to an upload
 * location on another origin.
 *
 * @throws TsignError
 */
export async function storeBlob(
  session: RegistrySession,
  repository: Repository,
  source: Uint8Array | BlobStream,
): Promise<Descriptor> {
  const { digest, size } = source instanceof Uint8Array ? { digest: digestOf(source), size: source.length } : source;
  const descriptor: Descriptor = { mediaType: BLOB_TYPE, digest, size };
  const from = source instanceof Uint8Array ? undefined : source.from;
  const opened = await mountBlob(session, repository, { digest, from });
  if (opened === true) return descriptor;
  const existing = await headBlob(session, repository, digest);
  if (existing.status === 200) return descriptor;
  if (!ABSENT_OR_UNKNOWN.has(existing.status)) {
    throw session.refusal(existing, `check blob ${repository.name}@${digest}`);
  }
  const body = source instanceof Uint8Array ? source : replayable(source.chunks, repository);
  const file = source instanceof Uint8Array ? undefined : source.file;
  const upload: Upload = { session, repository, digest, size, body, file };
  let stored = patchOnly.has(session) ? undefined : await putWhole(upload, opened ?? (await beginUpload(upload)));
  if (!stored || NOT_MONOLITHIC.has(stored.status)) {
    const patched = await patchWhole(upload, await beginUpload(upload));
    if (STORED.has(patched.status)) patchOnly.add(session);
    stored = patched;
  }
  if (!STORED.has(stored.status)) throw session.refusal(stored, `push blob ${repository.name}@${digest}`);
  if (stored.status !== 201 && stored.status !== 204 && (await headBlob(session, repository, digest)).status !== 200) {
    throw session.refusal(stored, `push blob ${repository.name}@${digest}`); // the registry did not keep it
  }
  return descriptor;
}

interface Upload {
  readonly session: RegistrySession;
  readonly repository: Repository;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly body: Uint8Array | (() => AsyncIterable<Uint8Array>);
  /** Path of a file with the content of `body`. */
  readonly file: string | undefined;
}

function headBlob(session: RegistrySession, repository: Repository, digest: Digest) {
  const path = `/v2/${repository.repository}/blobs/${digest}`;
  return session.read({ method: "HEAD", path, followRedirects: true, action: "push" }, 0);
}

/** Starts an upload and returns its location. */
async function beginUpload({ session, repository, digest }: Upload): Promise<URL> {
  const path = `/v2/${repository.repository}/blobs/uploads/`;
  const opened = await session.read({ method: "POST", path, headers: { "content-length": "0" }, action: "push" }, 0);
  const { location } = opened.headers;
  if (opened.status !== 202 || !location) throw session.refusal(opened, `push blob ${repository.name}@${digest}`);
  return resolveLocation(opened.url, location, REGISTRY);
}

function putWhole({ session, digest, size, body, file }: Upload, uploadUrl: URL): Promise<Answer> {
  const target = new URL(uploadUrl);
  target.searchParams.set("digest", digest);
  const headers = { "content-type": BLOB_TYPE, "content-length": String(size) };
  const put = { method: "PUT", path: target.href, headers, action: "push" } as const;
  if (file === undefined || body instanceof Uint8Array) return session.read({ ...put, body }, 0);
  return sendFile({ digest, read: body }, (content) => session.read({ ...put, body: content, file }, 0));
}

async function patchWhole({ session, digest, size, body }: Upload, uploadUrl: URL) {
  const headers = { "content-type": BLOB_TYPE, "content-length": String(size) };
  const sent = await session.read({ method: "PATCH", path: uploadUrl.href, headers, body, action: "push" }, 0);
  if (!STORED.has(sent.status)) return sent;
  const { location } = sent.headers;
  const target = location ? resolveLocation(sent.url, location, REGISTRY) : new URL(uploadUrl);
  target.searchParams.set("digest", digest);
  const empty = { "content-length": "0" };
  return session.read({ method: "PUT", path: target.href, headers: empty, action: "push" }, 0);
}

/** Refuses to send a generator's content twice: it can be read once only, and the second attempt would never end. */
function replayable(chunks: AsyncIterable<Uint8Array>, repository: Repository): () => AsyncIterable<Uint8Array> {
  let sent = false;
  return () => {
    if (sent && Object.is(chunks[Symbol.asyncIterator](), chunks)) {
      throw new TsignError(
        "network",
        `push blob to ${repository.name}: the upload was interrupted and cannot be resumed`,
        {
          hint: "run the command again",
        },
      );
    }
    sent = true;
    return chunks;
  };
}
