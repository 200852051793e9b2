import { TsignError } from "../errors.ts";
import { isDigest } from "../format/digest.ts";
import { isObject } from "../format/json.ts";
import { printable } from "../format/printable.ts";
import type { Descriptor, Manifest } from "./types.ts";

/** Media types of manifests and indexes, OCI and Docker, that tsign accepts. */
export const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
] as const;
/** Media type of an OCI image index. */
export const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";
export const INDEX_TYPES = [INDEX_TYPE, "application/vnd.docker.distribution.manifest.list.v2+json"] as const;
/** Size limit of a manifest or index, in bytes. Most registries refuse more than 4 MiB; some have no limit. */
export const MAX_MANIFEST = 32 * 1024 * 1024;

/**
 * Reads a manifest or index as Go programs do: null counts as absent, and an absent field is empty. Its type is its own
 * `mediaType`, else the type it was served with, else the type that its fields suggest; type and fields must not contradict
 * each other (OCI image spec, manifest.md, "mediaType").
 *
 * @param options.where its name in errors
 * @throws TsignError "registry"
 */
export function readManifest(bytes: Uint8Array, options: { servedType: string; where: string }): Manifest {
  const { where } = options;
  const data = parse(bytes, where);
  try {
    requireExact(data, FIELDS, "");
    const children = list(data["manifests"], "manifests");
    const layers = list(data["layers"], "layers");
    const hasShape = children !== undefined || layers !== undefined || data["config"] !== undefined;
    if ((data["schemaVersion"] ?? (hasShape ? 2 : undefined)) !== 2) throw new BadField("schemaVersion");
    const own = text(data["mediaType"], "mediaType");
    const mediaType = own || typeFrom(options.servedType, children !== undefined);
    if (isContradictory(mediaType, { children, layers })) {
      throw new TsignError("registry", `parse ${where}: it is both an image manifest and an index`);
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
    throw new TsignError("registry", `parse ${where}: invalid or missing ${error.message}`);
  }
}

/**
 * Reads one entry of a referrers list. Only the digest is required; the other fields are read again from the manifest itself.
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
    throw new TsignError(
      "registry",
      `parse referrer descriptor: invalid or missing ${error.message.replace(/^\./, "")}`,
    );
  }
}

/** Names an invalid or missing field of a document. */
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

/** Types that servers send for content they do not recognize. */
const GENERAL_TYPES = new Set(["", "application/json", "application/octet-stream", "text/plain", "text/html"]);

/** Returns the media type of a document without a `mediaType` field. */
function typeFrom(servedType: string, hasChildren: boolean): string {
  const served = baseType(servedType);
  if (!GENERAL_TYPES.has(served)) return served;
  return hasChildren ? INDEX_TYPES[0] : MANIFEST_TYPES[0];
}

/** Returns a Content-Type without its parameters, in lower case. */
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
  requireExact(value, DESCRIPTOR_FIELDS, `${field}.`);
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

/** Fields that decide what a manifest consists of. */
const FIELDS = ["schemaVersion", "mediaType", "manifests", "layers", "config", "subject"];
const DESCRIPTOR_FIELDS = ["mediaType", "digest"];

/** Refuses a field that Go programs read too, because they do not compare case: they would run another image. */
function requireExact(data: object, names: readonly string[], prefix: string): void {
  for (const key of Object.keys(data)) {
    const name = names.find((each) => each !== key && each.toLowerCase() === folded(key));
    if (name !== undefined) throw new BadField(`${prefix}${name} (got ${JSON.stringify(printable(key))})`);
  }
}

/** A name without case, as Go folds it: the long s is a letter of ASCII. */
const folded = (name: string) => name.replaceAll("\u017f", "s").toLowerCase();

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

/** Reads annotations, a map of strings; undefined when there are none. */
function readAnnotations(value: unknown, field: string): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new BadField(field);
  const entries = Object.entries(value).map(([name, each]) => [name, text(each, `${field}.${name}`) ?? ""] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Parses JSON. Invalid UTF-8 is replaced, as Go does; the digest is computed over the original bytes. */
function parse(bytes: Uint8Array, where: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new TsignError("registry", `parse ${where}: invalid JSON`, { cause });
  }
  if (!isObject(value)) throw new TsignError("registry", `parse ${where}: expected a JSON object`);
  return value;
}
