import { isUtf8 } from "node:buffer";
import { openAttachments, resolveImage } from "../../cli/options/images.ts";
import { recordedTime } from "../../cli/options/recorded-time.ts";
import type { Run } from "../../cli/parser/define.ts";
import { printStored } from "../../cli/print/stored.ts";
import { TsignError } from "../../errors.ts";
import { looksLikeBundle, readBundle } from "../../evidence/bundle/read.ts";
import { readEnvelope } from "../../evidence/envelope.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../../evidence/media-types.ts";
import type { Evidence } from "../../evidence/model.ts";
import { readStatement } from "../../evidence/statement.ts";
import { putBundleReferrer } from "../../evidence/write-referrer.ts";
import { splitJsonStream } from "../../format/json-stream.ts";
import { descriptorOf, type RegistryImage } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { attachmentLimit, maxAttachmentSize } from "../../oci/attachments.ts";
import type { ImageStore } from "../../oci/types.ts";
import { storeLegacyAttestation } from "../../sign/store-attestation.ts";
import type definition from "./attestation.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  recordedTime(io);
  if (flags.attestation.length === 0) throw new TsignError("usage", "--attestation is required");
  const attached: Attached[] = [];
  for (const path of flags.attestation) {
    io.stderr.write(`Using payload from: ${path}\n`);
    attached.push(...readDocuments(await readBlob(io, path, attachmentLimit(io.env)), path));
  }
  const image = await resolveImage(io, { text, flags, mustExist: true, warnAboutTags: true });
  const store = await openAttachments(io, image, flags);
  for (const each of attached) await storeOne(io, each, { image, store, tagPrefix: flags.attachmentTagPrefix });
};

/** A JSON document of a file: a bundle or an envelope. */
type Attached =
  | { readonly kind: "bundle"; readonly text: string; readonly predicateType: string }
  | { readonly kind: "envelope"; readonly evidence: Evidence; readonly envelope: Uint8Array };

async function storeOne(
  io: Io,
  attached: Attached,
  to: { image: RegistryImage; store: ImageStore; tagPrefix: string },
): Promise<void> {
  const { image, store, tagPrefix } = to;
  if (attached.kind === "bundle") {
    const subject = await descriptorOf(image);
    const { text: bundle, predicateType } = attached;
    const { digest } = await putBundleReferrer({ store, subject, bundle, predicateType, created: recordedTime(io) });
    printStored(io, { kind: `attestation of type ${predicateType}`, where: `${store.name}@${digest}` });
    return;
  }
  const { evidence, envelope } = attached;
  const { digest } = await storeLegacyAttestation({
    io,
    store,
    digest: image.digest,
    tagPrefix,
    attestation: { evidence, envelope, predicateType: undefined },
    replace: false,
    maxBytes: maxAttachmentSize(io.env),
    style: { dockerMediaTypes: false, created: undefined, subject: undefined },
  });
  printStored(io, { kind: "attestation", where: `${store.name}@${digest}`, evidence });
}

/** Reads the JSON documents of a file, one or several, as `download attestation` prints them. */
function readDocuments(bytes: Uint8Array, path: string): Attached[] {
  if (!isUtf8(bytes)) throw new TsignError("input", `${path} is not UTF-8 text`);
  const documents = splitJsonStream(Buffer.from(bytes).toString("utf8"));
  if (documents.length === 0) throw new TsignError("input", `read ${path}: no attestation found`);
  return documents.map((document) => readDocument(document, path));
}

function readDocument(text: string, path: string): Attached {
  const bytes = Buffer.from(text);
  const origin = { kind: "file", where: path } as const;
  if (looksLikeBundle(bytes)) {
    const { content } = readBundle(bytes, origin);
    if (content.kind !== "dsse")
      throw new TsignError("input", `read ${path}: expected an attestation, found the signature of a file`);
    return { kind: "bundle", text, predicateType: readStatement(content).predicateType };
  }
  const content = readEnvelope(bytes, path);
  if (content.payloadType !== IN_TOTO_PAYLOAD_TYPE) {
    throw new TsignError(
      "input",
      `payload type mismatch in ${path}: got "${content.payloadType}", want "${IN_TOTO_PAYLOAD_TYPE}"`,
    );
  }
  const evidence: Evidence = { origin, content, key: { kind: "none" }, log: [], timestamps: [], annotations: {} };
  return { kind: "envelope", evidence, envelope: bytes };
}
