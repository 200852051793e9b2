import type { TransparencyLogEntry } from "@sigstore/bundle";
import { TsignError } from "../../errors.ts";
import { decodeBase64, encodeBase64 } from "../../format/base64.ts";
import { goJson } from "../../format/go-json.ts";
import { isCount, isObject, parseJson, textOf } from "../../format/json.ts";
import { parseSignedJson, refuseLookalikes } from "../../format/signed-json.ts";

/** A Rekor v1 entry as cosign stores it with a legacy signature: the signed entry timestamp (SET) and what it covers. */
export interface LegacyLogEntry {
  readonly SignedEntryTimestamp: string;
  readonly Payload: {
    /** Base64 of the canonical entry. */
    readonly body: string;
    /** Seconds since 1970. */
    readonly integratedTime: number;
    readonly logIndex: number;
    /** Hex. */
    readonly logID: string;
  };
}

const ENTRY_MEMBERS = { SignedEntryTimestamp: {}, Payload: { body: {}, integratedTime: {}, logIndex: {}, logID: {} } };
const TIMESTAMP_MEMBERS = { SignedRFC3161Timestamp: {} };

/**
 * Parses the log entry of a legacy signature: the layer annotation `dev.sigstore.cosign/bundle`, or a blob bundle's
 * `rekorBundle`.
 *
 * @param value parsed JSON
 * @throws TsignError "bad-bundle"
 */
export function readLegacyLogEntry(value: unknown, name: string): TransparencyLogEntry {
  refuseLookalikes(value, ENTRY_MEMBERS, name);
  const payload = isObject(value) ? value["Payload"] : undefined;
  if (!isObject(value) || !isObject(payload)) throw new TsignError("bad-bundle", `${name} is not a log entry`);
  const { integratedTime, logIndex, logID } = payload;
  const body = typeof payload["body"] === "string" ? decodeBase64(payload["body"]) : undefined;
  const promise =
    typeof value["SignedEntryTimestamp"] === "string" ? decodeBase64(value["SignedEntryTimestamp"]) : undefined;
  if (!body || !promise || !isCount(integratedTime) || !isCount(logIndex) || !isLogId(logID)) {
    throw new TsignError("bad-bundle", `${name} is not a log entry`);
  }
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logID, "hex") },
    kindVersion: kindVersionOf(body, `body of ${name}`),
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp: Buffer.from(promise) },
    inclusionProof: undefined as never, // the library's type requires a proof, but its code accepts a SET alone
    canonicalizedBody: Buffer.from(body),
  };
}

/**
 * The kind and version of a canonical entry body.
 *
 * @throws TsignError "bad-bundle"
 */
export function kindVersionOf(body: Uint8Array, name: string): { kind: string; version: string } {
  const entry = parseJson(body, name);
  const { kind, apiVersion } = isObject(entry) ? entry : {};
  return { kind: textOf(kind), version: textOf(apiVersion) };
}

function isLogId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}

/** The reverse; undefined for an entry without a SET, which the legacy form cannot contain. */
export function toLegacyLogEntry(entry: TransparencyLogEntry): LegacyLogEntry | undefined {
  if (!entry.inclusionPromise) return undefined;
  return {
    SignedEntryTimestamp: encodeBase64(entry.inclusionPromise.signedEntryTimestamp),
    Payload: {
      body: encodeBase64(entry.canonicalizedBody),
      integratedTime: Number(entry.integratedTime),
      logIndex: Number(entry.logIndex),
      logID: Buffer.from(entry.logId.keyId).toString("hex"),
    },
  };
}

/**
 * Parses cosign's JSON of a signed timestamp: `{"SignedRFC3161Timestamp":"<base64 of the DER TimeStampResp>"}`.
 *
 * @throws TsignError "bad-bundle"
 */
export function readLegacyTimestamp(text: string, name: string): Uint8Array {
  const value = parseSignedJson(Buffer.from(text), TIMESTAMP_MEMBERS, name);
  const encoded = isObject(value) ? value["SignedRFC3161Timestamp"] : undefined;
  const der = typeof encoded === "string" ? decodeBase64(encoded) : undefined;
  if (!der) throw new TsignError("bad-bundle", `${name} is not a signed timestamp`);
  return der;
}

/** The reverse. */
export function writeLegacyTimestamp(der: Uint8Array): string {
  return goJson({ SignedRFC3161Timestamp: encodeBase64(der) });
}
