import { EXTENSION_OID_SCT } from "@sigstore/core";
import { sameBytes } from "../format/bytes.ts";
import { type Der, derChildren, encodeDer, readDer, TAG } from "../format/der.ts";
import type { Certificate } from "../trust/certificate.ts";

/** What `withoutScts` returned: the images of a batch share theirs. */
const precertificates = new WeakMap<Certificate, Uint8Array>();

/** DER of what a log records for a certificate: its tbsCertificate without SCTs (RFC 6962 §3.2). */
export function loggedTbs(leaf: Certificate): Uint8Array {
  const [tbs] = derChildren(readDer(leaf.native.raw), TAG.sequence);
  return leaf.asn1.extension(EXTENSION_OID_SCT) ? withoutScts(leaf) : (tbs?.bytes ?? new Uint8Array());
}

/** Tag of a tbsCertificate's extensions (RFC 5280 §4.1). */
const EXTENSIONS = 0xa3;
/** The extension's identifier, 1.3.6.1.4.1.11129.2.4.2, in DER. */
const SCT_OID = Buffer.from("060a2b06010401d679020402", "hex");

/** DER of a certificate's tbsCertificate without its SCTs (RFC 6962 §3.2). Everything else keeps its bytes. */
export function withoutScts(leaf: Certificate): Uint8Array {
  const known = precertificates.get(leaf);
  if (known) return known;
  const [tbs] = derChildren(readDer(leaf.native.raw), TAG.sequence);
  const members = derChildren(tbs, TAG.sequence).map((member) => {
    if (member.tag !== EXTENSIONS) return member.bytes;
    const [list] = derChildren(member, EXTENSIONS);
    const kept = derChildren(list, TAG.sequence).filter((each) => !isSctExtension(each));
    return encodeDer(EXTENSIONS, encodeDer(TAG.sequence, Buffer.concat(kept.map(({ bytes }) => bytes))));
  });
  const encoded = encodeDer(TAG.sequence, Buffer.concat(members));
  precertificates.set(leaf, encoded);
  return encoded;
}

function isSctExtension(extension: Der): boolean {
  const [identifier] = derChildren(extension, TAG.sequence);
  return identifier !== undefined && sameBytes(identifier.bytes, SCT_OID);
}
