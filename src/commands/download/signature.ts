import { defineCommand } from "../../cli/define.ts";
import { attachmentTagPrefix, registryFlags } from "../../cli/flags/registry.ts";
import { openAttachments, resolveImage } from "../../cli/images.ts";
import { TsignError } from "../../errors.ts";
import { findEvidence } from "../../evidence/find.ts";
import { ANNOTATION } from "../../evidence/media-types.ts";
import type { Evidence, Unreadable } from "../../evidence/model.ts";
import { readCertificates } from "../../evidence/read-legacy.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { goJson } from "../../format/go-json.ts";
import { printable } from "../../format/printable.ts";
import { parseForPrinting } from "../../format/signed-json.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";

const WORKERS = 10;

export default defineCommand({
  usage: "[flags] <image>",
  summary: "Print the signatures of an image as JSON lines",
  about:
    "Prints every bundle stored with an image, or, when there is none, every legacy signature with its payload. Nothing is " +
    "verified.",
  examples: ["tsign download signature registry.example/app:v1 > bundle.sigstore.json"],
  args: { min: 1, max: 1 },
  flags: { ...registryFlags, attachmentTagPrefix },
  async run(io, { args: [text = ""], flags }) {
    const image = await resolveImage(io, {
      text,
      flags: { ...flags, attachment: "" },
      mustExist: true,
      warnAboutTags: false,
    });
    const store = await openAttachments(io, image, flags);
    const found = await findEvidence(store, {
      subject: image.digest,
      forms: { legacy: true, bundle: true },
      tagPrefix: flags.attachmentTagPrefix,
      maxBytes: maxAttachmentSize(io.env),
      workers: WORKERS,
    });
    const readable = found.filter((each): each is Evidence => !("unreadable" in each));
    for (const each of found) {
      if ("unreadable" in each) {
        io.stderr.write(`WARNING: ${printable(`${each.origin.where} cannot be read: ${each.unreadable}`)}\n`);
      }
    }
    const bundles = readable.flatMap(({ document }) => (document ? [bundleLine(document)] : []));
    const lines = bundles.length > 0 ? bundles : new Set(readable.map(legacyLine)); // an OCI 1.1 image repeats layers
    if (readable.length === 0) throw nothing(formatReference(image.ref), found);
    for (const line of lines) io.stdout.data(`${line}\n`);
  },
});

function nothing(name: string, found: readonly (Evidence | Unreadable)[]): TsignError {
  const unreadable = found.length > 0 ? `, but ${found.length} that cannot be read` : "";
  return new TsignError("no-signatures", `${name}: no signatures associated${unreadable}`);
}

/** A bundle as it is stored, but compact: put together anew it could claim a version that it is not of. */
function bundleLine(document: Uint8Array): string {
  return JSON.stringify(parseForPrinting(Buffer.from(document).toString("utf8")));
}

/** One legacy signature under cosign's field names, with the base64 DER of certificates where cosign has it. */
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
