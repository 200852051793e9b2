import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { readEnvelope } from "../evidence/envelope.ts";
import { readLegacyLogEntry, readLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import { describePayload } from "../evidence/legacy/read.ts";
import { readLegacyBlobBundle } from "../evidence/read-files.ts";
import { parseStatement } from "../evidence/statement.ts";
import { digestOf } from "../format/digest.ts";
import { goJson } from "../format/go-json.ts";
import { defaultHashes, publicKeyFromObject, signerFromKey } from "../keys/index.ts";
import { signInTotoStatement, signPayload } from "../sign/sign.ts";
import { NO_TRUST } from "../trust/material.ts";
import type { Policy } from "./model.ts";
import { verify } from "./verify.ts";

const DIGEST = digestOf(Buffer.from("an image"));
const HEX = DIGEST.slice("sha256:".length);
const EVIL = digestOf(Buffer.from("another image"));
const TYPE = "https://example.com/t";
const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const PUBLIC = publicKeyFromObject(KEY);
const POLICY: Policy = {
  signer: { kind: "key", key: PUBLIC, hashes: defaultHashes(PUBLIC) },
  claims: { annotations: {}, predicateTypes: [TYPE] },
  log: "insecureSkip",
  timestamp: "optional",
  sct: "insecureSkip",
};

/** Why a signed text, in which tsign reads the image's digest, does not verify for it; undefined if it does. */
async function refusal(form: "payload" | "statement", text: string): Promise<string | undefined> {
  const sign = form === "payload" ? signPayload : signInTotoStatement;
  const evidence = await sign({ signer: signerFromKey(KEY) }, Buffer.from(text));
  const verdict = await verify(evidence, { kind: "image", digest: DIGEST }, { ...NO_TRUST, now: new Date() }, POLICY);
  if (verdict.ok) return undefined;
  assert.equal(verdict.failed.name, "claims");
  return verdict.failed.detail;
}

/** Inserts a member after the given one, because Go uses the last of two. */
const after = (text: string, place: string, member: string) => text.replace(place, `${place},${member}`);

test("verify: a simple-signing payload with members that Go reads as known ones -> refused", async () => {
  const image = `"image":{"docker-manifest-digest":"${DIGEST}"}`;
  const type = '"type":"cosign container image signature"';
  const good = `{"critical":{"identity":{"docker-reference":"r.example/a"},${image},${type}},"optional":{"Type":"x","critical":1}}`;
  assert.equal(await refusal("payload", good), undefined);
  assert.equal(await refusal("payload", after(good, type, '"unknown":1')), undefined, "unknown members may be there");
  const evil = `{"docker-manifest-digest":"${EVIL}"}`;
  for (const [place, member] of [
    [`"docker-manifest-digest":"${DIGEST}"`, `"DOCKER-MANIFEST-DIGEST":"${EVIL}"`],
    [`"docker-manifest-digest":"${DIGEST}"`, `"doc\u212aer-manifest-digest":"${EVIL}"`],
    [image, `"Image":${evil}`],
    [type, '"TYPE":"atomic container signature"'],
    ['"docker-reference":"r.example/a"', '"Docker-Reference":"r.example/b"'],
    ['"optional":{"Type":"x","critical":1}', `"Critical":{"image":${evil}}`],
    ['"optional":{"Type":"x","critical":1}', '"Optional":{}'],
  ] as const) {
    assert.match((await refusal("payload", after(good, place, member))) ?? "verified", /has the member/, member);
  }
});

test("verify: a statement with members that Go or protobuf reads as known ones -> refused", async () => {
  const subject = `"subject":[{"name":"n","digest":{"sha256":"${HEX}"},"annotations":{"Name":"x"}}]`;
  const good = `{"_type":"https://in-toto.io/Statement/v0.1",${subject},"predicateType":"${TYPE}","predicate":{"Subject":[],"subject":[]}}`;
  assert.equal(await refusal("statement", good), undefined);
  assert.equal(await refusal("statement", after(good, `"predicateType":"${TYPE}"`, '"extra":{}')), undefined);
  const evil = `[{"digest":{"sha256":"${EVIL.slice("sha256:".length)}"}}]`;
  for (const [place, member] of [
    [subject, `"Subject":${evil}`],
    [subject, `"\u017fubject":${evil}`],
    [subject, `"\\u017fubject":${evil}`],
    [`"predicateType":"${TYPE}"`, '"predicatetype":"https://example.com/other"'],
    [`"predicateType":"${TYPE}"`, '"predicate_type":"https://example.com/other"'],
    [`"predicateType":"${TYPE}"`, '"type":"https://in-toto.io/Statement/v1"'],
    [`"predicateType":"${TYPE}"`, '"Predicate":{}'],
    [`"sha256":"${HEX}"`, `"SHA256":"${EVIL.slice("sha256:".length)}"`],
    ['"name":"n"', '"Digest":{}'],
    ['"name":"n"', '"NAME":"m"'],
    ['"name":"n"', '"Annotations":{}'],
  ] as const) {
    assert.match((await refusal("statement", after(good, place, member))) ?? "verified", /has the member/, member);
  }
});

test("readers of log entries, timestamps, envelopes and legacy bundles: members that other parsers read as known ones -> refused", () => {
  const entry = {
    SignedEntryTimestamp: "AA==",
    Payload: { body: Buffer.from("{}").toString("base64"), integratedTime: 1, logIndex: 1, logID: "00".repeat(32) },
  };
  const envelope = { payloadType: "t", payload: "AA==", signatures: [{ keyid: "", sig: "AA==" }] };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  const lookalike = { code: "bad-bundle", message: /has the member/ };

  assert.ok(readLegacyLogEntry(entry, "entry"));
  assert.throws(() => readLegacyLogEntry({ ...entry, payload: {} }, "entry"), lookalike);
  const payload = { ...entry.Payload, logId: "" };
  assert.throws(() => readLegacyLogEntry({ ...entry, Payload: payload }, "entry"), lookalike);

  assert.ok(readLegacyTimestamp('{"SignedRFC3161Timestamp":"AA=="}', "timestamp"));
  const two = '{"SignedRFC3161Timestamp":"AA==","signedRFC3161timestamp":"AQ=="}';
  assert.throws(() => readLegacyTimestamp(two, "timestamp"), lookalike);

  assert.ok(readEnvelope(json(envelope), "envelope"));
  assert.throws(() => readEnvelope(json({ ...envelope, Payload: "AQ==" }), "envelope"), lookalike);
  assert.throws(() => readEnvelope(json({ ...envelope, payload_type: "u" }), "envelope"), lookalike);
  const signatures = [{ sig: "AA==", Sig: "AQ==" }];
  assert.throws(() => readEnvelope(json({ ...envelope, signatures }), "envelope"), lookalike);

  assert.ok(readLegacyBlobBundle(json({ base64Signature: "AA==" }), "bundle"));
  const bundle = json({ base64Signature: "AA==", Base64Signature: "AQ==" });
  assert.throws(() => readLegacyBlobBundle(bundle, "bundle"), lookalike);
});

test("describePayload, parseStatement: numbers that a double cannot represent -> printed as they were signed", () => {
  const payload = '{"critical":{"identity":{},"image":{},"type":""},"optional":{"n":9007199254740993,"m":1.0}}';
  assert.equal(goJson(describePayload(Buffer.from(payload))?.optional), '{"n":9007199254740993,"m":1.0}');
  assert.equal(describePayload(Buffer.from(payload.replace(/\{"n.*\}\}$/, "9007199254740993}")))?.optional, undefined);
  const statement = (annotations: string) =>
    parseStatement(
      Buffer.from(
        `{"_type":"https://in-toto.io/Statement/v1","predicateType":"t","subject":[{"digest":{"sha256":"00"},"annotations":${annotations}}]}`,
      ),
    ).subjects[0];
  assert.equal(goJson(statement('{"n":9007199254740993}')?.annotations), '{"n":9007199254740993}');
  assert.deepEqual(statement("9007199254740993")?.annotations, {});
});
