import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import type { Requirement } from "./model.ts";
import { describe, isMet } from "./requirement.ts";

const s = (name: string): Requirement => ({ kind: "signer", name });
const any = (...names: (string | Requirement)[]): Requirement => ({ kind: "any", members: names.map(of) });
const all = (...names: (string | Requirement)[]): Requirement => ({ kind: "all", members: names.map(of) });
const atLeast = (count: number, ...names: (string | Requirement)[]): Requirement => ({
  kind: "atLeast",
  count,
  members: names.map(of),
});
const of = (each: string | Requirement) => (typeof each === "string" ? s(each) : each);

/** Each signer with the principals that signed for it: `{ a: ["k1", "k2 mail"] }`. */
function met(requirement: Requirement, signed: Record<string, string[]>): boolean {
  return isMet(
    requirement,
    new Map(Object.entries(signed).map(([name, list]) => [name, list.map((each) => each.split(" "))])),
  );
}

test("requirement: one signer, any, all and at least n, met and missed", () => {
  assert.ok(met(s("a"), { a: ["k1"] }));
  assert.ok(!met(s("a"), { a: [], b: ["k1"] }));
  assert.ok(met(any("a", "b"), { b: ["k1"] }));
  assert.ok(!met(any("a", "b"), { c: ["k1"] }));
  assert.ok(met(all("a", "b"), { a: ["k1"], b: ["k2"] }));
  assert.ok(!met(all("a", "b"), { a: ["k1"] }));
  assert.ok(met(atLeast(2, "a", "b", "c"), { a: ["k1"], c: ["k2"] }));
  assert.ok(!met(atLeast(2, "a", "b", "c"), { c: ["k2"] }));
  assert.ok(!met(atLeast(3, "a", "b", "c"), { a: ["k1"], c: ["k2"] }));
});

test("requirement: a threshold is not met twice by the same key, name or certificate", () => {
  assert.ok(!met(atLeast(2, "a", "b"), { a: ["k1"], b: ["k1"] }));
  assert.ok(!met(atLeast(2, "a", "b"), { a: ["k1", "k1"], b: [] }));
  assert.ok(!met(all("a", "b"), { a: ["k1"], b: ["k1"] }));
  assert.ok(!met(atLeast(2, "a", "b"), { a: ["key1 alice"], b: ["key2 alice"] }), "two certificates of one person");
  assert.ok(!met(all("a", any("b", "a")), { a: ["k1"], b: ["k1"] }));
  assert.ok(!met(atLeast(2, "a", "a"), { a: ["k1"] }), "the same signer twice");
});

test("requirement: principals are assigned so that all are met, if there is a way", () => {
  assert.ok(met(all("a", "b"), { a: ["k1", "k2"], b: ["k1"] }), "a takes k2");
  assert.ok(met(all("team", "lead"), { team: ["lead", "dev"], lead: ["lead"] }));
  assert.ok(!met(all("team", "lead"), { team: ["lead"], lead: ["lead"] }));
});

test("requirement: a nested group counts once", () => {
  const oneOfEach = atLeast(2, any("a1", "a2"), any("b1", "b2"));
  assert.ok(met(oneOfEach, { a1: ["k1"], b2: ["k2"] }));
  assert.ok(!met(oneOfEach, { a1: ["k1"], a2: ["k2"] }));
  assert.ok(met(any(all("a", "b"), atLeast(2, "c", "d", "e")), { c: ["k1"], e: ["k2"] }));
  assert.ok(!met(any(all("a", "b"), atLeast(2, "c", "d", "e")), { a: ["k1"], e: ["k2"] }));
});

test("requirement: different signers of one pattern are counted by principal", () => {
  const two: Requirement = { kind: "different", count: 2, name: "team" };
  assert.ok(met(two, { team: ["alice", "bob"] }));
  assert.ok(!met(two, { team: ["alice"] }));
  assert.ok(!met(two, { team: ["k1 alice", "k2 alice"] }));
  assert.ok(!met(all(two, "lead"), { team: ["alice", "bob"], lead: ["bob"] }), "bob counts once");
  assert.ok(met(all(two, "lead"), { team: ["alice", "bob", "eve"], lead: ["bob"] }));
});

test("requirement: too many combinations -> error, not a yes", () => {
  const names = Array.from({ length: 20 }, (_, index) => `s${index}`);
  const signed = Object.fromEntries(names.map((name) => [name, Array.from({ length: 19 }, (_, index) => `k${index}`)]));
  assert.throws(
    () => met(all(...names), signed),
    (error) => error instanceof TsignError && error.code === "limit",
  );
});

test("describe names the signers and how many of them", () => {
  assert.equal(describe(atLeast(2, "a", any("b", "c"))), "at least 2 of (a, any of (b, c))");
  assert.equal(describe({ kind: "different", count: 2, name: "team" }), "at least 2 different signers that match team");
});
