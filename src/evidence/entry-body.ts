import { decodeBase64 } from "../format/base64.ts";
import { isObject, parseJson, textOf } from "../format/json.ts";

const member = (value: unknown, name: string): unknown => (isObject(value) ? value[name] : undefined);

/** The body of a log entry; undefined if it is not JSON. */
export function parsedBody(body: Uint8Array): unknown {
  try {
    return parseJson(body, "log entry");
  } catch {
    return undefined;
  }
}

/** The digest of what was signed, as `sha256:HEX`, for the kinds of log entries that state it. */
export function entryDigest(body: Uint8Array): string | undefined {
  const spec = member(parsedBody(body), "spec");
  const v1 =
    member(member(spec, "data"), "hash") ??
    member(spec, "payloadHash") ??
    member(member(spec, "content"), "payloadHash");
  if (v1 !== undefined) return `${textOf(member(v1, "algorithm"))}:${textOf(member(v1, "value"))}`;
  const v2 = member(member(spec, "hashedRekordV002"), "data") ?? member(member(spec, "dsseV002"), "payloadHash");
  const bytes = decodeBase64(textOf(member(v2, "digest")));
  if (v2 === undefined || !bytes) return undefined;
  const algorithm = textOf(member(v2, "algorithm"))
    .toLowerCase()
    .replace(/^sha2_/, "sha");
  return `${algorithm}:${Buffer.from(bytes).toString("hex")}`;
}
