import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { isObject, parseJson } from "../format/json.ts";
import type { DsseContent } from "./model.ts";

/**
 * Reads a DSSE envelope in JSON (DSSE envelope.md), with exactly one signature.
 *
 * @param what names it in the error
 * @throws TsignError "bad-bundle"
 */
export function readEnvelope(bytes: Uint8Array, what: string): DsseContent {
  const value = parseJson(bytes, what);
  const { payload, payloadType, signatures } = isObject(value) ? value : {};
  if (typeof payloadType !== "string" || typeof payload !== "string" || !Array.isArray(signatures)) {
    throw new TsignError("bad-bundle", `${what} is not a DSSE envelope`);
  }
  const [only] = signatures as unknown[];
  if (signatures.length !== 1 || !isObject(only) || typeof only["sig"] !== "string") {
    throw new TsignError("bad-bundle", `${what} has ${signatures.length} signatures, expected one`);
  }
  const body = decodeBase64(payload);
  const signature = decodeBase64(only["sig"]);
  if (!body || !signature) throw new TsignError("bad-bundle", `${what} holds text that is not base64`);
  return { kind: "dsse", payloadType, payload: body, signature };
}

/** Whether bytes are the JSON of a DSSE envelope, whatever it holds. */
export function looksLikeEnvelope(bytes: Uint8Array): boolean {
  try {
    const value = parseJson(bytes, "envelope");
    return isObject(value) && "payloadType" in value;
  } catch {
    return false;
  }
}
