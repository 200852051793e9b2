import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { isObject } from "../../format/json.ts";
import { ElementSplitter, TooLong } from "../../format/json-elements.ts";
import type { HttpResponse } from "../../io/io.ts";
import { resolveLocation } from "../../net/http.ts";

import { baseType, INDEX_TYPES, isIndexType, readListed } from "../manifest.ts";
import type { Repository } from "../ref.ts";
import type { ListedReferrer } from "../types.ts";
import { REGISTRY } from "./peer.ts";
import type { RegistrySession } from "./session.ts";

const INDEX_TYPE = INDEX_TYPES[0];
/** Statuses that say there is no such place: the registry has no referrers API. */
const NO_API = new Set([204, 400, 404, 405, 406, 410, 415, 422, 501]);
/** Most bytes of one image's listing, of one entry, and of what stands around the entries. */
const MAX_LISTING = 128 * 1024 * 1024;
const MAX_ENTRY = 1024 * 1024;
const MAX_FRAME = 16 * 1024 * 1024;
/** Most pages, and most pages in a row that bring nothing new. */
const MAX_PAGES = 20_000;
const MAX_EMPTY_PAGES = 100;
/** Times a page is asked for whose body broke off. */
const MAX_ATTEMPTS = 3;

/** Says that the registry has no referrers API, or nothing that can be taken for one. */
export class NoReferrersApi extends Error {}

interface Connection {
  readonly session: RegistrySession;
  readonly repository: Repository;
}

/**
 * All referrers by the API, page by page, each entry once and as it arrives. A registry's own filter is never used: some
 * ignore it, some derive the artifact type wrongly.
 *
 * @throws NoReferrersApi before the first entry
 * @throws TsignError for a listing that fails: it is never an empty one
 */
export async function* listByApi(connection: Connection, subject: Digest): AsyncGenerator<ListedReferrer> {
  const { repository } = connection;
  const endless = () => new TsignError("limit", `${repository.registry} lists referrers of ${subject} without an end`);
  const where = `the referrers list of ${repository.name}@${subject}`;
  const seen = new Set<string>();
  const budget = { left: MAX_LISTING };
  const visited = new Set<string>();
  let path: string | undefined = `/v2/${repository.repository}/referrers/${subject}`;
  for (let page = 0, empty = 0; path !== undefined; page++) {
    if (page === MAX_PAGES || empty === MAX_EMPTY_PAGES || visited.has(path)) throw endless();
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
  /** Entries that were passed on already. */
  readonly seen: Set<string>;
  readonly budget: { left: number };
}

/** Passes a page's entries on and returns the next page's address. A body that breaks off is asked for anew. */
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

/** A first page that is redirected nowhere (in circles, to another scheme) is no listing. */
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
 * The entries of an index, each once, while its bytes arrive.
 *
 * @param options.doubtful it was not served as an index: what is not one is no listing
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
      throw new TsignError("limit", `${where} is larger than ${MAX_LISTING / 1024 / 1024} MiB`);
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
    throw new TsignError("limit", `${where} has more than ${MAX_FRAME / 1024 / 1024} MiB beside its entries`);
  }
}

/** Judges what stands around the entries, at the end: an empty list may leave them out (Go writes null). */
function requireIndex(splitter: ElementSplitter, { where, doubtful }: { where: string; doubtful: boolean }): void {
  let rest: unknown;
  try {
    rest = splitter.end();
  } catch (cause) {
    if (doubtful) throw new NoReferrersApi();
    throw new TsignError("registry", `${where} is not JSON`, { cause });
  }
  const { manifests, mediaType } = isObject(rest) ? rest : { manifests: 0, mediaType: undefined };
  const isIndex = typeof mediaType === "string" && isIndexType(mediaType);
  if (Array.isArray(manifests) || (isObject(rest) && (manifests ?? null) === null && (isIndex || !doubtful))) return;
  if (doubtful) throw new NoReferrersApi();
  throw new TsignError("registry", `${where} is not an index: bad or missing manifests`);
}

function readEntry(element: Uint8Array | undefined): ListedReferrer {
  if (!element) return { unreadable: `a listed entry is larger than ${MAX_ENTRY} bytes` };
  try {
    return readListed(JSON.parse(Buffer.from(element).toString("utf8")));
  } catch (error) {
    return { unreadable: error instanceof TsignError ? error.message : "a listed entry is not JSON" };
  }
}

/** A digest as a short text: a listing may hold a million. */
function packed(digest: Digest): string {
  return Buffer.from(digest.slice(digest.indexOf(":") + 1), "hex").toString("latin1");
}

function startsObject(piece: Uint8Array): boolean {
  return /^(\xef\xbb\xbf)?\s*\{/.test(Buffer.from(piece.subarray(0, 256)).toString("latin1"));
}

/** The next page's address from the Link header (RFC 8288), which may not lead to another origin. */
function nextPage(response: HttpResponse & { url: URL }): string | undefined {
  const target = nextLink(response.headers["link"]);
  if (!target) return undefined;
  const next = resolveLocation(response.url, target, REGISTRY);
  if (next.origin !== response.url.origin) {
    throw new TsignError(
      "registry",
      `${response.url.host} continues its referrers list at another host (${next.host})`,
    );
  }
  return next.href;
}

/** The target of a Link header's relation `next` (RFC 8288), in linear time. */
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
