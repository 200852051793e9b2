import assert from "node:assert/strict";
import { test } from "node:test";
import { shapeMismatch } from "./predicate-shapes.ts";

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

test("shapeMismatch: predicate of its type, also with unknown, absent and null fields -> undefined", () => {
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
  for (const [type, predicate] of good) assert.equal(shapeMismatch(type, predicate), undefined, type);
});

test("shapeMismatch: returns the path and value of a field with another type", () => {
  const bad: [string, Record<string, unknown>, RegExp][] = [
    ["slsaprovenance", { builder: "x" }, /^builder: got "x", want an object$/],
    ["slsaprovenance", { builder: { id: 5 } }, /^builder.id: got 5, want a string$/],
    ["slsaprovenance", { build_type: 5 }, /^build_type: got 5/],
    [
      "slsaprovenance02",
      { metadata: { reproducible: "yes" } },
      /^metadata.reproducible: got "yes", want true or false$/,
    ],
    ["slsaprovenance", { materials: {} }, /^materials: got \{\}, want a list$/],
    ["slsaprovenance", { materials: [{}, { digest: { sha256: 5 } }] }, /^materials\[1\].digest.sha256: got 5/],
    ["slsaprovenance", { metadata: { buildStartedOn: "2026-13-02T03:04:05Z" } }, /want a time/],
    [
      "slsaprovenance1",
      { runDetails: { metadata: { finishedOn: "today" } } },
      /^runDetails.metadata.finishedOn: got "today"/,
    ],
    ["slsaprovenance1", { buildDefinition: { resolvedDependencies: [{ content: "!" }] } }, /want base64$/],
    ["link", { ...LINK, command: "make" }, /^command: got "make", want a list$/],
    ["link", { ...LINK, products: { a: "b" } }, /^products.a: got "b", want an object$/],
    ["vuln", { invocation: { "builder.id": 1 } }, /^invocation.builder.id: got 1/],
    ["vuln", { metadata: { scanStartedOn: "2024-01-01" } }, /^metadata.scanStartedOn: got "2024-01-01", want a time/],
  ];
  for (const [type, predicate, reason] of bad) {
    const mismatch = shapeMismatch(type, predicate);
    assert.match(mismatch ?? "it is taken", reason, `${type} ${JSON.stringify(predicate)}`);
  }
});
