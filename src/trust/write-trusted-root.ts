import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { TsignError } from "../errors.ts";
import { encodeBase64 } from "../format/base64.ts";
import { faultOf } from "../format/key-fault.ts";
import { wrapPem } from "../format/pem.ts";
import { parseCertificate } from "./certificate.ts";

/** A period in protobuf JSON. */
export type ValidFor = { readonly start?: string; readonly end?: string };

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: "PKIX_ECDSA_P256_SHA_256",
  secp384r1: "PKIX_ECDSA_P384_SHA_384",
  secp521r1: "PKIX_ECDSA_P521_SHA_512",
};

/**
 * A TransparencyLogInstance of a trusted root, in protobuf JSON.
 *
 * @param options.origin for a log whose key ID includes its origin (Rekor v2); otherwise the ID is SHA-256 of the key
 * @throws TsignError "input" for an unsupported type of key
 */
export function logInstance(options: {
  url: string;
  pem: string;
  validFor: ValidFor;
  origin: string | undefined;
}): Record<string, unknown> {
  const { url, pem, validFor, origin } = options;
  const key = createPublicKey(wrapPem(pem));
  const fault = faultOf(key);
  if (fault) throw new TsignError("input", `log's key cannot be used: ${fault}`);
  const spki = key.export({ type: "spki", format: "der" });
  return {
    ...(url === "" ? {} : { baseUrl: url }),
    hashAlgorithm: "SHA2_256",
    publicKey: { rawBytes: encodeBase64(spki), keyDetails: detailsOf(key), validFor },
    logId: { keyId: encodeBase64(logId(key, origin)) },
  };
}

function detailsOf(key: KeyObject): string {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  const curve = CURVES[details?.namedCurve ?? ""];
  if (type === "ec" && curve) return curve;
  if (type === "ed25519") return "PKIX_ED25519";
  if (type === "rsa" && [2048, 3072, 4096].includes(details?.modulusLength ?? 0)) {
    return `PKIX_RSA_PKCS1V15_${details?.modulusLength}_SHA256`;
  }
  throw new TsignError("input", `unsupported log key type ${type}`);
}

/** The key ID of a signed note (transparency-dev, formats/log), over origin and key; without an origin, over the key. */
function logId(key: KeyObject, origin: string | undefined): Uint8Array {
  const spki = key.export({ type: "spki", format: "der" });
  const hash = createHash("sha256");
  if (origin === undefined || key.asymmetricKeyType === "ec") return hash.update(spki).digest();
  hash.update(`${origin}\n`);
  if (key.asymmetricKeyType === "ed25519")
    return hash
      .update(Buffer.from([1]))
      .update(spki.subarray(-32))
      .digest();
  return hash
    .update(Buffer.from([0xff]))
    .update("PKIX-RSA-PKCS#1v1.5")
    .update(spki)
    .digest();
}

/**
 * A CertificateAuthority of a trusted root, in protobuf JSON.
 *
 * @param options.chain DER, the root last
 * @param options.validFor copied as it is
 */
export function certificateAuthority(options: {
  url: string;
  chain: readonly Uint8Array[];
  validFor: ValidFor;
}): Record<string, unknown> {
  const { url, chain, validFor } = options;
  const root = chain.at(-1);
  if (!root) throw new TsignError("internal", "certificate authority without certificates");
  for (const der of chain) parseCertificate(der); // refuses now what verification would refuse later
  const { subject } = new X509Certificate(root);
  const fields = (name: string) => [...subject.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value);
  // Go takes the first organization and the last common name.
  const [organization, commonName] = [fields("O")[0], fields("CN").at(-1)];
  return {
    subject: { ...(organization ? { organization } : {}), ...(commonName ? { commonName } : {}) },
    ...(url === "" ? {} : { uri: url }),
    certChain: { certificates: chain.map((der) => ({ rawBytes: encodeBase64(der) })) },
    validFor,
  };
}
