import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  distinguishedName,
  EKU_CODE_SIGNING,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "../../src/sandbox/pki/x509.ts";

/** Creates authorities with any name, key and issuer, and their leaf certificates, for hostile chains. */
export function foundry() {
  const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spkiOf = (pair: ReturnType<typeof newKey>) => pair.publicKey.export({ type: "spki", format: "der" });
  const make = (options: {
    name: string | undefined;
    key: ReturnType<typeof newKey>;
    issuer: string;
    issuerKey: ReturnType<typeof newKey>;
    /** Additional extensions. */
    more?: readonly Buffer[];
    /** A time of its validity, which lasts ten minutes from a minute before; milliseconds since the epoch, default now. */
    at?: number;
  }) => {
    const { name, key, issuer, issuerKey, more = [], at = Date.now() } = options;
    const extensions = usualExtensions({
      spki: spkiOf(key),
      issuerSpki: spkiOf(issuerKey),
      extendedKeyUsage: EKU_CODE_SIGNING,
      ...(name === undefined ? {} : { pathLength: 9 }),
    });
    const tbs = tbsCertificate({
      serial: serialNumber(randomBytes),
      issuer: distinguishedName(issuer),
      subject: distinguishedName(name),
      notBefore: new Date(at - 60_000),
      notAfter: new Date(at + 600_000),
      spki: spkiOf(key),
      extensions: [...extensions, ...more],
      issuerKey: issuerKey.privateKey,
    });
    return signCertificate(tbs, issuerKey.privateKey);
  };
  return { newKey, make };
}
