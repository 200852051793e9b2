import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import {
  bitString,
  boolean,
  explicit,
  implicit,
  integer,
  NULL,
  octetString,
  oid,
  sequence,
  tlv,
  utf8String,
} from "../sandbox/pki/der.ts";
import { distinguishedName, extension } from "../sandbox/pki/x509.ts";
import { parseCertificate, subjectOf } from "./certificate.ts";

const SPKI = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" });
const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const ECDSA_SHA384 = sequence(oid("1.2.840.10045.4.3.3"));
const utcTime = (text: string) => tlv(0x17, Buffer.from(text));
const generalTime = (text: string) => tlv(0x18, Buffer.from(text));
const [FROM, TO] = [utcTime("260101000000Z"), utcTime("270101000000Z")];
const [ISSUER, SUBJECT] = [distinguishedName("issuer"), distinguishedName("subject")];
const version = (number: number) => explicit(0, integer(number));
const [ISSUER_ID, SUBJECT_ID] = [implicit(1, Buffer.of(0, 1)), implicit(2, Buffer.of(0, 1))];
const KEY_ID = extension("2.5.29.14", octetString(Buffer.alloc(20)));
const extensions = (...list: Buffer[]) => explicit(3, sequence(...list));

/** Members of a certificate; undefined ones are left out. */
const MEMBERS = {
  version: version(2) as Buffer | undefined,
  serial: integer(Buffer.of(0x40, 1)) as Buffer | undefined,
  innerAlgorithm: ECDSA_SHA256 as Buffer | undefined,
  issuer: ISSUER as Buffer | undefined,
  validity: sequence(FROM, TO) as Buffer | undefined,
  subject: SUBJECT as Buffer | undefined,
  spki: SPKI as Buffer | undefined,
  issuerId: undefined as Buffer | undefined,
  subjectId: undefined as Buffer | undefined,
  extensions: extensions(KEY_ID) as Buffer | undefined,
};
const OUTER = {
  algorithm: ECDSA_SHA256 as Buffer | undefined,
  signature: bitString(sequence(integer(1), integer(1))) as Buffer | undefined,
  more: undefined as Buffer | undefined,
};

const present = (members: object) => Object.values(members).filter((each): each is Buffer => each !== undefined);

/** A certificate with an invalid signature, which parsing does not check. */
function made(changes: Partial<typeof MEMBERS> = {}, outer: Partial<typeof OUTER> = {}): Buffer {
  return sequence(sequence(...present({ ...MEMBERS, ...changes })), ...present({ ...OUTER, ...outer }));
}

function refused(der: Uint8Array, reason: RegExp, name = String(reason)): void {
  assert.throws(() => parseCertificate(der), { code: "untrusted", message: reason }, name);
}

test("parseCertificate returns names, key and signature algorithm as encoded", () => {
  const der = made();
  const certificate = parseCertificate(der);
  assert.ok(certificate.native.raw.equals(der));
  assert.deepEqual(
    [certificate.subject, certificate.issuer, certificate.signatureAlgorithm].map((part) => Buffer.from(part)),
    [SUBJECT, ISSUER, ECDSA_SHA256],
  );
  assert.ok(certificate.key.export({ type: "spki", format: "der" }).equals(SPKI));
  assert.equal(certificate.asn1.extensions.length, 1);
  assert.ok(parseCertificate(der) === certificate, "the same bytes are read once");
  assert.ok(parseCertificate(Buffer.from(der)) === certificate, "also from another image");
});

test("parseCertificate: bytes that are changed afterwards -> the certificate does not change, and the new bytes are read", () => {
  const der = Buffer.from(made({ serial: integer(Buffer.of(0x41, 7)) }));
  const certificate = parseCertificate(Buffer.from(der));
  const mine = parseCertificate(der);
  der[0] = 0x31;
  assert.ok(mine.native.raw.equals(certificate.native.raw));
  assert.deepEqual(Buffer.from(mine.subject), SUBJECT);
  refused(Buffer.from(der), /unexpected type/);
});

test("parseCertificate: missing or extra members -> refused", () => {
  refused(Buffer.alloc(0), /^malformed certificate: expected exactly one element$/);
  refused(Buffer.from("no certificate"), /^malformed certificate: /);
  refused(Buffer.concat([made(), NULL]), /expected exactly one element/);
  refused(tlv(0x31, ...present(MEMBERS)), /missing element, or unexpected type/);
  refused(made({}, { more: NULL }), /expected three members$/);
  refused(made({}, { signature: undefined }), /expected three members$/);
  refused(made({}, { signature: octetString(Buffer.alloc(70)) }), /expected three members$/);
  refused(made({}, { algorithm: undefined, signature: undefined }), /expected three members$/);
  refused(made({}, { algorithm: undefined }), /expected three members$/);
  for (const member of ["spki", "serial", "innerAlgorithm", "issuer", "validity", "subject"] as const) {
    refused(made({ [member]: undefined, extensions: undefined }), /: missing member$/, member);
  }
  refused(sequence(sequence(), ECDSA_SHA256, OUTER.signature ?? NULL), /: missing member$/);
  refused(made({ issuer: tlv(0x31) }), /missing element, or unexpected type/, "an issuer that is a SET");
  refused(made({ subject: tlv(0x31) }), /missing element, or unexpected type/, "a subject that is a SET");
  refused(made({ innerAlgorithm: ECDSA_SHA384 }), /inner and outer signature algorithms differ$/);
  refused(made({}, { algorithm: ECDSA_SHA384 }), /inner and outer signature algorithms differ$/);
  const text = utf8String("ecdsa");
  refused(made({ innerAlgorithm: text }, { algorithm: text }), /missing element, or unexpected type/);
});

test("parseCertificate: an extension's value must be DER", () => {
  refused(made({ spki: sequence(tlv(0x01, Buffer.of(1))) }), /invalid BOOLEAN/);
  const deep = Array.from({ length: 40 }).reduce<Buffer>((inner) => sequence(inner), NULL);
  refused(made({ extensions: extensions(extension("1.2.3", deep)) }), /nested deeper than/);
});

test("parseCertificate: more than 100 KiB -> refused", () => {
  const ofSize = (size: number) => {
    const empty = 5 + extension("1.2.3", Buffer.alloc(90_000)).length - 90_000;
    let content = size - made().length - empty;
    for (;;) {
      const der = made({ extensions: extensions(KEY_ID, extension("1.2.3", Buffer.alloc(content, 0xff))) });
      if (der.length === size) return der;
      content += size - der.length;
    }
  };
  assert.ok(parseCertificate(ofSize(100 * 1024)));
  refused(ofSize(100 * 1024 + 1), /^malformed certificate: larger than 100 KiB$/);
});

test("parseCertificate: version 1, 2 or 3, with the members of that version", () => {
  const none = { extensions: undefined };
  assert.ok(parseCertificate(made({ version: undefined, ...none })), "1");
  assert.ok(parseCertificate(made({ version: version(1), ...none })), "2");
  assert.ok(parseCertificate(made({ version: version(2), ...none })), "3");
  const reason = /: version is not 1, 2 or 3$/;
  refused(made({ version: version(0), ...none }), reason, "1, which must be omitted");
  refused(made({ version: version(3) }), reason, "4");
  refused(made({ version: explicit(0) }), reason, "nothing");
  refused(made({ version: explicit(0, integer(2), integer(2)) }), reason, "two");
  refused(made({ version: explicit(0, octetString(Buffer.of(2))) }), reason, "another type");
  refused(made({ version: explicit(0, integer(258)) }), reason, "two bytes");
  refused(made({ version: explicit(0, integer(Buffer.of(2, 0))) }), reason, "two bytes that begin as version 3");
  const ids = { issuerId: ISSUER_ID, subjectId: SUBJECT_ID };
  assert.ok(parseCertificate(made(ids)));
  assert.ok(parseCertificate(made({ subjectId: SUBJECT_ID })));
  assert.ok(parseCertificate(made({ ...ids, version: version(1), ...none })));
  const wrong = /unexpected member for its version$/;
  refused(made({ version: version(1) }), wrong, "extensions of version 2");
  refused(made({ version: undefined }), wrong, "extensions of version 1");
  refused(made({ version: undefined, issuerId: ISSUER_ID, ...none }), wrong, "an identifier of version 1");
  refused(made({ issuerId: SUBJECT_ID, subjectId: ISSUER_ID }), wrong, "in another order");
  refused(made({ issuerId: ISSUER_ID, subjectId: ISSUER_ID }), wrong, "twice");
  refused(made({ issuerId: NULL }), wrong, "of another type");
  refused(made({ ...none, issuerId: extensions(KEY_ID), subjectId: extensions(KEY_ID) }), wrong, "extensions twice");
});

test("parseCertificate: negative serial number -> refused", () => {
  for (const serial of [[0], [1], [1, 0], [127], [0, 128], [127, 255]]) {
    assert.ok(parseCertificate(made({ serial: tlv(0x02, Buffer.from(serial)) })), String(serial));
  }
  const reason = /negative or missing serial number$/;
  refused(made({ serial: tlv(0x02, Buffer.of(0x80)) }), reason);
  refused(made({ serial: tlv(0x02, Buffer.of(0xff, 0x7f)) }), reason);
  refused(made({ serial: octetString(Buffer.of(1)) }), reason);
  refused(made({ serial: tlv(0x02, Buffer.of(0, 0x7f)) }), /not minimally encoded$/);
});

test("parseCertificate: the validity must be two DER times", () => {
  const between = (...times: Buffer[]) => made({ validity: sequence(...times) });
  assert.ok(parseCertificate(between(FROM, generalTime("20500101000000Z"))));
  refused(between(utcTime("2601010000Z"), TO), /^malformed certificate$/, "without seconds: Go reads it, not OpenSSL");
  const reason = /invalid validity$/;
  for (const times of [
    [],
    [FROM],
    [FROM, TO, TO],
    [FROM, NULL],
    [NULL, TO],
    [FROM, generalTime("270101000000Z")],
    [utcTime("20260101000000Z"), TO],
    [FROM, utcTime("2701010000000Z")],
    [FROM, utcTime("270101000000")],
    [FROM, utcTime("270101000000ZZ")],
    [FROM, utcTime("0270101000000Z")],
    [FROM, utcTime("270101000000+0000")],
    [FROM, utcTime("27010100000xZ")],
    [FROM, generalTime("20270101000000")],
    [FROM, generalTime("20270101000000.5Z")],
    [FROM, generalTime("20270101000000Z ")],
    [FROM, generalTime(" 20270101000000Z")],
    [FROM, utf8String("270101000000Z")],
    [FROM, utf8String("20270101000000Z")],
  ]) {
    refused(between(...times), reason, times.map((each) => each.toString("latin1")).join());
  }
  refused(made({ validity: tlv(0x31, FROM, TO) }), /missing element, or unexpected type/);
});

test("parseCertificate: duplicate or malformed extension -> refused", () => {
  const of = (...list: Buffer[]) => made({ extensions: extensions(...list) });
  const id = oid("1.2.3");
  const value = octetString(NULL);
  assert.ok(parseCertificate(of(KEY_ID, extension("1.2.3", NULL, { critical: true }))));
  assert.ok(parseCertificate(of(sequence(id, boolean(false), value))), "FALSE said");
  const reason = /malformed extension$/;
  for (const [name, wrong] of Object.entries({
    "no value": sequence(id),
    "critical and no value": sequence(id, boolean(true)),
    "two values": sequence(id, value, value),
    "critical and two values": sequence(id, boolean(true), value, value),
    "critical twice": sequence(id, boolean(true), boolean(true), value),
    "a value of another type": sequence(id, utf8String("x")),
    "a name of another type": sequence(utf8String("x"), value),
    "another order": sequence(id, value, boolean(true)),
    nothing: sequence(),
  })) {
    refused(of(wrong), reason, name);
  }
  refused(of(tlv(0x31, id, value)), /missing element, or unexpected type/);
  refused(made({ extensions: explicit(3, tlv(0x31, KEY_ID)) }), /missing element, or unexpected type/);
  refused(made({ extensions: explicit(3) }), /missing element, or unexpected type/);
  refused(made({ extensions: explicit(3, sequence(KEY_ID), sequence()) }), /malformed extensions$/);
  refused(of(...Array.from({ length: 2 }, () => sequence(tlv(0x06), value))), /duplicate extension 0\.0$/);
  for (const name of [
    "0.9.2342",
    "1.0.8571",
    "1.39.1",
    "1.3.6.1.4.1.57264.1.1",
    "2.0.1",
    "2.5.29.15",
    "2.47.128.16384",
  ]) {
    const twice = of(extension(name, NULL), KEY_ID, extension(name, octetString(NULL), { critical: true }));
    refused(twice, new RegExp(`^malformed certificate: duplicate extension ${name}$`), name);
  }
});

test("parseCertificate: weak key, or one that is not DER -> refused", () => {
  const rsa = (modulusLength: number) =>
    generateKeyPairSync("rsa", { modulusLength }).publicKey.export({ type: "spki", format: "der" });
  const short = rsa(1024);
  refused(made({ spki: short }), /^malformed certificate: key cannot be used: RSA keys of 1024 bits/);
  const long = rsa(2048);
  assert.ok(parseCertificate(made({ spki: long })));
  const header = sequence(oid("1.2.840.113549.1.1.1"), NULL);
  const bits = long.subarray(long.indexOf(header) + header.length);
  const without = sequence(sequence(oid("1.2.840.113549.1.1.1")), bits);
  refused(made({ spki: without }), /^malformed certificate: public key is not DER$/);
  refused(made({ spki: sequence(header, bitString(NULL)) }), /^malformed certificate$/);
});

test("subjectOf returns the subject of any version, without reading what follows", () => {
  const subject = (der: Uint8Array) => Buffer.from(subjectOf(der));
  assert.deepEqual(subject(made()), SUBJECT);
  assert.deepEqual(subject(made({ version: undefined })), SUBJECT);
  assert.deepEqual(subject(made({ spki: NULL, extensions: undefined })), SUBJECT);
  for (const wrong of [
    made({ subject: utf8String("subject") }),
    sequence(sequence(...present({ version: version(2), serial: integer(1) }))),
    sequence(tlv(0x31, ...present(MEMBERS))),
    sequence(),
    Buffer.from("no certificate"),
  ]) {
    assert.throws(() => subjectOf(wrong), { code: "untrusted", message: "malformed certificate" });
  }
});
