import { TsignError } from "../errors.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import type { Message } from "../format/digest.ts";
import type { TransportIo } from "../net/retry.ts";
import { keyToReadWith } from "../verify/claimed-key.ts";
import type { Policy } from "../verify/model.ts";

/** Whether evidence was read from a bundle, which contains its own key or certificate and log entries. */
export function isFromBundle({ key }: Pick<Evidence, "key">): boolean {
  return key.kind === "public-key" || (key.kind === "certificate" && key.binding);
}

/**
 * Fetches the log entry of a legacy signature that was stored without one, as cosign does. Bundles contain their entries. The
 * fetched entry is verified like a stored one.
 *
 * @param options.rekorUrl http(s) URL of a Rekor v1, checked only when it is used; undefined to fetch nothing
 * @param options.blob the message of a file's signature
 * @returns the evidence, with the log's oldest entry for it if there is one
 * @throws TsignError "usage" for an invalid URL; "auth", "network", "timeout", "service" for a failed request
 */
export async function withLoggedEntry(
  io: TransportIo,
  evidence: Evidence,
  options: { policy: Pick<Policy, "log" | "signer">; rekorUrl: string | undefined; blob?: Message },
): Promise<Evidence> {
  const { policy, rekorUrl, blob } = options;
  const { content } = evidence;
  const message = ownMessage(content) ?? blob;
  if (rekorUrl === undefined || policy.log !== "required" || evidence.log.length > 0) return evidence;
  if (isFromBundle(evidence) || !message) return evidence;
  const key = await keyToReadWith(evidence, policy);
  if (!key || !message.hashes.includes(key.hash)) return evidence;
  const url = parseUrl(rekorUrl);
  const { oldestEntry, searchEntries } = await import("../services/rekor-v1.ts");
  const verifier = evidence.key.kind === "certificate" ? certificatePem(evidence.key.leaf) : key.pem;
  const envelope = evidence.timestamped ? { envelope: Buffer.from(evidence.timestamped).toString("utf8") } : {};
  const request = { content, ...envelope, message, hash: key.hash, verifier };
  const oldest = oldestEntry(await searchEntries(io, url, request));
  return { ...evidence, log: oldest ? [oldest] : [], logFetched: true };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new TsignError("usage", `Rekor URL is not an http(s) URL: "${text}"`);
}
