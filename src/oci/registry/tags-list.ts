import { TsignError } from "../../errors.ts";
import type { Repository } from "../ref.ts";
import type { RegistrySession } from "./session.ts";

/** Size limits of a page and of all pages, in bytes. */
const MAX_PAGE = 32 * 1024 * 1024;
const MAX_TOTAL = 128 * 1024 * 1024;
const MAX_PAGES = 20_000;

/**
 * Lists a repository's tags page by page, with `n` and `last` (distribution spec, "Listing Tags").
 *
 * @throws TsignError
 */
export async function listTags({
  session,
  repository,
}: {
  session: RegistrySession;
  repository: Repository;
}): Promise<string[]> {
  const tags = new Set<string>();
  let last: string | undefined;
  let bytes = 0;
  for (let page = 0; page < MAX_PAGES && bytes <= MAX_TOTAL; page++) {
    const query = last === undefined ? "n=1000" : `n=1000&last=${encodeURIComponent(last)}`;
    const path = `/v2/${repository.repository}/tags/list?${query}`;
    const answer = await session.read({ method: "GET", path, followRedirects: true, action: "pull" }, MAX_PAGE);
    if (answer.status === 404) return [...tags];
    if (answer.status !== 200) throw session.refusal(answer, `list tags of ${repository.name}`);
    bytes += answer.bytes.length;
    const before = tags.size;
    for (const tag of readTags(answer.bytes, repository)) {
      if (!tags.has(tag)) last = tag;
      tags.add(tag);
    }
    if (tags.size === before || answer.headers["link"] === undefined) return [...tags];
  }
  throw new TsignError("limit", `list tags of ${repository.name}: the list does not end`);
}

function readTags(bytes: Uint8Array, repository: Repository): string[] {
  try {
    const { tags } = JSON.parse(Buffer.from(bytes).toString("utf8")) as { tags?: unknown };
    return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
  } catch (cause) {
    throw new TsignError("registry", `list tags of ${repository.name}: ${repository.registry} returned invalid JSON`, {
      cause,
    });
  }
}
