import assert from "node:assert/strict";
import { test } from "node:test";
import { parseForPrinting, parseSignedJson } from "./signed-json.ts";

const NAMES = {
  critical: { "docker-reference": {} },
  _type: {},
  subject: { sha256: {} },
  predicateType: {},
  optional: {},
};
const parse = (text: string) => parseSignedJson(Buffer.from(text), NAMES, "the payload");

test("parseSignedJson: lookalike member at any level -> refused", () => {
  for (const text of [
    '{"Critical":{}}',
    '{"critical":{},"CRITICAL":{}}',
    '{"critical":{"Docker-Reference":""}}',
    '{"critical":{"docker_reference":""}}',
    '{"critical":{"docKer-reference":""}}',
    '{"critical":{"doc\u212aer-reference":""}}',
    '{"critical":{"doc\\u212aer-reference":""}}',
    '{"type":"x"}',
    '{"Type":"x"}',
    '{"_type":"x","_Type":"y"}',
    '{"\u017fubject":[]}',
    '{"subject":[{"sha256":""},{"SHA256":""}]}',
    '{"subject":{"sha-256":""}}',
    '{"predicate_type":""}',
    '{"predicatetype":""}',
    '{"predicateType":"","PREDICATETYPE":""}',
  ]) {
    assert.throws(() => parse(text), { code: "bad-bundle", message: /^the payload has the member / }, text);
  }
});

test("parseSignedJson keeps known members, unknown members and map keys", () => {
  for (const text of [
    '{"critical":{"docker-reference":"","image":{"Docker-Reference":""}},"_type":"","subject":[{"sha256":""}]}',
    '{"optional":{"a":1,"A":2,"critical":1,"Critical":2}}',
    '{"criticality":1,"subjects":[],"Predicate":{},"predicate":{},"Kritical":{}}',
    '{"nested":{"Critical":{},"Subject":[]}}',
    "[]",
    "null",
    '"Critical"',
  ]) {
    assert.deepEqual(parse(text), JSON.parse(text), text);
  }
});

test("parseForPrinting keeps numbers as written", () => {
  const text = '{"a":9007199254740993,"b":[1.0,-0,1e400,0.10],"c":"1","d":null,"e":{"f":12345678901234567890}}';
  assert.equal(JSON.stringify(parseForPrinting(text)), text);
  assert.throws(() => parseForPrinting("{"), SyntaxError);
});
