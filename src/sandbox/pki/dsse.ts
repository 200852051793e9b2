/**
 * The bytes a DSSE signature covers (DSSE protocol.md, "Signature Definition"), written for the sandbox alone: an encoding
 * shared with what the sandbox tests would be wrong on both sides at once.
 *
 * @param payloadType the media type of the payload
 * @param payload its bytes, decoded
 */
export function signedBytes(payloadType: string, payload: Uint8Array): Buffer {
  const parts = [Buffer.from(payloadType, "utf8"), Buffer.from(payload)];
  const counted = parts.flatMap((part) => [Buffer.from(` ${part.length} `), part]);
  return Buffer.concat([Buffer.from("DSSEv1"), ...counted]);
}
