import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseCertificate } from "../trust/certificate.ts";
import { ALWAYS, type Log } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";
import { verifyScts } from "./sct.ts";

const certificateOf = (name: string) =>
  parseCertificate(new X509Certificate(readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url))).raw);
const PATH = { leaf: certificateOf("leaf"), issuer: certificateOf("intermediate") };

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const id = createHash("sha256")
  .update(publicKey.export({ type: "spki", format: "der" }))
  .digest();
const LOG: Log = { baseUrl: "https://ct.example", id, key: publicKey, validFor: ALWAYS };

function number(value: number | bigint, length: number): Buffer {
  return Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(length * 2, "0"),
    "hex",
  );
}

/** A log's response for a whole certificate (RFC 6962 §4.1), with changes. */
function detached(
  change: { timestamp?: number; bytes?: [number, number]; more?: object; of?: string; tail?: Buffer } = {},
) {
  const { timestamp = 1_700_000_000_000, bytes = [4, 3], more = {}, of = "leaf", tail = Buffer.alloc(0) } = change;
  const { raw } = certificateOf(of).native;
  const entry = Buffer.concat([number(raw.length, 3), raw]);
  const signed = Buffer.concat([number(0, 2), number(timestamp, 8), number(0, 2), entry, number(0, 2)]);
  const signature = sign("sha256", signed, privateKey);
  const encoded = Buffer.concat([Buffer.from(bytes), number(signature.length, 2), signature, tail]).toString("base64");
  const json = { sct_version: 0, id: id.toString("base64"), timestamp, extensions: "", signature: encoded, ...more };
  return Buffer.from(JSON.stringify(json));
}

const judge = (sct: Uint8Array | undefined, logs: readonly Log[] = [LOG]) => verifyScts(PATH, { logs, detached: sct });

test("verifyScts: a detached SCT from a trusted log -> accepted", () => {
  assert.equal(judge(detached()), "signed certificate timestamp from a trusted log");
});

test("verifyScts: a detached SCT for another certificate, log or time -> refused; a malformed one -> refused as such", () => {
  const refused: [string, Uint8Array | undefined, RegExp, (readonly Log[])?][] = [
    ["none", undefined, /no signed certificate timestamp \(SCT\)/],
    ["of another certificate", detached({ of: "intermediate" }), /invalid signature from log/],
    ["of another signature algorithm", detached({ bytes: [4, 1] }), /invalid signature from log/],
    ["of a weak hash", detached({ bytes: [2, 3] }), /invalid signature from log/],
    ["of another time", detached({ more: { timestamp: 1_700_000_000_001 } }), /invalid signature from log/],
    ["of a time no calendar has", detached({ timestamp: 9_000_000_000_000_000 }), /not trusted at the time 9/],
    ["of a negative time", detached({ more: { timestamp: -1 } }), /malformed/],
    ["of a later version", detached({ more: { sct_version: 1 } }), /malformed/],
    ["with extensions nobody signed", detached({ more: { extensions: "AAAA" } }), /invalid signature from log/],
    ["with more behind it", detached({ tail: Buffer.from([0]) }), /malformed/],
    ["not JSON", Buffer.from("{"), /malformed/],
    ["of no trusted log", detached(), /from a trusted/, []],
    ["of an ended log", detached(), /not trusted at/, [{ ...LOG, validFor: { ...ALWAYS, end: new Date(0) } }]],
    [
      "by another key",
      detached(),
      /invalid signature from log/,
      [{ ...LOG, key: generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey }],
    ],
  ];
  for (const [name, sct, reason, logs] of refused) {
    const failed = (error: unknown) =>
      error instanceof CheckFailed && error.check === "sct" && reason.test(error.message);
    assert.throws(() => judge(sct, logs), failed, name);
  }
});

test("verifyScts: a detached SCT with a missing field, or one of another type -> refused as malformed", () => {
  const fails = (sct: Uint8Array) =>
    assert.throws(
      () => judge(sct),
      (error) => error instanceof CheckFailed && /malformed/.test(error.message),
    );
  for (const text of ["[]", "null", "1", "{}"]) fails(Buffer.from(text));
  for (const more of [
    { id: 1 },
    { id: "not base64!" },
    { extensions: {} },
    { signature: "" },
    { signature: "BAMA" },
    { signature: "BAMAAg==" },
    { timestamp: "1700000000000" },
    { timestamp: 1.5 },
    { timestamp: 2 ** 60 },
    { sct_version: "0" },
    { sct_version: undefined },
    { Timestamp: 1 },
  ]) {
    fails(detached({ more }));
  }
  for (const more of [{ id: undefined }, { id: null }]) {
    assert.throws(() => judge(detached({ more })), /from a trusted/);
  }
  assert.equal(judge(detached({ more: { extensions: undefined } })), "signed certificate timestamp from a trusted log");
});

test("verifyScts: SHA-256, 384 or 512 with ECDSA or RSA, as the log's key -> accepted", () => {
  const { raw } = PATH.leaf.native;
  const timestamp = 0;
  const entry = Buffer.concat([number(raw.length, 3), raw]);
  const signed = Buffer.concat([number(0, 2), number(timestamp, 8), number(0, 2), entry, number(0, 2)]);
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const [hash, name] of [
    [4, "sha256"],
    [5, "sha384"],
    [6, "sha512"],
  ] as const) {
    for (const [algorithm, key, log] of [
      [3, privateKey, LOG],
      [1, rsa.privateKey, { ...LOG, key: rsa.publicKey }],
    ] as const) {
      const signature = sign(name, signed, key);
      const bytes = Buffer.concat([Buffer.from([hash, algorithm]), number(signature.length, 2), signature]);
      const sct = detached({ timestamp, more: { signature: bytes.toString("base64") } });
      assert.equal(judge(sct, [log]), "signed certificate timestamp from a trusted log", `${name} ${algorithm}`);
    }
  }
});
