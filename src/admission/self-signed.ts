import { createPrivateKey, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { encodeDer, TAG } from "../format/der.ts";
import { writePem } from "../format/pem.ts";
import type { Io, ServerTls } from "../io/io.ts";

/** Tags of a certificate's own fields (RFC 5280 §4.1, §4.2.1.6). */
const [VERSION, EXTENSIONS, DNS_NAME] = [0xa0, 0xa3, 0x82];
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
  const algorithm = sequence(encodeDer(TAG.oid, OIDS.ecdsaWithSha256));
  const text = encodeDer(TAG.utf8, Buffer.from((names[0] ?? "").slice(0, MAX_COMMON_NAME)));
  const name = sequence(encodeDer(TAG.set, sequence(encodeDer(TAG.oid, OIDS.commonName), text)));
  const tbs = sequence(
    encodeDer(VERSION, encodeDer(TAG.integer, Buffer.of(2))),
    encodeDer(TAG.integer, serialNumber(io)),
    ...[algorithm, name, sequence(time(now - SKEW), time(now + lifetime)), name],
    publicKey.export({ type: "spki", format: "der" }),
    encodeDer(EXTENSIONS, extensionsFor(names)),
  );
  const signature = Buffer.concat([Buffer.of(0), sign("sha256", tbs, privateKey)]);
  const certificate = sequence(tbs, algorithm, encodeDer(TAG.bits, signature));
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
      encodeDer(TAG.oid, id),
      ...(isCritical ? [encodeDer(TAG.boolean, Buffer.of(0xff))] : []),
      encodeDer(TAG.octets, value),
    );
  const dnsNames = names.map((name) => encodeDer(DNS_NAME, Buffer.from(name)));
  return sequence(
    extension(OIDS.basicConstraints, sequence(), true),
    extension(OIDS.keyUsage, encodeDer(TAG.bits, Buffer.of(7, 0x80)), true), // digitalSignature
    extension(OIDS.extendedKeyUsage, sequence(encodeDer(TAG.oid, OIDS.serverAuth))),
    extension(OIDS.subjectAltName, sequence(...dnsNames)),
  );
}

function sequence(...items: readonly Uint8Array[]): Uint8Array {
  return encodeDer(TAG.sequence, Buffer.concat(items));
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
  return text < "2050" ? encodeDer(TAG.utcTime, Buffer.from(text.slice(2))) : encodeDer(TAG.time, Buffer.from(text));
}
