import { forEachImage } from "../cli/each-image.ts";
import { readImageInputs } from "../cli/options/image-sources.ts";
import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { type Attached, artifactGroup, attestationGroup, printTree } from "../cli/print/attachment-tree.ts";
import { lookOf } from "../cli/print/style.ts";
import { TsignError } from "../errors.ts";
import { claimedSigner } from "../evidence/find/claimed-signer.ts";
import { findEvidence } from "../evidence/find/find.ts";
import { BUNDLE_ANNOTATION, SIGN_PREDICATE_TYPE, SIGNATURE_ARTIFACT_TYPE } from "../evidence/media-types.ts";
import type { Digest } from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import type { RegistryImage } from "../images/open.ts";
import type { Io } from "../io/io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { missingReferrer } from "../oci/missing-referrer.ts";
import { mapAhead } from "../oci/parallel.ts";
import { parseReference } from "../oci/ref.ts";
import { type AttachmentKind, attachmentTag } from "../oci/tags.ts";
import type { ImageStore, ListedReferrer } from "../oci/types.ts";
import type definition from "./tree.ts";

export const run: Run<typeof definition> = async (io, { args, flags, answer }) => {
  const { images } = await readImageInputs(io, args, flags);
  const trees: Awaited<ReturnType<typeof showTree>>[] = [];
  answer({ images: trees });
  await forEachImage(io, images, async (text) => void trees.push(await showTree(io, text, flags)));
  return { images: trees };
};

async function showTree(io: Io, text: string, flags: FlagValues<typeof definition.flags>) {
  parseReference(text);
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: true,
    warnAboutTags: false,
  });
  const store = await openAttachments(io, image, flags);
  const referrers = flags.experimentalOci11 && flags.registryReferrersMode !== "legacy";
  const found = [
    ...(await findTagged(store, image, flags.attachmentTagPrefix)),
    ...(referrers ? await findReferrers(io, store, image) : []),
  ];
  const signers = flags.signers
    ? await readSigners(io, { store, image, tagPrefix: flags.attachmentTagPrefix })
    : new Map<string, string>();
  const header = `Supply Chain Security Related artifacts for an image: ${text}`;
  const attached = found.map((each) => withSigners(each, signers));
  // Only now: a tree that fails leaves no output.
  printTree(io.stdout, { header, attached, look: lookOf(io, "stdout") });
  if (attached.length === 0) io.stdout.write(`No Supply Chain Security Related Artifacts found for image ${text}\n`);
  if (signers.size > 0) {
    io.stderr.write("WARNING: nothing was verified; the signers are those that the signatures claim\n");
  }
  return { image: `${image.ref.name}@${image.digest}`, attached: attached.map(recordOf) };
}

const TAGGED: readonly (Pick<Attached, "group" | "picture" | "title"> & { kind: AttachmentKind })[] = [
  { kind: "sig", group: "Signatures", picture: "🔐", title: "Signatures for an image tag" },
  { kind: "att", group: "Attestations", picture: "💾", title: "Attestations for an image tag" },
  { kind: "sbom", group: "SBOMs", picture: "📦", title: "SBOMs for an image tag" },
];

const WORKERS = 8;

/** Codes of errors that are not about the referrer being read. */
const UNEXPECTED = new Set(["internal", "cancelled", "timeout", "auth", "network"]);

/** Something attached, before its signers are known. */
type Found = Omit<Attached, "layers"> & { readonly layers: readonly Digest[] };

async function findTagged(store: ImageStore, { digest }: RegistryImage, prefix: string): Promise<Found[]> {
  const found = await Promise.all(
    TAGGED.map(async ({ kind, ...shown }) => {
      const tag = attachmentTag(digest, kind, prefix);
      const stored = await store.manifest(tag);
      return stored
        ? [{ ...shown, where: `${store.name}:${tag}`, layers: stored.manifest.layers.map((layer) => layer.digest) }]
        : [];
    }),
  );
  return found.flat();
}

/**
 * Returns the referrers, by type. The type is read from each manifest, because listings may leave it out or have it wrong. A
 * referrer that cannot be read is a warning and does not hide the others.
 */
async function findReferrers(io: Io, store: ImageStore, { digest }: RegistryImage): Promise<Found[]> {
  const look = async (entry: ListedReferrer): Promise<Found | { warning: string }> => {
    if ("unreadable" in entry) return { warning: `${store.name}@${digest}: ${entry.unreadable}` };
    const where = `${store.name}@${entry.digest}`;
    try {
      const stored = await store.manifest(entry.digest);
      if (!stored) throw missingReferrer(entry);
      const { annotations, artifactType, config, layers, manifests } = stored.manifest;
      const predicateType = annotations[BUNDLE_ANNOTATION.predicateType];
      const type = predicateType ?? artifactType ?? config?.mediaType ?? "unknown";
      const title = `${printable(type)} artifacts via OCI referrer`;
      const group = groupOf(type, { isAttestation: predicateType !== undefined });
      return { group, picture: "🔗", title, where, layers: (manifests ?? layers).map((layer) => layer.digest) };
    } catch (error) {
      if (!(error instanceof TsignError) || UNEXPECTED.has(error.code)) throw error;
      return { warning: `cannot read ${where}: ${error.message}` };
    }
  };
  const attached: Found[] = [];
  for await (const each of mapAhead(store.referrers(digest), { limit: WORKERS }, look)) {
    if ("warning" in each) io.stderr.write(`WARNING: ${printable(each.warning)}\n`);
    else attached.push(each);
  }
  return attached.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
}

function groupOf(type: string, { isAttestation }: { isAttestation: boolean }): string {
  if (type === SIGN_PREDICATE_TYPE || type === SIGNATURE_ARTIFACT_TYPE) return "Signatures";
  return isAttestation ? attestationGroup(type) : artifactGroup(type);
}

/** Returns who each signature claims to be by, by the place where it was found. */
async function readSigners(
  io: Io,
  from: { store: ImageStore; image: RegistryImage; tagPrefix: string },
): Promise<ReadonlyMap<string, string>> {
  const { store, image, tagPrefix } = from;
  const signers = new Map<string, string>();
  const repeats: [where: string, first: string][] = [];
  for (const attachment of ["sig", "att"] as const) {
    const found = findEvidence(store, {
      subject: image.digest,
      forms: { legacy: true, bundle: true },
      attachment,
      tagPrefix,
      maxBytes: maxAttachmentSize(io.env),
      workers: WORKERS,
      onRepeat: (origin, first) => repeats.push([origin.where, first.where]),
    });
    for await (const each of found) {
      if ("incomplete" in each) {
        io.stderr.write(`WARNING: ${printable(`${each.origin.where}: ${each.incomplete.message}`)}\n`);
        continue;
      }
      const signer = "unreadable" in each ? `unknown: ${each.unreadable}` : claimedSigner(each);
      signers.set(each.origin.where, printable(signer));
    }
  }
  for (const [where, first] of repeats) signers.set(where, signers.get(first) ?? "unknown");
  return signers;
}

function recordOf({ group, where, layers }: Attached) {
  const shown = layers.map(({ digest, signer }) => ({ digest, ...(signer === undefined ? {} : { signer }) }));
  return { group, where, layers: shown };
}

function withSigners(found: Found, signers: ReadonlyMap<string, string>): Attached {
  const { where, layers } = found;
  const only = layers.length === 1 ? signers.get(where) : undefined;
  const signed = layers.map((digest, index) => ({
    digest,
    signer: signers.get(`${where}, layer ${index + 1}`) ?? only,
  }));
  return { ...found, layers: signed };
}
