import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { resolveLocation } from "../../net/http.ts";
import type { Repository } from "../ref.ts";
import { REGISTRY } from "./peer.ts";
import type { RegistrySession } from "./session.ts";

/** Sessions whose registry has not mounted a blob that it has; it is not asked again. */
const refused = new WeakSet<RegistrySession>();

/**
 * Asks the registry to take a blob from another of its repositories (distribution spec, "Mounting a blob from another repository").
 * The token for that is valid for pulling from the other repository, too.
 *
 * @returns true if the repository has the blob now; the location of an upload if the registry has started one instead; undefined
 *   if it refuses, or if `from` is in another registry
 * @throws TsignError "network", "timeout"
 */
export async function mountBlob(
  session: RegistrySession,
  repository: Repository,
  { digest, from }: { digest: Digest; from?: Repository | undefined },
): Promise<true | URL | undefined> {
  if (from?.registry !== repository.registry || from.repository === repository.repository) return undefined;
  if (refused.has(session)) return undefined;
  const path = `/v2/${repository.repository}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(from.repository)}`;
  const headers = { "content-length": "0" };
  try {
    const answer = await session.read({ method: "POST", path, headers, action: "push", alsoReads: from.repository }, 0);
    const { location, "docker-content-digest": mounted = digest } = answer.headers;
    if (answer.status === 201 && mounted === digest) return true;
    refused.add(session);
    return answer.status === 202 && location ? resolveLocation(answer.url, location, REGISTRY) : undefined;
  } catch (error) {
    // The token server may refuse a token for both repositories. The blob can still be sent.
    if (!(error instanceof TsignError) || (error.code !== "auth" && error.code !== "registry")) throw error;
    refused.add(session);
    return undefined;
  }
}
