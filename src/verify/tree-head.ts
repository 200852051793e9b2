import { verify as verifyBytes } from "node:crypto";
import { decodeBase64 } from "../format/base64.ts";
import { isCount, isObject, parseJson } from "../format/json.ts";
import type { Log } from "../trust/material.ts";
import type { LogHead } from "./checkpoint.ts";
import { CheckFailed } from "./model.ts";

/** HashAlgorithm sha256, and SignatureAlgorithm by the type of the log's key (RFC 5246 §7.4.1.4.1): a log uses no others (RFC 6962 §2.1.4). */
const SHA256 = 4;
const SIGNATURES: Readonly<Record<string, number>> = { rsa: 1, ec: 3 };
const HASH_LENGTH = 32;
/** SignatureType tree_hash (RFC 6962 §3.2). */
const TREE_HASH = 1;

/**
 * A signed tree head of a certificate transparency log as text: the size and the root, which are the same each time, an empty line, and
 * the answer of the log.
 *
 * @throws CheckFailed "log" for an answer that is not a tree head
 */
export function treeHeadText(json: string): string {
  const { size, root } = readTreeHead(json);
  return `${textOf(size, root)}\n${json}`;
}

/**
 * Checks that a tree head is signed by the log (RFC 6962 §3.5).
 *
 * @param envelope text of `treeHeadText`
 * @throws CheckFailed "log"
 */
export function verifyTreeHead(envelope: string, log: Log): LogHead {
  const end = envelope.indexOf("\n\n");
  const { size, root, timestamp, signature } = readTreeHead(envelope.slice(end + 2));
  const text = textOf(size, root);
  if (envelope.slice(0, end + 1) !== text)
    throw new CheckFailed("log", "tree head and its signature are for different trees");
  const signed = Buffer.alloc(18 + HASH_LENGTH);
  signed[1] = TREE_HASH; // after version 1, a zero
  signed.writeBigUInt64BE(BigInt(timestamp), 2);
  signed.writeBigUInt64BE(BigInt(size), 10);
  signed.set(root, 18);
  if (!isSigned(signed, signature, log)) throw new CheckFailed("log", `tree head is not signed by ${log.baseUrl}`);
  return { envelope, text, treeId: undefined, size, root };
}

const textOf = (size: number, root: Uint8Array) => `${size}\n${Buffer.from(root).toString("base64")}\n`;

/** Verifies a DigitallySigned of RFC 5246 §4.7. */
function isSigned(signed: Uint8Array, signature: Uint8Array, { key }: Log): boolean {
  const [hash, algorithm] = signature;
  const length = signature.length < 4 ? -1 : Buffer.from(signature).readUInt16BE(2);
  if (hash !== SHA256 || algorithm !== SIGNATURES[key.asymmetricKeyType ?? ""]) return false;
  if (length !== signature.length - 4) return false;
  try {
    return verifyBytes("sha256", signed, key, signature.subarray(4));
  } catch {
    return false; // OpenSSL refuses the signature's encoding
  }
}

interface TreeHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly signature: Uint8Array;
}

function readTreeHead(json: string): TreeHead {
  const value = parsed(json);
  const { tree_size: size, timestamp } = value;
  const bytes = (field: string) => {
    const text = value[field];
    return typeof text === "string" ? decodeBase64(text) : undefined;
  };
  const [root, signature] = [bytes("sha256_root_hash"), bytes("tree_head_signature")];
  if (!isCount(size) || !isCount(timestamp) || root?.length !== HASH_LENGTH || !signature) {
    throw new CheckFailed("log", "invalid tree head");
  }
  return { size, root, timestamp, signature };
}

function parsed(json: string): Record<string, unknown> {
  try {
    const value = parseJson(Buffer.from(json), "tree head");
    if (isObject(value)) return value;
  } catch {
    // not JSON
  }
  throw new CheckFailed("log", "invalid tree head");
}
