import { TsignError } from "../errors.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import type { Message } from "../format/digest.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import type { Policy } from "../verify/model.ts";
import { parseServiceUrl } from "./options/service-url.ts";

/**
 * Looks a legacy signature up in the log when it was stored without its entry, as cosign does; bundles hold theirs or fail.
 * What the log answers is evidence like any other and is verified as such.
 *
 * @param options.blob what a blob's signature is over
 * @throws TsignError when the log cannot be asked
 */
export async function withLoggedEntry(
  io: TransportIo,
  evidence: Evidence,
  options: {
    policy: Pick<Policy, "log" | "signer">;
    flags: { rekorUrl: string; offline: boolean };
    blob?: Message;
  },
): Promise<Evidence> {
  const { policy, flags, blob } = options;
  const { content } = evidence;
  const message = ownMessage(content) ?? blob;
  const isBundle = evidence.key.kind === "public-key" || (evidence.key.kind === "certificate" && evidence.key.binding);
  if (policy.log !== "required" || evidence.log.length > 0 || isBundle || flags.offline || !message) return evidence;
  const key = await keyOf(evidence, policy);
  if (!key || !message.hashes.includes(key.hash)) return evidence;
  const url = parseServiceUrl(flags.rekorUrl, "rekorUrl");
  const { oldestEntry, searchEntries } = await import("../services/rekor-v1.ts");
  const verifier = evidence.key.kind === "certificate" ? certificatePem(evidence.key.leaf) : key.pem;
  const envelope = evidence.timestamped ? { envelope: Buffer.from(evidence.timestamped).toString("utf8") } : {};
  const request = { content, ...envelope, message, hash: key.hash, verifier };
  const oldest = oldestEntry(await searchEntries(io, url, request));
  return { ...evidence, log: oldest ? [oldest] : [], logFetched: true };
}

async function keyOf(evidence: Evidence, { signer }: Pick<Policy, "signer">): Promise<PublicKey | undefined> {
  if (signer.kind === "key") return signer.key;
  if (evidence.key.kind !== "certificate") return undefined;
  const { parseCertificate } = await import("../trust/certificate.ts");
  try {
    return publicKeyFromObject(parseCertificate(evidence.key.leaf).native.publicKey);
  } catch (error) {
    if (error instanceof TsignError) return undefined; // verify says what is wrong with it
    throw error;
  }
}
