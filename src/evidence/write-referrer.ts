import { digestOf } from "../format/digest.ts";
import { goJson } from "../format/go-json.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { plainDescriptor } from "./legacy/write.ts";
import { BUNDLE_ANNOTATION, BUNDLE_MEDIA_TYPE } from "./media-types.ts";

const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", bytes: Buffer.from("{}") };
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/**
 * Stores a bundle as an OCI 1.1 referrer of its subject, as cosign does: an empty config that repeats the artifact type, the
 * bundle as the only layer, and the predicate type as an annotation.
 *
 * @param created time of signing; written in whole seconds, UTC
 * @returns the descriptor of the stored manifest
 */
export async function putBundleReferrer(options: {
  store: ImageStore;
  subject: Descriptor;
  bundle: string;
  predicateType: string;
  created: Date;
}): Promise<Descriptor> {
  const { store, subject, predicateType } = options;
  const [config, layer] = await Promise.all([store.putBlob(EMPTY.bytes), store.putBlob(Buffer.from(options.bundle))]);
  const manifest = {
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: {
      mediaType: EMPTY.mediaType,
      size: config.size,
      digest: digestOf(EMPTY.bytes),
      artifactType: BUNDLE_MEDIA_TYPE,
    },
    layers: [{ mediaType: BUNDLE_MEDIA_TYPE, size: layer.size, digest: layer.digest }],
    annotations: {
      [BUNDLE_ANNOTATION.content]: "dsse-envelope",
      [BUNDLE_ANNOTATION.predicateType]: predicateType,
      "org.opencontainers.image.created": options.created.toISOString().replace(/\.\d+Z$/, "Z"),
    },
    subject: plainDescriptor(subject),
    artifactType: BUNDLE_MEDIA_TYPE,
  };
  return store.putReferrer(Buffer.from(goJson(manifest)), { mediaType: MANIFEST_TYPE });
}
