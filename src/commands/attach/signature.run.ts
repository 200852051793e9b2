import { openAttachments, resolveImage } from "../../cli/options/images.ts";
import { recordedTime } from "../../cli/options/recorded-time.ts";
import type { FlagValues, Run } from "../../cli/parser/define.ts";
import { printStored } from "../../cli/print/stored.ts";
import { TsignError } from "../../errors.ts";
import { looksLikeBundle, readBundle } from "../../evidence/bundle/read.ts";
import { readLegacyLogEntry } from "../../evidence/legacy/proofs.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { signatureImage, signatureLayer } from "../../evidence/legacy/write.ts";
import type { Evidence } from "../../evidence/model.ts";
import { readStatement } from "../../evidence/statement.ts";
import { putBundleReferrer } from "../../evidence/write-referrer.ts";
import { decodeBase64 } from "../../format/base64.ts";
import { isObject, parseJson } from "../../format/json.ts";
import { shellQuoted } from "../../format/shell-quoted.ts";
import { descriptorOf, type RegistryImage } from "../../images/open.ts";
import type { Io } from "../../io/io.ts";
import { readBlob } from "../../net/input.ts";
import { appendToTag } from "../../oci/append.ts";
import { attachmentLimit } from "../../oci/attachments.ts";
import { attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, StoredManifest } from "../../oci/types.ts";
import { simpleSigningPayload } from "../../sign/payload.ts";
import type definition from "./signature.ts";
import type { flags } from "./signature.ts";

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  recordedTime(io);
  const path = flags.payload || flags.bundle;
  const payload = path === "" ? undefined : await readBlob(io, path, attachmentLimit(io.env));
  const isBundle = payload !== undefined && looksLikeBundle(payload);
  if (!isBundle && flags.signature === "") throw new TsignError("usage", "--signature is required");
  const evidence = isBundle ? undefined : await readParts(io, flags);
  const image = await resolveImage(io, { text, flags, mustExist: true, warnAboutTags: true });
  const store = await openAttachments(io, image, flags);
  if (isBundle) return attachBundle(io, { bytes: payload, path, image, store });
  if (!payload) io.stderr.write("WARNING: --payload is not set; assuming the payload that `tsign sign` generates\n");
  const signed = payload ?? impliedPayload(image);
  await attachLegacy(io, { evidence: evidence?.(signed), image, store, tagPrefix: flags.attachmentTagPrefix });
};

type AttachFlags = FlagValues<typeof flags>;

function impliedPayload({ digest, ref }: RegistryImage): Uint8Array {
  return simpleSigningPayload({ digest, annotations: {}, dockerReference: ref.name });
}

async function attachBundle(
  io: Io,
  to: { bytes: Uint8Array; path: string; image: RegistryImage; store: ImageStore },
): Promise<void> {
  const { bytes, path, image, store } = to;
  const { content } = readBundle(bytes, { kind: "file", where: path });
  if (content.kind !== "dsse")
    throw new TsignError("input", `read ${path}: expected the signature of an image, found that of a file`);
  const { predicateType } = readStatement(content);
  const subject = await descriptorOf(image);
  const bundle = Buffer.from(bytes).toString("utf8");
  const { digest } = await putBundleReferrer({ store, subject, bundle, predicateType, created: recordedTime(io) });
  printStored(io, { kind: "signature", where: `${store.name}@${digest}` });
}

async function attachLegacy(
  io: Io,
  to: { evidence: Evidence | undefined; image: RegistryImage; store: ImageStore; tagPrefix: string },
): Promise<void> {
  const { evidence, image, store, tagPrefix } = to;
  if (evidence?.content.kind !== "simple-signing") throw new TsignError("internal", "a signature without its payload");
  await store.putBlob(evidence.content.payload);
  const layer = signatureLayer(evidence);
  const style = { dockerMediaTypes: false, created: undefined, subject: undefined };
  const annotations = JSON.stringify(layer.annotations);
  const merge = async (current: StoredManifest | undefined) => {
    const layers = current?.manifest.layers ?? [];
    const isThere = layers.some(
      (each) => each.digest === layer.digest && JSON.stringify(each.annotations) === annotations,
    );
    return isThere ? undefined : signatureImage({ store, current, layer, style });
  };
  const { digest } = await appendToTag({ io, store, tag: attachmentTag(image.digest, "sig", tagPrefix), merge });
  printStored(io, { kind: "signature", where: `${store.name}@${digest}`, evidence });
}

/** Reads all parts, so that a missing or wrong one fails before anything is stored. */
async function readParts(io: Io, flags: AttachFlags): Promise<(payload: Uint8Array) => Evidence> {
  const bytes = Buffer.from(await readBlob(io, flags.signature));
  const signature = decodeBase64(bytes.toString("latin1").trim());
  if (!signature || signature.length === 0) throw notBase64(flags.signature, bytes);
  const certificates = async (path: string) =>
    path === "" ? [] : readCertificates(Buffer.from(await readBlob(io, path)).toString("latin1"), path);
  const [leaf] = await certificates(flags.certificate);
  const chain = await certificates(flags.certificateChain);
  if (flags.certificate !== "" && !leaf)
    throw new TsignError("input", `read ${flags.certificate}: no certificate found`);
  if (flags.certificateChain !== "") {
    if (!leaf) io.stderr.write("WARNING: --certificate-chain is ignored without --certificate\n");
    else if (chain.length === 0) throw new TsignError("input", `read ${flags.certificateChain}: no certificate found`);
  }
  const log = flags.rekorResponse === "" ? [] : [await readLogEntry(io, flags.rekorResponse)];
  const timestamps = flags.tsr === "" ? [] : [await readBlob(io, flags.tsr)];
  return (payload) => ({
    origin: { kind: "file", where: flags.signature },
    content: { kind: "simple-signing", payload, signature },
    key: leaf ? { kind: "certificate", leaf, chain, binding: false } : { kind: "none" },
    log,
    timestamps,
    annotations: {},
  });
}

/** Reads the `rekorBundle` of a legacy blob bundle. */
async function readLogEntry(io: Io, path: string) {
  const json = parseJson(await readBlob(io, path), path);
  return readLegacyLogEntry(isObject(json) ? json["rekorBundle"] : undefined, `the rekorBundle of ${path}`);
}

function notBase64(path: string, bytes: Uint8Array): TsignError {
  const isRaw = bytes.some((byte) => byte >= 0x7f || (byte < 0x20 && ![0x09, 0x0a, 0x0d].includes(byte)));
  const hint = isRaw
    ? { hint: `attach the output of \`base64 ${shellQuoted(path)}\`: the file looks like a raw signature` }
    : {};
  return new TsignError("input", `read ${path}: invalid base64`, hint);
}
