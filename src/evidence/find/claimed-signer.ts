import { X509Certificate } from "@sigstore/core";
import { certificateIssuer, certificateNames } from "../../format/certificate-names.ts";
import type { Evidence } from "../model.ts";

/**
 * Who a signature says it is by: names and issuer of its certificate, or the hint of its key. For showing only: anyone can
 * write anything there, and nothing of it is verified.
 */
export function claimedSigner({ key }: Pick<Evidence, "key">): string {
  if (key.kind === "public-key") return key.hint === "" ? "a key" : `the key ${key.hint}`;
  if (key.kind === "none") return "a key";
  try {
    const leaf = X509Certificate.parse(Buffer.from(key.leaf));
    const issuer = certificateIssuer(leaf);
    return `${certificateNames(leaf).join(", ") || "a certificate without a name"}${issuer ? ` (${issuer})` : ""}`;
  } catch {
    return "a certificate that cannot be read";
  }
}
