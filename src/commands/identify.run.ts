import { type ClaimedSignature, type ClaimedSubject, claimedSignature } from "../cli/inspect/claimed-signature.ts";
import { openTarget } from "../cli/options/images.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { TsignError, withSubject } from "../errors.ts";
import { looksLikeBundle, readBundle } from "../evidence/bundle/read.ts";
import { findEvidence } from "../evidence/find/find.ts";
import type { Evidence } from "../evidence/model.ts";
import { readLegacyBlobBundle } from "../evidence/read-files.ts";
import { printable } from "../format/printable.ts";
import { eachLocalImage, isLocalName } from "../images/local.ts";
import type { ImageTarget } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { parseReference } from "../oci/ref.ts";
import type definition from "./identify.ts";

type Flags = FlagValues<typeof definition.flags>;

/** What a bundle beside a file is called. */
const ENDINGS = [".sigstore.json", ".sigstore", ".bundle", ".json"];
/** Bytes of the largest file that may be a bundle itself. */
const MAX_BUNDLE = 128 * 1024 * 1024;
const WORKERS = 8;

/** What was found. */
interface Claims {
  readonly subject: ClaimedSubject;
  readonly shown: string;
  readonly evidence: readonly Evidence[];
}

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  const found = await findClaims(io, text, flags);
  const subject = found.length === 1 ? (found[0]?.shown ?? text) : text;
  if (found.every(({ evidence }) => evidence.length === 0)) {
    throw new TsignError("no-signatures", `no signatures found for ${subject}`);
  }
  const signatures: (ClaimedSignature & { image?: string })[] = [];
  io.stderr.write("WARNING: nothing was verified: anyone can make a signature that names any signer\n");
  for (const { subject: claimed, shown, evidence } of found) {
    if (evidence.length === 0) io.stderr.write(`WARNING: no signatures found for ${shown}\n`);
    else io.stdout.write(`${shown}\n`);
    for (const each of evidence) {
      const claim = await claimedSignature(each, claimed);
      signatures.push(found.length === 1 ? claim : { image: shown, ...claim });
      printClaim(io, claim);
    }
  }
  return { subject, verified: false, signatures };
};

/** Returns what was found for the image or file, or for each image of a folder or an archive; at least one. */
async function findClaims(io: Io, text: string, flags: Flags): Promise<Claims[]> {
  const isStream = /^(-|https?:\/\/.*)$/.test(text);
  const there = isStream ? undefined : await io.files.stat(text);
  // A bundle beside an archive is that of the file, as for any other file.
  const isArchive = there?.kind === "file" && text.endsWith(".tar") && !(await findBundleBeside(io, text));
  if (there?.kind === "directory" || isArchive || (!isStream && !there && isLocalName(text))) {
    return localClaims(io, text, flags);
  }
  if (there || isStream) return [await fileClaims(io, text, flags)];
  parseReference(text);
  const target = await openTarget(io, text, { flags: { ...flags, localImage: false }, mustExist: true });
  return [await imageClaims(io, target, { kind: "image", name: `${target.repository}@${target.digest}`, flags })];
}

async function localClaims(io: Io, text: string, flags: Flags): Promise<Claims[]> {
  const found: Claims[] = [];
  for (const name of await eachLocalImage(io, [text])) {
    const target = await openTarget(io, name, { flags: { ...flags, localImage: true }, mustExist: true });
    found.push(await imageClaims(io, target, { kind: "layout", name, flags }));
  }
  return found;
}

async function imageClaims(io: Io, target: ImageTarget, subject: ClaimedSubject): Promise<Claims> {
  const found: Evidence[] = [];
  for (const attachment of ["sig", "att"] as const) {
    const places = findEvidence(target.attachments, {
      subject: target.digest,
      forms: { legacy: true, bundle: attachment === "sig" },
      attachment,
      tagPrefix: subject.flags.attachmentTagPrefix,
      maxBytes: maxAttachmentSize(io.env),
      workers: WORKERS,
    });
    for await (const each of places) {
      if ("incomplete" in each) throw each.incomplete;
      if ("unreadable" in each) {
        io.stderr.write(`WARNING: cannot read ${printable(`${each.origin.where}: ${each.unreadable}`)}\n`);
      } else found.push(each);
    }
  }
  return { subject, shown: subject.name ?? "", evidence: found };
}

async function fileClaims(io: Io, path: string, flags: Flags): Promise<Claims> {
  const size = (await io.files.stat(path).catch(() => undefined))?.size ?? 0;
  const bytes = size > MAX_BUNDLE ? undefined : await readBlob(io, path);
  const own = bytes && (await evidenceIn(bytes, path));
  if (own) return { subject: { kind: "file", name: undefined, bundle: path, flags }, shown: path, evidence: [own] };
  const beside = await bundleBeside(io, path);
  return {
    subject: { kind: "file", name: path, bundle: beside.bundle, flags },
    shown: path,
    evidence: [beside.evidence],
  };
}

async function bundleBeside(io: Io, path: string): Promise<{ bundle: string; evidence: Evidence }> {
  const found = await findBundleBeside(io, path);
  if (found) return found;
  throw new TsignError("no-signatures", `${path} is not a bundle, and there is no bundle beside it`, {
    hint: `pass the bundle of the file, or name it ${path.split("/").at(-1)}.sigstore.json`,
  });
}

async function findBundleBeside(io: Io, path: string): Promise<{ bundle: string; evidence: Evidence } | undefined> {
  for (const ending of ENDINGS) {
    const bundle = `${path}${ending}`;
    if ((await io.files.stat(bundle))?.kind !== "file") continue;
    const evidence = await evidenceIn(await readBlob(io, bundle), bundle);
    if (evidence) return { bundle, evidence };
  }
  return undefined;
}

/** The signature in a bundle, in either form; undefined for another file. */
async function evidenceIn(bytes: Uint8Array, path: string): Promise<Evidence | undefined> {
  if (looksLikeBundle(bytes)) return withSubject(path, () => readBundle(bytes, { kind: "file", where: path }));
  try {
    return readLegacyBlobBundle(bytes, path).evidence;
  } catch (error) {
    if (error instanceof TsignError && error.code === "bad-bundle") return undefined;
    throw error;
  }
}

function printClaim(io: Io, claim: ClaimedSignature): void {
  const { where, kind, predicateType, signer, issuer, source, time, logIndex, command, note } = claim;
  const facts = Object.entries(source).map(([name, value]) => `${name} ${value}`);
  io.stdout.write(`${predicateType === undefined ? kind : `${kind} of type ${predicateType}`} in ${where}\n`);
  const line = (name: string, value: string | undefined) =>
    value && io.stdout.write(`\t${`${name}:`.padEnd(8)} ${value}\n`);
  line("signer", `${signer}, not verified`);
  line("issuer", issuer);
  line("source", facts.join(", "));
  line("time", time && `${time}, as log entry ${logIndex} claims`);
  line("verify", command);
  line("note", note);
}
