import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import { isObject } from "../format/json.ts";
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
/** Largest manifest or index that is read, in bytes. Most registries refuse more than 4 MiB, some take what they are given. */
export const MAX_MANIFEST = 32 * 1024 * 1024;

/**
 * Reads a manifest or index as Go programs do: null is absent, and what is absent is empty. What it is, is decided by its own
 * `mediaType`, else by the type it was served with, else by its shape; type and shape must not contradict (OCI image spec,
 * "mediaType" of manifest.md).
 *
 * @param options.where names it in the error
 * @throws TsignError "registry"
 */
export function readManifest(bytes: Uint8Array, options: { servedType: string; where: string }): Manifest {
  const { where } = options;
  const data = parse(bytes, where);
  try {
    const children = list(data["manifests"], "manifests");
    const layers = list(data["layers"], "layers");
    const hasShape = children !== undefined || layers !== undefined || data["config"] !== undefined;
    if ((data["schemaVersion"] ?? (hasShape ? 2 : undefined)) !== 2) throw new BadField("schemaVersion");
    const own = text(data["mediaType"], "mediaType");
    const mediaType = own || typeFrom(options.servedType, children !== undefined);
    if (isContradictory(mediaType, { children, layers })) {
      throw new TsignError("registry", `${where} is both an image and an index`);
    }
    const artifactType = text(data["artifactType"], "artifactType");
    const config = optional(data["config"], "config");
    const subject = optional(data["subject"], "subject");
    return {
      mediaType,
      ...(artifactType ? { artifactType } : {}),
      ...(config ? { config } : {}),
      layers: (layers ?? []).map((each, index) => readDescriptor(each, `layers.${index}`)),
      ...(children || isIndexType(mediaType)
        ? { manifests: (children ?? []).map((each, index) => readDescriptor(each, `manifests.${index}`)) }
        : {}),
      ...(subject ? { subject } : {}),
      annotations: readAnnotations(data["annotations"], "annotations") ?? {},
    };
  } catch (error) {
    if (!(error instanceof BadField)) throw error;
    throw new TsignError("registry", `${where} is not an image manifest: bad or missing ${error.message}`);
  }
}

/**
 * Reads one entry of a listing. Only the digest has to be there: the rest says what to expect, and the manifest itself is
 * what counts.
 *
 * @throws TsignError "registry"
 */
export function readListed(value: unknown): Descriptor {
  try {
    if (!isObject(value)) throw new BadField("entry");
    const readable = { ...value };
    for (const name of ["mediaType", "artifactType"]) if (typeof value[name] !== "string") delete readable[name];
    if (typeof value["size"] !== "number") delete readable["size"];
    const annotations = isObject(value["annotations"]) ? Object.entries(value["annotations"]) : [];
    readable["annotations"] = Object.fromEntries(annotations.filter(([, each]) => typeof each === "string"));
    return readDescriptor(readable, "");
  } catch (error) {
    if (!(error instanceof BadField)) throw error;
    throw new TsignError("registry", `a listed entry has a bad or missing ${error.message.replace(/^\./, "")}`);
  }
}

/** Says which field of a document is not what it has to be. */
class BadField extends Error {}

/** Whether a media type is that of an index, OCI or Docker. */
export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.some((type) => type === mediaType);
}

/** Whether a media type is that of an image manifest or an index. */
export function isKnownType(mediaType: string): boolean {
  return isManifestType(mediaType) || isIndexType(mediaType);
}

function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.some((type) => type === mediaType);
}

/** Types that servers give to whatever they do not know. */
const GENERAL_TYPES = new Set(["", "application/json", "application/octet-stream", "text/plain", "text/html"]);

/** The type of a document that states none itself. */
function typeFrom(servedType: string, hasChildren: boolean): string {
  const served = baseType(servedType);
  if (!GENERAL_TYPES.has(served)) return served;
  return hasChildren ? INDEX_TYPES[0] : MANIFEST_TYPES[0];
}

/** A Content-Type without its parameters. */
export function baseType(contentType: string | undefined): string {
  return contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
}

function isContradictory(mediaType: string, shape: { children: unknown; layers: unknown }): boolean {
  if (shape.children !== undefined && shape.layers !== undefined) return true;
  return (
    (isIndexType(mediaType) && shape.layers !== undefined) ||
    (isManifestType(mediaType) && shape.children !== undefined)
  );
}

function readDescriptor(value: unknown, field: string): Descriptor {
  if (!isObject(value)) throw new BadField(field);
  const { digest, size = null } = value;
  if (typeof digest !== "string" || !isDigest(digest)) throw new BadField(`${field}.digest`);
  if (size !== null && (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0)) {
    throw new BadField(`${field}.size`);
  }
  const { annotations: _annotations, ...rest } = withoutNulls(value);
  const annotations = readAnnotations(value["annotations"], `${field}.annotations`);
  const mediaType = text(value["mediaType"], `${field}.mediaType`) ?? "";
  text(value["artifactType"], `${field}.artifactType`);
  return { ...rest, mediaType, digest, size: size ?? 0, ...(annotations ? { annotations } : {}) };
}

function optional(value: unknown, field: string): Descriptor | undefined {
  return value === undefined || value === null ? undefined : readDescriptor(value, field);
}

function withoutNulls(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== null));
}

function text(value: unknown, field: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw new BadField(field);
  return value;
}

function list(value: unknown, field: string): readonly unknown[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) throw new BadField(field);
  return value;
}

/** Of text to text; undefined when there are none. */
function readAnnotations(value: unknown, field: string): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new BadField(field);
  const entries = Object.entries(value).map(([name, each]) => [name, text(each, `${field}.${name}`) ?? ""] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Bytes that are not UTF-8 are read as Go reads them; the digest is over the bytes, whatever they say. */
function parse(bytes: Uint8Array, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new TsignError("registry", `${where} is not JSON`, { cause });
  }
  if (!isObject(value)) throw new TsignError("registry", `${where} is not an image manifest: bad or missing content`);
  return value;
}
