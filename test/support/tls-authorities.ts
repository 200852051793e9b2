import { generateKeyPairSync, randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { writePem } from "../../src/format/pem.ts";
import { implicit, sequence } from "../../src/sandbox/pki/der.ts";
import {
  distinguishedName,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "../../src/sandbox/pki/x509.ts";

const EKU_SERVER = "1.3.6.1.5.5.7.3.1";
const EKU_CLIENT = "1.3.6.1.5.5.7.3.2";

/** Start and end of a certificate's validity, in seconds from now. Default: a minute ago, in ten minutes. */
interface Validity {
  readonly from?: number;
  readonly to?: number;
}

/** A certificate and its private key, as PEM. */
interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

type KeyPair = ReturnType<typeof newKey>;

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const spkiOf = ({ publicKey }: KeyPair) => publicKey.export({ type: "spki", format: "der" });
const pemOf = ({ privateKey }: KeyPair) => privateKey.export({ type: "pkcs8", format: "pem" }).toString();

/** Encodes host names and IPv4 addresses as subjectAltName (RFC 5280 §4.2.1.6). */
function alternativeNames(names: readonly string[]): Buffer {
  const encoded = names.map((name) =>
    isIP(name) === 4 ? implicit(7, Buffer.from(name.split(".").map(Number))) : implicit(2, Buffer.from(name)),
  );
  return extension("2.5.29.17", sequence(...encoded));
}

function certify(options: {
  issuer: string;
  issuerKey: KeyPair;
  subject: string;
  key: KeyPair;
  extensions: readonly Buffer[];
  validity: Validity;
}): string {
  const { from = -60, to = 600 } = options.validity;
  const tbs = tbsCertificate({
    serial: serialNumber(randomBytes),
    issuer: distinguishedName(options.issuer),
    subject: distinguishedName(options.subject),
    notBefore: new Date(Date.now() + from * 1000),
    notAfter: new Date(Date.now() + to * 1000),
    spki: spkiOf(options.key),
    extensions: options.extensions,
    issuerKey: options.issuerKey.privateKey,
  });
  return writePem("CERTIFICATE", signCertificate(tbs, options.issuerKey.privateKey));
}

/** What issues certificates. */
interface Issuer {
  readonly name: string;
  readonly key: KeyPair;
}

/**
 * Creates an authority for TLS certificates.
 *
 * @param name its common name; authorities may have the same name and different keys
 * @param issuer who certifies it; without one it certifies itself
 * @returns its certificate (PEM), and `issue`, which creates a server's certificate for host names and IPv4 addresses, or a
 *   client's certificate if there are none; `subordinate` creates an authority that this one certifies
 */
export function tlsAuthority(name: string, validity: Validity = {}, issuer?: Issuer) {
  const issuerKey = newKey();
  const issuerSpki = spkiOf(issuerKey);
  const above = issuer ?? { name, key: issuerKey };
  const own = usualExtensions({ spki: issuerSpki, issuerSpki: spkiOf(above.key), pathLength: issuer ? 0 : 1 });
  return {
    cert: certify({
      issuer: above.name,
      issuerKey: above.key,
      subject: name,
      key: issuerKey,
      extensions: own,
      validity,
    }),
    subordinate: (lower: string) => tlsAuthority(lower, {}, { name, key: issuerKey }),
    issue(names: readonly string[], leafValidity: Validity = {}, { onlySubject = false } = {}): TlsIdentity {
      const key = newKey();
      const extendedKeyUsage = names.length > 0 ? EKU_SERVER : EKU_CLIENT;
      const extensions = usualExtensions({ spki: spkiOf(key), issuerSpki, extendedKeyUsage });
      if (names.length > 0 && !onlySubject) extensions.push(alternativeNames(names));
      const subject = names[0] ?? "client";
      return {
        cert: certify({ issuer: name, issuerKey, subject, key, extensions, validity: leafValidity }),
        key: pemOf(key),
      };
    },
  };
}

/** Creates a self-signed certificate for host names and IPv4 addresses. */
export function selfSigned(names: readonly string[]): TlsIdentity {
  const key = newKey();
  const name = "self-signed";
  const extensions = [alternativeNames(names)];
  return {
    cert: certify({ issuer: name, issuerKey: key, subject: name, key, extensions, validity: {} }),
    key: pemOf(key),
  };
}
