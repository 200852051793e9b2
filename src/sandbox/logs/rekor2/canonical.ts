import { createHash } from "node:crypto";
import { signedBytes } from "../../pki/dsse.ts";
import { type Hash, type Verifier, verifierOfDer, verifyDigest, verifyMessage } from "../../pki/signature.ts";
import { bytesOf, listAt, Refused, textAt, valueAt } from "../../server/service.ts";
import { canonicalJson } from "../canonical.ts";

/** An entry as Rekor v2 stores it. */
export interface CanonicalEntry {
  readonly kind: "hashedrekord" | "dsse";
  readonly version: "0.0.2";
  readonly body: Buffer;
}

interface KeyDetails {
  readonly hash: Hash;
  /** Name of the hash in Sigstore's protobuf. */
  readonly algorithm: string;
  /** `prime256v1`, `rsa 2048`, `ed25519`. */
  readonly key: string;
}

const SHA2 = { sha256: "SHA2_256", sha384: "SHA2_384", sha512: "SHA2_512" } as const;
const details = (hash: Hash, key: string): KeyDetails => ({ hash, algorithm: SHA2[hash], key });
/** PublicKeyDetails (sigstore_common.proto) that the log accepts. */
const KEY_DETAILS: Readonly<Record<string, KeyDetails>> = {
  PKIX_ECDSA_P256_SHA_256: details("sha256", "prime256v1"),
  PKIX_ECDSA_P384_SHA_384: details("sha384", "secp384r1"),
  PKIX_ECDSA_P521_SHA_512: details("sha512", "secp521r1"),
  PKIX_RSA_PKCS1V15_2048_SHA256: details("sha256", "rsa 2048"),
  PKIX_RSA_PKCS1V15_3072_SHA256: details("sha256", "rsa 3072"),
  PKIX_RSA_PKCS1V15_4096_SHA256: details("sha256", "rsa 4096"),
  PKIX_ED25519: details("sha512", "ed25519"),
  PKIX_ED25519_PH: details("sha512", "ed25519"),
};

/**
 * Checks a request and its signatures (rekor/v2/hashedrekord.proto, dsse.proto), and returns the entry in canonical JSON.
 *
 * @throws Refused 400
 */
export async function canonicalEntry(request: unknown): Promise<CanonicalEntry> {
  if (valueAt(request, "hashedRekordRequestV002") !== undefined)
    return hashedRekord(valueAt(request, "hashedRekordRequestV002"));
  if (valueAt(request, "dsseRequestV002") !== undefined) return dsse(valueAt(request, "dsseRequestV002"));
  throw new Refused(400, "invalid type, must be either hashedrekord or dsse");
}

interface NamedVerifier {
  readonly verifier: Verifier;
  readonly details: KeyDetails;
  /** The verifier as written in the entry. */
  readonly written: object;
}

function verifierAt(value: unknown): NamedVerifier {
  const keyDetails = textAt(value, "keyDetails");
  const known = KEY_DETAILS[keyDetails];
  const certificate = valueAt(value, "x509Certificate") !== undefined;
  const field = certificate ? "x509Certificate" : "publicKey";
  const rawBytes = bytesOf(textAt(value, `${field}.rawBytes`), `${field}.rawBytes`);
  const verifier = verifierOfDer(rawBytes, certificate);
  const { namedCurve, modulusLength } = verifier.key.asymmetricKeyDetails ?? {};
  const type = verifier.key.asymmetricKeyType;
  if (!known || known.key !== (namedCurve ?? (type === "rsa" ? `rsa ${modulusLength}` : type))) {
    throw new Refused(400, `keyDetails ${keyDetails} are unsupported or do not match the key`);
  }
  const written = { keyDetails, [field]: { rawBytes: rawBytes.toString("base64") } };
  return { verifier, details: known, written };
}

function entry(kind: CanonicalEntry["kind"], member: string, content: object): CanonicalEntry {
  const body = canonicalJson({ apiVersion: "0.0.2", kind, spec: { [member]: content } });
  return { kind, version: "0.0.2", body: Buffer.from(body) };
}

async function hashedRekord(request: unknown): Promise<CanonicalEntry> {
  const { verifier, details: used, written } = verifierAt(valueAt(request, "signature.verifier"));
  const digest = bytesOf(textAt(request, "digest"), "digest");
  const signature = bytesOf(textAt(request, "signature.content"), "signature.content");
  const sized = digest.length === createHash(used.hash).digest().length;
  if (!sized || !(await verifyDigest(verifier.key, { digest, hash: used.hash, signature }))) {
    throw new Refused(400, "invalid hashedrekord request: verifying signature: invalid signature");
  }
  return entry("hashedrekord", "hashedRekordV002", {
    data: { algorithm: used.algorithm, digest: digest.toString("base64") },
    signature: { content: signature.toString("base64"), verifier: written },
  });
}

function dsse(request: unknown): CanonicalEntry {
  const payload = bytesOf(textAt(request, "envelope.payload"), "payload");
  const message = signedBytes(textAt(request, "envelope.payloadType"), payload);
  const verifiers = listAt(request, "verifiers").map(verifierAt);
  const signatures = listAt(request, "envelope.signatures").map((each) => {
    const signature = bytesOf(textAt(each, "sig"), "sig");
    const match = verifiers.find(({ verifier }) => verifyMessage(verifier.key, message, { signature }));
    if (!match) throw new Refused(400, "invalid dsse request: a signature does not match any verifier");
    return { content: signature.toString("base64"), verifier: match.written };
  });
  if (signatures.length === 0) throw new Refused(400, "invalid dsse request: the envelope has no signatures");
  const digest = createHash("sha256").update(payload).digest("base64");
  return entry("dsse", "dsseV002", { payloadHash: { algorithm: "SHA2_256", digest }, signatures });
}
