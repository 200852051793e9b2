/**
 * Decodes base64 (RFC 4648 §4, or the URL-safe alphabet of §5), ignoring line breaks as Go does. Undefined for any other character,
 * mixed alphabets, an invalid length or incomplete padding, which Buffer would accept. Padding may be omitted.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  const joined = text.replaceAll(/[\r\n]/g, "");
  const body = joined.replace(/={1,2}$/, "");
  const padded = body.length < joined.length;
  if (!/^(?:[A-Za-z0-9+/]*|[A-Za-z0-9_-]*)$/.test(body) || body.length % 4 === 1) return undefined;
  if (padded && joined.length % 4 !== 0) return undefined;
  return Buffer.from(body, "base64");
}

/** Standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
