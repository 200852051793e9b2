import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import { evidenceOf } from "../../test/support/evidence.ts";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { type HashName, type Message, messageOf, messageOfDigests } from "../format/digest.ts";
import { envelopeMessageOf } from "../format/dsse.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import { ALWAYS, type Log, NO_TRUST } from "../trust/material.ts";
import { refuseDuplicates, verifyBody, verifyInclusion } from "./inclusion.ts";
import { CheckFailed, type Policy } from "./model.ts";
import { checkSignature } from "./signature.ts";
import { checkLog } from "./steps.ts";

const ARTIFACT = Buffer.from("artifact");
const PAYLOAD = Buffer.from('{"a":1}');
const TYPE = "application/vnd.in-toto+json";
const SIGNING = generateKeyPairSync("ec", { namedCurve: "P-256" });
const KEY = publicKeyFromObject(SIGNING.publicKey);
const LOG_PAIR = generateKeyPairSync("ec", { namedCurve: "P-256" });
const digest = (name: string, bytes: Uint8Array) => createHash(name).update(bytes).digest();
const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");
const LOG: Log = {
  baseUrl: "https://log.example",
  id: digest("sha256", LOG_PAIR.publicKey.export({ type: "spki", format: "der" })),
  key: LOG_PAIR.publicKey,
  validFor: ALWAYS,
};
const ENVELOPE = Buffer.from("the envelope as it was stored");
const MESSAGE = messageOf(ARTIFACT);
const PAE = envelopeMessageOf(TYPE, PAYLOAD);

const BLOB = { kind: "blob", signature: sign("sha256", ARTIFACT, SIGNING.privateKey) } as const;
const DSSE = {
  kind: "dsse",
  payloadType: TYPE,
  payload: PAYLOAD,
  signature: sign("sha256", PAE.bytes ?? assert.fail(), SIGNING.privateKey),
} as const;

/** An entry with a signed entry timestamp (SET). */
function entryOf(
  kindVersion: string,
  spec: object,
  { promise, by = LOG, pair = LOG_PAIR }: { promise?: Uint8Array; by?: Log; pair?: typeof LOG_PAIR } = {},
): TransparencyLogEntry {
  const [kind = "", version = ""] = kindVersion.split(" ");
  const body = Buffer.from(JSON.stringify({ apiVersion: version, kind, spec }));
  const logID = Buffer.from(by.id).toString("hex");
  const promised = JSON.stringify({ body: b64(body), integratedTime: 1_700_000_000, logID, logIndex: 1 });
  const entry = {
    logIndex: "1",
    logId: { keyId: by.id },
    kindVersion: { kind, version },
    integratedTime: "1700000000",
    inclusionPromise: { signedEntryTimestamp: promise ?? sign("sha256", Buffer.from(promised), pair.privateKey) },
    canonicalizedBody: body,
  };
  return entry as unknown as TransparencyLogEntry;
}

const hashedRekord = (value: Uint8Array, signature: Uint8Array = BLOB.signature) =>
  entryOf("hashedrekord 0.0.1", {
    data: { hash: { algorithm: "sha256", value: Buffer.from(value).toString("hex") } },
    signature: { content: b64(signature) },
  });
const hashOf = (bytes: Uint8Array) => ({ algorithm: "sha256", value: digest("sha256", bytes).toString("hex") });
const dsse = (payload: Uint8Array, signature: Uint8Array = DSSE.signature) =>
  entryOf("dsse 0.0.1", { payloadHash: hashOf(payload), signatures: [{ signature: b64(signature) }] });
const wholeEnvelope = (envelope: Uint8Array, options?: { promise?: Uint8Array }) =>
  entryOf("intoto 0.0.1", { content: { hash: hashOf(envelope) } }, options);

interface Change {
  message?: Message;
  key?: typeof KEY;
  hashes?: readonly HashName[];
  evidence?: Partial<Evidence>;
}

/** Checks the entries and the signature, in the order of `verify`. */
async function judge(content: Evidence["content"], entries: readonly TransparencyLogEntry[], change: Change = {}) {
  const evidence = evidenceOf(content, change.evidence);
  const { message = content.kind === "dsse" ? PAE : MESSAGE, key = KEY, hashes = ["sha256"] } = change;
  const known = entries.map((entry) => ({ entry, log: LOG }));
  for (const each of known) {
    verifyInclusion(each);
    verifyBody(each, { evidence, message });
  }
  refuseDuplicates(known);
  const policy: Policy = {
    signer: { kind: "key", key, hashes },
    claims: "insecureSkip",
    log: "insecureSkip",
    timestamp: "optional",
    sct: "insecureSkip",
  };
  const { check, value } = await checkSignature({ evidence, message, key, policy });
  assert.deepEqual([check?.name, check?.outcome, value], ["signature", "passed", undefined]);
}

async function refused(run: Promise<void>, check: string, reason: RegExp): Promise<void> {
  const isIt = (error: unknown) => error instanceof CheckFailed && error.check === check && reason.test(error.message);
  await assert.rejects(run, isIt, `${check} ${reason}`);
}

test("verifyBody: the artifact's digest by a known hash of SHA-256, 384 or 512 -> accepted; any other -> refused", async () => {
  await judge(BLOB, []);
  for (const name of ["sha256", "sha384", "sha512"] as const) {
    await judge(BLOB, [hashedRekord(digest(name, ARTIFACT))]);
    await refused(judge(BLOB, [hashedRekord(digest(name, Buffer.from("x")))]), "log", /digest mismatch/);
  }
  const message = messageOfDigests(new Map([["sha256", digest("sha256", ARTIFACT)]]));
  await judge(BLOB, [hashedRekord(digest("sha256", ARTIFACT))], { message });
  for (const value of [digest("sha512", ARTIFACT), digest("sha1", ARTIFACT), Buffer.alloc(0)]) {
    await refused(judge(BLOB, [hashedRekord(value)], { message }), "log", /digest mismatch/);
  }
  await judge(BLOB, [], { message, hashes: ["sha256", "sha512"] });
  const content = { ...BLOB, signature: DSSE.signature };
  await refused(judge(content, [], { message, hashes: ["sha512", "sha256"] }), "signature", /not valid for this key/);
});

test("checkSignature: another key or other content -> refused, with a log entry or without", async () => {
  const other = publicKeyFromObject(LOG_PAIR.publicKey);
  const entry = hashedRekord(digest("sha256", ARTIFACT));
  for (const entries of [[], [entry]]) {
    await refused(judge(BLOB, entries, { key: other }), "signature", /^not valid for this key and this content$/);
    await refused(judge(BLOB, entries, { hashes: [] }), "signature", /^not valid for this key and this content$/);
  }
  await refused(judge(DSSE, [], { message: MESSAGE }), "signature", /not valid for this key/);
  await refused(judge({ ...BLOB, signature: DSSE.signature }, [entry]), "log", /signature mismatch/);
});

test("verifyBody: an entry for an envelope with another signature or payload, or for a file's signature -> refused", async () => {
  await judge(DSSE, [dsse(PAYLOAD)]);
  await refused(judge(DSSE, [dsse(Buffer.from("other"))]), "log", /payload hash mismatch/);
  await refused(judge(DSSE, [dsse(PAYLOAD, BLOB.signature)]), "log", /signature mismatch/);
  await refused(judge(BLOB, [dsse(ARTIFACT, BLOB.signature)]), "log", /payload hash mismatch/);
  await refused(judge(DSSE, [dsse(PAYLOAD), dsse(PAYLOAD)]), "log", /duplicate transparency log entry/);
});

test("verifyBody, verifyInclusion: an entry for a whole envelope that is not in the log, or for another envelope -> refused", async () => {
  const change = { evidence: { timestamped: ENVELOPE } };
  await judge(DSSE, [wholeEnvelope(ENVELOPE)], change);
  await judge(DSSE, [wholeEnvelope(ENVELOPE), dsse(PAYLOAD)], change);
  const promise = sign("sha256", Buffer.from("something else"), LOG_PAIR.privateKey);
  await refused(judge(DSSE, [wholeEnvelope(ENVELOPE, { promise })], change), "log", /promise could not be verified/);
  await refused(judge(DSSE, [wholeEnvelope(Buffer.from("other"))], change), "log", /for a different envelope/);
  await refused(judge(DSSE, [wholeEnvelope(ENVELOPE)]), "log", /not stored as it was logged/);
  const key = publicKeyFromObject(LOG_PAIR.publicKey);
  await refused(judge(DSSE, [wholeEnvelope(ENVELOPE)], { ...change, key }), "signature", /not valid for this key/);
  const proof = { ...wholeEnvelope(ENVELOPE), inclusionPromise: undefined, inclusionProof: { hashes: [] } };
  await refused(judge(DSSE, [proof as never], change), "log", /malformed log entry/);
});

test("refuseDuplicates: a duplicate entry -> refused, unless it is for a whole envelope and contains no signature", () => {
  const [named, whole] = [hashedRekord(digest("sha256", ARTIFACT)), wholeEnvelope(ENVELOPE)];
  const twice = (entry: TransparencyLogEntry) => [entry, entry].map((each) => ({ entry: each, log: LOG }));
  assert.throws(() => refuseDuplicates(twice(named)), CheckFailed);
  refuseDuplicates(twice(whole));
  refuseDuplicates([...twice(whole), { entry: named, log: LOG }]);
});

test("verifyBody: a body without a field that its kind requires -> refused as malformed", async () => {
  for (const entry of [
    entryOf("hashedrekord 0.0.1", {}),
    entryOf("hashedrekord 0.0.1", { signature: null }),
    entryOf("intoto 0.0.2", {}),
  ]) {
    await refused(judge(BLOB, [entry]), "log", /malformed log entry/);
    await refused(judge(BLOB, [hashedRekord(digest("sha256", ARTIFACT)), entry]), "log", /malformed/);
  }
});

test("verifyBody, checkSignature: a defect of tsign -> thrown, not a failed check", async () => {
  const defect = (): never => {
    throw new TypeError("a defect");
  };
  const message = { ...MESSAGE, digest: defect };
  const entry = hashedRekord(digest("sha256", ARTIFACT));
  await assert.rejects(judge(BLOB, [entry], { message, hashes: [] }), { name: "TypeError", message: "a defect" });
  const internal = new TsignError("internal", "a defect");
  const failing = { ...MESSAGE, digest: () => assert.fail(internal) };
  await assert.rejects(judge(BLOB, [entry], { message: failing, hashes: [] }), internal);
});

test("checkLog: entries from fewer different logs than the policy requires -> refused", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const other: Log = {
    ...LOG,
    baseUrl: "https://other.example",
    id: digest("sha256", Buffer.from("o")),
    key: pair.publicKey,
  };
  const spec = (more: object = {}) => ({
    data: { hash: hashOf(ARTIFACT), ...more },
    signature: { content: b64(BLOB.signature), publicKey: { content: b64(KEY.pem) } },
  });
  const first = entryOf("hashedrekord 0.0.1", spec());
  const again = entryOf("hashedrekord 0.0.1", spec({ again: true }));
  const second = entryOf("hashedrekord 0.0.1", spec(), { by: other, pair });
  const judge = (log: readonly TransparencyLogEntry[], change: Partial<Policy> = {}, logs = [LOG, other]) => {
    const signer = { kind: "key", key: KEY, hashes: ["sha256"] } as const;
    const policy: Policy = {
      signer,
      claims: "insecureSkip",
      log: "required",
      timestamp: "optional",
      sct: "insecureSkip",
    };
    return checkLog({
      evidence: evidenceOf(BLOB, { log }),
      message: MESSAGE,
      key: KEY,
      trust: { ...NO_TRUST, logs, now: new Date() },
      policy: { ...policy, ...change },
    });
  };
  const { check, value } = judge([first, second], { transparencyLogs: 2 });
  assert.deepEqual([check?.outcome, value.length], ["passed", 2]);
  assert.equal(judge([first, again]).value.length, 2);
  assert.equal(judge([first], { transparencyLogs: 0 }).value.length, 1);
  const refusals: [readonly TransparencyLogEntry[], Partial<Policy>, Log[], string][] = [
    [[first], { transparencyLogs: 2 }, [LOG, other], "expected entries from 2 transparency logs, found 1"],
    [[first, again], { transparencyLogs: 2 }, [LOG, other], "expected entries from 2 transparency logs, found 1"],
    [[first, second], { transparencyLogs: 2 }, [LOG], "expected entries from 2 transparency logs, found 1"],
    [[first, second], { transparencyLogs: 3 }, [LOG, other], "expected entries from 3 transparency logs, found 2"],
    [
      [first, second],
      { transparencyLogs: Number.NaN },
      [LOG, other],
      "expected entries from NaN transparency logs, found 2",
    ],
    [[first, first], {}, [LOG, other], "duplicate transparency log entry"],
  ];
  for (const [log, change, logs, message] of refusals) {
    assert.throws(() => judge(log, change, logs), { check: "log", message });
  }
  const broken = entryOf("hashedrekord 0.0.1", spec(), { by: other, pair: LOG_PAIR });
  assert.throws(() => judge([first, broken]), { check: "log" }, "every entry of a trusted log has to hold");
});
