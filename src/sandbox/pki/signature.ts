import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  publicDecrypt,
  verify,
  X509Certificate,
} from "node:crypto";
import { readPem, writePem } from "../../format/pem.ts";
import { Refused } from "../server/service.ts";

export type Hash = "sha256" | "sha384" | "sha512";

/** DigestInfo up to the digest (RFC 8017 §9.2, note 1). */
const DIGEST_INFO: Readonly<Record<Hash, string>> = {
  sha256: "3031300d060960864801650304020105000420",
  sha384: "3041300d060960864801650304020205000430",
  sha512: "3051300d060960864801650304020305000440",
};
/** dom2(1, "") of RFC 8032 §5.1, the prefix of the digest in Ed25519ph. */
const DOM2 = Buffer.from("SigEd25519 no Ed25519 collisions\x01\x00", "latin1");

/** A public key, or a certificate, that a client sent. */
export interface Verifier {
  readonly key: KeyObject;
  /** DER of the key or the certificate. */
  readonly der: Buffer;
  readonly certificate: X509Certificate | undefined;
  /** PEM as written in log entries. */
  readonly pem: string;
}

/** Reads a PEM public key, or the first certificate in PEM. @throws Refused 400 for anything else */
export function verifierOf(pem: string): Verifier {
  const [block] = readPem(pem);
  if (!block || (block.label !== "PUBLIC KEY" && block.label !== "CERTIFICATE")) {
    throw new Refused(400, "expected a PEM public key or certificate as verifier");
  }
  return verifierOfDer(block.bytes, block.label === "CERTIFICATE");
}

/** Reads a public key or a certificate in DER. @throws Refused 400 */
export function verifierOfDer(bytes: Uint8Array, isCertificate: boolean): Verifier {
  const der = Buffer.from(bytes);
  try {
    const certificate = isCertificate ? new X509Certificate(der) : undefined;
    const key = certificate?.publicKey ?? createPublicKey({ key: der, type: "spki", format: "der" });
    return { key, der, certificate, pem: writePem(isCertificate ? "CERTIFICATE" : "PUBLIC KEY", der) };
  } catch {
    throw new Refused(400, "invalid verifier key");
  }
}

/** Returns the hash for a key in Sigstore: the one of its curve's strength, SHA-256 for RSA. */
function usualHash(key: KeyObject): Hash {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  if (curve === "secp384r1") return "sha384";
  return curve === "secp521r1" || key.asymmetricKeyType === "ed25519" ? "sha512" : "sha256";
}

/** Verifies a signature over a message: ECDSA or RSASSA-PKCS1-v1_5 with a hash, or pure Ed25519. */
export function verifyMessage(
  key: KeyObject,
  message: Uint8Array,
  { signature, hash: named = usualHash(key) }: { signature: Uint8Array; hash?: Hash },
): boolean {
  const hash = key.asymmetricKeyType === "ed25519" ? null : named;
  try {
    return verify(hash, message, key, signature);
  } catch {
    return false;
  }
}

/** Verifies a signature over a digest: ECDSA, RSASSA-PKCS1-v1_5, or Ed25519ph with a SHA-512 digest. */
export async function verifyDigest(
  key: KeyObject,
  signed: { digest: Uint8Array; hash: Hash; signature: Uint8Array },
): Promise<boolean> {
  const { digest, hash, signature } = signed;
  try {
    if (key.asymmetricKeyType === "rsa") {
      const block = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
      return block.equals(Buffer.concat([Buffer.from(DIGEST_INFO[hash], "hex"), digest]));
    }
    if (key.asymmetricKeyType === "ed25519")
      return hash === "sha512" && (await verifyEd25519ph(key, digest, signature));
    return await verifyEcdsa(key, digest, signature);
  } catch {
    return false;
  }
}

/** Uses @noble/curves, because node:crypto always hashes its input. */
async function verifyEcdsa(key: KeyObject, digest: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const { p256, p384, p521 } = await import("@noble/curves/nist.js");
  const curves: Readonly<Record<string, typeof p256>> = { prime256v1: p256, secp384r1: p384, secp521r1: p521 };
  const curve = curves[key.asymmetricKeyDetails?.namedCurve ?? ""];
  const { x = "", y = "" } = key.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  return curve?.verify(signature, digest, point, { prehash: false, lowS: false, format: "der" }) ?? false;
}

async function verifyEd25519ph(key: KeyObject, digest: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const { eddsa } = await import("@noble/curves/abstract/edwards.js");
  const { ed25519 } = await import("@noble/curves/ed25519.js");
  const sha512 = (bytes: Uint8Array) => Uint8Array.from(createHash("sha512").update(bytes).digest());
  const streaming = () => {
    throw new Error("streaming is not supported by this hash");
  };
  const prehashed = eddsa(ed25519.Point, Object.assign(sha512, { outputLen: 64, blockLen: 128, create: streaming }), {
    prehash: (message: Uint8Array) => Uint8Array.from(message),
    domain: (data: Uint8Array) => Uint8Array.from(Buffer.concat([DOM2, data])),
    zip215: false,
  });
  const raw = Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
  return prehashed.verify(Uint8Array.from(signature), Uint8Array.from(digest), Uint8Array.from(raw));
}
