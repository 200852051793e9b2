import { createHmac } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { createTransport } from "../../net/http.ts";
import type { TransportIo } from "../../net/retry.ts";
import type { Channel, Report } from "./report.ts";

const MAX_ANSWER = 64 * 1024;
const PREFIX = "whsec_";

/**
 * A channel that posts reports as JSON, signed as Standard Webhooks prescribes: `webhook-signature` is `v1,` and the base64 of the
 * HMAC-SHA256 of `ID.SECONDS.BODY` (standardwebhooks.com, "Signature scheme").
 *
 * @param secret the key of the HMAC: `whsec_` and base64, or else the bytes of the text
 */
export function webhook(io: TransportIo, { url, secret, id }: { url: URL; secret: string; id: string }): Channel {
  const transport = createTransport(io);
  const key = keyOf(secret);
  return {
    id,
    name: `webhook at ${url.origin}`, // the path of a webhook may be a secret
    async send(report) {
      const body = Buffer.from(JSON.stringify(webhookBody(report)));
      const seconds = Math.floor(io.now().getTime() / 1000);
      const signed = Buffer.concat([Buffer.from(`${report.id}.${seconds}.`), body]);
      const headers = {
        "content-type": "application/json",
        "content-length": String(body.length),
        "webhook-id": report.id,
        "webhook-timestamp": String(seconds),
        "webhook-signature": `v1,${createHmac("sha256", key).update(signed).digest("base64")}`,
      };
      const exchange = { method: "POST", url, headers, body, followRedirects: false } as const;
      const { status } = await transport.read(exchange, { maxBytes: MAX_ANSWER });
      if (status >= 200 && status < 300) return;
      throw new TsignError("service", `report to ${url.origin}: HTTP status ${status}`, { status });
    },
  };
}

/** What is posted (docs/schema/monitor-report.json). */
function webhookBody(report: Report) {
  return { version: 1, type: "report", ...report } as const;
}

function keyOf(secret: string): Uint8Array {
  const decoded = secret.startsWith(PREFIX) ? decodeBase64(secret.slice(PREFIX.length)) : undefined;
  return decoded ?? Buffer.from(secret);
}
