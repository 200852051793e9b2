import type { Evidence } from "../../evidence/model.ts";
import { certificatePem } from "../../evidence/write-legacy.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { type Digest, parseDigest } from "../../format/digest.ts";
import type { Io } from "../../io.ts";

/** What `sign` writes with --output-signature, --output-payload and --output-certificate. */
export async function writeSignatureFiles(
  io: Pick<Io, "files" | "stderr">,
  options: {
    flags: { outputSignature: string; outputPayload: string; outputCertificate: string; recursive: boolean };
    image: { digest: Digest };
    evidence: Evidence;
    payload: Uint8Array;
    /** Adds to files just written: several identities of one image, a line each. */
    append?: boolean;
  },
): Promise<void> {
  const { flags, image, evidence } = options;
  const write = async (path: string, content: string | Uint8Array) => {
    if (path === "") return;
    const target = flags.recursive ? `${path}-sha256-${parseDigest(image.digest).hex}` : path;
    const before = options.append ? await io.files.read(target, { maxBytes: 64 * 1024 * 1024 }) : undefined;
    const data = before ? Buffer.concat([before, Buffer.from("\n"), Buffer.from(content)]) : content;
    await io.files.write(target, data, { mode: 0o600 });
  };
  await write(flags.outputSignature, encodeBase64(evidence.content.signature));
  await write(flags.outputPayload, options.payload);
  if (evidence.key.kind === "certificate" && flags.outputCertificate !== "") {
    await write(flags.outputCertificate, certificatePem(evidence.key.leaf));
    io.stderr.write(`Certificate wrote in the file ${flags.outputCertificate}\n`);
  }
}
