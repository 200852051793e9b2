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

/** What keeps a text from being PEM, where it can be told, and what to do about it; for an error's message and hint. */
export function whyNotPem(text: string): { reason: string; hint?: string } {
  if (text.includes("\0")) return { reason: "it is not PEM: it is binary, or UTF-16 text" };
  if (!text.includes("-----BEGIN ")) return { reason: "it is not PEM" };
  if (/-----BEGIN [A-Z0-9 ]+-----\\n/.test(text)) {
    return {
      reason: "it is not PEM: its line breaks are written as \\n",
      hint: `printf '%b' "$KEY" turns them into line breaks`,
    };
  }
  if (/-----BEGIN [A-Z0-9 ]+-----[^\r\n]*[^\s]/.test(text)) {
    return {
      reason: "it is not PEM: its line breaks are lost",
      hint: 'the begin and end lines stand on lines of their own; quote the variable ("$KEY") that it went through',
    };
  }
  return { reason: "it is not PEM: a block has a begin line and no end line of the same name" };
}

/**
 * The one block of a key file. With several nobody could know which one counts.
 *
 * @param options.beside labels of blocks that may stand beside it
 * @returns undefined when there is none
 * @throws Error when there are several
 */
export function onlyPemBlock(text: string, options: { beside?: readonly string[] } = {}): PemBlock | undefined {
  const blocks = readPem(text).filter(({ label }) => !options.beside?.includes(label));
  if (blocks.length > 1) {
    const labels = blocks.slice(0, 3).map(({ label }) => label);
    throw new Error(
      `it has ${blocks.length} PEM blocks (${labels.join(", ")}${blocks.length > 3 ? ", …" : ""}), not one`,
    );
  }
  return blocks[0];
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
