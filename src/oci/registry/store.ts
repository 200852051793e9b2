import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, isDigest, parseDigest } from "../../format/digest.ts";
import type { Io } from "../../io.ts";
import { appendToTag } from "../append.ts";
import { INDEX_TYPES, MANIFEST_TYPES, readManifest } from "../manifest.ts";
import type { Repository } from "../ref.ts";
import { fallbackTag } from "../tags.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../types.ts";
import { type BlobSource, readBlobStream, storeBlob } from "./blobs.ts";
import { referrerDescriptor, withReferrer } from "./fallback-index.ts";
import { type ProtocolAnswer, protocolClient, UnexpectedStatus } from "./protocol.ts";
import { listReferrers } from "./referrers.ts";
import type { RegistrySession } from "./session.ts";

const ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(", ");
/** Largest manifest or index; registries themselves refuse more than 4 MiB. */
const MAX_MANIFEST = 4 * 1024 * 1024;
const MAX_TAGS_PAGE = 16 * 1024 * 1024;
const MAX_TAG_PAGES = 1000;

interface Connection {
  readonly io: Io;
  readonly session: RegistrySession;
  readonly repository: Repository;
}

/** A repository in a registry, over the OCI distribution protocol. */
export function registryStore(connection: Connection): ImageStore {
  const { io, session, repository } = connection;
  const store: ImageStore = {
    name: repository.name,
    resolve: (identifier) => resolve(connection, identifier),
    manifest: (identifier) => getManifest(connection, identifier),
    async blob(descriptor, { maxBytes }) {
      if (descriptor.size > maxBytes) {
        const what = `${repository.name}@${descriptor.digest} has ${descriptor.size} bytes`;
        throw new TsignError("limit", `${what}, more than the ${maxBytes} allowed`, {
          hint: "COSIGN_MAX_ATTACHMENT_SIZE raises the limit",
        });
      }
      const pieces: Uint8Array[] = [];
      for await (const piece of readBlobStream(session, repository, descriptor)) pieces.push(piece);
      return Buffer.concat(pieces);
    },
    blobStream: (descriptor) => readBlobStream(session, repository, descriptor),
    async referrers(subject) {
      const listed = await listReferrers(session, repository, subject);
      if (listed) return listed;
      const index = await getManifest(connection, fallbackTag(subject));
      return index?.manifest.manifests ?? [];
    },
    tags: () => listTags(connection),
    putBlob: (content) => storeBlob(session, repository, content as BlobSource),
    async putManifest(bytes, options) {
      return (await putManifest(connection, bytes, options)).descriptor;
    },
    async putReferrer(bytes, { mediaType }) {
      const { descriptor, listed } = await putManifest(connection, bytes, { mediaType });
      const where = `${repository.name}@${descriptor.digest}`;
      const manifest = readManifest(bytes, { servedType: mediaType, where });
      const { subject } = manifest;
      if (!subject) throw new TsignError("internal", "a referrer needs a subject");
      // A registry that keeps referrers says so in its answer; one that does not say is asked.
      if (listed || (await listReferrers(session, repository, subject.digest))) return descriptor;
      const entry = referrerDescriptor({ descriptor, bytes, manifest });
      const tag = fallbackTag(subject.digest);
      await appendToTag({ io, store, tag, merge: (current) => withReferrer(store, current, entry) });
      return descriptor;
    },
    delete: (identifier) => deleteManifest(connection, identifier),
  };
  return store;
}

function manifestPath(repository: Repository, identifier: string): string {
  return `/v2/${repository.repository}/manifests/${identifier}`;
}

function place(repository: Repository, identifier: string): string {
  return isDigest(identifier) ? `${repository.name}@${identifier}` : `${repository.name}:${identifier}`;
}

/**
 * A tag is what GET gives, hashed here: whoever pulls gets that, and a registry (or a cache before it) may answer HEAD with
 * another digest, or not at all. Of a digest, which says itself what it is, HEAD tells whether it is there, without its bytes;
 * where HEAD does not say so, GET does.
 */
async function resolve(connection: Connection, identifier: string): Promise<Descriptor | undefined> {
  const stated = isDigest(identifier) ? await headDigest(connection, identifier) : undefined;
  if (stated) return stated;
  const fetched = await fetchManifest(connection, identifier);
  if (!fetched) return undefined;
  const { bytes, digest, servedType, where } = fetched;
  const served = mediaTypeIn(servedType);
  const mediaType = isKnownType(served) ? served : readManifest(bytes, { servedType, where }).mediaType;
  return { mediaType, digest, size: bytes.length };
}

/** The descriptor of a digest as HEAD confirms it; undefined when the answer leaves anything open. */
async function headDigest({ session, repository }: Connection, digest: Digest): Promise<Descriptor | undefined> {
  const path = manifestPath(repository, digest);
  const head = { method: "HEAD", path, headers: { accept: ACCEPT }, followRedirects: true, action: "pull" } as const;
  const { status, headers } = await session.read(head, 0);
  const size = Number(headers["content-length"] || Number.NaN);
  const mediaType = mediaTypeIn(headers["content-type"]);
  const isConfirmed = status === 200 && headers["docker-content-digest"] === digest;
  return isConfirmed && Number.isSafeInteger(size) && isKnownType(mediaType) ? { mediaType, digest, size } : undefined;
}

function mediaTypeIn(contentType = ""): string {
  return contentType.split(";")[0]?.trim() ?? "";
}

function isKnownType(mediaType: string): boolean {
  return [...MANIFEST_TYPES, ...INDEX_TYPES].some((type) => type === mediaType);
}

async function getManifest(connection: Connection, identifier: string): Promise<StoredManifest | undefined> {
  const fetched = await fetchManifest(connection, identifier);
  if (!fetched) return undefined;
  const { bytes, digest, servedType, where } = fetched;
  const manifest = readManifest(bytes, { servedType, where });
  return { descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length }, bytes, manifest };
}

/** What GET answers for a tag or digest, hashed but not read. */
interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** The Content-Type header; "" without one. */
  readonly servedType: string;
  /** Names it in errors. */
  readonly where: string;
}

/** Fetched through the library, whose parsed form is not used: what counts is read from the checked bytes. */
async function fetchManifest(connection: Connection, identifier: string): Promise<FetchedManifest | undefined> {
  const { session, repository } = connection;
  const where = place(repository, identifier);
  let answer: ProtocolAnswer | undefined;
  const client = protocolClient(repository, {
    send: async ({ path, headers }) => {
      const accept = { ...headers, accept: ACCEPT };
      const get = { method: "GET", path, headers: accept, followRedirects: true, action: "pull" } as const;
      answer = await session.read(get, MAX_MANIFEST);
      return answer;
    },
  });
  try {
    await client.getManifest({ ref: identifier });
  } catch (error) {
    if (answer?.status === 404) return undefined;
    if (answer && answer.status !== 200) throw session.refusal(answer, `get ${where}`);
    if (!answer || error instanceof TsignError) throw error;
    throw new TsignError("registry", `${where} is not an image manifest`, { cause: error });
  }
  if (!answer) throw new TsignError("internal", "the registry client made no request");
  const { bytes, headers } = answer;
  const digest = checkDigest(bytes, { identifier, header: headers["docker-content-digest"], where });
  return { bytes, digest, servedType: headers["content-type"] ?? "", where };
}

/** The digest of the bytes, which must be the one asked for; a header that says another is a fault too. */
function checkDigest(
  bytes: Uint8Array,
  { identifier, header, where }: { identifier: string; header: string | undefined; where: string },
): Digest {
  const stated = isDigest(identifier) ? identifier : header !== undefined && isDigest(header) ? header : undefined;
  const actual = digestOf(bytes, stated ? parseDigest(stated).algorithm : "sha256");
  if (stated !== undefined && stated !== actual) {
    throw new TsignError("registry", `${where} has another content: its digest is ${actual}, expected ${stated}`);
  }
  return actual;
}

async function putManifest(
  { session, repository }: Connection,
  bytes: Uint8Array,
  options: { mediaType: string; tag?: string },
): Promise<{ descriptor: Descriptor; listed: boolean }> {
  const digest = digestOf(bytes);
  const identifier = options.tag ?? digest;
  const answer = await session.read(
    {
      method: "PUT",
      path: manifestPath(repository, identifier),
      headers: { "content-type": options.mediaType, "content-length": String(bytes.length) },
      body: bytes,
      action: "push",
    },
    0,
  );
  if (answer.status !== 201 && answer.status !== 200) {
    throw session.refusal(answer, `push ${place(repository, identifier)}`);
  }
  const descriptor = { mediaType: options.mediaType, digest, size: bytes.length };
  return { descriptor, listed: answer.headers["oci-subject"] !== undefined };
}

async function deleteManifest({ session, repository }: Connection, identifier: string): Promise<boolean> {
  const client = protocolClient(repository, {
    send: ({ path, headers }) => session.read({ method: "DELETE", path, headers, action: "delete" }, 0),
  });
  try {
    await client.deleteManifest({ ref: identifier });
    return true;
  } catch (error) {
    if (!(error instanceof UnexpectedStatus)) throw error;
    if (error.answer.status === 404) return false;
    throw session.refusal(error.answer, `delete ${place(repository, identifier)}`);
  }
}

/** Page by page, with `n` and `last` (distribution spec, "Listing Tags"); the library reads the first page only. */
async function listTags({ session, repository }: Connection): Promise<string[]> {
  const tags: string[] = [];
  for (let page = 0; page < MAX_TAG_PAGES; page++) {
    const last = tags.at(-1);
    const query = last === undefined ? "n=1000" : `n=1000&last=${encodeURIComponent(last)}`;
    const path = `/v2/${repository.repository}/tags/list?${query}`;
    const answer = await session.read({ method: "GET", path, action: "pull" }, MAX_TAGS_PAGE);
    if (answer.status === 404) return tags;
    if (answer.status !== 200) throw session.refusal(answer, `list tags of ${repository.name}`);
    const fresh = readTags(answer.bytes, repository).filter((tag) => !tags.includes(tag));
    tags.push(...fresh);
    if (fresh.length === 0 || answer.headers["link"] === undefined) return tags;
  }
  throw new TsignError("limit", `${repository.registry} lists tags of ${repository.name} without an end`);
}

function readTags(bytes: Uint8Array, repository: Repository): string[] {
  try {
    const { tags } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { tags?: unknown };
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  } catch (cause) {
    throw new TsignError("registry", `the tags list of ${repository.name} is not JSON`, { cause });
  }
}
