import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, isDigest, parseDigest } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { INDEX_TYPES, isKnownType, MANIFEST_TYPES, MAX_MANIFEST, readManifest } from "../manifest.ts";
import type { Repository } from "../ref.ts";
import type { Descriptor, StoredManifest } from "../types.ts";
import { digestMismatch } from "./blobs.ts";
import type { RegistrySession } from "./session.ts";
import { listTags } from "./tags-list.ts";

const ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(", ");
/** Pauses before checking again for a manifest that was accepted but not created, in milliseconds. */
const PAUSES = [200, 500, 1000, 2000];
const STORED = new Set([200, 201, 202, 204]);

export interface Connection {
  readonly io: Pick<Io, "sleep" | "now" | "signal">;
  readonly session: RegistrySession;
  readonly repository: Repository;
}

function manifestPath(repository: Repository, identifier: string): string {
  return `/v2/${repository.repository}/manifests/${identifier}`;
}

/** Returns a tag or digest with its repository, for messages. */
function fullName(repository: Repository, identifier: string): string {
  return isDigest(identifier) ? `${repository.name}@${identifier}` : `${repository.name}:${identifier}`;
}

/**
 * Resolves a tag with GET and hashes the content: clients pull that content, while a registry, or a cache in front of it, may
 * answer HEAD with another digest or not at all. A digest is resolved with HEAD, and with GET when HEAD does not confirm it.
 */
export async function resolveManifest(connection: Connection, identifier: string): Promise<Descriptor | undefined> {
  const stated = isDigest(identifier) ? await headDigest(connection, identifier) : undefined;
  if (stated) return stated;
  const fetched = await fetchManifest(connection, identifier);
  if (!fetched) return undefined;
  const { bytes, digest, servedType, where } = fetched;
  const served = mediaTypeIn(servedType);
  const mediaType = isKnownType(served) ? served : readManifest(bytes, { servedType, where }).mediaType;
  return { mediaType, digest, size: bytes.length };
}

/** Returns the descriptor of a digest from HEAD; undefined when the answer does not confirm digest, size and media type. */
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

/**
 * Fetches a manifest and checks its digest.
 *
 * @returns undefined when it does not exist
 * @throws TsignError
 */
export async function getManifest(connection: Connection, identifier: string): Promise<StoredManifest | undefined> {
  const fetched = await fetchManifest(connection, identifier);
  if (!fetched) return undefined;
  const { bytes, digest, servedType, where } = fetched;
  const manifest = readManifest(bytes, { servedType, where });
  return { descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length }, bytes, manifest };
}

/** The answer to GET for a tag or digest, hashed but not parsed. */
interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  /** The Content-Type header; "" without one. */
  readonly servedType: string;
  /** Its name in errors. */
  readonly where: string;
}

async function fetchManifest(connection: Connection, identifier: string): Promise<FetchedManifest | undefined> {
  const { session, repository } = connection;
  const where = fullName(repository, identifier);
  const path = manifestPath(repository, identifier);
  const get = { method: "GET", path, headers: { accept: ACCEPT }, followRedirects: true, action: "pull" } as const;
  const answer = await session.read(get, MAX_MANIFEST);
  if (answer.status === 404 || (await isMissingTag(connection, identifier, answer.status))) return undefined;
  if (answer.status !== 200) throw session.refusal(answer, `read manifest ${where}`);
  const { bytes, headers } = answer;
  const digest = checkDigest(bytes, { identifier, header: headers["docker-content-digest"], where });
  return { bytes, digest, servedType: headers["content-type"] ?? "", where };
}

/** Statuses that some registries return for a tag that does not exist. */
const MAY_BE_MISSING = new Set([400, 403, 405, 410, 422]);
/** The tags of each session's repository, listed once per command. */
const knownTags = new WeakMap<RegistrySession, Promise<ReadonlySet<string> | undefined>>();

/**
 * Reports whether a refused tag does not exist: the repository's tags are listed, and the tag is not among them. A list that is
 * unavailable or empty proves nothing.
 */
async function isMissingTag(connection: Connection, identifier: string, status: number): Promise<boolean> {
  if (isDigest(identifier) || !MAY_BE_MISSING.has(status)) return false;
  const { session } = connection;
  const asking = knownTags.get(session) ?? tagsOf(connection);
  knownTags.set(session, asking);
  const tags = await asking;
  return tags !== undefined && (tags.size > 0 || pushedTo.has(session)) && !tags.has(identifier);
}

/** Sessions that have pushed something: for them an empty tags list is not caused by missing permissions. */
const pushedTo = new WeakSet<RegistrySession>();

/** Returns a repository's tags; undefined when they cannot be listed. */
export async function tagsOf(connection: Connection): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(await listTags(connection));
  } catch (error) {
    if (error instanceof TsignError && error.code !== "cancelled" && error.code !== "internal") return undefined;
    throw error;
  }
}

/** Returns the digest of the bytes. It must equal the requested digest or, for a tag, the one in the answer's header. */
function checkDigest(
  bytes: Uint8Array,
  { identifier, header, where }: { identifier: string; header: string | undefined; where: string },
): Digest {
  const stated = isDigest(identifier) ? identifier : header !== undefined && isDigest(header) ? header : undefined;
  const actual = digestOf(bytes, stated ? parseDigest(stated).algorithm : "sha256");
  if (stated !== undefined && stated !== actual) {
    throw digestMismatch(where, { expected: stated, actual, service: "registry" });
  }
  return actual;
}

/**
 * Stores a manifest under its digest, or under a tag.
 *
 * @returns `listed`: the registry announced that its referrers API lists it (header OCI-Subject)
 * @throws TsignError
 */
export async function putManifest(
  connection: Connection,
  bytes: Uint8Array,
  options: { mediaType: string; tag?: string },
): Promise<{ descriptor: Descriptor; listed: boolean }> {
  const { session, repository } = connection;
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
  if (!STORED.has(answer.status)) throw session.refusal(answer, `push manifest ${fullName(repository, identifier)}`);
  knownTags.delete(session);
  pushedTo.add(session);
  if (answer.status !== 201) await requireStored(connection, { digest, identifier, answer });
  const descriptor = { mediaType: options.mediaType, digest, size: bytes.length };
  return { descriptor, listed: answer.headers["oci-subject"] !== undefined };
}

/** Checks that a manifest was stored: without the status 201, a registry may store it later, or not at all. */
async function requireStored(
  connection: Connection,
  stored: { digest: Digest; identifier: string; answer: { status: number } },
): Promise<void> {
  const { io, repository } = connection;
  for (const pause of PAUSES) {
    if (await resolveManifest(connection, stored.digest)) return;
    await io.sleep(pause, io.signal);
  }
  const { status } = stored.answer;
  throw new TsignError(
    "registry",
    `push manifest ${fullName(repository, stored.identifier)}: ${repository.registry} returned ${status} but did not store it`,
    { service: "registry", status },
  );
}

/**
 * Deletes a tag or a digest.
 *
 * @returns false when it did not exist
 * @throws TsignError
 */
export async function deleteManifest({ session, repository }: Connection, identifier: string): Promise<boolean> {
  const { RepositoryClient, UnexpectedStatus } = await import("./protocol.ts"); // slow to load, and rarely needed
  const client = new RepositoryClient(repository, ({ path, headers }) =>
    session.read({ method: "DELETE", path, headers, action: "delete" }, 0),
  );
  try {
    await client.deleteManifest({ ref: identifier });
    return true;
  } catch (error) {
    if (!(error instanceof UnexpectedStatus)) throw error;
    if (error.answer.status === 404) return false;
    throw session.refusal(error.answer, `delete ${fullName(repository, identifier)}`);
  }
}
