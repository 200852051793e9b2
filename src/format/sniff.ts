/** Number of bytes that are examined. */
export const SNIFFED_BYTES = 512;

const SPACE = /^[\t\n\f\r ]+/;
const HTML = /^<(!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[ >]|^<!--/i;
const BINARY = /[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]/;

/** Byte patterns at the start of content, as latin1 text, in the standard's order. */
const SIGNATURES: readonly [begin: RegExp, mediaType: string][] = [
  [/^%PDF-/, "application/pdf"],
  [/^%!PS-Adobe-/, "application/postscript"],
  [/^(\xfe\xff|\xff\xfe|\xef\xbb\xbf)./s, "text/plain"],
  [/^\0\0\x01\0|^\0\0\x02\0/, "image/x-icon"],
  [/^BM/, "image/bmp"],
  [/^GIF8[79]a/, "image/gif"],
  [/^RIFF....WEBPVP/s, "image/webp"],
  [/^\x89PNG\r\n\x1a\n/, "image/png"],
  [/^\xff\xd8\xff/, "image/jpeg"],
  [/^FORM....AIFF/s, "audio/aiff"],
  [/^ID3/, "audio/mpeg"],
  [/^OggS\0/, "application/ogg"],
  [/^MThd\0\0\0\x06/, "audio/midi"],
  [/^RIFF....AVI /s, "video/avi"],
  [/^RIFF....WAVE/s, "audio/wave"],
  [/^....ftypmp4/s, "video/mp4"],
  [/^\x1a\x45\xdf\xa3/, "video/webm"],
  [/^\0\x01\0\0/, "font/ttf"],
  [/^OTTO/, "font/otf"],
  [/^ttcf/, "font/collection"],
  [/^wOFF/, "font/woff"],
  [/^wOF2/, "font/woff2"],
  [/^\x1f\x8b\x08/, "application/x-gzip"],
  [/^PK\x03\x04/, "application/zip"],
  [/^Rar!\x1a\x07(\0|\x01\0)/, "application/x-rar-compressed"],
  [/^\0asm/, "application/wasm"],
];

/**
 * The media type that content looks like, without parameters (WHATWG MIME Sniffing, as Go's net/http implements it).
 *
 * @param head the first 512 bytes, or all
 */
export function sniffMediaType(head: Uint8Array): string {
  const text = Buffer.from(head).subarray(0, SNIFFED_BYTES).toString("latin1");
  const trimmed = text.replace(SPACE, "");
  if (HTML.test(trimmed)) return "text/html";
  if (trimmed.startsWith("<?xml")) return "text/xml";
  const found = SIGNATURES.find(([begin]) => begin.test(text));
  if (found) return found[1];
  return BINARY.test(text) ? "application/octet-stream" : "text/plain";
}
