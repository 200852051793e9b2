import { X509Certificate } from "@sigstore/core";
import { certificateIssuer, certificateNames } from "../../format/certificate-names.ts";
import { keyIdOfHint } from "../../format/key-id.ts";
import type { Evidence } from "../model.ts";

/**
 * The signer named in a signature: its certificate's names and issuer, or its key's hint. For printing only: it is not verified, and
 * can be forged.
 */
export function claimedSigner({ key }: Pick<Evidence, "key">): string {
  if (key.kind === "public-key") return key.hint === "" ? "a key" : `the key ${keyIdOfHint(key.hint)}`;
  if (key.kind === "none") return "a key";
  try {
    const leaf = X509Certificate.parse(Buffer.from(key.leaf));
    const issuer = certificateIssuer(leaf);
    return `${certificateNames(leaf).join(", ") || "a certificate without a name"}${issuer ? ` (${issuer})` : ""}`;
  } catch {
    return "a malformed certificate";
  }
}

/** The identity named in a certificate, and its OIDC issuer. Not verified, and can be forged. Undefined for keys and malformed certificates. */
export function claimedIdentity({
  key,
}: Pick<Evidence, "key">): { readonly names: readonly string[]; readonly issuer: string | undefined } | undefined {
  if (key.kind !== "certificate") return undefined;
  try {
    const leaf = X509Certificate.parse(Buffer.from(key.leaf));
    return { names: certificateNames(leaf), issuer: certificateIssuer(leaf) };
  } catch {
    return undefined;
  }
}
