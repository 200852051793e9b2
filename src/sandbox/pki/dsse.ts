/**
 * Returns the bytes that a DSSE signature covers (DSSE protocol.md, "Signature Definition"). The sandbox has its own encoding,
 * because an error in a shared one would not be noticed in tests against the sandbox.
 *
 * @param payloadType the media type of the payload
 * @param payload its bytes, decoded
 */
export function signedBytes(payloadType: string, payload: Uint8Array): Buffer {
  const parts = [Buffer.from(payloadType, "utf8"), Buffer.from(payload)];
  const counted = parts.flatMap((part) => [Buffer.from(` ${part.length} `), part]);
  return Buffer.concat([Buffer.from("DSSEv1"), ...counted]);
}
