import assert from "node:assert/strict";
import { test } from "node:test";
import { badBundle, base64, jsonBytes, logEntry, refused } from "../../../test/support/evidence-parts.ts";
import {
  kindVersionOf,
  readLegacyLogEntry,
  readLegacyTimestamp,
  toLegacyLogEntry,
  writeLegacyTimestamp,
} from "./proofs.ts";

const GOOD = toLegacyLogEntry(logEntry()) ?? assert.fail("no entry");

test("toLegacyLogEntry: the SET and what it covers, as cosign stores it; no SET -> undefined", () => {
  const entry = logEntry();
  assert.deepEqual(GOOD, {
    SignedEntryTimestamp: base64("promise"),
    Payload: {
      body: base64(entry.canonicalizedBody),
      integratedTime: 1700000000,
      logIndex: 12,
      logID: "07".repeat(32),
    },
  });
  const { inclusionPromise: _, ...without } = entry;
  assert.equal(toLegacyLogEntry({ ...without, inclusionPromise: undefined }), undefined);
});

test("readLegacyLogEntry: the result of toLegacyLogEntry -> the same entry without an inclusion proof", () => {
  assert.deepEqual(readLegacyLogEntry(GOOD, "it"), { ...logEntry(), inclusionProof: undefined });
  const first = { ...GOOD, Payload: { ...GOOD.Payload, logIndex: 0, integratedTime: 0 } };
  const { logIndex, integratedTime } = readLegacyLogEntry(first, "it");
  assert.deepEqual([logIndex, integratedTime], ["0", "0"]);
});

test("readLegacyLogEntry: not a log entry -> refused", () => {
  const payload = (change: object) => ({ ...GOOD, Payload: { ...GOOD.Payload, ...change } });
  const wrong: unknown[] = [
    undefined,
    null,
    [],
    "entry",
    { ...GOOD, Payload: undefined },
    { ...GOOD, Payload: null },
    { ...GOOD, Payload: [] },
    { ...GOOD, SignedEntryTimestamp: undefined },
    { ...GOOD, SignedEntryTimestamp: 5 },
    { ...GOOD, SignedEntryTimestamp: "***" },
    payload({ body: undefined }),
    payload({ body: 5 }),
    payload({ body: "***" }),
    payload({ body: base64("no JSON") }),
    payload({ integratedTime: undefined }),
    payload({ integratedTime: "5" }),
    payload({ integratedTime: -1 }),
    payload({ integratedTime: 1.5 }),
    payload({ integratedTime: 2 ** 53 }),
    payload({ logIndex: "5" }),
    payload({ logIndex: -1 }),
    payload({ logID: undefined }),
    payload({ logID: 5 }),
    payload({ logID: "07".repeat(31) }),
    payload({ logID: "07".repeat(33) }),
    payload({ logID: "0A".repeat(32) }),
    payload({ logID: "0g".repeat(32) }),
    { ...GOOD, signedEntryTimestamp: GOOD.SignedEntryTimestamp },
    { ...GOOD, payload: GOOD.Payload },
    payload({ Body: GOOD.Payload.body }),
    payload({ log_index: 5 }),
    payload({ logId: "" }),
    payload({ integrated_time: 5 }),
  ];
  for (const value of wrong) assert.throws(() => readLegacyLogEntry(value, "it"), badBundle, JSON.stringify(value));
  assert.throws(() => readLegacyLogEntry(payload({ body: base64("x") }), "it"), refused("bad-bundle", "body of it"));
});

test("kindVersionOf: the kind and version in the body; missing ones -> empty", () => {
  assert.deepEqual(kindVersionOf(jsonBytes({ kind: "dsse", apiVersion: "0.0.1" }), "it"), {
    kind: "dsse",
    version: "0.0.1",
  });
  assert.deepEqual(kindVersionOf(jsonBytes({ kind: {}, apiVersion: null }), "it"), { kind: "", version: "" });
  for (const body of [[], null]) assert.deepEqual(kindVersionOf(jsonBytes(body), "it"), { kind: "", version: "" });
  assert.throws(() => kindVersionOf(Buffer.from("{"), "it"), badBundle);
});

test("readLegacyTimestamp: cosign's JSON -> the response in it; anything else -> refused", () => {
  assert.equal(writeLegacyTimestamp(Buffer.from("time")), `{"SignedRFC3161Timestamp":"${base64("time")}"}`);
  assert.deepEqual(readLegacyTimestamp(writeLegacyTimestamp(Buffer.from("time")), "it"), Buffer.from("time"));
  const good = { SignedRFC3161Timestamp: base64("time") };
  const wrong = [
    {},
    [],
    null,
    { SignedRFC3161Timestamp: 5 },
    { SignedRFC3161Timestamp: "***" },
    { ...good, signedRFC3161Timestamp: base64("another") },
    { ...good, Signed_RFC3161_Timestamp: base64("another") },
  ];
  for (const value of wrong) assert.throws(() => readLegacyTimestamp(JSON.stringify(value), "it"), badBundle);
  assert.throws(() => readLegacyTimestamp("{", "it"), badBundle);
});
