import { goJson } from "../format/go-json.ts";
import type { Descriptor, ImageStore } from "./types.ts";

const ZERO_TIME = "0001-01-01T00:00:00Z";
const IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const IMAGE_INDEX = "application/vnd.oci.image.index.v1+json";
const IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json";

/** A file in a registry: an image of which it is the only layer. */
export interface Artifact {
  /** Stored already. */
  readonly layer: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
  /** Of the config; by default that of any image, which then lists the layer. */
  readonly configType?: string;
}

/**
 * Stores an image that holds one file, as go-containerregistry would.
 *
 * @param tag undefined stores it by digest alone
 */
export async function putArtifact(
  store: ImageStore,
  { layer, annotations, configType }: Artifact,
  tag?: string,
): Promise<Descriptor> {
  const listed = configType === undefined;
  const config = {
    architecture: "",
    created: ZERO_TIME,
    ...(listed ? { history: [{ created: ZERO_TIME }] } : {}),
    os: "",
    rootfs: { type: "layers", diff_ids: listed ? [layer.digest] : null },
    config: {},
  };
  const { size, digest } = await store.putBlob(Buffer.from(goJson(config)));
  const manifest = {
    schemaVersion: 2,
    mediaType: IMAGE_MANIFEST,
    config: { mediaType: configType ?? IMAGE_CONFIG, size, digest },
    layers: [{ mediaType: layer.mediaType, size: layer.size, digest: layer.digest }],
    ...withAnnotations(annotations),
  };
  return store.putManifest(Buffer.from(goJson(manifest)), {
    mediaType: IMAGE_MANIFEST,
    ...(tag === undefined ? {} : { tag }),
  });
}

/** Stores an index of images that are there already. */
export async function putIndex(
  store: ImageStore,
  index: {
    images: readonly { descriptor: Descriptor; platform: Readonly<Record<string, string>> }[];
    annotations: Readonly<Record<string, string>>;
  },
  tag?: string,
): Promise<Descriptor> {
  const manifests = index.images.map(({ descriptor: { mediaType, size, digest }, platform }) => ({
    mediaType,
    size,
    digest,
    platform,
    artifactType: IMAGE_CONFIG,
  }));
  const bytes = Buffer.from(
    goJson({ schemaVersion: 2, mediaType: IMAGE_INDEX, manifests, ...withAnnotations(index.annotations) }),
  );
  return store.putManifest(bytes, { mediaType: IMAGE_INDEX, ...(tag === undefined ? {} : { tag }) });
}

function withAnnotations(annotations: Readonly<Record<string, string>>) {
  const keys = Object.keys(annotations).sort();
  return keys.length === 0 ? {} : { annotations: Object.fromEntries(keys.map((key) => [key, annotations[key]])) };
}
