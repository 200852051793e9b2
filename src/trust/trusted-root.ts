import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { TsignError } from "../errors.ts";
import { decodeBase64 } from "../format/base64.ts";
import { isObject, parseJson } from "../format/json.ts";
import { faultOf } from "../format/key-fault.ts";
import { readProtoJson } from "../format/proto-json.ts";
import { parseCertificate } from "./certificate.ts";
import {
  ALWAYS,
  type Authority,
  type Log,
  type Period,
  type TimestampAuthority,
  type TrustedMaterial,
} from "./material.ts";
import { TRUSTED_ROOT } from "./trusted-root-shape.ts";

const MEDIA_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/** Most keys and certificates in a trusted root. The public instance's has about a dozen. */
const MAX_PARTS = 1000;

type Json = Record<string, unknown>;

/**
 * Parses a trusted root (protobuf-specs, sigstore_trustroot.proto) strictly: every log needs the start of its period of trust, and
 * every key and certificate must parse and pass the checks for weak keys. An authority without a start is always trusted, as
 * in cosign.
 *
 * @param path for messages
 * @throws TsignError "untrusted" with the field and the reason
 */
export function readTrustedRoot(bytes: Uint8Array, path: string): TrustedMaterial {
  const invalid = (reason: string, cause?: unknown) =>
    new TsignError("untrusted", `${path} is not a valid trusted root: ${reason}`, {
      cause,
      ...(cause instanceof TsignError && cause.hint ? { hint: cause.hint } : {}),
    });
  let json: unknown;
  try {
    json = parseJson(bytes, path);
  } catch (cause) {
    throw invalid("not valid JSON", cause);
  }
  let root: Json;
  try {
    root = readProtoJson(json, TRUSTED_ROOT);
  } catch (cause) {
    throw invalid(cause instanceof Error ? cause.message : "", cause);
  }
  if (root["mediaType"] !== MEDIA_TYPE) throw invalid(`expected mediaType ${MEDIA_TYPE}`);
  if (countParts(root) > MAX_PARTS) throw invalid(`more than ${MAX_PARTS} keys and certificates`);
  const readList = <T>(field: string, readItem: (value: Json) => T): T[] => {
    const list = root[field] ?? [];
    if (!Array.isArray(list)) throw invalid(`${field} is not a list`);
    return list.map((each: unknown, index) => {
      if (!isObject(each)) throw invalid(`${field}[${index}] is not an object`);
      try {
        return readItem(each);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : "";
        throw invalid(`${field}[${index}]: ${reason}`, cause);
      }
    });
  };
  return {
    authorities: readList("certificateAuthorities", readAuthority),
    logs: readList("tlogs", readLog),
    ctLogs: readList("ctlogs", readLog),
    timestampAuthorities: readList("timestampAuthorities", readTimestampAuthority),
  };
}

function countParts(root: Json): number {
  const listOf = (field: string): readonly unknown[] => (Array.isArray(root[field]) ? root[field] : []);
  const authorities = [...listOf("certificateAuthorities"), ...listOf("timestampAuthorities")];
  const certificates = authorities.map((each) => {
    const chain = isObject(each) && isObject(each["certChain"]) ? each["certChain"]["certificates"] : [];
    return Array.isArray(chain) ? chain.length : 0;
  });
  return certificates.reduce((sum, count) => sum + count, listOf("tlogs").length + listOf("ctlogs").length);
}

/** Reads a CertificateAuthority. The last certificate of its chain is the root. */
function readAuthority(json: Json): Authority {
  const chain = readChain(json);
  return { roots: chain.slice(-1), intermediates: chain.slice(0, -1), validFor: authorityPeriod(json) };
}

/** Reads a timestamp authority. The first certificate of its chain signs the timestamps, unless it is a CA. */
function readTimestampAuthority(json: Json): TimestampAuthority {
  const chain = readChain(json);
  const [first] = chain;
  const leaf = first && !parseCertificate(first).native.ca ? first : undefined;
  const authorities = leaf ? chain.slice(1) : chain;
  return {
    leaf,
    roots: authorities.length > 0 ? authorities.slice(-1) : chain.slice(-1),
    intermediates: authorities.slice(0, -1),
    validFor: authorityPeriod(json),
  };
}

function readLog(json: Json): Log {
  const { publicKey: key, logId, checkpointKeyId, hashAlgorithm, baseUrl } = json;
  if (!isObject(key)) throw new Error("missing publicKey");
  if (hashAlgorithm !== "SHA2_256") throw new Error("hashAlgorithm is not SHA2_256");
  const id = isObject(checkpointKeyId) ? checkpointKeyId["keyId"] : isObject(logId) ? logId["keyId"] : undefined;
  return {
    baseUrl: typeof baseUrl === "string" ? baseUrl : "",
    id: readBytes(id, "log ID"),
    key: readKey(readBytes(key["rawBytes"], "public key"), String(key["keyDetails"] ?? "")),
    validFor: readPeriod(key["validFor"]),
  };
}

/** The default ID of a log: SHA-256 of its SubjectPublicKeyInfo (RFC 6962 §3.2). */
export function logIdOf(key: KeyObject): Uint8Array {
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest();
}

/** Curve, or type and size, of a log's key by PublicKeyDetails. */
const KINDS: Readonly<Record<string, string>> = {
  PKIX_ECDSA_P256_SHA_256: "prime256v1",
  PKIX_ECDSA_P384_SHA_384: "secp384r1",
  PKIX_ECDSA_P521_SHA_512: "secp521r1",
  PKIX_ED25519: "ed25519",
  PKIX_ED25519_PH: "ed25519",
  PKIX_RSA_PKCS1V5: "rsa",
  PKCS1_RSA_PKCS1V5: "rsa",
  PKIX_RSA_PKCS1V15_2048_SHA256: "rsa 2048",
  PKIX_RSA_PKCS1V15_3072_SHA256: "rsa 3072",
  PKIX_RSA_PKCS1V15_4096_SHA256: "rsa 4096",
};

/** Parses a public key; it must have the stated type, and no trailing data. */
function readKey(der: Uint8Array, details: string): KeyObject {
  const kind = KINDS[details];
  if (kind === undefined) throw new Error(`unsupported log key type ${details || "unknown"}`);
  const type = details.startsWith("PKCS1_") ? "pkcs1" : "spki";
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(der), format: "der", type });
  } catch (cause) {
    throw new Error(`malformed public key of type ${details}`, { cause });
  }
  const { asymmetricKeyType = "", asymmetricKeyDetails } = key;
  const { namedCurve, modulusLength } = asymmetricKeyDetails ?? {};
  const known = [asymmetricKeyType, namedCurve, `${asymmetricKeyType} ${modulusLength}`];
  if (!known.includes(kind)) throw new Error(`public key is not of type ${details}`);
  if (Buffer.compare(key.export({ format: "der", type }), der) !== 0) {
    throw new Error("trailing data after the public key");
  }
  const fault = faultOf(key);
  if (fault) throw new Error(`public key cannot be used: ${fault}`);
  return key;
}

function readPeriod(json: unknown): Period {
  if (!isObject(json)) throw new Error("missing validFor");
  const { start, end } = readTimes(json);
  if (!start) throw new Error("missing validFor.start");
  return { start, end };
}

function authorityPeriod({ validFor }: Json): Period {
  const { start, end } = readTimes(isObject(validFor) ? validFor : {});
  return { start: start ?? ALWAYS.start, end };
}

function readTimes(json: Json): { start: Date | undefined; end: Date | undefined } {
  const time = (text: unknown): Date | undefined => (typeof text === "string" ? new Date(text) : undefined);
  return { start: time(json["start"]), end: time(json["end"]) };
}

function readChain(json: Json): Uint8Array[] {
  const { certChain } = json;
  const certificates = isObject(certChain) ? certChain["certificates"] : undefined;
  if (!Array.isArray(certificates) || certificates.length === 0) throw new Error("missing certificates");
  return certificates.map((each: unknown) => {
    const der = readBytes(isObject(each) ? each["rawBytes"] : undefined, "certificate");
    const { raw } = parseCertificate(der).native;
    if (raw.length !== der.length) throw new Error("trailing data after a certificate");
    return raw;
  });
}

function readBytes(value: unknown, name: string): Uint8Array {
  if (value === undefined || value === null || value === "") throw new Error(`missing ${name}`);
  const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
  if (!bytes) throw new Error(`${name} is not base64`);
  return bytes;
}
