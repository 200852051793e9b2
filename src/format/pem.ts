/** One PEM block (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** Decoded content. */
  readonly bytes: Uint8Array;
}

/**
 * Parses every PEM block of a text, in order. Ignores text between blocks, header lines (`Proc-Type: …`), and a begin line that
 * does not match the next end line. Takes linear time, because the text may be untrusted.
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

/** Why a text is not PEM, if the cause is known, and what to do; for an error's message and hint. */
export function whyNotPem(text: string): { reason: string; hint?: string } {
  if (text.includes("\0")) return { reason: "it is not PEM, but binary or UTF-16 text" };
  if (!text.includes("-----BEGIN ")) return { reason: "it is not PEM" };
  if (/-----BEGIN [A-Z0-9 ]+-----\\n/.test(text)) {
    return {
      reason: "it is not PEM: its line breaks are written as \\n",
      hint: `convert them with printf '%b' "$KEY"`,
    };
  }
  if (/-----BEGIN [A-Z0-9 ]+-----[^\r\n]*[^\s]/.test(text)) {
    return {
      reason: "it is not PEM: its line breaks are missing",
      hint: 'quote the shell variable that contains it ("$KEY") to keep its line breaks',
    };
  }
  return { reason: "it is not PEM: a block has no matching end line" };
}

/**
 * The single PEM block of a key file.
 *
 * @param options.beside labels of blocks to ignore
 * @returns undefined if there is none
 * @throws Error if there are several
 */
export function onlyPemBlock(text: string, options: { beside?: readonly string[] } = {}): PemBlock | undefined {
  const blocks = readPem(text).filter(({ label }) => !options.beside?.includes(label));
  if (blocks.length > 1) {
    const labels = blocks.slice(0, 3).map(({ label }) => label);
    throw new Error(
      `expected one PEM block, found ${blocks.length} (${labels.join(", ")}${blocks.length > 3 ? ", …" : ""})`,
    );
  }
  return blocks[0];
}

function decodeBody(body: string): Uint8Array {
  const lines = body.split(/\r?\n/).filter((line) => !line.includes(":"));
  return Buffer.from(lines.join(""), "base64");
}

/** Breaks base64 lines of more than 76 characters into lines of 64: the executable's runtime refuses some longer ones. */
export function wrapPem(text: string): string {
  return text.replace(/[A-Za-z0-9+/=]{77,}/g, (line) => line.replace(/.{64}(?=.)/g, "$&\n"));
}

/** A PEM block with lines of 64 characters and a final newline, as Go's encoding/pem writes it. */
export function writePem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
