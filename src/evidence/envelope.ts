import { TsignError } from "../errors.ts";
import { decodeBase64, encodeBase64 } from "../format/base64.ts";
import { goJson } from "../format/go-json.ts";
import { isObject, parseJson, requireFewer } from "../format/json.ts";
import { decodeLargeBase64, shortened } from "../format/json-large.ts";
import { parseSignedJson } from "../format/signed-json.ts";
import type { DsseContent } from "./model.ts";

const PAYLOAD = new Set(["payload"]);
/** Most values in an envelope, whose payload is one. */
const MAX_VALUES = 10_000;
const MEMBERS = { payloadType: {}, payload: {}, signatures: { sig: {} } };

/**
 * Reads a DSSE envelope (DSSE envelope.md, JSON). Exactly one signature: with more, readers disagree on who signed.
 *
 * @throws TsignError "bad-bundle"
 */
export function readEnvelope(bytes: Uint8Array, what: string): DsseContent {
  requireFewer(bytes, what, MAX_VALUES);
  const short = shortened(bytes, PAYLOAD, what);
  const json = parseSignedJson(short?.bytes ?? bytes, MEMBERS, what);
  const { payloadType, payload, signatures } = isObject(json) ? json : {};
  const large = typeof payload === "string" ? short?.taken.get(payload) : undefined;
  const text = typeof payload === "string" && !large ? decodeBase64(payload) : undefined;
  const decoded = large ? decodeLargeBase64(large.value) : text;
  if (typeof payloadType !== "string" || !decoded || !Array.isArray(signatures)) {
    throw new TsignError("bad-bundle", `${what} is not a DSSE envelope`);
  }
  const [only, ...others] = signatures as unknown[];
  const { sig, keyid } = isObject(only) ? only : {};
  const signature = typeof sig === "string" ? decodeBase64(sig) : undefined;
  if (!signature || signature.length === 0 || others.length > 0) {
    throw new TsignError("bad-bundle", `${what} has ${signatures.length} signatures, expected one that can be read`);
  }
  return { kind: "dsse", payloadType, payload: decoded, signature, ...withKeyid(keyid) };
}

/** The member `keyid` of what is read, where there is one that says something. */
export function withKeyid(keyid: unknown): Pick<DsseContent, "keyid"> {
  return typeof keyid === "string" && keyid !== "" ? { keyid } : {};
}

/** Whether bytes are the JSON of a DSSE envelope, whatever it holds. */
export function looksLikeEnvelope(bytes: Uint8Array): boolean {
  try {
    const value = parseJson(bytes, "envelope");
    return isObject(value) && "payloadType" in value;
  } catch (error) {
    if (error instanceof TsignError) return false;
    throw error;
  }
}

/** An envelope as cosign 3 writes it. A log entry is over these very bytes: what is logged must be what is stored. */
export function writeEnvelope({ payload, payloadType, signature, keyid }: DsseContent): string {
  return goJson({
    payload: encodeBase64(payload),
    payloadType,
    signatures: [{ sig: encodeBase64(signature), keyid }], // JSON leaves out what is undefined
  });
}

/**
 * An envelope's JSON as it is stored, in one line: what is stored with line ends between its members is joined, and nothing
 * else is changed, so that readers find `keyid` and members that tsign has no use for.
 *
 * @param stored the envelope's own bytes; undefined where it is part of a bundle
 */
export function envelopeLine(content: DsseContent, stored: Uint8Array | undefined): string {
  // JSON has no line end but between members: those in its texts are written as escapes.
  return stored
    ? Buffer.from(stored)
        .toString("utf8")
        .replace(/[\r\n]/g, "")
    : writeEnvelope(content);
}
