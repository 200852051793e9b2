/**
 * The bytes a DSSE signature covers: `DSSEv1 <len> <payloadType> <len> <payload>`, lengths in bytes of UTF-8, in decimal
 * (DSSE protocol.md, "Signature Definition").
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}
