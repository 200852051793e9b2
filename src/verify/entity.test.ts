import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import type { TransparencyLogEntry } from "@sigstore/bundle";
import type { Evidence } from "../evidence/model.ts";
import { type HashName, type Message, messageOf, messageOfDigests } from "../format/digest.ts";
import { envelopeMessageOf } from "../format/dsse.ts";
import { publicKeyFromObject } from "../keys/index.ts";
import { ALWAYS, type Log } from "../trust/material.ts";
import { verifyEntity } from "./entity.ts";
import { CheckFailed } from "./model.ts";

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

const evidenceOf = (content: Evidence["content"], more: Partial<Evidence> = {}): Evidence => ({
  origin: { kind: "file", where: "f" },
  content,
  key: { kind: "none" },
  log: [],
  timestamps: [],
  annotations: {},
  ...more,
});
const BLOB = { kind: "blob", signature: sign("sha256", ARTIFACT, SIGNING.privateKey) } as const;
const DSSE = {
  kind: "dsse",
  payloadType: TYPE,
  payload: PAYLOAD,
  signature: sign("sha256", PAE.bytes ?? assert.fail(), SIGNING.privateKey),
} as const;

/** An entry with the log's promise to include it (SET). */
function entryOf(kindVersion: string, spec: object, { promise }: { promise?: Uint8Array } = {}): TransparencyLogEntry {
  const [kind = "", version = ""] = kindVersion.split(" ");
  const body = Buffer.from(JSON.stringify({ apiVersion: version, kind, spec }));
  const logID = Buffer.from(LOG.id).toString("hex");
  const promised = JSON.stringify({ body: b64(body), integratedTime: 1_700_000_000, logID, logIndex: 1 });
  const entry = {
    logIndex: "1",
    logId: { keyId: LOG.id },
    kindVersion: { kind, version },
    integratedTime: "1700000000",
    inclusionPromise: { signedEntryTimestamp: promise ?? sign("sha256", Buffer.from(promised), LOG_PAIR.privateKey) },
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

const judge = (content: Evidence["content"], entries: readonly TransparencyLogEntry[], change: Change = {}) =>
  verifyEntity({
    evidence: evidenceOf(content, change.evidence),
    message: change.message ?? (content.kind === "dsse" ? PAE : MESSAGE),
    key: change.key ?? KEY,
    hashes: change.hashes ?? ["sha256"],
    entries: entries.map((entry) => ({ entry, log: LOG })),
  });

async function refused(run: Promise<void>, check: string, reason: RegExp): Promise<void> {
  const isIt = (error: unknown) => error instanceof CheckFailed && error.check === check && reason.test(error.message);
  await assert.rejects(run, isIt, `${check} ${reason}`);
}

test("verifyEntity: a log's entry states the artifact's digest by SHA-256, 384 or 512, of those that it is known by", async () => {
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
  await refused(judge(content, [], { message, hashes: ["sha512", "sha256"] }), "signature", /not made by this key/);
});

test("verifyEntity: the signature is this key's over this content, with a log's entry or without", async () => {
  const other = publicKeyFromObject(LOG_PAIR.publicKey);
  const entry = hashedRekord(digest("sha256", ARTIFACT));
  for (const entries of [[], [entry]]) {
    await refused(judge(BLOB, entries, { key: other }), "signature", /^not made by this key over this content$/);
    await refused(judge(BLOB, entries, { hashes: [] }), "signature", /^not made by this key over this content$/);
  }
  await refused(judge(DSSE, [], { message: MESSAGE }), "signature", /not made by this key/);
  await refused(judge({ ...BLOB, signature: DSSE.signature }, [entry]), "log", /signature mismatch/);
});

test("verifyEntity: an entry about an envelope names its signature and payload, and is about no file", async () => {
  await judge(DSSE, [dsse(PAYLOAD)]);
  await refused(judge(DSSE, [dsse(Buffer.from("other"))]), "log", /payload hash mismatch/);
  await refused(judge(DSSE, [dsse(PAYLOAD, BLOB.signature)]), "log", /signature mismatch/);
  await refused(judge(BLOB, [dsse(ARTIFACT, BLOB.signature)]), "log", /payload hash mismatch/);
  await refused(judge(DSSE, [dsse(PAYLOAD), dsse(PAYLOAD)]), "log", /duplicate/);
});

test("verifyEntity: an entry about a whole envelope has to be the log's, and about the one that is stored", async () => {
  const change = { evidence: { timestamped: ENVELOPE } };
  await judge(DSSE, [wholeEnvelope(ENVELOPE)], change);
  await judge(DSSE, [wholeEnvelope(ENVELOPE), dsse(PAYLOAD)], change);
  const promise = sign("sha256", Buffer.from("something else"), LOG_PAIR.privateKey);
  await refused(judge(DSSE, [wholeEnvelope(ENVELOPE, { promise })], change), "log", /promise could not be verified/);
  await refused(judge(DSSE, [wholeEnvelope(Buffer.from("other"))], change), "log", /about another envelope/);
  await refused(judge(DSSE, [wholeEnvelope(ENVELOPE)]), "log", /not stored as it was logged/);
  const key = publicKeyFromObject(LOG_PAIR.publicKey);
  await refused(judge(DSSE, [wholeEnvelope(ENVELOPE)], { ...change, key }), "signature", /not made by this key/);
  const proof = { ...wholeEnvelope(ENVELOPE), inclusionPromise: undefined, inclusionProof: { hashes: [] } };
  await refused(judge(DSSE, [proof as never], change), "log", /the log entry cannot be read/);
});

test("verifyEntity: an entry whose body lacks what its kind demands cannot be read", async () => {
  for (const entry of [
    entryOf("hashedrekord 0.0.1", {}),
    entryOf("hashedrekord 0.0.1", { signature: null }),
    entryOf("intoto 0.0.2", {}),
  ]) {
    await refused(judge(BLOB, [entry]), "log", /the log entry cannot be read/);
    await refused(judge(BLOB, [hashedRekord(digest("sha256", ARTIFACT)), entry]), "log", /cannot be read/);
  }
});

test("verifyEntity: a defect of tsign is thrown on, and not called a bad entry or signature", async () => {
  const defect = (): never => {
    throw new TypeError("a defect");
  };
  const message = { ...MESSAGE, digest: defect };
  const entry = hashedRekord(digest("sha256", ARTIFACT));
  await assert.rejects(judge(BLOB, [entry], { message, hashes: [] }), { name: "TypeError", message: "a defect" });
  const key = Object.defineProperty({ ...KEY }, "object", { get: defect });
  await assert.rejects(judge(BLOB, [], { key, hashes: [] }), { name: "TypeError", message: "a defect" });
});
