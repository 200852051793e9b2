import type { Descriptor, StoredManifest } from "../oci/types.ts";
import {
  BUNDLE_MEDIA_TYPE_PREFIX,
  SBOM_ARTIFACT_TYPE,
  SIGNATURE_ARTIFACT_TYPE,
  SIMPLE_SIGNING_MEDIA_TYPE,
} from "./media-types.ts";

/**
 * Whether a referrer is a bundle, by the layer's media type, or by the artifact type, as stored by `oras attach --artifact-type=…`.
 * Reading the layer shows whether it really is one.
 */
export function isBundle({ manifest }: StoredManifest): boolean {
  const types = [manifest.layers[0]?.mediaType, manifest.artifactType];
  return types.some((type) => type?.startsWith(BUNDLE_MEDIA_TYPE_PREFIX));
}

/** Whether a referrer is a legacy signature image (cosign's OCI 1.1 mode). */
export function isSignatureImage({ manifest }: StoredManifest): boolean {
  return (
    (manifest.artifactType ?? manifest.config?.mediaType) === SIGNATURE_ARTIFACT_TYPE ||
    (manifest.layers.length > 0 && manifest.layers.every((layer) => layer.mediaType === SIMPLE_SIGNING_MEDIA_TYPE))
  );
}

/** Whether a referrer is an SBOM stored by `attach sbom --registry-referrers-mode=oci-1-1`. */
export function isSbom({ manifest }: StoredManifest): boolean {
  return (manifest.artifactType ?? manifest.config?.mediaType) === SBOM_ARTIFACT_TYPE;
}

/** Generic types that registries list for manifests without an artifact type: those of configs. */
const GENERIC = new Set([
  "application/vnd.oci.empty.v1+json",
  "application/vnd.oci.image.config.v1+json",
  "application/vnd.docker.container.image.v1+json",
  "application/octet-stream",
  "application/json",
  "unknown",
]);
const OURS = [BUNDLE_MEDIA_TYPE_PREFIX, SIGNATURE_ARTIFACT_TYPE, SBOM_ARTIFACT_TYPE, SIMPLE_SIGNING_MEDIA_TYPE];

/**
 * Whether a listed referrer may be a signature, an attestation or an SBOM, by its listed artifact type. With no type or a generic
 * one, only the manifest shows it.
 */
export function mayBeOurs({ artifactType = "" }: Descriptor): boolean {
  return artifactType === "" || GENERIC.has(artifactType) || OURS.some((type) => artifactType.startsWith(type));
}
