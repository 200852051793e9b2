import assert from "node:assert/strict";
import { test } from "node:test";
import { badBundle, jsonBytes, refused } from "../../test/support/evidence-parts.ts";
import type { DsseContent } from "./model.ts";
import { parseStatement, readStatement, refuseOtherType } from "./statement.ts";

const SUBJECT = { name: "artifact", digest: { sha256: "00ff" } };
const GOOD = { _type: "https://in-toto.io/Statement/v1", subject: [SUBJECT], predicateType: "type", predicate: {} };

const parse = (value: unknown) => parseStatement(jsonBytes(value));
const envelope = (value: unknown, payloadType = "application/vnd.in-toto+json"): DsseContent => ({
  kind: "dsse",
  payloadType,
  payload: jsonBytes(value),
  signature: Buffer.from("signature"),
});

test("parseStatement: a statement of either version -> its predicate type and subjects", () => {
  const expected = { predicateType: "type", subjects: [{ ...SUBJECT, annotations: {} }] };
  assert.deepEqual(parse(GOOD), expected);
  assert.deepEqual(parse({ ...GOOD, _type: "https://in-toto.io/Statement/v0.1" }), expected);
  const several = [
    { digest: { sha256: "1", sha512: "2" } },
    { name: 5, digest: {}, annotations: { a: "b" } },
    { name: "n", digest: { gitCommit: "3" }, annotations: "none" },
  ];
  assert.deepEqual(parse({ ...GOOD, subject: several }).subjects, [
    { name: "", digest: { sha256: "1", sha512: "2" }, annotations: {} },
    { name: "", digest: {}, annotations: { a: "b" } },
    { name: "n", digest: { gitCommit: "3" }, annotations: {} },
  ]);
  assert.deepEqual(parse({ ...GOOD, subject: [] }).subjects, []);
});

test("parseStatement: a number in annotations -> kept as it is written", () => {
  const text = JSON.stringify({ ...GOOD, subject: [{ ...SUBJECT, annotations: { size: "NUMBER" } }, SUBJECT] });
  const [subject] = parseStatement(Buffer.from(text.replace('"NUMBER"', "12345678901234567890"))).subjects;
  assert.equal(JSON.stringify(subject?.annotations), '{"size":12345678901234567890}');
});

test("parseStatement: not a statement -> refused", () => {
  const wrong: unknown[] = [
    [],
    null,
    "statement",
    { ...GOOD, _type: undefined },
    { ...GOOD, _type: 1 },
    { ...GOOD, _type: "https://in-toto.io/Statement/v2" },
    { ...GOOD, predicateType: undefined },
    { ...GOOD, predicateType: 1 },
    { ...GOOD, predicateType: "" },
    { ...GOOD, subject: undefined },
    { ...GOOD, subject: SUBJECT },
    { ...GOOD, subject: [null] },
    { ...GOOD, subject: ["x"] },
    { ...GOOD, subject: [{ name: "n" }] },
    { ...GOOD, subject: [{ digest: null }] },
    { ...GOOD, subject: [{ digest: [] }] },
    { ...GOOD, subject: [{ digest: { sha256: 5 } }] },
    { ...GOOD, subject: [SUBJECT, { digest: { sha256: "1", sha512: null } }] },
  ];
  for (const value of wrong) assert.throws(() => parse(value), badBundle, JSON.stringify(value));
});

test("parseStatement: a member that other parsers read as a known one -> refused", () => {
  const wrong: unknown[] = [
    { ...GOOD, Subject: [] },
    { ...GOOD, predicate_type: "another" },
    { ...GOOD, _Type: "another" },
    { ...GOOD, type: "another" },
    { ...GOOD, Predicate: {} },
    { ...GOOD, subject: [{ ...SUBJECT, Name: "another" }] },
    { ...GOOD, subject: [{ ...SUBJECT, Digest: {} }] },
    { ...GOOD, subject: [{ ...SUBJECT, Annotations: {} }] },
    { ...GOOD, subject: [{ digest: { sha256: "1", SHA256: "2" } }] },
    { ...GOOD, subject: [{ digest: { SHA384: "2" } }] },
    { ...GOOD, subject: [{ digest: { "sha-512": "2" } }] },
  ];
  for (const value of wrong) assert.throws(() => parse(value), badBundle, JSON.stringify(value));
  // Members of the predicate and keys of annotations are chosen by the author.
  parse({ ...GOOD, predicate: { Subject: 1, subject: 2 } });
  parse({ ...GOOD, subject: [{ ...SUBJECT, annotations: { name: "a", Name: "b" } }] });
});

test("parseStatement: 1,024 subjects -> read; one more -> refused", () => {
  const many = (count: number) => ({ ...GOOD, subject: Array.from({ length: count }, () => SUBJECT) });
  assert.equal(parse(many(1024)).subjects.length, 1024);
  assert.throws(() => parse(many(1025)), badBundle);
});

test("parseStatement: a large predicate -> the same result as with a small one", () => {
  const predicate = "x".repeat(4 * 1024 * 1024);
  assert.deepEqual(parse({ ...GOOD, predicate }).subjects, [{ ...SUBJECT, annotations: {} }]);
  const annotated = { ...GOOD, predicate, subject: [{ ...SUBJECT, annotations: { a: "b" } }] };
  assert.deepEqual(parse(annotated).subjects[0]?.annotations, { a: "b" });
  assert.equal(parse({ ...GOOD, predicate: "x".repeat(17 * 1024 * 1024) }).predicateType, "type");
  assert.throws(() => parse({ ...GOOD, predicate, Subject: [] }), refused("bad-bundle", "statement has the member"));
  assert.throws(() => parse({ ...GOOD, predicate, subject: {} }), badBundle);
});

test("readStatement: an in-toto envelope -> its statement; another payload type -> refused", () => {
  const content = envelope(GOOD);
  const statement = readStatement(content);
  assert.equal(statement.predicateType, "type");
  assert.equal(readStatement(content), statement, "a payload is parsed once");
  assert.notEqual(readStatement(envelope(GOOD)), statement);
  for (const type of ["", "application/json", "application/vnd.in-toto+json;x"]) {
    assert.throws(() => readStatement(envelope(GOOD, type)), badBundle, type);
  }
  // Also if the same payload was read before.
  assert.throws(() => readStatement({ ...content, payloadType: "application/json" }), badBundle);
});

test("refuseOtherType: an annotated type that differs from the signed one -> refused, if both are known", () => {
  refuseOtherType(envelope(GOOD), "type");
  refuseOtherType(envelope(GOOD), undefined);
  assert.throws(() => refuseOtherType(envelope(GOOD), "another"), badBundle);
  assert.throws(() => refuseOtherType(envelope(GOOD), ""), badBundle);
  // A malformed statement, or other content, is left to `verify`.
  refuseOtherType(envelope([]), "another");
  refuseOtherType(envelope(GOOD, "text/plain"), "another");
  refuseOtherType({ kind: "blob", signature: Buffer.from("signature") }, "another");
  const broken = { ...envelope(GOOD), payload: null as unknown as Uint8Array };
  assert.throws(() => refuseOtherType(broken, "type"), TypeError);
});
