import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { test } from "node:test";
import { SCT_LIST_OID } from "../sandbox/logs/ct.ts";
import { NULL, octetString } from "../sandbox/pki/der.ts";
import {
  createAuthority,
  distinguishedName,
  extension,
  serialNumber,
  signCertificate,
  tbsCertificate,
} from "../sandbox/pki/x509.ts";
import { parseCertificate } from "../trust/certificate.ts";
import { ALWAYS, type Log } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";
import { verifyScts } from "./sct.ts";

const newPair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const spkiOf = (key: KeyObject) => key.export({ type: "spki", format: "der" });
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

function number(value: number, length: number): Buffer {
  const digits = value.toString(16).padStart(length * 2, "0");
  return Buffer.from(digits, "hex");
}
const opaque = (prefix: number, bytes: Uint8Array) => Buffer.concat([number(bytes.length, prefix), bytes]);

const ISSUER_PAIR = newPair();
const ISSUER = createAuthority({
  commonName: "root",
  key: ISSUER_PAIR.privateKey,
  spki: spkiOf(ISSUER_PAIR.publicKey),
  pathLength: 0,
  notBefore: new Date(0),
  random: randomBytes,
});
const LEAF_PAIR = newPair();
const SERIAL = serialNumber(randomBytes);
const NAME = extension("2.5.29.17", NULL);
const LAST = extension("1.2.3.4", NULL);

function logOf(baseUrl: string): Log & { privateKey: KeyObject } {
  const { privateKey, publicKey } = newPair();
  return { baseUrl, id: sha256(spkiOf(publicKey)), key: publicKey, validFor: ALWAYS, privateKey };
}
const ONE = logOf("https://one.example");
const TWO = logOf("https://two.example");

function tbsOf(...extensions: readonly Uint8Array[]): Buffer {
  return tbsCertificate({
    serial: SERIAL,
    issuer: ISSUER.name,
    subject: distinguishedName("leaf"),
    notBefore: new Date(0),
    notAfter: new Date(1e12),
    spki: spkiOf(LEAF_PAIR.publicKey),
    extensions,
    issuerKey: ISSUER.key,
  });
}

/** An SCT of a log over the certificate without its SCTs (RFC 6962 section 3.2), with changes. */
function sctOf(
  log: ReturnType<typeof logOf>,
  change: { timestamp?: number; entryType?: number; version?: number; issuer?: Uint8Array; extensions?: Buffer } = {},
): Buffer {
  const { timestamp = 1_700_000_000_000, entryType = 1, version = 0, extensions = Buffer.alloc(0) } = change;
  const entry = Buffer.concat([sha256(change.issuer ?? ISSUER.spki), opaque(3, tbsOf(NAME, LAST))]);
  const head = Buffer.concat([Buffer.alloc(2), number(timestamp, 8), number(entryType, 2)]);
  const signature = sign("sha256", Buffer.concat([head, entry, opaque(2, extensions)]), log.privateKey);
  const digitallySigned = Buffer.concat([Buffer.from([4, 3]), opaque(2, signature)]);
  return Buffer.concat([Buffer.from([version]), log.id, number(timestamp, 8), opaque(2, extensions), digitallySigned]);
}

const listOf = (...scts: readonly Uint8Array[]) => opaque(2, Buffer.concat(scts.map((sct) => opaque(2, sct))));

/** Verifies a certificate whose SCT extension has this value. */
function judge(value: Uint8Array, logs: readonly Log[] = [ONE, TWO], detached?: Uint8Array): string {
  const tbs = tbsOf(NAME, extension(SCT_LIST_OID, value), LAST);
  const leaf = parseCertificate(signCertificate(tbs, ISSUER.key));
  return verifyScts({ leaf, issuer: parseCertificate(ISSUER.certificate) }, { logs, detached });
}

const embedded = (scts: readonly Uint8Array[], logs?: readonly Log[]) => judge(octetString(listOf(...scts)), logs);

function refused(run: () => unknown, reason: RegExp, name?: string): void {
  const isIt = (error: unknown) => error instanceof CheckFailed && error.check === "sct" && reason.test(error.message);
  assert.throws(run, isIt, name ?? String(reason));
}

test("verifyScts: several embedded SCTs -> trusted logs are counted once each, other logs are not", () => {
  assert.equal(embedded([sctOf(ONE)]), "signed certificate timestamp from a trusted log");
  assert.equal(embedded([sctOf(ONE), sctOf(ONE, { timestamp: 5 })]), "signed certificate timestamp from a trusted log");
  assert.equal(embedded([sctOf(ONE), sctOf(TWO)]), "signed certificate timestamp from 2 trusted logs");
  assert.equal(embedded([sctOf(TWO), sctOf(ONE)], [ONE]), "signed certificate timestamp from a trusted log");
  assert.equal(
    embedded([sctOf(ONE, { extensions: Buffer.from("more") })]),
    "signed certificate timestamp from a trusted log",
  );
  assert.equal(
    judge(octetString(listOf(sctOf(ONE))), [ONE], Buffer.from("not read")),
    "signed certificate timestamp from a trusted log",
  );
  refused(() => embedded([sctOf(TWO)], [ONE]), /from a trusted/);
  refused(() => embedded([sctOf(ONE)], []), /from a trusted/);
});

test("verifyScts: one invalid embedded SCT from a trusted log beside valid ones -> refused", () => {
  const impostor = { ...logOf(""), id: ONE.id };
  for (const wrong of [
    sctOf(impostor),
    sctOf(ONE, { entryType: 0 }),
    sctOf(ONE, { issuer: spkiOf(LEAF_PAIR.publicKey) }),
  ]) {
    refused(() => embedded([wrong]), /invalid signature from log https:\/\/one\.example/);
    refused(() => embedded([sctOf(TWO), wrong]), /invalid signature from log https:\/\/one\.example/);
  }
  const ended = { ...ONE, validFor: { start: new Date(0), end: new Date(1_699_999_999_999) } };
  refused(() => embedded([sctOf(ONE)], [ended]), /one\.example is not trusted at 2023-11-14T22:13:20\.000Z$/);
  refused(() => embedded([sctOf(TWO), sctOf(ONE)], [TWO, ended]), /is not trusted at/);
});

test("verifyScts: a malformed or truncated list of embedded SCTs, or trailing data -> refused", () => {
  const sct = sctOf(ONE);
  const list = listOf(sct);
  for (const [name, value] of [
    ["another type than a string of bytes", NULL],
    ["an empty string of bytes", octetString(Buffer.alloc(0))],
    ["bytes behind the list", octetString(Buffer.concat([list, Buffer.from([0])]))],
    ["bytes behind an SCT", octetString(listOf(Buffer.concat([sct, Buffer.from([0])])))],
    ["a list that is cut off", octetString(list.subarray(0, -1))],
    ["an SCT that is cut off", octetString(listOf(sct.subarray(0, -1)))],
    ["half a length", octetString(opaque(2, Buffer.concat([opaque(2, sct), Buffer.from([0])])))],
    ["an empty SCT", octetString(listOf(sct, Buffer.alloc(0)))],
    ["a later version", octetString(listOf(sctOf(ONE, { version: 1 })))],
  ] as const) {
    refused(() => judge(value), /malformed/, name);
  }
  refused(() => judge(Buffer.alloc(0)), /malformed/);
  refused(() => judge(octetString(listOf())), /has no signed certificate timestamp/);
  const unknown = logOf("");
  const unread = sctOf(unknown);
  const many = (count: number) => [sct, ...Array.from({ length: count - 1 }, () => unread)];
  assert.equal(embedded(many(32)), "signed certificate timestamp from a trusted log");
  refused(() => embedded(many(33)), /more than 32 signed certificate timestamps/);
});

test("verifyScts: a defect of tsign -> thrown, not a failed check", () => {
  const leaf = parseCertificate(signCertificate(tbsOf(NAME), ISSUER.key));
  const detached = Object.defineProperty(Object.create(null), "length", {
    get: () => {
      throw new TypeError("a defect");
    },
  });
  const path = { leaf, issuer: parseCertificate(ISSUER.certificate) };
  assert.throws(() => verifyScts(path, { logs: [ONE], detached }), TypeError);
});
