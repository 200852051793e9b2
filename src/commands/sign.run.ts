import { runBatch } from "../cli/batch.ts";
import { parseAnnotations } from "../cli/options/annotations.ts";
import { endDryRun, printPlannedImage, type SigningPlan, unchanging } from "../cli/options/dry-run.ts";
import { type Forms, formsOf } from "../cli/options/forms.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments, requireExperimental } from "../cli/options/images.ts";
import { nameOf, openImagesToSign } from "../cli/options/images-to-sign.ts";
import { keyReference } from "../cli/options/key.ts";
import { legacyStyle } from "../cli/options/legacy-style.ts";
import { writeRequested } from "../cli/options/output-places.ts";
import { recordedTime } from "../cli/options/recorded-time.ts";
import { openSigning } from "../cli/options/signing.ts";
import { missingOf, requireSkippable } from "../cli/options/skip-signed.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { printVerifyCommand } from "../cli/print/certified-identity.ts";
import {
  requireSignatureFiles,
  type SignedPayload,
  writeLegacyBundles,
  writeSignatureFiles,
} from "../cli/print/signature-files.ts";
import { printStored } from "../cli/print/stored.ts";
import { TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { putBundleReferrer } from "../evidence/write-referrer.ts";
import type { WantedSignature } from "../images/already-signed.ts";
import { descriptorOf, type RegistryImage } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { attachmentTag } from "../oci/tags.ts";
import { type SignedClaims, signStatement, simpleSigningPayload } from "../sign/payload.ts";
import type { Session } from "../sign/session.ts";
import { storeLegacyReferrer, storeLegacySignature } from "../sign/store.ts";
import type definition from "./sign.ts";
import type { flags } from "./sign.ts";

export const run: Run<typeof definition> = async (real, { args, flags, given }) => {
  const io = flags.dryRun ? unchanging(real) : real;
  keyReference(flags); // fails before any image is looked up
  recordedTime(io);
  const forms = formsOf(flags, given);
  requireSkippable(flags);
  refuseContradictions(io, flags, forms);
  const payload = await readPayload(io, flags.payload);
  const annotations = parseAnnotations(flags.annotations);
  const texts = (await readImageInputs(io, args, flags)).images;
  const { recursive } = flags;
  const { images, named } = await openImagesToSign(io, texts, { flags, mustExist: forms.bundle, recursive });
  await requireSignatureFiles(io, flags, images);
  const opened = await openSigning(io, flags, {
    bundlePathCounts: false,
    contents: [...(forms.legacy ? (["message"] as const) : []), ...(forms.bundle ? (["envelope"] as const) : [])],
    skips: flags.skipSigned ? "--skip-signed" : undefined,
  });
  const { session, identity, plan } = opened;
  const missing = flags.skipSigned ? await missingOf(io, flags, { opened, wanted: { kind: "signatures" } }) : undefined;
  await runBatch(io, images, {
    done: plan ? "to be signed" : "signed",
    label: "signing images",
    nameOf,
    workers: plan || writesOutput(flags) ? 1 : SIGNED_AT_A_TIME,
    goOn: false, // what signs an image makes it public: a broken service must not do so for all
    advice: "To sign the others, run the command again with --skip-signed.",
    work: async (own, image) => {
      const wanted = wantedFor(image, { flags, forms, payload, annotations });
      const unsigned = missing ? await missing(image, wanted) : wanted;
      if (unsigned.length === 0) {
        own.stderr.write(`Already signed: ${nameOf(image)}\n`);
        return "skipped";
      }
      await signImage({ io: own, flags, forms, session, image, wanted: unsigned, plan });
      return "done";
    },
  });
  if (plan) endDryRun(io);
  if (!identity || !flags.upload) return;
  printVerifyCommand(io.stderr, identity, { words: "verify", flags, args: named });
};

/** Images signed at a time, which is also the most requests to a log at a time. */
const SIGNED_AT_A_TIME = 4;

/** Whether signatures are written somewhere besides the registry, in the order of the images. */
function writesOutput(flags: SignFlags): boolean {
  const { outputCertificate, outputPayload, outputSignature, bundle, upload } = flags;
  return !upload || [outputCertificate, outputPayload, outputSignature, bundle].some((path) => path !== "");
}

type SignFlags = FlagValues<typeof flags>;

/** One image to sign, and how. */
interface Signing {
  readonly io: Io;
  readonly flags: SignFlags;
  readonly forms: Forms;
  readonly session: Session;
  readonly image: RegistryImage;
  /** What to sign. */
  readonly wanted: readonly WantedSignature[];
  /** Only with --dry-run. */
  readonly plan: SigningPlan | undefined;
}

/** The signatures that the flags ask for: a bundle, and a legacy signature for each --sign-container-identity. */
function wantedFor(
  image: RegistryImage,
  {
    flags,
    forms,
    payload,
    annotations,
  }: {
    flags: SignFlags;
    forms: Forms;
    /** The content of --payload; undefined to generate one. */
    payload: Uint8Array | undefined;
    annotations: SignedClaims["annotations"];
  },
): WantedSignature[] {
  const claims = { digest: image.digest, annotations };
  const names = flags.signContainerIdentity.length > 0 ? flags.signContainerIdentity : [image.ref.name];
  const payloads = payload
    ? [payload]
    : names.map((dockerReference) => simpleSigningPayload({ ...claims, dockerReference }));
  return [
    ...(forms.bundle ? [{ form: "bundle", content: signStatement(claims) } as const] : []),
    ...(forms.legacy ? payloads.map((content) => ({ form: "legacy", content }) as const) : []),
  ];
}

/** Refuses flags that contradict each other, and warns of flags that the form does not use. */
function refuseContradictions(io: Io, flags: SignFlags, forms: Forms): void {
  requireExperimental(io, flags.registryReferrersMode);
  if (!flags.upload && forms.bundle && flags.bundle === "") {
    throw new TsignError("usage", "must enable upload or specify a bundle path with --bundle");
  }
  const legacyFile = flags.outputSignature !== "" || (flags.bundle !== "" && !forms.bundle);
  if (!flags.upload && forms.legacy && !legacyFile) {
    if (forms.bundle) {
      throw new TsignError("usage", "--upload=false would discard the legacy signature", {
        hint: "write it with --output-signature FILE and --output-payload FILE, or use --format bundle",
      });
    }
    io.stderr.write("WARNING: --upload=false discards the signature; write it with --output-signature FILE\n");
  }
  if (forms.legacy) return;
  const legacyOnly = {
    "--payload": flags.payload !== "",
    "--sign-container-identity": flags.signContainerIdentity.length > 0,
    "--record-creation-timestamp": flags.recordCreationTimestamp,
    "--registry-referrers-mode": flags.registryReferrersMode !== "",
  };
  for (const [name, set] of Object.entries(legacyOnly)) {
    if (set) io.stderr.write(`WARNING: ${name} is ignored for a bundle\n`);
  }
}

/** Reads the file of --payload, before anything is signed. */
async function readPayload(io: Io, path: string): Promise<Uint8Array | undefined> {
  if (path === "") return undefined;
  io.stderr.write(`Using payload from: ${path}\n`);
  const payload = await readBlob(io, path);
  if (payload.length === 0) throw new TsignError("input", `read payload ${path}: the file is empty`);
  return payload;
}

/** Signs in every form, then stores: if one form fails, nothing is stored. */
async function signImage(signing: Signing): Promise<void> {
  const contentsOf = (form: WantedSignature["form"]) =>
    signing.wanted.flatMap((each) => (each.form === form ? [each.content] : []));
  const [statement] = contentsOf("bundle");
  const payloads = contentsOf("legacy");
  const stores = [
    ...(statement ? [await signAsBundle(signing, statement)] : []),
    ...(payloads.length > 0 ? [await signAsLegacy(signing, payloads)] : []),
  ];
  if (signing.plan) return printPlan(signing, signing.plan);
  for (const store of stores) await store();
}

/** Prints what `signImage` would store and write. */
async function printPlan({ io, flags, forms, image, wanted }: Signing, plan: SigningPlan): Promise<void> {
  const { name } = await openAttachments(io, image, flags);
  const tag = attachmentTag(image.digest, "sig", flags.attachmentTagPrefix);
  const isReferrer = flags.registryReferrersMode === "oci-1-1";
  const { bundle, outputSignature, outputPayload, outputCertificate, upload } = flags;
  const paths = [bundle, outputSignature, outputPayload, plan.hasCertificate ? outputCertificate : ""];
  printPlannedImage(io, plan, {
    ...{ subject: nameOf(image), repository: name, forms, upload },
    contents: wanted.map(({ form }) => (form === "bundle" ? BUNDLE_CONTENT : "simple signing payload")),
    legacy: isReferrer ? `${name}, as a legacy signature that refers to the image` : `${name}:${tag}`,
    removed: [],
    files: paths.filter((path) => path !== ""),
  });
}

const BUNDLE_CONTENT = `in-toto statement of type ${SIGN_PREDICATE_TYPE}`;

/** Returns a function that stores the signature. */
async function signAsBundle(
  { io, flags, forms, session, image }: Signing,
  statement: Uint8Array,
): Promise<() => Promise<void>> {
  const evidence = await session.sign({ kind: "statement", statement });
  return async () => {
    const bundle = writeBundle(evidence);
    if (!forms.legacy) {
      const { key } = session.identity;
      await writeSignatureFiles(io, { flags, image, signed: [{ evidence, payload: statement }], key });
    }
    await writeRequested(io, { path: flags.bundle, kind: "bundle", content: bundle });
    if (!flags.upload) return;
    const store = await openAttachments(io, image, flags);
    io.stderr.write(`Pushing signature to: ${store.name}\n`);
    const subject = await descriptorOf(image);
    const created = recordedTime(io);
    const { digest } = await putBundleReferrer({ store, subject, bundle, predicateType: SIGN_PREDICATE_TYPE, created });
    printStored(io, { kind: "signature", where: `${store.name}@${digest}`, evidence });
  };
}

/** Returns a function that stores the signatures. */
async function signAsLegacy(signing: Signing, payloads: readonly Uint8Array[]): Promise<() => Promise<void>> {
  const { io, flags, forms, session, image } = signing;
  const made: SignedPayload[] = [];
  for (const payload of payloads) {
    made.push({ payload, evidence: await session.sign({ kind: "payload", payload }) });
  }
  return async () => {
    await writeSignatureFiles(io, { flags, image, signed: made, key: session.identity.key });
    if (!forms.bundle) await writeLegacyBundles(io, flags.bundle, made);
    if (!flags.upload) return;
    for (const { evidence } of made) await storeLegacy(signing, evidence);
  };
}

async function storeLegacy({ io, flags, session, image }: Signing, evidence: Evidence) {
  const store = await openAttachments(io, image, flags);
  const referrer = flags.registryReferrersMode === "oci-1-1";
  const style = legacyStyle(io, flags, referrer ? await descriptorOf(image) : undefined);
  io.stderr.write(`Pushing signature to: ${store.name}\n`);
  const { digest } = image;
  const tagPrefix = flags.attachmentTagPrefix;
  const stored = referrer
    ? await storeLegacyReferrer({ store, evidence, style })
    : await storeLegacySignature({ io, store, digest, tagPrefix, evidence, key: session.identity.key, style });
  printStored(io, { kind: "signature", where: `${store.name}@${stored.digest}`, evidence });
}
