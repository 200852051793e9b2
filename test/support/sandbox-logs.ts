import { type KeyObject, X509Certificate } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Who signs an entry: a key, or a certificate. */
type Signer = KeyObject | X509Certificate;

/** Writes the journals of a sandbox's Rekor v1 and v2 with entries whose digests are their numbers. Their signatures are not valid. */
export function writeLogs(folder: string, count: number, signerOf: (index: number) => Signer): void {
  for (const log of ["rekor1", "rekor2"] as const) {
    mkdirSync(join(folder, log), { recursive: true });
    for (let index = 0; index < count; index++) {
      const name = join(folder, log, String(index).padStart(9, "0"));
      writeFileSync(name, log === "rekor1" ? storedV1(signerOf(index), index) : bodyV2(signerOf(index), index));
    }
  }
}

const isCertificate = (signer: Signer): signer is X509Certificate => signer instanceof X509Certificate;

function storedV1(signer: Signer, index: number): string {
  const value = index.toString(16).padStart(64, "0");
  const pem = isCertificate(signer) ? signer.toString() : signer.export({ type: "spki", format: "pem" });
  const content = Buffer.from(pem).toString("base64");
  const spec = {
    data: { hash: { algorithm: "sha256", value } },
    signature: { content: "c2ln", publicKey: { content } },
  };
  const body = Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec })).toString("base64");
  return JSON.stringify({ body, integratedTime: 1_700_000_000, keys: [] });
}

function bodyV2(signer: Signer, index: number): string {
  const digest = Buffer.from(index.toString(16).padStart(64, "0"), "hex").toString("base64");
  const der = isCertificate(signer) ? signer.raw : signer.export({ type: "spki", format: "der" });
  const rawBytes = der.toString("base64");
  const named = isCertificate(signer) ? { x509Certificate: { rawBytes } } : { publicKey: { rawBytes } };
  const verifier = { keyDetails: "PKIX_ECDSA_P256_SHA_256", ...named };
  const hashedRekordV002 = { data: { algorithm: "SHA2_256", digest }, signature: { content: "c2ln", verifier } };
  return JSON.stringify({ apiVersion: "0.0.2", kind: "hashedrekord", spec: { hashedRekordV002 } });
}
