import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { bitString, NULL, oid, sequence } from "../sandbox/der.ts";
import {
  createAuthority,
  distinguishedName,
  EKU_CODE_SIGNING,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
  usualExtensions,
} from "../sandbox/x509.ts";
import { type Purpose, verifyCertificatePath } from "./certificate-path.ts";

const der = (name: string) =>
  new X509Certificate(readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url))).raw;
const ISSUED = new X509Certificate(der("leaf")).validFromDate;
const SOON = new Date(ISSUED.getTime() + 3_600_000);
const LATER = new Date(ISSUED.getTime() + 3 * 86_400_000);

function pathOf(leaf: string, intermediates: readonly string[], options: { at?: Date; purpose?: Purpose } = {}) {
  const authorities = { roots: [der("root")], intermediates: intermediates.map(der) };
  return verifyCertificatePath({ leaf: der(leaf), authorities, at: SOON, ...options });
}

test("a path leads from the leaf over its issuer to a root", () => {
  const { leaf, issuer } = pathOf("leaf", ["intermediate"]);
  assert.ok(leaf.native.raw.equals(der("leaf")));
  assert.ok(issuer.native.raw.equals(der("intermediate")));
});

test("a certificate of another kind, or under an authority that may not, has none", () => {
  for (const [leaf, intermediates, at, reason] of [
    ["leaf-server", ["intermediate"], SOON, /not for code signing/],
    ["leaf-below-pathlen", ["intermediate", "below-pathlen"], SOON, /no valid path/],
    ["leaf-of-leaf", ["intermediate", "not-an-authority"], SOON, /no valid path/],
    ["leaf-of-a-day", ["intermediate-of-a-day"], LATER, /no valid path/],
    ["root", [], SOON, /not for code signing/],
  ] as const) {
    assert.throws(() => pathOf(leaf, intermediates, { at }), { code: "untrusted", message: reason }, leaf);
  }
  assert.ok(pathOf("leaf-of-a-day", ["intermediate-of-a-day"]), "while its issuer is valid");
});

test("a signing certificate gives no timestamps", () => {
  assert.throws(() => pathOf("leaf", ["intermediate"], { purpose: "timeStamping" }), /not for timestamps alone/);
});

/** A root and a maker of leaves under it, each with more extensions than usual. */
function workshop() {
  const newKey = () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    return { key: privateKey, spki: publicKey.export({ type: "spki", format: "der" }) };
  };
  const notBefore = new Date(Date.now() - 60_000);
  const root = createAuthority({ commonName: "root", ...newKey(), pathLength: 1, notBefore, random: randomBytes });
  const under = (authority: boolean, more: readonly Buffer[]) => {
    const { key, spki } = newKey();
    const subject = distinguishedName(authority ? "intermediate" : undefined);
    const usual = usualExtensions({
      spki,
      issuerSpki: root.spki,
      extendedKeyUsage: EKU_CODE_SIGNING,
      ...(authority ? { pathLength: 0 } : {}),
    });
    const notAfter = new Date(Date.now() + 60_000);
    const content = { serial: serialNumber(randomBytes), issuer: root.name, notBefore, notAfter, issuerKey: root.key };
    return {
      key,
      spki,
      name: subject,
      tbs: tbsCertificate({ ...content, subject, spki, extensions: [...usual, ...more] }),
    };
  };
  const path = (leaf: Uint8Array, intermediates: readonly Uint8Array[] = []) =>
    verifyCertificatePath({ leaf, authorities: { roots: [root.certificate], intermediates }, at: new Date() });
  return { root, under, path };
}

test("what is critical and not understood is not passed over, in a leaf and above it", () => {
  const { root, under, path } = workshop();
  const poison = "1.3.6.1.4.1.11129.2.4.3"; // of a precertificate (RFC 6962 §3.1)
  const certificate = (made: { tbs: Buffer }, key: KeyObject = root.key) => signCertificate(made.tbs, key);
  assert.ok(path(certificate(under(false, [extension(poison, NULL)]))), "not critical");
  assert.throws(
    () => path(certificate(under(false, [extension(poison, NULL, { critical: true })]))),
    /critical extension/,
  );
  for (const critical of [false, true]) {
    const intermediate = under(true, [extension("1.2.3.4", NULL, { critical })]);
    const leaf = tbsCertificate({
      serial: serialNumber(randomBytes),
      issuer: intermediate.name,
      subject: distinguishedName(),
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 60_000),
      spki: intermediate.spki,
      extensions: usualExtensions({
        spki: intermediate.spki,
        issuerSpki: intermediate.spki,
        extendedKeyUsage: EKU_CODE_SIGNING,
      }),
      issuerKey: intermediate.key,
    });
    const attempt = () => path(signCertificate(leaf, intermediate.key), [certificate(intermediate)]);
    if (critical) assert.throws(attempt, /no valid path/);
    else assert.ok(attempt());
  }
});

test("a certificate signed with a weak or unusual hash has no path", () => {
  const { root, under, path } = workshop();
  const { tbs } = under(false, []);
  const [sha256, sha224] = [oid("1.2.840.10045.4.3.2"), oid("1.2.840.10045.4.3.1")];
  const at = tbs.indexOf(sha256);
  const weak = Buffer.concat([tbs.subarray(0, at), sha224, tbs.subarray(at + sha256.length)]);
  const certificate = sequence(weak, sequence(sha224), bitString(sign("sha224", weak, root.key)));
  assert.ok(
    new X509Certificate(certificate).verify(new X509Certificate(root.certificate).publicKey),
    "OpenSSL takes it",
  );
  assert.throws(() => path(certificate), /no valid path/);
  assert.ok(path(signCertificate(tbs, root.key)));
});
