import { TsignError } from "../../errors.ts";
import { type Digest, digestOf, isDigest, parseDigest } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { INDEX_TYPES, isKnownType, MANIFEST_TYPES, MAX_MANIFEST, readManifest } from "../manifest.ts";
import type { Repository } from "../ref.ts";
import type { Descriptor, StoredManifest } from "../types.ts";
import { RepositoryClient, UnexpectedStatus } from "./protocol.ts";
import type { RegistrySession } from "./session.ts";
import { listTags } from "./tags-list.ts";

const ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(", ");
/** Pauses before another look for a manifest that was taken but not created, in milliseconds. */
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

/** A tag or digest with its repository, for messages. */
function place(repository: Repository, identifier: string): string {
  return isDigest(identifier) ? `${repository.name}@${identifier}` : `${repository.name}:${identifier}`;
}

/**
 * A tag is what GET gives, hashed here: whoever pulls gets that, and a registry (or a cache before it) may answer HEAD with
 * another digest, or not at all. Of a digest, which says itself what it is, HEAD tells whether it is there, without its bytes;
 * where HEAD does not say so, GET does.
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

/**
 * Fetches a manifest. What counts is read from the bytes, which are checked against the digest asked for.
 *
 * @returns undefined when the registry says that it is not there
 * @throws TsignError
 */
export async function getManifest(connection: Connection, identifier: string): Promise<StoredManifest | undefined> {
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

async function fetchManifest(connection: Connection, identifier: string): Promise<FetchedManifest | undefined> {
  const { session, repository } = connection;
  const where = place(repository, identifier);
  const path = manifestPath(repository, identifier);
  const get = { method: "GET", path, headers: { accept: ACCEPT }, followRedirects: true, action: "pull" } as const;
  const answer = await session.read(get, MAX_MANIFEST);
  if (answer.status === 404 || (await isMissingTag(connection, identifier, answer.status))) return undefined;
  if (answer.status !== 200) throw session.refusal(answer, `get ${where}`);
  const { bytes, headers } = answer;
  const digest = checkDigest(bytes, { identifier, header: headers["docker-content-digest"], where });
  return { bytes, digest, servedType: headers["content-type"] ?? "", where };
}

/** Statuses that some registries give to a tag that does not exist. */
const MAY_BE_MISSING = new Set([400, 403, 405, 410, 422]);
/** What the tags list of a repository says, for as long as one command goes on. */
const knownTags = new WeakMap<RegistrySession, Promise<ReadonlySet<string> | undefined>>();

/**
 * Whether a tag that was refused is one that does not exist: the repository's tags are listed, and it is not among them.
 * A list that cannot be had, or is empty, says nothing.
 */
async function isMissingTag(connection: Connection, identifier: string, status: number): Promise<boolean> {
  if (isDigest(identifier) || !MAY_BE_MISSING.has(status)) return false;
  const { session } = connection;
  const asking = knownTags.get(session) ?? tagsOf(connection);
  knownTags.set(session, asking);
  const tags = await asking;
  return tags !== undefined && (tags.size > 0 || pushedTo.has(session)) && !tags.has(identifier);
}

/** Sessions that have stored something: for them an empty list of tags is one, and no lack of rights. */
const pushedTo = new WeakSet<RegistrySession>();

/** A repository's tags; undefined when they cannot be listed. */
export async function tagsOf(connection: Connection): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(await listTags(connection));
  } catch (error) {
    if (error instanceof TsignError && error.code !== "cancelled" && error.code !== "internal") return undefined;
    throw error;
  }
}

/** The digest of the bytes, which must be the one asked for; a header that says another is a fault too. */
function checkDigest(
  bytes: Uint8Array,
  { identifier, header, where }: { identifier: string; header: string | undefined; where: string },
): Digest {
  const stated = isDigest(identifier) ? identifier : header !== undefined && isDigest(header) ? header : undefined;
  const actual = digestOf(bytes, stated ? parseDigest(stated).algorithm : "sha256");
  if (stated !== undefined && stated !== actual) {
    throw new TsignError("registry", `${where} has another content: its digest is ${actual}, expected ${stated}`, {
      service: "registry",
      expected: stated,
      actual,
    });
  }
  return actual;
}

/**
 * Stores a manifest under its digest, or under a tag.
 *
 * @returns `listed`: the registry said that its referrers API lists it (OCI-Subject)
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
  if (!STORED.has(answer.status)) throw session.refusal(answer, `push ${place(repository, identifier)}`);
  knownTags.delete(session);
  pushedTo.add(session);
  if (answer.status !== 201) await requireStored(connection, { digest, identifier, answer });
  const descriptor = { mediaType: options.mediaType, digest, size: bytes.length };
  return { descriptor, listed: answer.headers["oci-subject"] !== undefined };
}

/** A registry that answers otherwise than "created" may store later, or not at all. */
async function requireStored(
  connection: Connection,
  stored: { digest: Digest; identifier: string; answer: { status: number } },
): Promise<void> {
  const { io, session, repository } = connection;
  for (const pause of PAUSES) {
    if (await resolveManifest(connection, stored.digest)) return;
    await io.sleep(pause, io.signal);
  }
  throw session.refusal(stored.answer, `push ${place(repository, stored.identifier)}, which is not there afterwards`);
}

/**
 * Deletes a tag or a digest.
 *
 * @returns false when the registry says that it was not there
 * @throws TsignError
 */
export async function deleteManifest({ session, repository }: Connection, identifier: string): Promise<boolean> {
  const client = new RepositoryClient(repository, ({ path, headers }) =>
    session.read({ method: "DELETE", path, headers, action: "delete" }, 0),
  );
  try {
    await client.deleteManifest({ ref: identifier });
    return true;
  } catch (error) {
    if (!(error instanceof UnexpectedStatus)) throw error;
    if (error.answer.status === 404) return false;
    throw session.refusal(error.answer, `delete ${place(repository, identifier)}`);
  }
}
