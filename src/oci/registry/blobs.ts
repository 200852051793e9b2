import { createHash } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, parseDigest } from "../../format/digest.ts";
import { resolveLocation } from "../../http.ts";
import type { Repository } from "../ref.ts";
import type { Descriptor } from "../types.ts";
import type { RegistrySession } from "./session.ts";

/** A blob to store: its bytes, or a stream. One that can be iterated anew is sent again where that may help. */
export type BlobSource = Uint8Array | { digest: Digest; size: number; chunks: AsyncIterable<Uint8Array> };

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
  const path = `/v2/${repository.repository}/blobs/${descriptor.digest}`;
  const response = await session.stream({ method: "GET", path, followRedirects: true, action: "pull" });
  if (response.status !== 200) {
    response.discard();
    throw session.refusal(response, `get blob ${repository.name}@${descriptor.digest}`);
  }
  yield* checked(response.body, descriptor, `${repository.name}@${descriptor.digest}`);
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
  if (actual !== hex)
    throw new TsignError("registry", `${where} has another content: its digest is ${algorithm}:${actual}`);
}

/**
 * Stores a blob unless it is there: asked for first, then one POST and one PUT (distribution spec, "Pushing a blob
 * monolithically"). An upload location on another origin gets no credentials.
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
  const path = `/v2/${repository.repository}/blobs/`;
  const there = await session.read(
    { method: "HEAD", path: `${path}${digest}`, followRedirects: true, action: "push" },
    0,
  );
  if (there.status === 200) return descriptor;
  if (there.status !== 404) throw session.refusal(there, `look for a blob in ${repository.name}`);
  const what = `upload a blob to ${repository.name}`;
  const opened = await session.read(
    { method: "POST", path: `${path}uploads/`, headers: { "content-length": "0" }, action: "push" },
    0,
  );
  const { location } = opened.headers;
  if (opened.status !== 202 || !location) throw session.refusal(opened, what);
  const target = resolveLocation(opened.url, location);
  target.searchParams.set("digest", digest);
  const stored = await session.read(
    {
      method: "PUT",
      path: target.href,
      headers: { "content-type": BLOB_TYPE, "content-length": String(size) },
      body: source instanceof Uint8Array ? source : replayable(source.chunks, repository),
      action: "push",
    },
    0,
  );
  if (stored.status !== 201 && stored.status !== 204) throw session.refusal(stored, what);
  return descriptor;
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
