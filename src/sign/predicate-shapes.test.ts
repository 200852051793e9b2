import assert from "node:assert/strict";
import { test } from "node:test";
import { misshapen } from "./predicate-shapes.ts";

const BUILDER = { builder: { id: "https://ci.example" } };
const LINK = {
  _type: "link",
  name: "s",
  command: ["make"],
  materials: {},
  products: {},
  byproducts: {},
  environment: {},
};

test("a predicate of its type is taken, unknown fields, absent ones and null included", () => {
  const good: [string, Record<string, unknown>][] = [
    ["slsaprovenance", {}],
    [
      "slsaprovenance",
      { ...BUILDER, buildType: null, recipe: [1], metadata: { buildStartedOn: "2026-01-02T03:04:05.6Z" } },
    ],
    ["slsaprovenance02", { ...BUILDER, materials: [{ uri: "u", digest: { sha1: "ab" }, more: 1 }] }],
    ["slsaprovenance1", { runDetails: { ...BUILDER, metadata: { startedOn: "2026-01-02T03:04:05+02:00" } } }],
    ["link", { ...LINK, materials: { a: { sha256: "ab" } }, byproducts: { stdout: 5 } }],
    ["vuln", { scanner: { result: "anything" }, metadata: { scanStartedOn: null } }],
    ["cyclonedx", { components: "whatever" }],
    ["https://ci.example/type", { builder: 5 }],
    ["constructor", { builder: 5 }],
  ];
  for (const [type, predicate] of good) assert.equal(misshapen(type, predicate), undefined, type);
});

test("a field of another kind is told by its path and value", () => {
  const bad: [string, Record<string, unknown>, RegExp][] = [
    ["slsaprovenance", { builder: "x" }, /^builder is "x", not an object$/],
    ["slsaprovenance", { builder: { id: 5 } }, /^builder.id is 5, not a text$/],
    ["slsaprovenance", { build_type: 5 }, /^build_type is 5/],
    ["slsaprovenance02", { metadata: { reproducible: "yes" } }, /^metadata.reproducible is "yes", not true or false$/],
    ["slsaprovenance", { materials: {} }, /^materials is \{\}, not a list$/],
    ["slsaprovenance", { materials: [{}, { digest: { sha256: 5 } }] }, /^materials\[1\].digest.sha256 is 5/],
    ["slsaprovenance", { metadata: { buildStartedOn: "2026-13-02T03:04:05Z" } }, /not a time/],
    [
      "slsaprovenance1",
      { runDetails: { metadata: { finishedOn: "today" } } },
      /^runDetails.metadata.finishedOn is "today"/,
    ],
    ["slsaprovenance1", { buildDefinition: { resolvedDependencies: [{ content: "!" }] } }, /not base64$/],
    ["link", { ...LINK, command: "make" }, /^command is "make", not a list$/],
    ["link", { ...LINK, products: { a: "b" } }, /^products.a is "b", not an object$/],
    ["vuln", { invocation: { "builder.id": 1 } }, /^invocation.builder.id is 1/],
    ["vuln", { metadata: { scanStartedOn: "2024-01-01" } }, /^metadata.scanStartedOn is "2024-01-01", not a time/],
  ];
  for (const [type, predicate, reason] of bad) {
    const told = misshapen(type, predicate);
    assert.match(told ?? "it is taken", reason, `${type} ${JSON.stringify(predicate)}`);
  }
});
