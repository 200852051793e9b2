import { type Message, messageOf } from "../format/digest.ts";
import { preAuthEncoding } from "../format/dsse.ts";
import type { Evidence } from "./model.ts";

/**
 * The message a signature covers, where the evidence itself holds it: the simple-signing payload, or the DSSE
 * pre-authentication encoding. Undefined for a blob's signature, which is over the blob.
 */
export function ownMessage(content: Evidence["content"]): Message | undefined {
  switch (content.kind) {
    case "simple-signing":
      return messageOf(content.payload);
    case "dsse":
      return messageOf(preAuthEncoding(content.payloadType, content.payload));
    case "blob":
      return undefined;
  }
}
