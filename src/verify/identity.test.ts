import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import { implicit, NULL, octetString, sequence, tlv, utf8String } from "../sandbox/pki/der.ts";
import { distinguishedName, extension, serialNumber, signCertificate, tbsCertificate } from "../sandbox/pki/x509.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { fulcioExtensions, verifyIdentity } from "./identity.ts";
import { CheckFailed, type NamePattern } from "./model.ts";
import { exactly, matching } from "./patterns.ts";

const FULCIO = "1.3.6.1.4.1.57264.1";
const EMAIL = "dev@corp.example";
const ISSUER = "https://issuer.example";
const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const raw = (number: number, text: string) => extension(`${FULCIO}.${number}`, Buffer.from(text));
const der = (number: number, value: Uint8Array) => extension(`${FULCIO}.${number}`, value);

const leaf = (...extensions: readonly Buffer[]) => leafFor([EMAIL], ...extensions);

function leafFor(emails: readonly string[], ...extensions: readonly Buffer[]) {
  const name = extension("2.5.29.17", sequence(...emails.map((email) => implicit(1, Buffer.from(email)))));
  const tbs = tbsCertificate({
    serial: serialNumber(randomBytes),
    issuer: distinguishedName("root"),
    subject: distinguishedName(),
    notBefore: new Date(0),
    notAfter: new Date(1e12),
    spki: publicKey.export({ type: "spki", format: "der" }),
    extensions: [name, ...extensions],
    issuerKey: privateKey,
  });
  return signCertificate(tbs, privateKey);
}

function judge(certificate: Buffer, issuer: NamePattern, required: Record<string, string> = {}): string {
  const identity = { subject: [exactly(EMAIL)], issuer: [issuer], extensions: new Map(Object.entries(required)) };
  return verifyIdentity(parseCertificate(certificate).asn1, identity).report;
}

test("verifyIdentity: a certificate without an issuer -> accepted only by patterns that match the empty text", async () => {
  for (const pattern of [".*", "^$", "", "x?", "(https://a)?"]) {
    assert.ok(judge(leaf(), await matching(pattern)), pattern);
  }
  for (const pattern of [".+", "^https://", "issuer", "none"]) {
    const issuer = await matching(pattern);
    assert.throws(() => judge(leaf(), issuer), /issuer mismatch: got none/, pattern);
  }
  for (const text of [ISSUER, "", "none", "undefined"]) {
    assert.throws(() => judge(leaf(), exactly(text)), /issuer mismatch: got none/, text);
  }
});

test("verifyIdentity: the issuer in either extension, or the same one in both -> read", () => {
  for (const extensions of [
    [raw(1, ISSUER)],
    [der(8, utf8String(ISSUER))],
    [raw(1, ISSUER), der(8, utf8String(ISSUER))],
  ]) {
    assert.ok(judge(leaf(...extensions), exactly(ISSUER)));
    assert.throws(() => judge(leaf(...extensions), exactly("https://other.example")), /issuer mismatch/);
  }
});

test("verifyIdentity: a malformed issuer extension, or two that contradict each other -> refused", () => {
  const anyone = { text: "anyone", matches: () => true, matchesNone: true };
  const refused: readonly [string, readonly Buffer[]][] = [
    ["contradiction", [raw(1, "https://other.example"), der(8, utf8String(ISSUER))]],
    ["an empty older one", [raw(1, ""), der(8, utf8String(ISSUER))]],
    ["an OCTET STRING", [der(8, octetString(Buffer.from(ISSUER)))]],
    ["a PrintableString", [der(8, tlv(0x13, Buffer.from("issuer")))]],
    ["bytes after it", [der(8, Buffer.concat([utf8String(ISSUER), NULL]))]],
    ["two texts", [der(8, Buffer.concat([utf8String(ISSUER), utf8String(ISSUER)]))]],
    ["in a sequence", [der(8, sequence(utf8String(ISSUER)))]],
    ["raw text in the newer one", [raw(8, ISSUER)]],
    ["nothing in the newer one", [raw(8, "")]],
    ["no UTF-8 in the newer one", [der(8, tlv(0x0c, Buffer.from([0xff])))]],
    ["no UTF-8 in the older one", [extension(`${FULCIO}.1`, Buffer.from([0xff]))]],
  ];
  for (const [what, extensions] of refused) {
    assert.throws(() => judge(leaf(...extensions), anyone), /read certificate identity: extension/, what);
  }
});

test("verifyIdentity: any other malformed or contradicting Fulcio extension -> refused", () => {
  const anyone = { text: "anyone", matches: () => true, matchesNone: true };
  for (const number of [9, 14, 20, 24]) {
    assert.ok(judge(leaf(der(number, utf8String("text"))), anyone));
    assert.throws(
      () => judge(leaf(raw(number, "text")), anyone),
      new RegExp(`${FULCIO}.${number} is not a single UTF8String`),
    );
  }
  for (const [older, newer] of [
    [2, 20],
    [3, 13],
    [6, 14],
  ] as const) {
    assert.ok(judge(leaf(raw(older, "a"), der(newer, utf8String("a"))), anyone, { [`${FULCIO}.${older}`]: "a" }));
    assert.throws(() => judge(leaf(raw(older, "a"), der(newer, utf8String("b"))), anyone), /contradict/);
  }
});

test("verifyIdentity: a certificate with a duplicate extension of any kind -> refused", () => {
  for (const twice of [raw(1, ISSUER), der(8, utf8String(ISSUER)), extension("1.2.3.4", NULL)]) {
    assert.ok(parseCertificate(leaf(twice)));
    assert.throws(() => parseCertificate(leaf(twice, twice)), /duplicate extension [\d.]+/);
  }
  assert.throws(
    () => parseCertificate(leaf(raw(1, "https://evil.example"), raw(1, ISSUER))),
    /duplicate extension .*57264\.1\.1/,
  );
  assert.throws(() => parseCertificate(leaf(extension("2.5.29.17", NULL))), /duplicate extension 2\.5\.29\.17/);
});

test("verifyIdentity: a mismatch -> the error has the expected and the found value", () => {
  const wanted = (texts: readonly string[]) => texts.map(exactly);
  const judge = (certificate: Buffer, subject: string[], issuer: string[], extensions = new Map<string, string>()) =>
    verifyIdentity(parseCertificate(certificate).asn1, {
      subject: wanted(subject),
      issuer: wanted(issuer),
      extensions,
    });
  const certificate = leafFor([EMAIL, "other@corp.example"], raw(1, ISSUER));
  assert.equal(judge(certificate, [EMAIL], [ISSUER]).report, `${EMAIL}, other@corp.example (issuer ${ISSUER})`);
  const fails = (run: () => unknown, message: string, expected: string, actual: string) =>
    assert.throws(run, (error: unknown) => {
      assert.ok(error instanceof CheckFailed);
      const { check, message: text, compared } = error;
      assert.deepEqual([check, text, compared.expected, compared.actual], ["identity", message, expected, actual]);
      return true;
    });
  fails(
    () => judge(certificate, ["a", EMAIL], [ISSUER]),
    `certificate identity mismatch: got ${EMAIL}, other@corp.example (issuer ${ISSUER}), want a and ${EMAIL}`,
    `a and ${EMAIL}`,
    `${EMAIL}, other@corp.example (issuer ${ISSUER})`,
  );
  for (const issuers of [
    ["https://a", ISSUER],
    [ISSUER, "https://a"],
  ]) {
    fails(
      () => judge(leaf(raw(1, ISSUER)), [EMAIL], issuers),
      `certificate OIDC issuer mismatch: got ${ISSUER}, want ${issuers.join(" and ")}`,
      issuers.join(" and "),
      ISSUER,
    );
  }
  fails(
    () => judge(leafFor([]), ["a"], ["b"]),
    "certificate identity mismatch: got no name (issuer none), want a",
    "a",
    "no name (issuer none)",
  );
  fails(() => judge(leaf(), [EMAIL], ["b"]), "certificate OIDC issuer mismatch: got none, want b", "b", "none");
  fails(
    () => judge(leaf(raw(1, ISSUER)), [EMAIL], [ISSUER], new Map([["1.2.3", "x"]])),
    'certificate extension 1.2.3 mismatch: got "", want "x"',
    "x",
    "",
  );
  const required = new Map([[`${FULCIO}.2`, "push"]]);
  fails(
    () => judge(leaf(raw(1, ISSUER)), [EMAIL], [ISSUER], required),
    'certificate GitHub workflow trigger mismatch: got "", want "push"',
    "push",
    "",
  );
});

test("fulcioExtensions: the certificate's extensions with plain text, up to six", () => {
  const texts = [1, 2, 3, 4, 5, 6].map((last) => [last, `text ${last}`] as const);
  const { asn1 } = parseCertificate(leaf(...texts.map(([last, text]) => raw(last, text))));
  assert.deepEqual(
    [...fulcioExtensions(asn1)],
    texts.map(([last, text]) => [`${FULCIO}.${last}`, text]),
  );
});

test("verifyIdentity: a certificate with several names -> the one that the policy accepts", async () => {
  const certificate = leafFor(["first@corp.example", EMAIL, "last@corp.example"], raw(1, ISSUER));
  const { asn1 } = parseCertificate(certificate);
  for (const [pattern, name] of [
    [exactly(EMAIL), EMAIL],
    [exactly("last@corp.example"), "last@corp.example"],
    [await matching("^(dev|last)@"), EMAIL],
  ] as const) {
    const identity = { subject: [pattern], issuer: [exactly(ISSUER)], extensions: new Map() };
    const found = verifyIdentity(asn1, identity);
    assert.deepEqual([found.name, found.issuer], [name, ISSUER]);
  }
  const nobody = { subject: [exactly("corp.example")], issuer: [exactly(ISSUER)], extensions: new Map() };
  assert.throws(() => verifyIdentity(asn1, nobody), /want corp.example/);
  const split = { ...nobody, subject: [exactly("first@corp.example"), exactly("last@corp.example")] };
  assert.throws(() => verifyIdentity(asn1, split), /mismatch/, "one name has to satisfy every pattern");
});

test("fulcioExtensions: extensions that the certificate does not have -> left out", () => {
  assert.deepEqual([...fulcioExtensions(parseCertificate(leaf()).asn1)], []);
  const newer = parseCertificate(leaf(der(8, utf8String(ISSUER)), raw(5, "owner/repo"))).asn1;
  assert.deepEqual([...fulcioExtensions(newer)], [[`${FULCIO}.5`, "owner/repo"]]);
});

test("patterns for extensions: the decoded text must match, and a missing extension never does", () => {
  const certificate = leaf(
    raw(1, ISSUER),
    raw(5, "acme/app"),
    der(12, utf8String(`https://github.com/acme/${"x".repeat(200)}`)),
  );
  const check = (oid: string, pattern: NamePattern) =>
    verifyIdentity(parseCertificate(certificate).asn1, {
      subject: [exactly(EMAIL)],
      issuer: [exactly(ISSUER)],
      extensions: new Map(),
      extensionPatterns: new Map([[oid, pattern]]),
    });
  const anything: NamePattern = { text: "anything", matchesNone: true, matches: () => true };
  assert.ok(check(`${FULCIO}.5`, exactly("acme/app")));
  assert.ok(check(`${FULCIO}.12`, exactly(`https://github.com/acme/${"x".repeat(200)}`)));
  assert.ok(check(`${FULCIO}.12`, anything));
  assert.throws(
    () => check(`${FULCIO}.5`, exactly("acme/ap")),
    /repository mismatch: got "acme\/app", want "acme\/ap"/,
  );
  assert.throws(() => check(`${FULCIO}.12`, exactly("https://github.com/acme/")), /mismatch/);
  assert.throws(() => check(`${FULCIO}.13`, anything), /mismatch: got ""/);
});
