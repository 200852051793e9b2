import { decodeBase64 } from "./base64.ts";
import { isObject } from "./json.ts";

/** HashAlgorithm of sigstore_common.proto, by number. */
export const HASH_ALGORITHMS = [
  "HASH_ALGORITHM_UNSPECIFIED",
  "SHA2_256",
  "SHA2_384",
  "SHA2_512",
  "SHA3_256",
  "SHA3_384",
] as const;

/**
 * The type of a protobuf field: bytes (base64), text, a count (a non-negative int64), a uint32, a time (RFC 3339), an enum, a list,
 * or another message.
 */
type Shape =
  | "bytes"
  | "text"
  | "count"
  | "uint32"
  | "time"
  | { readonly names: readonly string[] }
  | { readonly list: Shape }
  | MessageShape;

/** A message: its fields in lowerCamelCase, and its `oneof` groups. */
export interface MessageShape {
  readonly fields: Readonly<Record<string, Shape>>;
  readonly oneOf?: readonly (readonly string[])[];
  /** For a .proto file whose field names are lowerCamelCase; by default they are snake_case. */
  readonly protoNames?: "camelCase";
}

/**
 * Reads a message in protobuf's JSON (protobuf.dev, "ProtoJSON Format") as strictly as Go's protojson, which cosign uses: refuses
 * unknown and duplicate fields, two fields of a `oneof`, and values of another type. Fields may be spelled in lowerCamelCase or as
 * in the .proto file, and null means absent.
 *
 * @returns the same with every field in lowerCamelCase, counts as decimal text, uint32 as numbers, and no nulls
 * @throws Error naming the field
 */
export function readProtoJson(value: unknown, shape: MessageShape): Record<string, unknown> {
  return readMessage(value, shape, "");
}

function readMessage(value: unknown, shape: MessageShape, path: string): Record<string, unknown> {
  if (!isObject(value)) throw new Error(`${path || "document"} is not an object`);
  const found = new Map<string, unknown>();
  const names = spellings(shape);
  for (const [key, item] of Object.entries(value)) {
    const name = names.get(key);
    const field = name === undefined ? undefined : shape.fields[name];
    const where = path === "" ? key : `${path}.${key}`;
    if (name === undefined || !field) throw new Error(`unknown field ${where}`);
    if (found.has(name)) throw new Error(`duplicate field ${where}`);
    found.set(name, item === null ? undefined : readField(item, field, where));
  }
  const set = (name: string) => found.get(name) !== undefined;
  for (const group of shape.oneOf ?? []) {
    const [, second] = group.filter(set);
    if (second !== undefined) throw new Error(`only one of ${group.join(", ")} is allowed`);
  }
  return Object.fromEntries([...found].filter(([, item]) => item !== undefined));
}

function readField(value: unknown, shape: Shape, path: string): unknown {
  if (typeof shape !== "object") return readScalar(value, shape, path);
  if ("fields" in shape) return readMessage(value, shape, path);
  if ("names" in shape) return readName(value, shape.names, path);
  if (!Array.isArray(value)) throw new Error(`${path} is not a list`);
  return value.map((item: unknown, index) => {
    if (item === null) throw new Error(`${path}[${index}] is null`);
    return readField(item, shape.list, `${path}[${index}]`);
  });
}

function readScalar(value: unknown, shape: Extract<Shape, string>, path: string): string | number {
  switch (shape) {
    case "count": {
      const text = typeof value === "number" ? String(value) : value;
      const isCount = typeof text === "string" && /^(0|[1-9]\d{0,15})$/.test(text);
      if (isCount && Number.isSafeInteger(Number(text))) return text;
      throw new Error(`${path} is not a non-negative integer`);
    }
    case "uint32": {
      const number = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
      if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number < 2 ** 32) return number;
      throw new Error(`${path} is not an integer from 0 to ${2 ** 32 - 1}`);
    }
    case "bytes":
      if (typeof value === "string" && !/[\r\n]/.test(value) && decodeBase64(value)) return value;
      throw new Error(`${path} is not base64`);
    case "time":
      if (typeof value === "string" && isTime(value)) return value;
      throw new Error(`${path} is not a time`);
    case "text":
      if (typeof value === "string") return value;
      throw new Error(`${path} is not a string`);
  }
}

/** Reads an enum value: its name, or its number, counted from 0. */
function readName(value: unknown, names: readonly string[], path: string): string {
  const name = typeof value === "number" ? names[value] : value;
  if (typeof name === "string" && names.includes(name)) return name;
  throw new Error(`${path} is not a valid value`);
}

/** Whether a text is an RFC 3339 time with a zone, and a valid date and time of day. */
function isTime(text: string): boolean {
  const [, date = ""] = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/.exec(text) ?? [];
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || !day.toISOString().startsWith(date)) return false;
  return !Number.isNaN(new Date(text).getTime());
}

/** Fields by all their spellings. */
function spellings({ fields, protoNames }: MessageShape): Map<string, string> {
  const names = Object.keys(fields);
  const own = names.map((name): [string, string] => [name, name]);
  if (protoNames === "camelCase") return new Map(own);
  const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return new Map([...own, ...names.map((name): [string, string] => [snake(name), name])]);
}
