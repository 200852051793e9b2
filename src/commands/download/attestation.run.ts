import { openAttachments, resolveImage } from "../../cli/options/images.ts";
import type { Run } from "../../cli/parser/define.ts";
import { readingReport } from "../../cli/print/reading.ts";
import { TsignError } from "../../errors.ts";
import { findEvidence } from "../../evidence/find/find.ts";
import type { Evidence } from "../../evidence/model.ts";
import { readStatement } from "../../evidence/statement.ts";
import { encodeBase64 } from "../../format/base64.ts";
import { parseForPrinting } from "../../format/signed-json.ts";
import { imageForPlatform } from "../../images/platform.ts";
import { maxAttachmentSize } from "../../oci/attachments.ts";
import { formatReference } from "../../oci/ref.ts";
import { predicateTypeOf, requirePredicateType } from "../../sign/predicates.ts";
import type definition from "./attestation.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  if (flags.predicateType !== "") requirePredicateType(flags.predicateType);
  const image = await resolveImage(io, { text, flags, mustExist: false, warnAboutTags: false });
  const digest =
    flags.platform === "" ? image.digest : await imageForPlatform(image.store, image.digest, flags.platform);
  const store = await openAttachments(io, image, flags);
  const report = readingReport(io);
  const attestations: unknown[] = [];
  let printed = 0;
  for (const forms of [
    { legacy: false, bundle: true },
    { legacy: true, bundle: false },
  ]) {
    const found = findEvidence(store, {
      subject: digest,
      forms,
      attachment: "att",
      tagPrefix: flags.attachmentTagPrefix,
      maxBytes: maxAttachmentSize(io.env),
      workers: WORKERS,
      documents: true,
    });
    for await (const each of report.readable(found)) {
      if (!isOf(each, flags.predicateType)) continue;
      const line = lineOf(each);
      io.stdout.data(`${line}\n`);
      if (flags.json) attestations.push(JSON.parse(line));
      printed++;
    }
  }
  if (printed > 0) return { attestations };
  report.requireComplete();
  if (flags.predicateType === "" && report.unreadable === 0) return { attestations };
  const wanted = flags.predicateType === "" ? "attestations" : `attestations of type ${flags.predicateType}`;
  throw new TsignError("no-signatures", `no ${wanted} found for ${formatReference(image.ref)}`);
};

const WORKERS = 10;

function isOf({ content }: Evidence, type: string): boolean {
  if (content.kind !== "dsse") return false;
  if (type === "") return true;
  try {
    return readStatement(content).predicateType === predicateTypeOf(type);
  } catch {
    return false; // not a statement
  }
}

/** Returns a stored bundle on one line, or an envelope as cosign prints it. */
function lineOf({ content, document }: Evidence): string {
  if (document) return JSON.stringify(parseForPrinting(Buffer.from(document).toString("utf8")));
  if (content.kind !== "dsse") throw new TsignError("internal", "a signature among attestations");
  const { payloadType, payload, signature } = content;
  const signatures = [{ keyid: "", sig: encodeBase64(signature) }];
  return JSON.stringify({ payloadType, payload: encodeBase64(payload), signatures });
}
