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
 * Wraps a public key, or the public half of a private one. Every key that is signed or verified with comes through here.
 *
 * @throws TsignError "input" for a kind of key no signature of cosign's is made with, and for one whose signatures prove
 * nothing (`faultOf`)
 */
export function publicKeyFromObject(object: KeyObject): PublicKey {
  const key = object.type === "private" ? createPublicKey(object) : object;
  const spki = spkiOf(key);
  const kind = kindOf(key);
  const fault = faultOf(key);
  if (fault) throw new TsignError("input", `the key cannot be used: ${fault}`);
  return { kind, hash: ownHash(kind), spki, pem: writePem("PUBLIC KEY", spki), object: key };
}

/** The key's SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER. OpenSSL opens some keys that it does not write again. */
function spkiOf(key: KeyObject): Buffer {
  try {
    return key.export({ type: "spki", format: "der" });
  } catch (cause) {
    throw new TsignError("input", "the key cannot be used: its parameters are not valid", { cause });
  }
}

/**
 * Reads the one block of a PEM text: PKIX (`PUBLIC KEY`) or PKCS#1 (`RSA PUBLIC KEY`).
 *
 * @throws TsignError "input" naming the label found
 */
export function publicKeyFromPem(text: string): PublicKey {
  const block = keyBlock(text, "public key", "expected -----BEGIN PUBLIC KEY-----");
  const type = { "PUBLIC KEY": "spki", "RSA PUBLIC KEY": "pkcs1" }[block.label] as "spki" | "pkcs1" | undefined;
  if (!type) {
    const hint = block.label.includes("PRIVATE KEY")
      ? "`tsign public-key --key FILE` prints a private key's public half"
      : "";
    throw new TsignError("input", `unknown public key PEM type: ${block.label}`, hint ? { hint } : {});
  }
  let object: KeyObject;
  try {
    object = createPublicKey({ key: Buffer.from(block.bytes), format: "der", type });
  } catch (cause) {
    throw new TsignError("input", "the public key cannot be read", { cause });
  }
  return publicKeyFromObject(object);
}

/** The hint a bundle names a key by: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
export function keyHint(key: PublicKey): string {
  return createHash("sha256").update(key.spki).digest("base64");
}

/** The hashes a signature by this key is tried with: the key's own, then SHA-256, which cosign uses whatever the key. */
export function defaultHashes(key: PublicKey): readonly HashName[] {
  return [...new Set<HashName>([key.hash, ...(key.earlier ?? []).map(({ hash }) => hash), "sha256"])];
}

/**
 * Whether two public keys are one. Of keys of two kinds, KeyObject.equals leaves an error behind in OpenSSL that the next
 * createPrivateKey throws.
 */
export function sameKey(a: KeyObject, b: KeyObject): boolean {
  const der = (key: KeyObject) => key.export({ type: "spki", format: "der" });
  return a.asymmetricKeyType === b.asymmetricKeyType && der(a).equals(der(b));
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

function ownHash(kind: KeyKind): HashName {
  switch (kind.type) {
    case "ecdsa":
      return CURVE_HASH[kind.curve];
    case "rsa":
      return "sha256";
    case "ed25519":
      return "sha512";
  }
}
