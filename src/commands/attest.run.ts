import { runBatch } from "../cli/batch.ts";
import { readAttested, requireSize } from "../cli/options/attesting.ts";
import { endDryRun, printPlannedImage, type SigningPlan, unchanging } from "../cli/options/dry-run.ts";
import { type Forms, formsOf } from "../cli/options/forms.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments } from "../cli/options/images.ts";
import { nameOf, openImagesToSign } from "../cli/options/images-to-sign.ts";
import { legacyStyle } from "../cli/options/legacy-style.ts";
import { writeRequested } from "../cli/options/output-places.ts";
import { recordedTime } from "../cli/options/recorded-time.ts";
import { openSigning } from "../cli/options/signing.ts";
import { missingOf, requireSkippableAttestation } from "../cli/options/skip-signed.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { printVerifyCommand } from "../cli/print/certified-identity.ts";
import { printStored } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { writeEnvelope } from "../evidence/envelope.ts";
import { legacyBlobBundle } from "../evidence/legacy/write.ts";
import type { Evidence } from "../evidence/model.ts";
import { type Listed, removeListed } from "../evidence/remove.ts";
import { parseStatement } from "../evidence/statement.ts";
import { putBundleReferrer } from "../evidence/write-referrer.ts";
import { parseDigest } from "../format/digest.ts";
import type { WantedSignature } from "../images/already-signed.ts";
import { descriptorOf, type RegistryImage } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { attachmentTag } from "../oci/tags.ts";
import type { ImageStore } from "../oci/types.ts";
import { type Attested, envelopeAsSignature, envelopeSize, statementAbout } from "../sign/attestation.ts";
import { predicateTypeOf, requirePredicateType } from "../sign/predicates.ts";
import type { Session } from "../sign/session.ts";
import { bundlesOfType, storeLegacyAttestation } from "../sign/store-attestation.ts";
import type definition from "./attest.ts";
import type { flags } from "./attest.ts";

export const run: Run<typeof definition> = async (real, { args, flags, given }) => {
  const io = flags.dryRun ? unchanging(real) : real;
  const forms = formsOf(flags, given);
  recordedTime(io);
  requireSkippableAttestation(flags);
  if (flags.noUpload && forms.bundle && flags.bundle === "") {
    throw new TsignError("usage", "must enable upload or specify a bundle path with --bundle");
  }
  if (flags.statement === "") requirePredicateType(flags.type);
  const attested = await readAttested(io, flags);
  const texts = (await readImageInputs(io, args, flags)).images;
  const { recursive } = flags;
  const { images, named } = await openImagesToSign(io, texts, {
    flags,
    mustExist: forms.bundle || recursive,
    recursive,
  });
  if (flags.bundle !== "" && images.length > 1) {
    throw new TsignError("usage", `expected one image with --bundle, found ${images.length}`, {
      hint: "attest the images one by one, or leave out --bundle",
    });
  }
  const statements = images.map((image) => statementFor(io, { image, attested, type: flags.type }));
  for (const { statement } of statements) requireSize(io, statement);
  const opened = await openSigning(io, flags, {
    bundlePathCounts: false,
    contents: ["envelope"],
    envelopeSize: Math.max(...statements.map(({ statement }) => envelopeSize(statement))),
    skips: flags.skipAttested ? "--skip-attested" : undefined,
  });
  const { session, identity, plan } = opened;
  const predicateType = attested.kind === "statement" ? attested.predicateType : predicateTypeOf(flags.type);
  const missing = flags.skipAttested
    ? await missingOf(io, flags, { opened, wanted: { kind: "attestations", predicateType } })
    : undefined;
  const timeField = attested.kind === "predicate" && flags.type === "custom" ? "Timestamp" : undefined;
  await runBatch(io, statements, {
    done: plan ? "to be attested" : "attested",
    skipped: "already attested",
    label: "attesting images",
    nameOf: ({ image }) => nameOf(image),
    workers: plan || flags.noUpload ? 1 : ATTESTED_AT_A_TIME,
    goOn: false, // what signs a statement makes it public: a broken service must not do so for all
    advice:
      flags.noUpload || flags.replace || flags.bundle !== ""
        ? "To attest the others, run the command again for them."
        : "To attest the others, run the command again with --skip-attested.",
    work: async (own, about) => {
      const wanted = wantedFor(about.statement, { forms, timeField });
      const left = missing ? await missing(about.image, wanted) : wanted;
      if (left.length === 0) {
        own.stderr.write(`Already attested: ${nameOf(about.image)}\n`);
        return "skipped";
      }
      await attestImage({ io: own, flags, forms: formsIn(left), session, plan, ...about });
      return "done";
    },
  });
  if (plan) endDryRun(io);
  if (!identity || flags.noUpload) return;
  const options = ["--type", attested.kind === "statement" ? attested.predicateType : flags.type];
  printVerifyCommand(io.stderr, identity, { words: "verify-attestation", flags, options, args: named });
};

/** What would be stored with an image. */
function wantedFor(
  content: Uint8Array,
  { forms, timeField }: { forms: Forms; timeField: WantedSignature["timeField"] },
): WantedSignature[] {
  return (["bundle", "legacy"] as const).filter((form) => forms[form]).map((form) => ({ form, content, timeField }));
}

function formsIn(wanted: readonly WantedSignature[]): Forms {
  const has = (name: keyof Forms) => wanted.some(({ form }) => form === name);
  return { bundle: has("bundle"), legacy: has("legacy") };
}

/** Images attested at a time, which is also the most requests to a log at a time. */
const ATTESTED_AT_A_TIME = 4;

type AttestFlags = FlagValues<typeof flags>;

/** One image to attest. */
interface Attesting {
  readonly io: Io;
  readonly flags: AttestFlags;
  readonly forms: Forms;
  readonly session: Session;
  readonly image: RegistryImage;
  readonly statement: Uint8Array;
  readonly predicateType: string;
  /** Only with --dry-run. */
  readonly plan: SigningPlan | undefined;
}

/** Returns the statement about an image. @throws TsignError "input" for a --statement that is about another image */
function statementFor(io: Io, { image, attested, type }: { image: RegistryImage; attested: Attested; type: string }) {
  const { algorithm, hex } = parseDigest(image.digest);
  if (attested.kind === "statement") {
    const isAbout = parseStatement(attested.bytes).subjects.some(({ digest }) => digest[algorithm] === hex);
    if (!isAbout) throw new TsignError("input", `${attested.path} has no subject with the digest ${image.digest}`);
  }
  const subject = { name: image.ref.name, digest: { [algorithm]: hex } };
  return { image, ...statementAbout(attested, { type, subject, now: recordedTime(io) }) };
}

/** Signs once, makes every form, then stores: if one form fails, nothing is stored. */
async function attestImage(attesting: Attesting): Promise<void> {
  const { forms, session, statement } = attesting;
  const evidence = await session.sign({ kind: "statement", statement, form: forms.bundle ? "bundle" : "legacy" });
  const legacy = forms.bundle && forms.legacy ? await session.legacyForm(evidence) : undefined;
  if (attesting.plan) return printPlan(attesting, attesting.plan);
  if (!forms.bundle) return storeAsLegacy(attesting, evidence);
  await storeAsBundle(attesting, evidence);
  if (legacy) await storeAsLegacy(attesting, legacy);
}

/** Prints what `attestImage` would store, replace and write. */
async function printPlan(attesting: Attesting, plan: SigningPlan): Promise<void> {
  const { io, flags, forms, image, predicateType } = attesting;
  const store = await openAttachments(io, image, flags);
  const { name } = store;
  const legacy = `${name}:${attachmentTag(image.digest, "att", flags.attachmentTagPrefix)}`;
  const replaces = flags.replace && !flags.noUpload;
  const outdated = replaces && forms.bundle ? await bundlesOfType(store, image.digest, predicateType) : [];
  const files = flags.noUpload && forms.legacy ? [flags.bundle, "-"] : [flags.bundle];
  printPlannedImage(io, plan, {
    ...{ subject: nameOf(image), repository: name, forms, legacy, upload: !flags.noUpload },
    contents: [`in-toto statement of type ${predicateType}`],
    removed: [
      ...outdated.map(({ digest }) => `${name}@${digest}`),
      ...(replaces && forms.legacy ? [`the attestations of type ${predicateType} in ${legacy}`] : []),
    ],
    files: files.filter((path) => path !== ""),
  });
}

async function storeAsBundle(attesting: Attesting, evidence: Evidence): Promise<void> {
  const { io, flags, image, predicateType } = attesting;
  const bundle = writeBundle(evidence);
  await writeRequested(io, { path: flags.bundle, kind: "bundle", content: bundle });
  if (flags.noUpload) return;
  const store = await openAttachments(io, image, flags);
  const outdated = flags.replace ? await bundlesOfType(store, image.digest, predicateType) : [];
  const subject = await descriptorOf(image);
  const { digest } = await putBundleReferrer({ store, subject, bundle, predicateType, created: recordedTime(io) });
  printStored(io, { kind: `attestation of type ${predicateType}`, where: `${store.name}@${digest}`, evidence });
  // After the new one is stored, so that an interruption leaves at least one.
  await removeOutdated(attesting, store, outdated);
}

/** Removes the replaced attestations. @throws TsignError that says that the new one is stored */
async function removeOutdated({ io, image, predicateType }: Attesting, store: ImageStore, outdated: readonly Listed[]) {
  const { failure } = await removeListed(io, store, image.digest, outdated);
  if (!failure) return;
  const message = `the new attestation of type ${predicateType} is stored, but the ones it replaces could not be removed`;
  throw new TsignError(failure.code, `${message}: ${failure.message}`, {
    hint: "do not attest again: the new attestation is stored beside the old ones",
    cause: failure,
  });
}

async function storeAsLegacy(attesting: Attesting, evidence: Evidence): Promise<void> {
  const { io, flags, forms, image, predicateType } = attesting;
  if (evidence.content.kind !== "dsse") throw new TsignError("internal", "a statement was not signed in an envelope");
  const envelope = writeEnvelope(evidence.content);
  if (!forms.bundle) {
    const content = legacyBlobBundle(envelopeAsSignature(evidence, envelope));
    await writeRequested(io, { path: flags.bundle, kind: "bundle", content });
  }
  if (flags.noUpload) {
    io.stdout.data(`${envelope}\n`);
    return;
  }
  const store = await openAttachments(io, image, flags);
  const stored = await storeLegacyAttestation({
    io,
    store,
    digest: image.digest,
    tagPrefix: flags.attachmentTagPrefix,
    attestation: { evidence, envelope: Buffer.from(envelope), predicateType },
    replace: flags.replace,
    maxBytes: maxAttachmentSize(io.env),
    style: legacyStyle(io, flags),
  });
  printStored(io, { kind: `attestation of type ${predicateType}`, where: `${store.name}@${stored.digest}`, evidence });
}
