import { defineCommand } from "../../cli/define.ts";
import { attachmentTagPrefix, registryFlags, registryOptions } from "../../cli/flags/registry.ts";
import { resolveImage } from "../../cli/images.ts";
import { TsignError } from "../../errors.ts";
import { findEvidence } from "../../evidence/find.ts";
import { ANNOTATION } from "../../evidence/media-types.ts";
import type { Evidence, Unreadable } from "../../evidence/model.ts";
import { writeBundle } from "../../evidence/write-bundle.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { goJson } from "../../format/go-json.ts";
import { attachmentRepository, maxAttachmentSize } from "../../oci/attachments.ts";
import { openRegistry } from "../../oci/open.ts";
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
    const kept = attachmentRepository(io.env, image.ref);
    const store = kept === image.ref ? image.store : await openRegistry(io, kept, registryOptions(flags));
    const found = await findEvidence(store, {
      subject: image.digest,
      forms: { legacy: true, bundle: true },
      tagPrefix: flags.attachmentTagPrefix,
      maxBytes: maxAttachmentSize(io.env),
      workers: WORKERS,
    });
    const readable = found.filter((each): each is Evidence => !("unreadable" in each));
    for (const each of found) {
      if ("unreadable" in each) io.stderr.write(`WARNING: ${each.origin.where} cannot be read: ${each.unreadable}\n`);
    }
    const bundles = readable.filter(({ content }) => content.kind !== "simple-signing");
    const chosen = bundles.length > 0 ? bundles : readable;
    if (chosen.length === 0) throw nothing(formatReference(image.ref), found);
    for (const each of chosen) io.stdout.write(`${bundles.length > 0 ? writeBundle(each) : legacyLine(each)}\n`);
  },
});

function nothing(name: string, found: readonly (Evidence | Unreadable)[]): TsignError {
  const unreadable = found.length > 0 ? `, but ${found.length} that cannot be read` : "";
  return new TsignError("no-signatures", `${name}: no signatures associated${unreadable}`);
}

/** One legacy signature under cosign's field names; certificates are PEM text. */
function legacyLine({ content, annotations }: Evidence): string {
  const json = (text: string | undefined): unknown => {
    try {
      return text ? JSON.parse(text) : null;
    } catch {
      return null;
    }
  };
  return goJson({
    Base64Signature: encodeBase64(content.signature),
    Payload: content.kind === "simple-signing" ? encodeBase64(content.payload) : "",
    Cert: annotations[ANNOTATION.certificate] || null,
    Chain: annotations[ANNOTATION.chain] || null,
    Bundle: json(annotations[ANNOTATION.logEntry]),
    RFC3161Timestamp: json(annotations[ANNOTATION.timestamp]),
  });
}
