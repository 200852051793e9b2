import { createHash } from "node:crypto";
import type { HashName, Message } from "./digest.ts";

/**
 * The bytes that a DSSE signature covers: `DSSEv1 <len> <payloadType> <len> <payload>`, lengths in bytes of UTF-8, in decimal
 * (DSSE protocol.md, "Signature Definition").
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  return Buffer.concat([headOf(payloadType, payload), payload]);
}

/** The same as a message: hashed without copying, and concatenated only if its bytes are needed. */
export function envelopeMessageOf(payloadType: string, payload: Uint8Array): Message {
  const head = headOf(payloadType, payload);
  const digests = new Map<HashName, Uint8Array>();
  let whole: Uint8Array | undefined;
  return {
    size: head.length + payload.length,
    hashes: ["sha256", "sha384", "sha512"],
    get bytes() {
      whole ??= Buffer.concat([head, payload]);
      return whole;
    },
    digest(name) {
      const known = digests.get(name) ?? createHash(name).update(head).update(payload).digest();
      digests.set(name, known);
      return known;
    },
  };
}

function headOf(payloadType: string, payload: Uint8Array): Buffer {
  return Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `);
}
