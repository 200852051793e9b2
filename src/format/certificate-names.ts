import type { X509Certificate } from "@sigstore/core";
import { readDer, TAG } from "./der.ts";

const OID = { subjectAltName: "2.5.29.17", otherName: "1.3.6.1.4.1.57264.1.7" } as const;
/** The arc of Fulcio's certificate extensions (fulcio, docs/oid-info.md): the first six hold text as it is, from the eighth on a UTF8String. */
const FULCIO = "1.3.6.1.4.1.57264.1";
const [ISSUER_V1, ISSUER_V2] = [1, 8];
const RAW_TEXTS = [1, 2, 3, 4, 5, 6];
const DER_TEXTS = Array.from({ length: 17 }, (_, index) => index + 8);
/** Extensions that say the same in the older and in the newer way: issuer, trigger, commit and ref. */
const SAME = [
  [1, 8],
  [2, 20],
  [3, 13],
  [6, 14],
] as const;

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

/**
 * The OIDC issuer: the newer extension's, else the older one's. All that Fulcio's extensions say is read, because one of them may
 * be asked for or shown: an extension that is not what its number says, or says something else than another one, makes the
 * certificate one that two programs read differently.
 *
 * @throws Error naming the extension
 */
export function certificateIssuer(leaf: X509Certificate): string | undefined {
  const texts = new Map<number, string>();
  for (const number of [...RAW_TEXTS, ...DER_TEXTS]) {
    const extension = leaf.extension(`${FULCIO}.${number}`);
    if (!extension) continue;
    const read = RAW_TEXTS.includes(number) ? rawText : derText;
    texts.set(number, read(extension.value, `${FULCIO}.${number}`));
  }
  for (const [older, newer] of SAME) {
    const [old, now] = [texts.get(older), texts.get(newer)];
    if (old !== undefined && now !== undefined && old !== now) {
      throw new Error(`its extensions ${FULCIO}.${older} and ${FULCIO}.${newer} contradict each other`);
    }
  }
  return texts.get(ISSUER_V2) ?? texts.get(ISSUER_V1);
}

/** The bytes are the text. */
function rawText(value: Uint8Array, oid: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch (cause) {
    throw new Error(`its extension ${oid} is not text`, { cause });
  }
}

/** The bytes are one UTF8String and nothing after it. */
function derText(value: Uint8Array, oid: string): string {
  try {
    return rawText(readDer(value, TAG.utf8).value, oid);
  } catch (cause) {
    throw new Error(`its extension ${oid} is not one UTF8String`, { cause });
  }
}
