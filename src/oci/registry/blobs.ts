import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, parseDigest } from "../../format/digest.ts";
import { resolveLocation } from "../../net/http.ts";
import type { Repository } from "../ref.ts";
import type { Descriptor } from "../types.ts";
import { REGISTRY } from "./peer.ts";
import type { RegistrySession } from "./session.ts";

/** A blob to store: its bytes, or a stream. One that can be iterated anew is sent again where that may help. */
type BlobSource = Uint8Array | { digest: Digest; size: number; chunks: AsyncIterable<Uint8Array> };

/** Times a blob is asked for whose answer breaks off. */
const MAX_ATTEMPTS = 3;
const BLOB_TYPE = "application/octet-stream";

/**
 * A blob in pieces, checked against its descriptor while it passes: one that is too long ends at once, a wrong digest or a
 * missing end is thrown after the last piece.
 *
 * @throws TsignError "registry"
 */
export async function* readBlobStream(
  session: RegistrySession,
  repository: Repository,
  descriptor: Descriptor,
): AsyncIterable<Uint8Array> {
  const where = `${repository.name}@${descriptor.digest}`;
  yield* checked(unbroken(session, repository, descriptor), descriptor, where);
}

/** A blob's bytes. An answer that breaks off is asked for anew, and passed over as far as it was passed on. */
async function* unbroken(
  session: RegistrySession,
  repository: Repository,
  { digest }: Descriptor,
): AsyncIterable<Uint8Array> {
  const path = `/v2/${repository.repository}/blobs/${digest}`;
  let passed = 0;
  for (let attempt = 1; ; attempt++) {
    const response = await session.stream({ method: "GET", path, followRedirects: true, action: "pull" });
    if (response.status !== 200) throw await session.streamRefusal(response, `get blob ${repository.name}@${digest}`);
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

/** Passes bytes through and throws when they are not what the descriptor says. */
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
    if (size > descriptor.size)
      throw new TsignError("registry", `${where} is longer than its ${descriptor.size} bytes`);
    hash.update(piece);
    yield piece;
  }
  if (size !== descriptor.size) {
    throw new TsignError("registry", `${where} ends after ${size} of its ${descriptor.size} bytes`);
  }
  const actual = hash.digest("hex");
  if (actual !== hex) {
    throw new TsignError("registry", `${where} has another content: its digest is ${algorithm}:${actual}`, {
      expected: descriptor.digest,
      actual: `${algorithm}:${actual}`,
    });
  }
}

/** Statuses to the question for a blob after which it is sent: not there, or a registry that does not say. */
const SEND = new Set([400, 403, 404, 405, 410, 501]);
const STORED = new Set([200, 201, 202, 204]);
/** Statuses of registries that take an upload's content by PATCH only. */
const NO_MONOLITH = new Set([400, 404, 405, 411, 415, 416, 422, 501]);
/** Registries known to be of that kind. */
const wantsPatch = new WeakSet<RegistrySession>();

/**
 * Stores a blob unless it is there: asked for first, then one POST and one PUT (distribution spec, "Pushing a blob
 * monolithically"), or, where the registry refuses that, POST, PATCH and PUT ("Pushing a blob in chunks", in one). An upload
 * location on another origin gets no credentials.
 *
 * @throws TsignError
 */
export async function storeBlob(
  session: RegistrySession,
  repository: Repository,
  source: BlobSource,
): Promise<Descriptor> {
  const { digest, size } = source instanceof Uint8Array ? { digest: digestOf(source), size: source.length } : source;
  const descriptor: Descriptor = { mediaType: BLOB_TYPE, digest, size };
  const there = await askFor(session, repository, digest);
  if (there.status === 200) return descriptor;
  if (!SEND.has(there.status)) throw session.refusal(there, `look for a blob in ${repository.name}`);
  const body = source instanceof Uint8Array ? source : replayable(source.chunks, repository);
  const upload: Upload = { session, repository, digest, size, body };
  let stored = wantsPatch.has(session) ? undefined : await putWhole(upload, await beginUpload(upload));
  if (!stored || NO_MONOLITH.has(stored.status)) {
    const patched = await patchWhole(upload, await beginUpload(upload));
    if (STORED.has(patched.status)) wantsPatch.add(session);
    stored = patched;
  }
  if (!STORED.has(stored.status)) throw session.refusal(stored, `upload a blob to ${repository.name}`);
  if (stored.status !== 201 && stored.status !== 204 && (await askFor(session, repository, digest)).status !== 200) {
    throw session.refusal(stored, `upload a blob to ${repository.name}`); // taken, it seems, and not kept
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
}

function askFor(session: RegistrySession, repository: Repository, digest: Digest) {
  const path = `/v2/${repository.repository}/blobs/${digest}`;
  return session.read({ method: "HEAD", path, followRedirects: true, action: "push" }, 0);
}

/** Opens an upload and returns its place. */
async function beginUpload({ session, repository }: Upload): Promise<URL> {
  const path = `/v2/${repository.repository}/blobs/uploads/`;
  const opened = await session.read({ method: "POST", path, headers: { "content-length": "0" }, action: "push" }, 0);
  const { location } = opened.headers;
  if (opened.status !== 202 || !location) throw session.refusal(opened, `upload a blob to ${repository.name}`);
  return resolveLocation(opened.url, location, REGISTRY);
}

function putWhole({ session, digest, size, body }: Upload, place: URL) {
  const target = new URL(place);
  target.searchParams.set("digest", digest);
  const headers = { "content-type": BLOB_TYPE, "content-length": String(size) };
  return session.read({ method: "PUT", path: target.href, headers, body, action: "push" }, 0);
}

async function patchWhole({ session, digest, size, body }: Upload, place: URL) {
  const headers = { "content-type": BLOB_TYPE, "content-length": String(size) };
  const sent = await session.read({ method: "PATCH", path: place.href, headers, body, action: "push" }, 0);
  if (!STORED.has(sent.status)) return sent;
  const { location } = sent.headers;
  const target = location ? resolveLocation(sent.url, location, REGISTRY) : new URL(place);
  target.searchParams.set("digest", digest);
  const empty = { "content-length": "0" };
  return session.read({ method: "PUT", path: target.href, headers: empty, action: "push" }, 0);
}

/** A generator's content is gone once it was sent: a second attempt would send nothing and wait for ever. */
function replayable(chunks: AsyncIterable<Uint8Array>, repository: Repository): () => AsyncIterable<Uint8Array> {
  let sent = false;
  return () => {
    if (sent && Object.is(chunks[Symbol.asyncIterator](), chunks)) {
      throw new TsignError(
        "network",
        `an upload to ${repository.name} broke off and its content cannot be read again`,
        {
          hint: "run the command again",
        },
      );
    }
    sent = true;
    return chunks;
  };
}
