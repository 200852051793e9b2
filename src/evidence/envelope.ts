import { TsignError } from "../errors.ts";
import { decodeBase64, encodeBase64 } from "../format/base64.ts";
import { goJson } from "../format/go-json.ts";
import { isObject, parseJson, requireFewer } from "../format/json.ts";
import { decodeLargeBase64, shortened } from "../format/json-large.ts";
import { parseSignedJson } from "../format/signed-json.ts";
import type { DsseContent } from "./model.ts";

const PAYLOAD = new Set(["payload"]);
/** Most JSON values in an envelope; the payload is one. */
const MAX_VALUES = 10_000;
const MEMBERS = { payloadType: {}, payload: {}, signatures: { sig: {} } };

/**
 * Parses a DSSE envelope (DSSE envelope.md, JSON) with exactly one signature; with more, readers disagree on who signed.
 *
 * @throws TsignError "bad-bundle"
 */
export function readEnvelope(bytes: Uint8Array, name: string): DsseContent {
  requireFewer(bytes, name, MAX_VALUES);
  const short = shortened(bytes, PAYLOAD, name);
  const json = parseSignedJson(short?.bytes ?? bytes, MEMBERS, name);
  const { payloadType, payload, signatures } = isObject(json) ? json : {};
  const large = typeof payload === "string" ? short?.taken.get(payload) : undefined;
  const text = typeof payload === "string" && !large ? decodeBase64(payload) : undefined;
  const decoded = large ? decodeLargeBase64(large.value) : text;
  if (typeof payloadType !== "string" || !decoded || !Array.isArray(signatures)) {
    throw new TsignError("bad-bundle", `${name} is not a DSSE envelope`);
  }
  const [only] = signatures as unknown[];
  const { sig, keyid } = isObject(only) ? only : {};
  const signature = typeof sig === "string" ? decodeBase64(sig) : undefined;
  if (signatures.length !== 1) {
    throw new TsignError("bad-bundle", `expected one signature in ${name}, found ${signatures.length}`);
  }
  if (!signature || signature.length === 0) throw new TsignError("bad-bundle", `${name} has a malformed signature`);
  return { kind: "dsse", payloadType, payload: decoded, signature, ...withKeyid(keyid) };
}

/** The `keyid` member, unless it is missing or empty. */
export function withKeyid(keyid: unknown): Pick<DsseContent, "keyid"> {
  return typeof keyid === "string" && keyid !== "" ? { keyid } : {};
}

/** Whether bytes look like the JSON of a DSSE envelope. */
export function looksLikeEnvelope(bytes: Uint8Array): boolean {
  try {
    const value = parseJson(bytes, "envelope");
    return isObject(value) && "payloadType" in value;
  } catch (error) {
    if (error instanceof TsignError) return false;
    throw error;
  }
}

/** Writes an envelope as cosign 3 does. The log entry covers these bytes, so they must be stored unchanged. */
export function writeEnvelope({ payload, payloadType, signature, keyid }: DsseContent): string {
  return goJson({
    payload: encodeBase64(payload),
    payloadType,
    signatures: [{ sig: encodeBase64(signature), keyid }], // an undefined keyid is left out
  });
}

/**
 * The stored JSON of an envelope, on one line. Only line breaks are removed, so that `keyid` and unknown members stay.
 *
 * @param stored the envelope's bytes; undefined if it is part of a bundle
 */
export function envelopeLine(content: DsseContent, stored: Uint8Array | undefined): string {
  // In JSON, line breaks only occur between tokens; in strings they are escaped.
  return stored
    ? Buffer.from(stored)
        .toString("utf8")
        .replace(/[\r\n]/g, "")
    : writeEnvelope(content);
}
