import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { mapAhead } from "../../oci/parallel.ts";
import { type AttachmentKind, attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, ListedReferrer, StoredManifest } from "../../oci/types.ts";
import { isBundle, isSignatureImage } from "../kinds.ts";
import { BUNDLE_ANNOTATION, SIGN_PREDICATE_TYPE } from "../media-types.ts";

const KINDS: readonly AttachmentKind[] = ["sig", "att", "sbom"];
const SBOM_TYPE = /spdx|cyclonedx|syft|sbom/i;
/** Referrers of referrers of …: a signature of an SBOM of an image is at the second. */
const MAX_DEPTH = 4;
/** Most referrers of one image, theirs included; and how many are looked at at a time. */
const MAX_REFERRERS = 100_000;
const WORKERS = 8;

/** Something stored with an image: under a tag made of the image's digest, or as a referrer. */
export interface Attached {
  /** What it is, as `--only` calls it; "other" for referrers that are neither signature nor attestation nor SBOM. */
  readonly kind: AttachmentKind | "other";
  readonly digest: Digest;
  /** What it is attached to. */
  readonly subject: Digest;
  /** Stored by tag; undefined for a referrer. */
  readonly tagged: boolean;
}

/**
 * Everything attached to one manifest: what its `.sig`, `.att` and `.sbom` tags hold, then its referrers and theirs.
 *
 * @throws TsignError, also for a listed referrer that cannot be read: what is left out silently is lost
 */
export async function findAttached(
  store: ImageStore,
  subject: Digest,
  options: { tagPrefix: string },
): Promise<Attached[]> {
  const tagged = await Promise.all(
    KINDS.map(async (kind) => {
      const found = await store.resolve(attachmentTag(subject, kind, options.tagPrefix));
      return found ? [{ kind, digest: found.digest, subject, tagged: true }] : [];
    }),
  );
  return [...tagged.flat(), ...(await referringTo(store, subject, new Set([subject]), 1))];
}

async function referringTo(store: ImageStore, subject: Digest, seen: Set<Digest>, depth: number): Promise<Attached[]> {
  const look = async (entry: ListedReferrer): Promise<Attached[]> => {
    if ("unreadable" in entry) throw new TsignError("registry", `${store.name}@${subject}: ${entry.unreadable}`);
    const { digest } = entry;
    if (seen.has(digest)) return [];
    seen.add(digest);
    if (seen.size > MAX_REFERRERS) throw new TsignError("limit", `${store.name}@${subject} has too many referrers`);
    const stored = await store.manifest(digest);
    if (!stored) return []; // an entry of a fallback index that outlived what it lists
    if (stored.manifest.subject?.digest !== subject) return []; // a fallback index may be anyone's
    const found: Attached = { kind: kindOf(stored), digest, subject, tagged: false };
    return depth < MAX_DEPTH ? [found, ...(await referringTo(store, digest, seen, depth + 1))] : [found];
  };
  const found: Attached[] = [];
  for await (const each of mapAhead(store.referrers(subject), { limit: WORKERS }, look)) found.push(...each);
  return found;
}

function kindOf(stored: StoredManifest): Attached["kind"] {
  const { manifest } = stored;
  if (isBundle(stored)) {
    const predicate = manifest.annotations[BUNDLE_ANNOTATION.predicateType];
    return predicate === undefined || predicate === SIGN_PREDICATE_TYPE ? "sig" : "att";
  }
  if (isSignatureImage(stored)) return "sig";
  const types = [manifest.artifactType, manifest.config?.mediaType, ...manifest.layers.map((each) => each.mediaType)];
  return types.some((type) => type !== undefined && SBOM_TYPE.test(type)) ? "sbom" : "other";
}
