import { openAttachments, resolveImage } from "../cli/options/images.ts";
import type { Run } from "../cli/parser/define.ts";
import { TsignError } from "../errors.ts";
import { claimedSigner } from "../evidence/find/claimed-signer.ts";
import { findEvidence } from "../evidence/find/find.ts";
import { BUNDLE_ANNOTATION } from "../evidence/media-types.ts";
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

export const run: Run<typeof definition> = async (io, { args: [text = ""], flags }) => {
  parseReference(text);
  io.stdout.write(`📦 Supply Chain Security Related artifacts for an image: ${text}\n`);
  const image = await resolveImage(io, {
    text,
    flags,
    mustExist: true,
    warnAboutTags: false,
  });
  const store = await openAttachments(io, image, flags);
  const referrers = flags.experimentalOci11 && flags.registryReferrersMode !== "legacy";
  const attached = [
    ...(await findTagged(store, image, flags.attachmentTagPrefix)),
    ...(referrers ? await findReferrers(io, store, image) : []),
  ];
  if (attached.length === 0) io.stdout.write(`No Supply Chain Security Related Artifacts found for image ${text}\n`);
  const signers = flags.signers
    ? await readSigners(io, { store, image, tagPrefix: flags.attachmentTagPrefix })
    : new Map<string, string>();
  for (const each of attached) printAttached(io, each, signers);
  if (signers.size > 0)
    io.stderr.write("WARNING: nothing was verified; the signers are those that the signatures claim\n");
};

const TAGGED: readonly { kind: AttachmentKind; title: string }[] = [
  { kind: "sig", title: "🔐 Signatures for an image tag" },
  { kind: "att", title: "💾 Attestations for an image tag" },
  { kind: "sbom", title: "📦 SBOMs for an image tag" },
];

const WORKERS = 8;

/** Errors that are not about the artifact. */
const UNEXPECTED = new Set(["internal", "cancelled", "timeout", "auth", "network"]);

/** One artifact attached to the image. */
interface Attached {
  readonly title: string;
  readonly where: string;
  readonly layers: readonly Digest[];
}

async function findTagged(store: ImageStore, { digest }: RegistryImage, prefix: string): Promise<Attached[]> {
  const found = await Promise.all(
    TAGGED.map(async ({ kind, title }) => {
      const tag = attachmentTag(digest, kind, prefix);
      const stored = await store.manifest(tag);
      return stored
        ? [{ title, where: `${store.name}:${tag}`, layers: stored.manifest.layers.map((layer) => layer.digest) }]
        : [];
    }),
  );
  return found.flat();
}

/**
 * Lists the referrers with the types of their own manifests, because some registries list them without a type or with a wrong
 * one. A referrer that cannot be read becomes a warning.
 */
async function findReferrers(io: Io, store: ImageStore, { digest }: RegistryImage): Promise<Attached[]> {
  const look = async (entry: ListedReferrer): Promise<Attached | { warning: string }> => {
    if ("unreadable" in entry) return { warning: `${store.name}@${digest}: ${entry.unreadable}` };
    const where = `${store.name}@${entry.digest}`;
    try {
      const stored = await store.manifest(entry.digest);
      if (!stored) throw missingReferrer(entry);
      const { annotations, artifactType, config, layers, manifests } = stored.manifest;
      const type = annotations[BUNDLE_ANNOTATION.predicateType] ?? artifactType ?? config?.mediaType ?? "unknown";
      const title = `🔗 ${printable(type)} artifacts via OCI referrer`;
      return { title, where, layers: (manifests ?? layers).map((layer) => layer.digest) };
    } catch (error) {
      if (!(error instanceof TsignError) || UNEXPECTED.has(error.code)) throw error;
      return { warning: `${where} cannot be read: ${error.message}` };
    }
  };
  const attached: Attached[] = [];
  for await (const each of mapAhead(store.referrers(digest), { limit: WORKERS }, look)) {
    if ("warning" in each) io.stderr.write(`WARNING: ${printable(each.warning)}\n`);
    else attached.push(each);
  }
  return attached.sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
}

/** The signer that each signature claims, by the place of the signature. */
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

function printAttached(io: Io, { title, where, layers }: Attached, signers: ReadonlyMap<string, string>): void {
  io.stdout.write(`└── ${title}: ${where}\n`);
  layers.forEach((layer, index) => {
    const last = index === layers.length - 1;
    io.stdout.write(`   ${last ? "└──" : "├──"} 🍒 ${layer}\n`);
    const signer =
      signers.get(`${where}, layer ${index + 1}`) ?? (layers.length === 1 ? signers.get(where) : undefined);
    if (signer !== undefined) io.stdout.write(`   ${last ? "   " : "│  "}    by ${signer}\n`);
  });
}
