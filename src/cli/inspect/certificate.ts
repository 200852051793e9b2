import { X509Certificate as NativeCertificate } from "node:crypto";
import { ASN1Obj, EXTENSION_OID_SCT, X509Certificate, type X509SCTExtension } from "@sigstore/core";
import { fulcioExtensionName } from "../../format/certificate-names.ts";
import { isText, Name } from "./names.ts";
import { type Node, node, present, timeText } from "./tree.ts";

const OID = {
  keyUsage: "2.5.29.15",
  extendedKeyUsage: "2.5.29.37",
  subjectKeyId: "2.5.29.14",
  authorityKeyId: "2.5.29.35",
  subjectAltName: "2.5.29.17",
} as const;
type X509Extension = NonNullable<ReturnType<X509Certificate["extension"]>>;

/** Shown under a name of their own, before the others. */
const SHOWN_FIRST = new Set<string>(Object.values(OID));

const SIGNATURE_ALGORITHMS: Readonly<Record<string, string>> = {
  "1.2.840.10045.4.3.2": "ECDSA-SHA256",
  "1.2.840.10045.4.3.3": "ECDSA-SHA384",
  "1.2.840.10045.4.3.4": "ECDSA-SHA512",
  "1.2.840.113549.1.1.5": "SHA1-RSA",
  "1.2.840.113549.1.1.10": "RSA-PSS",
  "1.2.840.113549.1.1.11": "SHA256-RSA",
  "1.2.840.113549.1.1.12": "SHA384-RSA",
  "1.2.840.113549.1.1.13": "SHA512-RSA",
  "1.3.101.112": "Ed25519",
};
const CURVES: Readonly<Record<string, string>> = { prime256v1: "P-256", secp384r1: "P-384", secp521r1: "P-521" };
/** Bits of KeyUsage (RFC 5280 §4.2.1.3), from the first. */
const USAGES = [
  "Digital Signature",
  "Content Commitment",
  "Key Encipherment",
  "Data Encipherment",
  "Key Agreement",
  "Cert Sign",
  "CRL Sign",
  "Encipher Only",
  "Decipher Only",
];
const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  "2.5.29.37.0": "Any",
  "1.3.6.1.5.5.7.3.1": "Server Auth",
  "1.3.6.1.5.5.7.3.2": "Client Auth",
  "1.3.6.1.5.5.7.3.3": "Code Signing",
  "1.3.6.1.5.5.7.3.4": "Email Protection",
  "1.3.6.1.5.5.7.3.8": "Time Stamping",
  "1.3.6.1.5.5.7.3.9": "OCSP Signing",
};
const FULCIO = "1.3.6.1.4.1.57264.1.";
const RAW_TEXT_UP_TO = 6;
/** Tags of GeneralName (RFC 5280 §4.2.1.6), and what they are called here. */
const ALT_NAMES: Readonly<Record<number, string>> = { 1: "Email", 6: "URI", 2: "DNS" };

/** What a certificate says, line by line. Nothing is verified. */
export function certificateNodes(der: Uint8Array): Node[] {
  const certificate = X509Certificate.parse(Buffer.from(der));
  const fields = certificate.tbsCertificate.subs;
  const [, , issuer, , subjectName] = fields[0]?.tag.isContextSpecific(0) ? fields.slice(1) : fields; // without version
  const subject = new Name(subjectName);
  const extensions = certificate.extensions.flatMap((each) => certificate.extension(each.subs[0]?.toOID() ?? "") ?? []);
  const [, algorithm] = certificate.root.subs;
  const oid = algorithm?.subs[0]?.toOID() ?? "";
  const name = subject.toString();
  return [
    node("Signature Algorithm", SIGNATURE_ALGORITHMS[oid] ?? oid),
    ...(name === "" ? [] : [node("Subject", name)]),
    ...issuerNode(new Name(issuer)),
    node(
      "Validity",
      undefined,
      node("Not Before", timeText(certificate.notBefore)),
      node("Not After", timeText(certificate.notAfter)),
    ),
    node("Subject Public Key Info", undefined, ...publicKeyNodes(certificate, der)),
    ...extensionsNode(extensions, { subject, scts: certificate.extSCT }),
    present("Signature", certificate.signatureValue),
  ];
}

function issuerNode(issuer: Name): Node[] {
  const parts = [
    { label: "Common Name", value: issuer.values("CN").at(-1) },
    { label: "Organization", value: issuer.values("O")[0] },
    { label: "Country", value: issuer.values("C")[0] },
  ];
  const nodes = parts.flatMap(({ label, value }) => (value === undefined ? [] : [node(label, value)]));
  return nodes.length > 0 ? [node("Issuer", undefined, ...nodes)] : [];
}

function publicKeyNodes(certificate: X509Certificate, der: Uint8Array): Node[] {
  const { publicKey } = new NativeCertificate(der);
  const details = publicKey.asymmetricKeyDetails ?? {};
  switch (publicKey.asymmetricKeyType) {
    case "ec":
      return [
        node("Algorithm", "ECDSA"),
        node("Curve", CURVES[details.namedCurve ?? ""] ?? details.namedCurve ?? "unknown"),
        pointNode(certificate),
      ];
    case "ed25519":
      return [node("Algorithm", "Ed25519"), pointNode(certificate)];
    case "rsa":
      return [node("Algorithm", "RSA"), node("Key Size", `${details.modulusLength ?? 0} bits`)];
    default:
      return [node("Algorithm", publicKey.asymmetricKeyType ?? "unknown")];
  }
}

/** The ends of the key's own bits: enough to compare by eye. */
function pointNode(certificate: X509Certificate): Node {
  const [, bits] = ASN1Obj.parseBuffer(Buffer.from(certificate.publicKey)).subs;
  const hex = Buffer.from(bits?.value ?? "")
    .subarray(1)
    .toString("hex");
  return node("Public Key", `${hex.slice(0, 8)}...${hex.slice(-8)} (${hex.length / 2} bytes)`);
}

function extensionsNode(
  extensions: readonly X509Extension[],
  { subject, scts }: { subject: Name; scts: X509SCTExtension | undefined },
): Node[] {
  const find = (oid: string) => extensions.find((each) => each.oid === oid);
  const nodes = [
    ...identityNode(find(OID.subjectAltName), subject),
    ...usageNodes(find(OID.keyUsage), find(OID.extendedKeyUsage)),
    ...keyIdNodes(find(OID.subjectKeyId), find(OID.authorityKeyId)),
    ...extensions
      .filter(({ oid }) => !SHOWN_FIRST.has(oid))
      .map((each) => (scts && each.oid === EXTENSION_OID_SCT ? sctNode(scts) : otherNode(each))),
  ];
  return nodes.length > 0 ? [node("Extensions", undefined, ...nodes)] : [];
}

function identityNode(altName: X509Extension | undefined, subject: Name): Node[] {
  const common = subject.values("CN").slice(-1);
  const names = altName?.valueObj.subs[0]?.subs ?? [];
  const nodes = [
    ...common.map((each) => node("Common Name", each)),
    ...Object.entries(ALT_NAMES).flatMap(([tag, label]) =>
      names
        .filter((each) => each.tag.number === Number(tag))
        .map((each) => node(label, Buffer.from(each.value).toString("utf8"))),
    ),
    ...names.filter((each) => ALT_NAMES[each.tag.number] === undefined).map(otherNameNode),
  ];
  return nodes.length > 0 ? [node("Identity (Subject Alternative Name)", undefined, ...nodes)] : [];
}

/** An otherName holds an OID and a value; Fulcio puts a user's name there. An address is shown in hex. */
function otherNameNode(name: ASN1Obj): Node {
  const [type, wrapped] = name.subs;
  const [text] = wrapped?.subs ?? [];
  if (name.tag.number === 0 && type && text && isText(text)) {
    return node("Other Name", `${type.toOID()} ${Buffer.from(text.value).toString("utf8")}`);
  }
  if (name.tag.number === 7) return node("IP", addressText(name.value));
  return node(`Name of type ${name.tag.number}`, Buffer.from(name.value).toString("hex"));
}

function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join(".") : (Buffer.from(bytes).toString("hex").match(/.{4}/g) ?? []).join(":");
}

function usageNodes(usage: X509Extension | undefined, extended: X509Extension | undefined): Node[] {
  const bits = usage?.valueObj.subs[0]?.toBitString() ?? [];
  const names = USAGES.filter((_, index) => bits[index] === 1);
  const oids = (extended?.valueObj.subs[0]?.subs ?? []).map((each) => each.toOID());
  const known = oids.flatMap((oid) => EXTENDED_USAGES[oid] ?? []);
  return [
    ...(names.length > 0 ? [node("Key Usage", names.join(", "))] : []),
    ...(known.length > 0 ? [node("Extended Key Usage", known.join(", "))] : []),
    ...oids.filter((oid) => !EXTENDED_USAGES[oid]).map((oid) => node("Unknown Extended Key Usage", oid)),
  ];
}

function keyIdNodes(subject: X509Extension | undefined, authority: X509Extension | undefined): Node[] {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const own = subject?.valueObj.subs[0]?.value;
  const issuers = authority?.valueObj.subs[0]?.subs.find(({ tag }) => tag.number === 0)?.value;
  return [
    ...(own ? [node("Subject Key ID", hex(own))] : []),
    ...(issuers ? [node("Authority Key ID", hex(issuers))] : []),
  ];
}

function otherNode(extension: X509Extension): Node {
  const { oid, critical, value } = extension;
  const number = oid.startsWith(FULCIO) ? oid.slice(FULCIO.length) : "";
  const label = fulcioExtensionName(oid);
  if (label === undefined) return node(`OID: ${oid}`, `(Critical: ${critical}) [${value.length} bytes]`);
  const [text] = Number(number) > RAW_TEXT_UP_TO ? extension.valueObj.subs : [];
  return node(label, Buffer.from(text?.value ?? value).toString("utf8"));
}

function sctNode({ signedCertificateTimestamps }: X509SCTExtension): Node {
  const nodes = signedCertificateTimestamps.map((sct, index) =>
    node(
      `Signed Certificate Timestamp [${index}]`,
      undefined,
      node("Version", `v${sct.version + 1}`),
      node("Log ID", sct.logID.toString("hex")),
      node("Timestamp", timeText(sct.datetime)),
      node("Extensions", sct.extensions.length > 0 ? `${sct.extensions.length} bytes` : "none"),
      present("Signature", sct.signature),
    ),
  );
  return node("Signed Certificate Timestamps", nodes.length, ...nodes);
}
