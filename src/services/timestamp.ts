import { TsignError } from "../errors.ts";
import { derChildren, readDer, TAG } from "../format/der.ts";
import { hash } from "../format/digest.ts";
import type { TlsOptions } from "../io/io.ts";
import type { TransportIo } from "../net/retry.ts";
import { post, refusal, serviceClient, wrongAnswer } from "./exchange.ts";

/** TimeStampReq (RFC 3161 §2.4.1) up to the digest: version 1, SHA-256. */
const TSQ_PREFIX = Buffer.from("304b0201013031300d060960864801650304020105000420", "hex");
/** The nonce, an INTEGER of 16 bytes; then certReq TRUE, so that the token includes the signing certificate. */
const NONCE_PREFIX = Buffer.from("0210", "hex");
const CERT_REQ = Buffer.from("0101ff", "hex");

/**
 * Requests a timestamp for a message from a timestamp authority (RFC 3161 over HTTP, §3.4). The response is not verified here
 * but in src/verify/timestamp.ts, before it is stored.
 *
 * @param options.url the complete URL to post to
 * @param options.message the bytes to timestamp: those of a signature
 * @param options.nonce 16 random bytes
 * @returns DER TimeStampResp
 * @throws TsignError "auth" or "service" if the authority refuses, and what the transport throws
 */
export async function requestTimestamp(
  io: TransportIo,
  options: { url: URL; message: Uint8Array; nonce: Uint8Array; tls?: TlsOptions | undefined },
): Promise<Uint8Array> {
  const { url, message, tls } = options;
  const client = serviceClient(io, { service: "timestamp-authority", url, tls });
  const nonce = Buffer.from(options.nonce);
  nonce[0] = ((nonce[0] ?? 0) & 0x7f) | 0x40; // a positive INTEGER with its full length
  const answer = await post(client, {
    url,
    headers: { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" },
    body: Buffer.concat([TSQ_PREFIX, hash("sha256", message), NONCE_PREFIX, nonce, CERT_REQ]),
  });
  if (answer.status !== 200 && answer.status !== 201) throw refusal(client, answer);
  if (!answer.bytes.length || answer.bytes[0] !== 0x30) {
    throw wrongAnswer(client, "returned an invalid response");
  }
  if (isRejection(answer.bytes)) {
    throw new TsignError("service", `${client.name} (${url.host}) rejected the request`, {
      hint: "try again later, or use another timestamp authority",
      service: client.service,
      url,
    });
  }
  if (!Buffer.from(answer.bytes).includes(nonce)) {
    throw wrongAnswer(client, "returned a response whose nonce does not match the request");
  }
  return new Uint8Array(answer.bytes);
}

/** Whether a TimeStampResp has a PKIStatus from rejection (2) on, with which it contains no token (RFC 3161 §2.4.2). */
function isRejection(response: Uint8Array): boolean {
  try {
    const [statusInfo, token] = derChildren(readDer(response), TAG.sequence);
    const [status] = derChildren(statusInfo, TAG.sequence);
    return !token && status?.tag === TAG.integer && status.value.length === 1 && (status.value[0] ?? 0) >= 2;
  } catch {
    return false; // what is not DER is refused for its missing nonce, or when it is verified
  }
}
