import { openAttachments, resolveImage } from "../../cli/options/images.ts";
import type { Run } from "../../cli/parser/define.ts";
import { readingReport } from "../../cli/print/reading.ts";
import { TsignError } from "../../errors.ts";
import { findEvidence } from "../../evidence/find/find.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { ANNOTATION } from "../../evidence/media-types.ts";
import type { Evidence } from "../../evidence/model.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { digestOf } from "../../format/digest.ts";
import { goJson } from "../../format/go-json.ts";
import { parseForPrinting } from "../../format/signed-json.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";
import type definition from "./signature.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: true,
    warnAboutTags: false,
  });
  const store = await openAttachments(io, image, flags);
  const report = readingReport(io);
  const signatures: unknown[] = [];
  const printed = new Set<string>(); // an OCI 1.1 referrer repeats the layers of the tag
  for (const forms of [
    { legacy: false, bundle: true },
    { legacy: true, bundle: false },
  ]) {
    if (printed.size > 0) return { signatures };
    const found = findEvidence(store, {
      subject: image.digest,
      forms,
      tagPrefix: flags.attachmentTagPrefix,
      maxBytes: maxAttachmentSize(io.env),
      workers: WORKERS,
      documents: true,
    });
    for await (const each of report.readable(found)) {
      const line = each.document ? bundleLine(each.document) : legacyLine(each);
      const key = digestOf(Buffer.from(line));
      if (!printed.has(key)) {
        io.stdout.data(`${line}\n`);
        if (flags.json) signatures.push(JSON.parse(line));
      }
      printed.add(key);
    }
  }
  if (printed.size > 0) return { signatures };
  report.requireComplete();
  throw nothing(formatReference(image.ref), report.unreadable);
};

const WORKERS = 10;

function nothing(name: string, unreadable: number): TsignError {
  const rest = unreadable > 0 ? `; ${unreadable} could not be read` : "";
  return new TsignError("no-signatures", `${name}: no signatures associated${rest}`);
}

/** Returns a stored bundle on one line, with its members as they are. */
function bundleLine(document: Uint8Array): string {
  return JSON.stringify(parseForPrinting(Buffer.from(document).toString("utf8")));
}

/** Returns a legacy signature as JSON with cosign's field names; certificates are base64 DER. */
function legacyLine({ content, key, annotations }: Evidence): string {
  const json = (text: string | undefined): unknown => {
    try {
      return text ? parseForPrinting(text) : null;
    } catch {
      return null;
    }
  };
  const certificate = (der: Uint8Array) => ({ Raw: encodeBase64(der) });
  const chain = readCertificates(annotations[ANNOTATION.chain] ?? "", ANNOTATION.chain);
  return goJson({
    Base64Signature: encodeBase64(content.signature),
    Payload: content.kind === "simple-signing" ? encodeBase64(content.payload) : "",
    Cert: key.kind === "certificate" ? certificate(key.leaf) : null,
    Chain: chain.length > 0 ? chain.map(certificate) : null,
    Bundle: json(annotations[ANNOTATION.logEntry]),
    RFC3161Timestamp: json(annotations[ANNOTATION.timestamp]),
  });
}
