import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { TsignError } from "../errors.ts";
import type { HashName } from "../format/digest.ts";
import { faultOf } from "../format/key-fault.ts";
import { writePem } from "../format/pem.ts";
import { keyBlock } from "./key-block.ts";
import type { KeyKind, PublicKey } from "./types.ts";

const CURVES: Readonly<Record<string, "P-256" | "P-384" | "P-521">> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};
const CURVE_HASH = { "P-256": "sha256", "P-384": "sha384", "P-521": "sha512" } as const;

/**
 * Returns the public key of a key object, whether public or private. Every key used to sign or verify passes this check.
 *
 * @throws TsignError "input" for a kind of key that cosign does not support, and for a key that is too weak (`faultOf`)
 */
export function publicKeyFromObject(object: KeyObject): PublicKey {
  const key = object.type === "private" ? createPublicKey(object) : object;
  const spki = spkiOf(key);
  const kind = kindOf(key);
  const fault = faultOf(key);
  if (fault) throw new TsignError("input", `unusable key: ${fault}`);
  return { kind, hash: defaultHash(kind), spki, pem: writePem("PUBLIC KEY", spki), object: key };
}

/** Returns the key's SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER. OpenSSL can open some keys that it cannot export. */
function spkiOf(key: KeyObject): Buffer {
  try {
    return key.export({ type: "spki", format: "der" });
  } catch (cause) {
    throw new TsignError("input", "unusable key: invalid parameters", { cause });
  }
}

/**
 * Reads a public key from PEM text with one block: PKIX (`PUBLIC KEY`) or PKCS#1 (`RSA PUBLIC KEY`).
 *
 * @throws TsignError "input"; for another kind of block the message names its label
 */
export function publicKeyFromPem(text: string): PublicKey {
  const block = keyBlock(text, "public key", "use a file that begins with -----BEGIN PUBLIC KEY-----");
  const type = { "PUBLIC KEY": "spki", "RSA PUBLIC KEY": "pkcs1" }[block.label] as "spki" | "pkcs1" | undefined;
  if (!type) {
    throw new TsignError("input", `unknown public key PEM type: ${block.label}`, { hint: otherBlockHint(block.label) });
  }
  let object: KeyObject;
  try {
    object = createPublicKey({ key: Buffer.from(block.bytes), format: "der", type });
  } catch (cause) {
    throw new TsignError("input", "invalid public key", { cause });
  }
  return publicKeyFromObject(object);
}

/** What to do with a PEM block that is not a public key; undefined for an unknown label. */
function otherBlockHint(label: string): string | undefined {
  if (label.includes("PRIVATE KEY")) {
    return "pass the public key, which `tsign public-key --key FILE` prints; this is a private key";
  }
  return label === "CERTIFICATE" ? "use --certificate for this certificate" : undefined;
}

/** Returns the hint by which bundles identify a key: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
export function keyHint(key: PublicKey): string {
  return createHash("sha256").update(key.spki).digest("base64");
}

/** Returns the hashes to try for a signature by this key: its default first, then SHA-256, which cosign uses for every key. */
export function defaultHashes(key: PublicKey): readonly HashName[] {
  return [...new Set<HashName>([key.hash, ...(key.earlier ?? []).map(({ hash }) => hash), "sha256"])];
}

/**
 * Whether two public keys are equal. KeyObject.equals is not used: given keys of different types, it leaves an error in
 * OpenSSL's queue that the next createPrivateKey throws.
 */
export function sameKey(a: KeyObject, b: KeyObject): boolean {
  return a.asymmetricKeyType === b.asymmetricKeyType && encoded(a).equals(encoded(b));
}

/** What `encoded` returned: the same keys are compared for each image of a batch. */
const encodings = new WeakMap<KeyObject, Buffer>();

function encoded(key: KeyObject): Buffer {
  const known = encodings.get(key) ?? key.export({ type: "spki", format: "der" });
  encodings.set(key, known);
  return known;
}

function kindOf(key: KeyObject): KeyKind {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const curve = CURVES[details?.namedCurve ?? ""];
  if (type === "ec" && curve) return { type: "ecdsa", curve };
  if (type === "rsa" && details?.modulusLength) return { type: "rsa", bits: details.modulusLength };
  if (type === "ed25519") return { type: "ed25519" };
  const name = type === "ec" ? `ECDSA on curve ${details?.namedCurve}` : (type ?? "unknown");
  throw new TsignError("input", `keys of type ${name} are not supported`, {
    hint: "use ECDSA P-256, P-384 or P-521, RSA, or Ed25519",
  });
}

function defaultHash(kind: KeyKind): HashName {
  switch (kind.type) {
    case "ecdsa":
      return CURVE_HASH[kind.curve];
    case "rsa":
      return "sha256";
    case "ed25519":
      return "sha512";
  }
}
