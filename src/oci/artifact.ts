import { goJson } from "../format/go-json.ts";
import { INDEX_TYPE } from "./manifest.ts";
import type { Descriptor, ImageStore } from "./types.ts";

const ZERO_TIME = "0001-01-01T00:00:00Z";
const IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json";

/** A file stored in a registry as the only layer of an image. */
export interface Artifact {
  /** Descriptor of the layer, which is already stored. */
  readonly layer: Descriptor;
  readonly annotations: Readonly<Record<string, string>>;
  /** Media type of the config. By default the image config type; the config then lists the layer. */
  readonly configType?: string;
}

/**
 * Stores an image with one layer, byte for byte as go-containerregistry does.
 *
 * @param tag undefined stores it by digest only
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

/** Stores an index of images that are already stored. */
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
    goJson({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests, ...withAnnotations(index.annotations) }),
  );
  return store.putManifest(bytes, { mediaType: INDEX_TYPE, ...(tag === undefined ? {} : { tag }) });
}

function withAnnotations(annotations: Readonly<Record<string, string>>) {
  const keys = Object.keys(annotations).sort();
  return keys.length === 0 ? {} : { annotations: Object.fromEntries(keys.map((key) => [key, annotations[key]])) };
}
