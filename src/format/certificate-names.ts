import type { X509Certificate } from "@sigstore/core";

/** Fulcio's certificate extensions (fulcio docs/oid-info.md). */
const OID = {
  subjectAltName: "2.5.29.17",
  issuerV1: "1.3.6.1.4.1.57264.1.1",
  issuerV2: "1.3.6.1.4.1.57264.1.8",
  otherName: "1.3.6.1.4.1.57264.1.7",
} as const;

/** Context tags of GeneralName (RFC 5280 §4.2.1.6). */
const NAME_TAG = { otherName: 0, email: 1, dns: 2, uri: 6 } as const;

/** Every e-mail, DNS, URI and Fulcio other name of the certificate, in its order. */
export function certificateNames(leaf: X509Certificate): string[] {
  const names = leaf.extension(OID.subjectAltName)?.valueObj.subs[0]?.subs ?? [];
  return names.flatMap((name) => {
    if (name.tag.isContextSpecific(NAME_TAG.otherName)) {
      const isUserName = name.subs[0]?.toOID() === OID.otherName;
      const value = name.subs[1]?.subs[0]?.value;
      return isUserName && value ? [value.toString("utf8")] : [];
    }
    const isText = [NAME_TAG.email, NAME_TAG.dns, NAME_TAG.uri].some((tag) => name.tag.isContextSpecific(tag));
    return isText ? [name.value.toString("utf8")] : [];
  });
}

/** The OIDC issuer: the DER string of the newer extension, else the raw text of the older one. */
export function certificateIssuer(leaf: X509Certificate): string | undefined {
  const newer = leaf.extension(OID.issuerV2)?.valueObj.subs[0]?.value;
  return (newer ?? leaf.extension(OID.issuerV1)?.value)?.toString("utf8");
}
