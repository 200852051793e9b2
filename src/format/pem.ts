/** One PEM block (RFC 7468). */
export interface PemBlock {
  readonly label: string;
  /** Decoded content. */
  readonly bytes: Uint8Array;
}

/** Every PEM block of a text, in order; text between blocks and header lines (`Proc-Type: …`) are passed over. */
export function readPem(text: string): PemBlock[] {
  const blocks = text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----\r?\n([\s\S]*?)-----END \1-----/g);
  return [...blocks].map(([, label = "", body = ""]) => {
    const lines = body.split(/\r?\n/).filter((line) => !line.includes(":"));
    return { label, bytes: Buffer.from(lines.join(""), "base64") };
  });
}

/** A PEM block with lines of 64 characters and a final newline, as Go's encoding/pem writes it. */
export function writePem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
