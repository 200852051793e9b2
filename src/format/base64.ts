/**
 * Decodes base64 (RFC 4648 §4, or the URL-safe alphabet of §5, padding optional, line breaks skipped as Go does) and
 * nothing else: undefined for text with any other character or an impossible length, where Buffer would skip what it does
 * not know.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const body = text.replaceAll(/[\r\n]/g, "").replace(/={0,2}$/, "");
  if (!/^[A-Za-z0-9+/_-]*$/.test(body) || body.length % 4 === 1) return undefined;
  return Buffer.from(body, "base64");
}

/** Standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
