import { TsignError } from "../errors.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import type { Message } from "../format/digest.ts";
import type { TransportIo } from "../net/retry.ts";
import { keyToReadWith } from "../verify/claimed-key.ts";
import type { Policy } from "../verify/model.ts";

/** Whether evidence is of a bundle, which holds its key or certificate and its log entries, or has none. */
export function isFromBundle({ key }: Pick<Evidence, "key">): boolean {
  return key.kind === "public-key" || (key.kind === "certificate" && key.binding);
}

/**
 * Looks a legacy signature up in the log when it was stored without its entry, as cosign does; bundles hold theirs or fail.
 * What the log answers is evidence like any other and is verified as such.
 *
 * @param options.rekorUrl http(s) URL of a Rekor v1, read only when it is asked; undefined to look nothing up
 * @param options.blob what a blob's signature is over
 * @returns the same evidence, with the log's oldest entry of it where there is one
 * @throws TsignError "usage" for what is no URL, "auth", "network", "timeout", "service" when the log cannot be asked
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
  throw new TsignError("usage", `the Rekor URL is not an http(s) URL: "${text}"`);
}
