import assert from "node:assert/strict";
import { test } from "node:test";
import { badBundle, base64, jsonBytes } from "../../test/support/evidence-parts.ts";
import { envelopeLine, looksLikeEnvelope, readEnvelope, withKeyid, writeEnvelope } from "./envelope.ts";
import type { DsseContent } from "./model.ts";

const SIGNATURE = { sig: base64("signature") };
const GOOD = { payloadType: "text/plain", payload: base64("payload"), signatures: [SIGNATURE] };

const read = (value: unknown) => readEnvelope(jsonBytes(value), "the envelope");

test("readEnvelope: a valid envelope -> its payload type, payload and signature", () => {
  const content = read(GOOD);
  assert.equal(content.kind, "dsse");
  assert.equal(content.payloadType, "text/plain");
  assert.equal(Buffer.from(content.payload).toString(), "payload");
  assert.equal(Buffer.from(content.signature).toString(), "signature");
  assert.ok(!("keyid" in content));
  assert.equal(read({ ...GOOD, payload: "" }).payload.length, 0, "an empty payload is one");
  assert.equal(read({ ...GOOD, more: 1 }).kind, "dsse");
});

test("readEnvelope: a keyid -> kept; an empty one, or one that is not a string -> left out", () => {
  assert.equal(read({ ...GOOD, signatures: [{ ...SIGNATURE, keyid: "SHA256:x" }] }).keyid, "SHA256:x");
  for (const keyid of ["", null, 5]) {
    assert.ok(!("keyid" in read({ ...GOOD, signatures: [{ ...SIGNATURE, keyid }] })), JSON.stringify(keyid));
  }
  assert.deepEqual(withKeyid("k"), { keyid: "k" });
  assert.deepEqual(withKeyid(undefined), {});
});

test("readEnvelope: not an envelope, or not exactly one valid signature -> refused", () => {
  const wrong: unknown[] = [
    [],
    null,
    "envelope",
    { ...GOOD, payloadType: undefined },
    { ...GOOD, payloadType: 5 },
    { ...GOOD, payload: undefined },
    { ...GOOD, payload: 5 },
    { ...GOOD, payload: "***" },
    { ...GOOD, signatures: undefined },
    { ...GOOD, signatures: SIGNATURE },
    { ...GOOD, signatures: [] },
    { ...GOOD, signatures: [null] },
    { ...GOOD, signatures: ["c2ln"] },
    { ...GOOD, signatures: [{}] },
    { ...GOOD, signatures: [{ sig: 5 }] },
    { ...GOOD, signatures: [{ sig: "" }] },
    { ...GOOD, signatures: [{ sig: "***" }] },
    { ...GOOD, signatures: [SIGNATURE, SIGNATURE] },
    { ...GOOD, signatures: [SIGNATURE, null] },
  ];
  for (const value of wrong) assert.throws(() => read(value), badBundle, JSON.stringify(value));
  assert.throws(() => readEnvelope(Buffer.from("{"), "the envelope"), badBundle);
});

test("readEnvelope: a member that other parsers read as a known one -> refused", () => {
  const wrong = [
    { ...GOOD, Payload: base64("another") },
    { ...GOOD, payload_type: "another" },
    { ...GOOD, Signatures: [] },
    { ...GOOD, signatures: [{ ...SIGNATURE, Sig: base64("another") }] },
  ];
  for (const value of wrong) assert.throws(() => read(value), badBundle, JSON.stringify(value));
});

test("readEnvelope: the most values allowed -> read; one more -> refused", () => {
  const withCommas = (count: number) => ({ ...GOOD, filler: Array.from({ length: count - 2 }, () => 0) });
  assert.equal(read(withCommas(10_000)).kind, "dsse");
  assert.throws(() => read(withCommas(10_001)), badBundle);
});

test("readEnvelope: a large payload -> read like a small one", () => {
  const large = Buffer.alloc(4 * 1024 * 1024, "large ");
  const content = read({ ...GOOD, payload: base64(large) });
  assert.equal(Buffer.compare(content.payload, large), 0);
  assert.equal(content.payloadType, "text/plain");
  assert.throws(() => read({ ...GOOD, payload: `${base64(large)}*` }), badBundle);
  assert.throws(() => read({ ...GOOD, payload: large.toString().split(" ") }), badBundle);
  const larger = Buffer.alloc(13 * 1024 * 1024, "larger ");
  assert.equal(Buffer.compare(read({ ...GOOD, payload: base64(larger) }).payload, larger), 0);
  // The rest of such a document is checked as usual.
  assert.throws(() => read({ ...GOOD, payload: base64(large), Payload: "" }), badBundle);
  assert.throws(() => read({ ...GOOD, payload: base64(large), signatures: [SIGNATURE, SIGNATURE] }), badBundle);
});

test("looksLikeEnvelope: an object with a payloadType -> true; anything else -> false", () => {
  for (const value of [GOOD, { payloadType: null }]) assert.ok(looksLikeEnvelope(jsonBytes(value)));
  for (const value of [{}, [], null, "payloadType", ["payloadType"], { payload: "" }]) {
    assert.ok(!looksLikeEnvelope(jsonBytes(value)), JSON.stringify(value));
  }
  assert.ok(!looksLikeEnvelope(Buffer.from("{")));
  const broken = new Proxy(Buffer.from("{}"), {
    get: () => {
      throw new RangeError("a defect");
    },
  });
  assert.throws(() => looksLikeEnvelope(broken), RangeError);
});

test("writeEnvelope: cosign's order of members, Go's escapes, and a keyid only if there is one", () => {
  const content: DsseContent = {
    kind: "dsse",
    payloadType: "a<b",
    payload: Buffer.from("payload"),
    signature: Buffer.from("signature"),
  };
  const [payload, sig] = [base64("payload"), base64("signature")];
  assert.equal(
    writeEnvelope(content),
    `{"payload":"${payload}","payloadType":"a\\u003cb","signatures":[{"sig":"${sig}"}]}`,
  );
  assert.equal(
    writeEnvelope({ ...content, keyid: "k" }),
    `{"payload":"${payload}","payloadType":"a\\u003cb","signatures":[{"sig":"${sig}","keyid":"k"}]}`,
  );
  assert.deepEqual(readEnvelope(Buffer.from(writeEnvelope({ ...content, keyid: "k" })), "it"), {
    ...content,
    keyid: "k",
  });
});

test("envelopeLine: stored bytes -> the same without line breaks; none -> the envelope as written by tsign", () => {
  const content = read(GOOD);
  const stored = Buffer.from('{\r\n "payload":\n\n"x\\n",\r"other": "ü"}\n');
  assert.equal(envelopeLine(content, stored), '{ "payload":"x\\n","other": "ü"}');
  assert.equal(envelopeLine(content, undefined), writeEnvelope(content));
});

test("readEnvelope: an envelope above 4 MiB -> its payload, byte for byte", () => {
  const payload = Buffer.alloc(3 * 1024 * 1024 + 1024, "0123456789");
  const { payload: found } = read({ ...GOOD, payload: payload.toString("base64") });
  assert.equal(Buffer.compare(found, payload), 0);
});
