import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { TsignError } from "../src/errors.ts";
import { readTrustedRoot } from "../src/trust/trusted-root.ts";
import { type Json, mutations } from "./support/document-mutations.ts";
import { testSigstore } from "./support/sandbox.ts";

function isRead(root: Json): boolean {
  try {
    readTrustedRoot(Buffer.from(JSON.stringify(root)), "root.json");
    return true;
  } catch (error) {
    assert.ok(error instanceof TsignError && error.code === "untrusted", String(error));
    return false;
  }
}

/** Mutations that result in another valid trusted root, or in an empty one. */
const FREE = /(^|\.)(baseUrl|uri|operator|subject|commonName|organization)$/;

test("trusted root: any invalid field -> refused", async () => {
  const { trustedRoot } = await testSigstore();
  const root = JSON.parse(trustedRoot);
  assert.ok(isRead(root));
  const structural = /unknown field|both spellings|true|an object|in a list|at its end|a space before|half more|inside/;
  let refused = 0;
  for (const { path, change, changed, value } of mutations(root)) {
    const read = isRead(changed);
    if (!read) refused++;
    const isMessage = typeof value === "object";
    const mustFail = structural.test(change) && !(isMessage && change === "an object") && !FREE.test(path);
    // Base64 of other bytes may still be a valid id or certificate.
    const isOtherBytes = /\.(keyId|rawBytes)$/.test(path) && /"A"/.test(change);
    if (mustFail && !isOtherBytes) assert.equal(read, false, `${path}: ${change}`);
  }
  assert.ok(refused > 300, `${refused} refused`);
});

test("trusted root: log key of another kind, incomplete, or with another hash -> refused", async () => {
  const { trustedRoot } = await testSigstore();
  const longer = (base64: string) =>
    Buffer.concat([Buffer.from(base64, "base64"), Buffer.from([0])]).toString("base64");
  const wrong: Record<string, (root: Json) => void> = {
    "another hash": (r) => Object.assign(r.tlogs[0], { hashAlgorithm: "SHA2_512" }),
    "no hash": (r) => delete r.tlogs[0].hashAlgorithm,
    "another curve": (r) => Object.assign(r.tlogs[0].publicKey, { keyDetails: "PKIX_ECDSA_P384_SHA_384" }),
    "another kind of key": (r) => Object.assign(r.ctlogs[0].publicKey, { keyDetails: "PKIX_ED25519" }),
    "no kind of key": (r) => delete r.ctlogs[0].publicKey.keyDetails,
    "a kind no log has": (r) => Object.assign(r.tlogs[0].publicKey, { keyDetails: "LMS_SHA256" }),
    "a byte after the key": (r) => {
      r.tlogs[0].publicKey.rawBytes = longer(r.tlogs[0].publicKey.rawBytes);
    },
    "a byte after a certificate": (r) => {
      const [certificate] = r.certificateAuthorities[0].certChain.certificates;
      certificate.rawBytes = longer(certificate.rawBytes);
    },
    "no log id": (r) => delete r.tlogs[0].logId,
    "a time without a zone": (r) => Object.assign(r.tlogs[0].publicKey.validFor, { start: "2024-01-01T00:00:00" }),
    "a day that is none": (r) => Object.assign(r.tlogs[0].publicKey.validFor, { start: "2024-02-30T00:00:00Z" }),
    "an end that is none": (r) => Object.assign(r.ctlogs[0].publicKey.validFor, { end: "never" }),
    "another version": (r) => Object.assign(r, { mediaType: r.mediaType.replace("0.1", "0.2") }),
  };
  for (const [name, change] of Object.entries(wrong)) {
    const root = JSON.parse(trustedRoot);
    change(root);
    assert.equal(isRead(root), false, name);
  }
});

test("trusted root: authority without a start -> trusted from the beginning; an end is respected", async () => {
  const { trustedRoot } = await testSigstore();
  for (const field of ["certificateAuthorities", "timestampAuthorities"] as const) {
    for (const [validFor, start, end] of [
      [undefined, 0, undefined],
      [null, 0, undefined],
      [{}, 0, undefined],
      [{ end: "2026-01-01T00:00:00Z" }, 0, Date.UTC(2026, 0, 1)],
      [{ start: "2025-01-01T00:00:00Z" }, Date.UTC(2025, 0, 1), undefined],
    ] as const) {
      const root = JSON.parse(trustedRoot);
      root[field][0].validFor = validFor;
      const { authorities, timestampAuthorities } = readTrustedRoot(Buffer.from(JSON.stringify(root)), "root.json");
      const [first] = field === "certificateAuthorities" ? authorities : timestampAuthorities;
      assert.equal(first?.validFor.start.getTime(), start);
      assert.equal(first?.validFor.end?.getTime(), end);
    }
  }
  for (const field of ["tlogs", "ctlogs"]) {
    const root = JSON.parse(trustedRoot);
    delete root[field][0].publicKey.validFor;
    assert.equal(isRead(root), false, `${field}: a log says from when on`);
  }
});

test("trusted root: unusable part -> error names it", async () => {
  const { trustedRoot } = await testSigstore();
  const pem = (key: KeyObject) => key.export({ type: "spki", format: "der" }).toString("base64");
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  const flipped = (base64: string, from: (der: Buffer) => number) => {
    const der = Buffer.from(base64, "base64");
    const at = from(der);
    der[at] = (der[at] ?? 0) ^ 1;
    return der.toString("base64");
  };
  // The point is the last 64 bytes of a P-256 SubjectPublicKeyInfo, whose OID ends with 03 01 07 03 42 00 04.
  const POINT = Buffer.from("03010703420004", "hex");
  const inPoint = (der: Buffer) => der.indexOf(POINT) + POINT.length + 5;
  const version = (der: Buffer) => der.indexOf(Buffer.from("a003020102", "hex")) + 4;
  // biome-ignore lint/suspicious/noExplicitAny: a document of any shape
  const wrong: [string, (r: any) => void, RegExp][] = [
    [
      "a short RSA key",
      (r) => Object.assign(r.tlogs[0].publicKey, { rawBytes: pem(short), keyDetails: "PKIX_RSA_PKCS1V5" }),
      /tlogs\[0\]: .*too short/,
    ],
    [
      "a key off its curve",
      (r) => (r.ctlogs[0].publicKey.rawBytes = flipped(r.ctlogs[0].publicKey.rawBytes, inPoint)),
      /ctlogs\[0\]: .*public key/,
    ],
  ];
  for (const field of ["certificateAuthorities", "timestampAuthorities"]) {
    const root = JSON.parse(trustedRoot);
    const count = root[field][0].certChain.certificates.length;
    for (let at = 0; at < count; at++) {
      for (const [what, place] of [
        ["a certified key off its curve", inPoint],
        ["a certificate of another version", version],
      ] as const) {
        wrong.push([
          `${field}, certificate ${at}: ${what}`,
          (r) => {
            const certificate = r[field][0].certChain.certificates[at];
            certificate.rawBytes = flipped(certificate.rawBytes, place);
          },
          new RegExp(`${field}\\[0\\]: malformed certificate`),
        ]);
      }
    }
  }
  for (const [name, change, reason] of wrong) {
    const root = JSON.parse(trustedRoot);
    change(root);
    assert.throws(
      () => readTrustedRoot(Buffer.from(JSON.stringify(root)), "root.json"),
      { code: "untrusted", message: reason },
      name,
    );
  }
});

test("trusted root: more than a thousand keys and certificates -> refused before parsing", async () => {
  const { trustedRoot } = await testSigstore();
  const many = (change: (root: Json) => void) => {
    const root = JSON.parse(trustedRoot);
    change(root);
    return () => readTrustedRoot(Buffer.from(JSON.stringify(root)), "root.json");
  };
  const repeat = (root: Json, field: string, count: number) => {
    root[field] = Array.from({ length: count }, () => root[field][0]);
  };
  assert.ok(many((root) => repeat(root, "tlogs", 900))());
  assert.throws(
    many((root) => repeat(root, "tlogs", 1001)),
    { code: "untrusted", message: /more than 1000 keys/ },
  );
  const chain = many((root) => {
    const { certChain } = root.certificateAuthorities[0];
    certChain.certificates = Array.from({ length: 1001 }, () => certChain.certificates[0]);
  });
  assert.throws(chain, { code: "untrusted", message: /more than 1000 keys/ });
});
