import { TsignError } from "../../errors.ts";
import { goJson } from "../../format/go-json.ts";
import type { Descriptor, ImageStore, StoredManifest } from "../types.ts";

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
/** Most old entries repaired in one write. */
const MAX_REPAIRS = 50;

/**
 * The index that stands in for the referrers API, with more entries: artifact type and annotations in every descriptor, which
 * older clients left out, entries sorted by digest, none twice (OCI distribution spec, "Referrers Tag Schema").
 *
 * @returns undefined when the entries are there already
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
      `${store.name}@${current.descriptor.digest} stands where the referrers index belongs`,
      { hint: "--new-bundle-format=false stores a signature under another tag" },
    );
  }
  const there = new Set<string>(existing.map(({ digest }) => digest));
  const added = new Map(entries.filter(({ digest }) => !there.has(digest)).map((each) => [each.digest, each]));
  if (added.size === 0) return undefined;
  const repaired = await Promise.all(existing.map((each, index) => (index < MAX_REPAIRS ? repair(store, each) : each)));
  const manifests = [...repaired, ...added.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return { bytes: indexBytes(manifests), mediaType: INDEX_TYPE };
}

/** The index without the given entries. */
export function withoutReferrers(current: StoredManifest, gone: ReadonlySet<string>): Uint8Array {
  return indexBytes((current.manifest.manifests ?? []).filter(({ digest }) => !gone.has(digest)));
}

/** How a referrer is listed: its descriptor with what the manifest itself says (distribution spec, "Listing Referrers"). */
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

/** An entry that is gone or unreadable is kept as it is: it is not ours to drop. */
async function repair(store: ImageStore, entry: Descriptor): Promise<Descriptor> {
  if (entry.artifactType && entry.annotations) return entry;
  try {
    const stored = await store.manifest(entry.digest);
    return stored && !stored.manifest.manifests ? { ...entry, ...referrerDescriptor(stored) } : entry;
  } catch (error) {
    if (error instanceof TsignError && error.code !== "cancelled") return entry;
    throw error;
  }
}

function indexBytes(manifests: readonly Descriptor[]): Uint8Array {
  return Buffer.from(goJson({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }));
}
