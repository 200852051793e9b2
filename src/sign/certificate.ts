import { TsignError } from "../errors.ts";
import { readCertificates } from "../evidence/legacy/read.ts";
import { sameKey } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { verifyCertificatePath } from "../trust/certificate-path.ts";
import type { SigningCertificate } from "./sign.ts";

/**
 * Reads a certificate to store with signatures. Refuses one for another key, and one without a valid path to the root of its
 * chain at the time it was issued.
 *
 * @param options.certificate PEM or DER
 * @param options.chain PEM from the leaf's issuer to the root; empty for none
 * @throws TsignError "input" for unreadable input or another key, "untrusted" for an invalid path
 */
export function readSigningCertificate(options: {
  certificate: Uint8Array;
  chain: Uint8Array;
  key: PublicKey;
}): SigningCertificate {
  const text = Buffer.from(options.certificate).toString("latin1");
  const [leaf] = text.includes("-----BEGIN") ? readCertificates(text, "--certificate") : [options.certificate];
  if (!leaf) throw new TsignError("input", "--certificate does not contain a certificate");
  const { native } = parseCertificate(leaf);
  if (!sameKey(native.publicKey, options.key.object)) {
    throw new TsignError("input", "--certificate and --key have different public keys");
  }
  const chain = readCertificates(Buffer.from(options.chain).toString("latin1"), "--certificate-chain");
  const root = chain.at(-1);
  if (options.chain.length > 0 && !root) {
    throw new TsignError("input", "--certificate-chain does not contain a certificate");
  }
  if (root) {
    const authorities = { roots: [root], intermediates: chain.slice(0, -1) };
    verifyCertificatePath({ leaf, authorities, at: native.validFromDate });
  }
  return { leaf: native.raw, chain };
}
