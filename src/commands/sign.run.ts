import { parseAnnotations } from "../cli/options/annotations.ts";
import { type Forms, formsOf } from "../cli/options/forms.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments, requireExperimental, resolveImage } from "../cli/options/images.ts";
import { keyReference } from "../cli/options/key.ts";
import { legacyStyle } from "../cli/options/legacy-style.ts";
import { writeRequested } from "../cli/options/output-places.ts";
import { recordedTime } from "../cli/options/recorded-time.ts";
import { openSigning } from "../cli/options/signing.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { printVerifyCommand } from "../cli/print/certified-identity.ts";
import { progress } from "../cli/print/progress.ts";
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
import { descriptorOf, type RegistryImage, withChildren } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { type SignedClaims, signStatement, simpleSigningPayload } from "../sign/payload.ts";
import type { Session } from "../sign/session.ts";
import { storeLegacyReferrer, storeLegacySignature } from "../sign/store.ts";
import type definition from "./sign.ts";
import type { flags } from "./sign.ts";

export const run: Run<typeof definition> = async (io, { args, flags, given }) => {
  keyReference(flags); // fails before any image is looked up
  recordedTime(io);
  const forms = formsOf(flags, given);
  refuseContradictions(io, flags, forms);
  const payload = await readPayload(io, flags.payload);
  const annotations = parseAnnotations(flags.annotations);
  const images: RegistryImage[] = [];
  const named: string[] = [];
  for (const text of (await readImageInputs(io, args, flags)).images) {
    const image = await resolveImage(io, { text, flags, mustExist: forms.bundle, warnAboutTags: true });
    images.push(...(flags.recursive ? await withChildren(image) : [image]));
    named.push(`${image.ref.name}@${image.digest}`);
  }
  await requireSignatureFiles(io, flags, images);
  const { session, identity } = await openSigning(io, flags, {
    bundlePathCounts: false,
    contents: [...(forms.legacy ? (["message"] as const) : []), ...(forms.bundle ? (["envelope"] as const) : [])],
  });
  const line = progress(io, "signing images", { total: images.length, unit: "items" });
  for (const [index, image] of images.entries()) {
    line.update(index);
    await signImage({ io, flags, forms, session, image, claims: { digest: image.digest, annotations }, payload });
  }
  line.end();
  if (!identity || !flags.upload) return;
  printVerifyCommand(io.stderr, identity, { words: "verify", flags, args: named });
};

type SignFlags = FlagValues<typeof flags>;

/** One image to sign, and how. */
interface Signing {
  readonly io: Io;
  readonly flags: SignFlags;
  readonly forms: Forms;
  readonly session: Session;
  readonly image: RegistryImage;
  readonly claims: SignedClaims;
  /** The content of --payload; undefined to generate one. */
  readonly payload: Uint8Array | undefined;
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
  const { forms } = signing;
  const stores = [
    ...(forms.bundle ? [await signAsBundle(signing)] : []),
    ...(forms.legacy ? [await signAsLegacy(signing)] : []),
  ];
  for (const store of stores) await store();
}

/** Returns a function that stores the signature. */
async function signAsBundle({ io, flags, forms, session, image, claims }: Signing): Promise<() => Promise<void>> {
  const statement = signStatement(claims);
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

/** Returns a function that stores the signatures, one for each --sign-container-identity. */
async function signAsLegacy(signing: Signing): Promise<() => Promise<void>> {
  const { io, flags, forms, session, image, claims } = signing;
  const names = flags.signContainerIdentity.length > 0 ? flags.signContainerIdentity : [image.ref.name];
  const payloads =
    signing.payload === undefined
      ? names.map((dockerReference) => simpleSigningPayload({ ...claims, dockerReference }))
      : [signing.payload];
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
