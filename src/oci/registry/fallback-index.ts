import { TsignError } from "../../errors.ts";
import { goJson } from "../../format/go-json.ts";
import { INDEX_TYPE } from "../manifest.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../types.ts";

/** Most entries of older clients completed in one write. */
const MAX_COMPLETED = 50;

/**
 * Returns the fallback index with additional entries (OCI distribution spec, "Referrers Tag Schema"). Entries are sorted by
 * digest, without duplicates; artifact type and annotations, which older clients omitted, are filled in.
 *
 * @returns undefined when the entries are already there
 */
export async function withReferrers(
  store: ImageStore,
  current: StoredManifest | undefined,
  entries: readonly Descriptor[],
): Promise<{ bytes: Uint8Array; mediaType: string } | undefined> {
  const existing = current?.manifest.manifests ?? [];
  if (current && !current.manifest.manifests) {
    throw new TsignError(
      "registry",
      `update referrers index of ${store.name}: the tag points to ${current.descriptor.digest}, which is not an index`,
      { hint: "pass --new-bundle-format=false to store the signature under another tag" },
    );
  }
  const there = new Set<string>(existing.map(({ digest }) => digest));
  const added = new Map(entries.filter(({ digest }) => !there.has(digest)).map((each) => [each.digest, each]));
  if (added.size === 0) return undefined;
  const repaired = await Promise.all(
    existing.map((each, index) => (index < MAX_COMPLETED ? complete(store, each) : each)),
  );
  const manifests = [...repaired, ...added.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return { bytes: indexBytes(manifests), mediaType: INDEX_TYPE };
}

/** Returns the index without the given digests. */
export function withoutReferrers(current: StoredManifest, gone: ReadonlySet<string>): Uint8Array {
  return indexBytes((current.manifest.manifests ?? []).filter(({ digest }) => !gone.has(digest)));
}

/** Returns the descriptor that lists a referrer, with its artifact type and annotations (distribution spec, "Listing Referrers"). */
export function referrerDescriptor({ descriptor, manifest }: StoredManifest): Descriptor {
  const artifactType = manifest.artifactType ?? manifest.config?.mediaType;
  const { mediaType, size, digest } = descriptor;
  return {
    mediaType,
    size,
    digest,
    ...(artifactType ? { artifactType } : {}),
    ...(Object.keys(manifest.annotations).length > 0 ? { annotations: manifest.annotations } : {}),
  };
}

/** Adds the artifact type and annotations that an entry lacks. An entry whose manifest is missing or invalid is kept unchanged. */
async function complete(store: ImageStore, entry: Descriptor): Promise<Descriptor> {
  if (entry.artifactType && entry.annotations) return entry;
  try {
    const stored = await store.manifest(entry.digest);
    return stored && !stored.manifest.manifests ? { ...entry, ...referrerDescriptor(stored) } : entry;
  } catch (error) {
    if (error instanceof TsignError && error.code !== "cancelled") return entry;
    throw error;
  }
}

/** The JSON of an index with these entries. */
export function indexBytes(manifests: readonly Descriptor[]): Uint8Array {
  return Buffer.from(goJson({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
}
