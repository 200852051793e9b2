import { type Message, messageOf } from "../format/digest.ts";
import { envelopeMessageOf } from "../format/dsse.ts";
import type { DsseContent, Evidence } from "./model.ts";

/** Cached messages: several steps need one, and an attestation may be large. */
const known = new WeakMap<DsseContent, Message>();

function envelopeMessage(content: DsseContent): Message {
  const message = known.get(content) ?? envelopeMessageOf(content.payloadType, content.payload);
  known.set(content, message);
  return message;
}

/**
 * The message that a signature covers, if the evidence contains it: the simple-signing payload, or the DSSE pre-authentication
 * encoding. Undefined for a blob's signature, which covers the blob.
 */
export function ownMessage(content: Evidence["content"]): Message | undefined {
  switch (content.kind) {
    case "simple-signing":
      return messageOf(content.payload);
    case "dsse":
      return envelopeMessage(content);
    case "blob":
      return undefined;
  }
}
