import assert from "node:assert/strict";
import { test } from "node:test";
import { parseChallenges } from "./challenge.ts";

const parsed = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test("parseChallenges: one or several challenges, any spelling -> parsed", () => {
  const bearer = ["bearer", { realm: "https://auth.example/token?a=1,2", service: "reg" }];
  for (const header of [
    'Bearer realm="https://auth.example/token?a=1,2",service="reg"',
    'bearer Realm = "https://auth.example/token?a=1,2" , SERVICE=reg',
    'BEARER realm="https://auth.example/token\\?a=1,2", service="reg",',
  ]) {
    assert.deepEqual(parsed(header), [bearer]);
  }
  assert.deepEqual(parsed('Negotiate, Basic realm="r"'), [
    ["negotiate", {}],
    ["basic", { realm: "r" }],
  ]);
  assert.deepEqual(
    parsed('Basic realm="a, Bearer realm=x", Bearer realm="https://auth.example/token?a=1,2",service="reg"'),
    [["basic", { realm: "a, Bearer realm=x" }], bearer],
  );
});

test("parseChallenges: invalid part -> skipped", () => {
  assert.deepEqual(parsed(""), []);
  assert.deepEqual(parsed('=x, "y", Basic'), [["basic", {}]]);
  assert.deepEqual(parsed('Basic realm="no end'), [["basic", { realm: "no end" }]]);
  const long = `${"<".repeat(100_000)}Basic`;
  assert.deepEqual(parsed(long), []);
});
