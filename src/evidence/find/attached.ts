import { TsignError } from "../../errors.ts";
import type { Digest } from "../../format/digest.ts";
import { mapAhead } from "../../oci/parallel.ts";
import { type AttachmentKind, attachmentTag } from "../../oci/tags.ts";
import type { ImageStore, ListedReferrer, StoredManifest } from "../../oci/types.ts";
import { isBundle, isSignatureImage } from "../kinds.ts";
import { BUNDLE_ANNOTATION, SIGN_PREDICATE_TYPE } from "../media-types.ts";

const KINDS: readonly AttachmentKind[] = ["sig", "att", "sbom"];
const SBOM_TYPE = /spdx|cyclonedx|syft|sbom/i;
/** Deepest nesting of referrers; a signature of an image's SBOM is at level two. */
const MAX_DEPTH = 4;
/** Most referrers of one image, including nested ones; and most concurrent requests. */
const MAX_REFERRERS = 100_000;
const WORKERS = 8;

/** An attachment of an image: under a tag derived from the image's digest, or a referrer. */
export interface Attached {
  /** Its kind, as in `--only`; "other" for referrers that are not a signature, attestation or SBOM. */
  readonly kind: AttachmentKind | "other";
  readonly digest: Digest;
  /** The manifest it is attached to. */
  readonly subject: Digest;
  /** Whether it is stored under a tag, not as a referrer. */
  readonly tagged: boolean;
}

/**
 * Finds everything attached to a manifest: its `.sig`, `.att` and `.sbom` tags, then its referrers and their referrers.
 *
 * @throws TsignError "limit" for too many referrers; "registry" also for an unreadable entry, which would otherwise be lost
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
  const inspect = async (entry: ListedReferrer): Promise<Attached[]> => {
    if ("unreadable" in entry) throw new TsignError("registry", `${store.name}@${subject}: ${entry.unreadable}`);
    const { digest } = entry;
    if (seen.has(digest)) return [];
    seen.add(digest);
    if (seen.size > MAX_REFERRERS)
      throw new TsignError("limit", `${store.name}@${subject} has more than ${MAX_REFERRERS} referrers`);
    const stored = await store.manifest(digest);
    if (!stored) return []; // a stale entry of a fallback index
    if (stored.manifest.subject?.digest !== subject) return []; // anyone can write a fallback index
    const found: Attached = { kind: kindOf(stored), digest, subject, tagged: false };
    return depth < MAX_DEPTH ? [found, ...(await referringTo(store, digest, seen, depth + 1))] : [found];
  };
  const found: Attached[] = [];
  for await (const each of mapAhead(store.referrers(subject), { limit: WORKERS }, inspect)) found.push(...each);
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
