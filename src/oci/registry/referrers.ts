import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { isObject } from "../../format/json.ts";
import { ElementSplitter, TooLong } from "../../format/json-elements.ts";
import type { HttpResponse } from "../../io/io.ts";
import { resolveLocation } from "../../net/http.ts";

import { baseType, INDEX_TYPE, isIndexType, readListed } from "../manifest.ts";
import type { Repository } from "../ref.ts";
import type { ListedReferrer } from "../types.ts";
import { REGISTRY } from "./peer.ts";
import type { RegistrySession } from "./session.ts";

/** Statuses of registries without the referrers API. */
const NO_API = new Set([204, 400, 404, 405, 406, 410, 415, 422, 501]);
/** Size limits, in bytes: the list of one image, one entry, and the rest of the list. */
const MAX_LISTING = 128 * 1024 * 1024;
const MAX_ENTRY = 1024 * 1024;
const MAX_FRAME = 16 * 1024 * 1024;
/** Most pages, and most consecutive pages without a new entry. */
const MAX_PAGES = 20_000;
const MAX_EMPTY_PAGES = 100;
/** Most requests for a page whose body is interrupted. */
const MAX_ATTEMPTS = 3;

/** Thrown when the registry has no referrers API. */
export class NoReferrersApi extends Error {}

interface Connection {
  readonly session: RegistrySession;
  readonly repository: Repository;
}

/**
 * Lists all referrers by the API, page by page and without duplicates, as they arrive. The registry's filter is not used: some
 * registries ignore it, others derive the artifact type wrongly.
 *
 * @throws NoReferrersApi before the first entry
 * @throws TsignError when the list fails; a failure is never an empty list
 */
export async function* listByApi(connection: Connection, subject: Digest): AsyncGenerator<ListedReferrer> {
  const { repository } = connection;
  const name = `${repository.name}@${subject}`;
  const where = `referrers of ${name}`;
  const seen = new Set<string>();
  const budget = { left: MAX_LISTING };
  const visited = new Set<string>();
  let path: string | undefined = `/v2/${repository.repository}/referrers/${subject}`;
  for (let page = 0, empty = 0; path !== undefined; page++) {
    if (page === MAX_PAGES || empty === MAX_EMPTY_PAGES || visited.has(path)) {
      throw new TsignError("limit", `list referrers of ${name}: the list does not end after ${page} pages`);
    }
    visited.add(path);
    const before = seen.size;
    path = yield* readPage(connection, { path, where, first: page === 0, seen, budget });
    empty = seen.size === before ? empty + 1 : 0;
  }
}

interface Page {
  readonly path: string;
  readonly where: string;
  readonly first: boolean;
  /** Digests already passed on. */
  readonly seen: Set<string>;
  readonly budget: { left: number };
}

/** Yields a page's entries and returns the next page's URL. An interrupted page is requested again. */
async function* readPage(connection: Connection, page: Page): AsyncGenerator<ListedReferrer, string | undefined> {
  const { session, repository } = connection;
  for (let attempt = 1; ; attempt++) {
    const response = await ask(connection, page);
    const type = baseType(response.headers["content-type"]);
    if (response.status !== 200) {
      if (page.first && NO_API.has(response.status)) {
        response.discard();
        throw new NoReferrersApi();
      }
      throw await session.streamRefusal(response, `list referrers of ${repository.name}`);
    }
    const doubtful = page.first && type !== INDEX_TYPE;
    try {
      yield* entriesOf(response.body, { where: page.where, doubtful, seen: page.seen, budget: page.budget });
      return nextPage(response);
    } catch (error) {
      response.discard();
      if (attempt === MAX_ATTEMPTS || !(error instanceof TsignError) || error.code !== "network") throw error;
    }
  }
}

/** Requests a page. A first page with an invalid redirect (a loop, another scheme) means that there is no referrers API. */
async function ask({ session }: Connection, { path, first }: Page) {
  const request = { method: "GET", path, headers: { accept: INDEX_TYPE } } as const;
  try {
    return await session.stream({ ...request, followRedirects: true, action: "pull" });
  } catch (error) {
    if (first && error instanceof TsignError && error.code === "registry") throw new NoReferrersApi();
    throw error;
  }
}

/**
 * Reads the entries of an index, without duplicates, while its bytes arrive.
 *
 * @param options.doubtful it was not served with an index's media type; content that is not an index is then no error
 * @throws NoReferrersApi or TsignError
 */
export async function* entriesOf(
  body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: { where: string; doubtful: boolean; seen: Set<string>; budget: { left: number } },
): AsyncGenerator<ListedReferrer> {
  const { where, doubtful, seen, budget } = options;
  const splitter = new ElementSplitter("manifests", { element: MAX_ENTRY, rest: MAX_FRAME });
  let begun = false;
  for await (const piece of body) {
    if (!begun && doubtful && !startsObject(piece)) throw new NoReferrersApi();
    begun = true;
    budget.left -= piece.length;
    if (budget.left < 0) {
      throw new TsignError("limit", `read ${where}: size exceeds the limit of ${MAX_LISTING / 1024 / 1024} MiB`);
    }
    for (const element of feed(splitter, piece, where)) {
      const entry = readEntry(element);
      const key = "unreadable" in entry ? undefined : packed(entry.digest);
      if (key !== undefined && seen.has(key)) continue;
      if (key !== undefined) seen.add(key);
      yield entry;
    }
  }
  requireIndex(splitter, { where, doubtful });
}

function feed(splitter: ElementSplitter, piece: Uint8Array, where: string) {
  try {
    return splitter.feed(piece);
  } catch (cause) {
    if (!(cause instanceof TooLong)) throw cause;
    const limit = `${MAX_FRAME / 1024 / 1024} MiB`;
    throw new TsignError("limit", `read ${where}: the data besides its entries exceeds the limit of ${limit}`);
  }
}

/** Checks the rest of the list at its end. An empty list may omit `manifests` or set it to null, as Go does. */
function requireIndex(splitter: ElementSplitter, { where, doubtful }: { where: string; doubtful: boolean }): void {
  let rest: unknown;
  try {
    rest = splitter.end();
  } catch (cause) {
    if (doubtful) throw new NoReferrersApi();
    throw new TsignError("registry", `parse ${where}: invalid JSON`, { cause });
  }
  const { manifests, mediaType } = isObject(rest) ? rest : { manifests: 0, mediaType: undefined };
  const isIndex = typeof mediaType === "string" && isIndexType(mediaType);
  if (Array.isArray(manifests) || (isObject(rest) && (manifests ?? null) === null && (isIndex || !doubtful))) return;
  if (doubtful) throw new NoReferrersApi();
  throw new TsignError("registry", `parse ${where}: invalid or missing manifests`);
}

function readEntry(element: Uint8Array | undefined): ListedReferrer {
  if (!element) return { unreadable: `referrer descriptor exceeds the limit of ${MAX_ENTRY} bytes` };
  try {
    return readListed(JSON.parse(Buffer.from(element).toString("utf8")));
  } catch (error) {
    return { unreadable: error instanceof TsignError ? error.message : "parse referrer descriptor: invalid JSON" };
  }
}

/** Packs a digest into a short string, as a list may have a million entries. */
function packed(digest: Digest): string {
  return Buffer.from(digest.slice(digest.indexOf(":") + 1), "hex").toString("latin1");
}

function startsObject(piece: Uint8Array): boolean {
  return /^(\xef\xbb\xbf)?\s*\{/.test(Buffer.from(piece.subarray(0, 256)).toString("latin1"));
}

/** Returns the next page's URL from the Link header (RFC 8288), which must be on the same origin. */
function nextPage(response: HttpResponse & { url: URL }): string | undefined {
  const target = nextLink(response.headers["link"]);
  if (!target) return undefined;
  const next = resolveLocation(response.url, target, REGISTRY);
  if (next.origin !== response.url.origin) {
    throw new TsignError(
      "registry",
      `list referrers: ${response.url.host} links the next page to another host, ${next.host}`,
    );
  }
  return next.href;
}

/** Returns the target of the relation `next` in a Link header (RFC 8288), in linear time. */
function nextLink(link = ""): string | undefined {
  for (let at = link.indexOf("<"); at >= 0; at = link.indexOf("<", at)) {
    const end = link.indexOf(">", at);
    if (end < 0) return undefined;
    const following = link.indexOf("<", end);
    const parameters = link.slice(end + 1, following < 0 ? link.length : following);
    const isNext = parameters.split(/[;,]/).some((each) => /^\s{0,8}rel\s{0,8}=\s{0,8}"?next"?\s{0,8}$/i.test(each));
    if (isNext) return link.slice(at + 1, end);
    at = end;
  }
  return undefined;
}
