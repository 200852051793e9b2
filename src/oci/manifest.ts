import * as z from "zod/mini";
import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import type { Descriptor, Manifest } from "./types.ts";

/** Media types of manifests and indexes, OCI and Docker: what tsign asks registries for. */
export const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
] as const;
export const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
] as const;

const annotations = z.record(z.string(), z.string());
const descriptor = z.looseObject({
  mediaType: z.string(),
  digest: z.string().check(z.refine(isDigest, "not a sha256 or sha512 digest")),
  size: z.int().check(z.nonnegative()),
  artifactType: z.optional(z.string()),
  annotations: z.nullish(annotations),
});
const manifest = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.optional(z.string()),
  artifactType: z.optional(z.string()),
  config: z.optional(descriptor),
  layers: z.nullish(z.array(descriptor)),
  manifests: z.nullish(z.array(descriptor)),
  subject: z.nullish(descriptor),
  annotations: z.nullish(annotations),
});

/**
 * Reads a manifest or index. What it is, is decided by its own `mediaType`, else by the type it was served with; the two
 * must not contradict (OCI image spec, "mediaType" of manifest.md).
 *
 * @param where names it in the error
 * @throws TsignError "registry"
 */
export function readManifest(bytes: Uint8Array, options: { servedType: string; where: string }): Manifest {
  const { where } = options;
  const parsed = manifest.safeParse(parse(bytes, where));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.join(".") ?? "";
    throw new TsignError("registry", `${where} is not an image manifest: bad or missing ${field || "content"}`);
  }
  const { data } = parsed;
  const served = options.servedType.split(";")[0]?.trim() ?? "";
  const mediaType = data.mediaType ?? served;
  const isIndex = data.manifests !== undefined && data.manifests !== null;
  if ((isIndex && data.layers) || (isIndexType(mediaType) && !isIndex) || (isManifestType(mediaType) && isIndex)) {
    throw new TsignError("registry", `${where} is both an image and an index`);
  }
  return {
    mediaType,
    ...(data.artifactType === undefined ? {} : { artifactType: data.artifactType }),
    ...(data.config ? { config: toDescriptor(data.config) } : {}),
    layers: (data.layers ?? []).map(toDescriptor),
    ...(data.manifests ? { manifests: data.manifests.map(toDescriptor) } : {}),
    ...(data.subject ? { subject: toDescriptor(data.subject) } : {}),
    annotations: data.annotations ?? {},
  };
}

function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.some((type) => type === mediaType);
}

function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.some((type) => type === mediaType);
}

function toDescriptor(data: z.infer<typeof descriptor>): Descriptor {
  const { annotations, digest, ...rest } = data;
  if (!isDigest(digest)) throw new TsignError("internal", "the schema let a bad digest through");
  return { ...rest, digest, ...(annotations ? { annotations } : {}) } as Descriptor;
}

function parse(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new TsignError("registry", `${where} is not JSON`, { cause });
  }
}
