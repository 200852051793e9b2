import { hash } from "../format/digest.ts";
import type { TlsOptions } from "../io/io.ts";
import type { TransportIo } from "../net/retry.ts";
import { post, refusal, serviceClient, wrongAnswer } from "./exchange.ts";

/** TimeStampReq (RFC 3161 §2.4.1) up to the digest: version 1, SHA-256. */
const HEAD = Buffer.from("304b0201013031300d060960864801650304020105000420", "hex");
/** INTEGER of 16 bytes, for the nonce; then certReq TRUE, so that a verifier needs no copy of the signing certificate. */
const NONCE_HEAD = Buffer.from("0210", "hex");
const CERT_REQ = Buffer.from("0101ff", "hex");

/**
 * Asks a timestamp authority to sign that something existed (RFC 3161 over HTTP, §3.4). The answer is not verified here:
 * src/verify/timestamp.ts does, before it is stored.
 *
 * @param options.url the whole URL to post to
 * @param options.message what is timestamped: a signature's raw bytes
 * @param options.nonce 16 bytes by chance
 * @returns DER TimeStampResp
 * @throws TsignError "auth", "service" when it is refused, and what the transport throws
 */
export async function requestTimestamp(
  io: TransportIo,
  options: { url: URL; message: Uint8Array; nonce: Uint8Array; tls?: TlsOptions | undefined },
): Promise<Uint8Array> {
  const { url, message, tls } = options;
  const client = serviceClient(io, { service: "timestamp-authority", url, tls });
  const nonce = Buffer.from(options.nonce);
  nonce[0] = ((nonce[0] ?? 0) & 0x7f) | 0x40; // a positive INTEGER of full length
  const answer = await post(client, {
    url,
    headers: { "content-type": "application/timestamp-query", accept: "application/timestamp-reply" },
    body: Buffer.concat([HEAD, hash("sha256", message), NONCE_HEAD, nonce, CERT_REQ]),
  });
  if (answer.status !== 200 && answer.status !== 201) throw refusal(client, answer);
  if (!answer.bytes.length || answer.bytes[0] !== 0x30) {
    throw wrongAnswer(client, "answered with something else");
  }
  if (!Buffer.from(answer.bytes).includes(nonce)) {
    throw wrongAnswer(client, "answered another request");
  }
  return new Uint8Array(answer.bytes);
}
