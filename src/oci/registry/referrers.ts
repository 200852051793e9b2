import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { type Answer, resolveLocation } from "../../http.ts";
import { INDEX_TYPES, readManifest } from "../manifest.ts";
import type { Repository } from "../ref.ts";
import type { Descriptor } from "../types.ts";
import type { RegistrySession } from "./session.ts";

const INDEX_TYPE = INDEX_TYPES[0];
/** What registries without the API answer. */
const NO_API = new Set([400, 404, 405, 406]);
const MAX_PAGE = 4 * 1024 * 1024;
const MAX_PAGES = 100;
const MAX_ENTRIES = 1000;

/**
 * All referrers by the API, page by page; undefined when the registry has no such API. A registry's own filter is never
 * used: some ignore it, some derive the artifact type wrongly.
 *
 * @throws TsignError: a listing that fails is never an empty one
 */
export async function listReferrers(
  session: RegistrySession,
  repository: Repository,
  subject: Digest,
): Promise<readonly Descriptor[] | undefined> {
  const entries: Descriptor[] = [];
  let path: string | undefined = `/v2/${repository.repository}/referrers/${subject}`;
  const seen = new Set<string>();
  for (let page = 0; path !== undefined; page++) {
    if (page === MAX_PAGES || seen.has(path)) {
      throw new TsignError("limit", `${repository.registry} lists referrers of ${subject} without an end`);
    }
    seen.add(path);
    const answer: Answer = await session.read(
      { method: "GET", path, headers: { accept: INDEX_TYPE }, action: "pull" },
      MAX_PAGE,
    );
    const type = answer.headers["content-type"]?.split(";")[0]?.trim();
    const absent = NO_API.has(answer.status) || (answer.status === 200 && type !== INDEX_TYPE);
    if (page === 0 && absent) return undefined;
    if (answer.status !== 200) throw session.refusal(answer, `list referrers of ${repository.name}`);
    const where = `the referrers list of ${repository.name}@${subject}`;
    entries.push(...(readManifest(answer.bytes, { servedType: INDEX_TYPE, where }).manifests ?? []));
    if (entries.length > MAX_ENTRIES) {
      throw new TsignError("limit", `${repository.name}@${subject} has more than ${MAX_ENTRIES} referrers`);
    }
    path = nextPage(answer);
  }
  return entries;
}

/** The next page's address from the Link header (RFC 8288), which may not lead to another origin. */
function nextPage(answer: Answer): string | undefined {
  const link = answer.headers["link"];
  const target = link && /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(link)?.[1];
  if (!target) return undefined;
  const next = resolveLocation(answer.url, target);
  if (next.origin !== answer.url.origin) {
    throw new TsignError("registry", `${answer.url.host} continues its referrers list at another host (${next.host})`);
  }
  return next.pathname + next.search;
}
