import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { encodeDer } from "../format/der.ts";
import { writePem } from "../format/pem.ts";
import type { Io, ServerTls } from "../io/io.ts";

/** DER tags (X.690 §8, X.680 §8.4). */
const TAGS = {
  ...{ boolean: 0x01, integer: 0x02, bitString: 0x03, octetString: 0x04, utf8: 0x0c, generalizedTime: 0x18 },
  ...{ sequence: 0x30, set: 0x31, version: 0xa0, extensions: 0xa3, dnsName: 0x82 },
};
/** Contents of the object identifiers. */
const OIDS = {
  ecdsaWithSha256: Buffer.from("2a8648ce3d040302", "hex"),
  commonName: Buffer.from("550403", "hex"),
  subjectAltName: Buffer.from("551d11", "hex"),
  basicConstraints: Buffer.from("551d13", "hex"),
  keyUsage: Buffer.from("551d0f", "hex"),
  extendedKeyUsage: Buffer.from("551d25", "hex"),
  serverAuth: Buffer.from("2b06010505070301", "hex"),
};
const OID = 0x06;
/** Clocks of servers differ. Milliseconds. */
const SKEW = 5 * 60_000;
const MAX_COMMON_NAME = 64;

/**
 * Makes a P-256 key, and a certificate for a server that is signed with it, and is its own authority (RFC 5280).
 *
 * @param of.names DNS names; @param of.lifetime milliseconds from now
 * @returns both as PEM
 */
export function selfSigned(
  io: Pick<Io, "now" | "random">,
  { names, lifetime }: { names: readonly string[]; lifetime: number },
): ServerTls {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = io.now().getTime();
  const algorithm = sequence(encodeDer(OID, OIDS.ecdsaWithSha256));
  const text = encodeDer(TAGS.utf8, Buffer.from((names[0] ?? "").slice(0, MAX_COMMON_NAME)));
  const name = sequence(encodeDer(TAGS.set, sequence(encodeDer(OID, OIDS.commonName), text)));
  const tbs = sequence(
    encodeDer(TAGS.version, encodeDer(TAGS.integer, Buffer.of(2))),
    encodeDer(TAGS.integer, serialNumber(io)),
    ...[algorithm, name, sequence(time(now - SKEW), time(now + lifetime)), name],
    publicKey.export({ type: "spki", format: "der" }),
    encodeDer(TAGS.extensions, extensionsFor(names)),
  );
  const signature = Buffer.concat([Buffer.of(0), sign("sha256", tbs, privateKey)]);
  const certificate = sequence(tbs, algorithm, encodeDer(TAGS.bitString, signature));
  return {
    cert: writePem("CERTIFICATE", certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** When a certificate starts and ends, if it is one for these names and this key; milliseconds since the epoch. */
export function validityOf(
  { cert, key }: ServerTls,
  names: readonly string[],
): { from: number; to: number } | undefined {
  try {
    const certificate = new X509Certificate(cert);
    const isOurs = names.every((name) => certificate.checkHost(name, { subject: "never" }) !== undefined);
    if (!isOurs || !certificate.checkPrivateKey(createPrivateKey(key))) return undefined;
    return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
  } catch {
    return undefined;
  }
}

function extensionsFor(names: readonly string[]): Uint8Array {
  const extension = (id: Uint8Array, value: Uint8Array, isCritical = false) =>
    sequence(
      encodeDer(OID, id),
      ...(isCritical ? [encodeDer(TAGS.boolean, Buffer.of(0xff))] : []),
      encodeDer(TAGS.octetString, value),
    );
  const dnsNames = names.map((name) => encodeDer(TAGS.dnsName, Buffer.from(name)));
  return sequence(
    extension(OIDS.basicConstraints, sequence(), true),
    extension(OIDS.keyUsage, encodeDer(TAGS.bitString, Buffer.of(7, 0x80)), true), // digitalSignature
    extension(OIDS.extendedKeyUsage, sequence(encodeDer(OID, OIDS.serverAuth))),
    extension(OIDS.subjectAltName, sequence(...dnsNames)),
  );
}

function sequence(...items: readonly Uint8Array[]): Uint8Array {
  return encodeDer(TAGS.sequence, Buffer.concat(items));
}

/** 16 random octets as a positive integer. */
function serialNumber(io: Pick<Io, "random">): Uint8Array {
  const octets = Buffer.from(io.random(16));
  octets[0] = ((octets[0] ?? 0) & 0x3f) | 0x40;
  return octets;
}

/** UTCTime through 2049, GeneralizedTime afterwards (RFC 5280 §4.1.2.5). */
function time(at: number): Uint8Array {
  const text = `${new Date(at).toISOString().slice(0, 19).replace(/[-:T]/g, "")}Z`;
  return text < "2050"
    ? encodeDer(0x17, Buffer.from(text.slice(2)))
    : encodeDer(TAGS.generalizedTime, Buffer.from(text));
}
