/** One PEM block (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** Decoded content. */
  readonly bytes: Uint8Array;
}

/**
 * Every PEM block of a text, in order; text between blocks and header lines (`Proc-Type: …`) are passed over, and so is a
 * begin line that the next end line does not belong to. The time is linear in the text: it may come from a URL.
 */
export function readPem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  const begin = /-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n/g;
  let end = -1;
  for (let found = begin.exec(text); found; found = begin.exec(text)) {
    const from = begin.lastIndex;
    if (end < from) end = text.indexOf("-----END ", from);
    if (end < 0) break;
    const [, label = ""] = found;
    if (text.startsWith(`-----END ${label}-----`, end))
      blocks.push({ label, bytes: decodeBody(text.slice(from, end)) });
  }
  return blocks;
}

function decodeBody(body: string): Uint8Array {
  const lines = body.split(/\r?\n/).filter((line) => !line.includes(":"));
  return Buffer.from(lines.join(""), "base64");
}

/** A PEM block with lines of 64 characters and a final newline, as Go's encoding/pem writes it. */
export function writePem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
