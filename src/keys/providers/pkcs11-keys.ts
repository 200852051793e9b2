import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { TsignError } from "../../errors.ts";
import { publicKeyFromObject } from "../public-key.ts";
import type { PublicKey } from "../types.ts";
import { CK, type KeyName, nameAttribute, type Token } from "./pkcs11-token.ts";

const EC_PUBLIC_KEY = Buffer.from("06072a8648ce3d0201", "hex");
/** Bytes of an Ed25519 key and of uncompressed points on P-256, P-384 and P-521. */
const RAW_LENGTHS = [32, 65, 97, 133];
const ED25519 = Buffer.from("06032b6570", "hex");

/**
 * Reads the public key of a key pair on a token from its public key object or its certificate. If neither is visible
 * without a PIN, logs in and tries again, also with the id of the private key.
 *
 * @returns undefined when the token has no such key
 * @throws TsignError "input" for a private key without public key and certificate, or an unsupported key
 */
export async function readTokenKey(token: Token, name: KeyName): Promise<PublicKey | undefined> {
  const visible = readVisible(token, name);
  if (visible) return visible;
  await token.login();
  const [privateKey] = token.find([{ type: CK.class, value: CK.privateKeyObject }, nameAttribute(name)]);
  const id = privateKey && token.attribute(privateKey, CK.id);
  const found = readVisible(token, name) ?? (id?.length ? readVisible(token, { id, label: "" }) : undefined);
  if (found || !privateKey) return found;
  throw new TsignError("input", "the token has the private key, but neither its public key nor its certificate", {
    hint: "import one of them into the token, with the same id",
  });
}

function readVisible(token: Token, name: KeyName): PublicKey | undefined {
  const [object] = token.find([{ type: CK.class, value: CK.publicKeyObject }, nameAttribute(name)]);
  if (object) return publicKeyFromObject(readPublicObject(token, object));
  const [certificate] = token.find([{ type: CK.class, value: CK.certificateObject }, nameAttribute(name)]);
  const der = certificate && token.attribute(certificate, CK.value);
  return der ? publicKeyFromObject(new X509Certificate(der).publicKey) : undefined;
}

function readPublicObject(token: Token, object: Buffer): KeyObject {
  const type = token.attribute(object, CK.keyType)?.readUInt32LE();
  const value = (attribute: number) => token.attribute(object, attribute) ?? Buffer.alloc(0);
  if (type === CK.rsa) {
    const [n, e] = [value(CK.modulus), value(CK.publicExponent)].map((bytes) => bytes.toString("base64url"));
    return createPublicKey({ key: { kty: "RSA", n: n ?? "", e: e ?? "" }, format: "jwk" });
  }
  if (type !== CK.ec && type !== CK.edwards) {
    throw new TsignError("input", `unsupported PKCS#11 key type: ${type}`, {
      hint: "use ECDSA, RSA or Ed25519",
    });
  }
  const algorithm = type === CK.ec ? Buffer.concat([EC_PUBLIC_KEY, value(CK.ecParams)]) : ED25519;
  const point = unwrapOctets(value(CK.ecPoint));
  const spki = der(0x30, der(0x30, algorithm), der(0x03, Buffer.from([0]), point));
  try {
    return createPublicKey({ key: spki, format: "der", type: "spki" });
  } catch (cause) {
    throw new TsignError("input", "unsupported curve of the token's public key", {
      hint: "use ECDSA P-256, P-384 or P-521, RSA, or Ed25519",
      cause,
    });
  }
}

/** Removes the OCTET STRING around a point, which the standard requires and some modules leave out. */
function unwrapOctets(bytes: Buffer): Buffer {
  if (RAW_LENGTHS.includes(bytes.length) || bytes[0] !== 4) return bytes;
  return bytes.subarray((bytes[1] ?? 0) < 128 ? 2 : 2 + ((bytes[1] ?? 0) & 0x7f));
}

/** Encodes at most 64 KiB as DER. Lengths have their shortest form, because the executable's crypto library refuses others. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const { length: size } = body;
  const length = size < 128 ? [size] : size < 256 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}
