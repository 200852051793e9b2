import type { X509Certificate } from "@sigstore/core";
import { readDer, TAG } from "./der.ts";

const OID = { subjectAltName: "2.5.29.17", otherName: "1.3.6.1.4.1.57264.1.7" } as const;
/** Arc of Fulcio's certificate extensions (fulcio, docs/oid-info.md): 1 to 6 contain raw text, those from 8 on a UTF8String. */
const FULCIO = "1.3.6.1.4.1.57264.1";
const [ISSUER_V1, ISSUER_V2] = [1, 8];
const RAW_TEXTS = [1, 2, 3, 4, 5, 6];
const DER_TEXTS = Array.from({ length: 17 }, (_, index) => index + 8);
/** Names of Fulcio's extensions by the last number of their OID (fulcio, docs/oid-info.md). */
const FULCIO_NAMES: Readonly<Record<string, string>> = {
  1: "OIDC Issuer",
  2: "GitHub Workflow Trigger",
  3: "GitHub Workflow SHA",
  4: "GitHub Workflow Name",
  5: "GitHub Workflow Repository",
  6: "GitHub Workflow Ref",
  8: "Issuer (V2)",
  9: "Build Signer URI",
  10: "Build Signer Digest",
  11: "Runner Environment",
  12: "Source Repository URI",
  13: "Source Repository Digest",
  14: "Source Repository Ref",
  15: "Source Repository Identifier",
  16: "Source Repository Owner URI",
  17: "Source Repository Owner Identifier",
  18: "Build Config URI",
  19: "Build Config Digest",
  20: "Build Trigger",
  21: "Run Invocation URI",
  22: "Source Repository Visibility At Signing",
  23: "Deployment Environment",
  24: "Token Subject",
};
/** Extensions with the same meaning, the older and the newer one: issuer, trigger, commit and ref. */
const EQUIVALENT = [
  [1, 8],
  [2, 20],
  [3, 13],
  [6, 14],
] as const;

/** Context tags of GeneralName (RFC 5280 §4.2.1.6). */
const NAME_TAG = { otherName: 0, email: 1, dns: 2, uri: 6 } as const;

/** The name of a Fulcio extension, such as "GitHub Workflow Repository"; undefined for any other OID. */
export function fulcioExtensionName(oid: string): string | undefined {
  return oid.startsWith(`${FULCIO}.`) ? FULCIO_NAMES[oid.slice(FULCIO.length + 1)] : undefined;
}

/** The subject alternative names of a certificate: e-mail, DNS, URI and Fulcio's otherName, in the certificate's order. */
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

/**
 * The OIDC issuer from the newer extension (.8), or else the older one (.1). All of Fulcio's extensions are parsed, because a
 * policy may require any of them: two programs could read a malformed or contradicting one differently.
 *
 * @throws Error for a malformed extension, and for two that contradict each other
 */
export function certificateIssuer(leaf: X509Certificate): string | undefined {
  const texts = new Map<number, string>();
  for (const number of [...RAW_TEXTS, ...DER_TEXTS]) {
    const extension = leaf.extension(`${FULCIO}.${number}`);
    if (!extension) continue;
    const read = RAW_TEXTS.includes(number) ? rawText : derText;
    texts.set(number, read(extension.value, `${FULCIO}.${number}`));
  }
  for (const [older, newer] of EQUIVALENT) {
    const [old, now] = [texts.get(older), texts.get(newer)];
    if (old !== undefined && now !== undefined && old !== now) {
      throw new Error(`extensions ${FULCIO}.${older} and ${FULCIO}.${newer} contradict each other`);
    }
  }
  return texts.get(ISSUER_V2) ?? texts.get(ISSUER_V1);
}

/**
 * The text of one of Fulcio's extensions; undefined if the certificate does not have it.
 *
 * @throws Error for a malformed extension, and for an OID that is not Fulcio's
 */
export function fulcioExtensionText(leaf: X509Certificate, oid: string): string | undefined {
  const number = oid.startsWith(`${FULCIO}.`) ? Number(oid.slice(FULCIO.length + 1)) : Number.NaN;
  const read = RAW_TEXTS.includes(number) ? rawText : DER_TEXTS.includes(number) ? derText : undefined;
  if (!read) throw new Error(`extension ${oid} is not one of Fulcio's`);
  const extension = leaf.extension(oid);
  return extension && read(extension.value, oid);
}

/** Decodes UTF-8. */
function rawText(value: Uint8Array, oid: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw new Error(`extension ${oid} is not valid UTF-8`, { cause });
  }
}

/** Decodes a DER UTF8String with nothing after it. */
function derText(value: Uint8Array, oid: string): string {
  try {
    return rawText(readDer(value, TAG.utf8).value, oid);
  } catch (cause) {
    throw new Error(`extension ${oid} is not a single UTF8String`, { cause });
  }
}
