import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Certificate } from "./certificate.ts";
import { PathBudget, type PathWork } from "./path-budget.ts";

const FIXTURES = ["leaf", "intermediate", "root"].map(
  (name) => new X509Certificate(readFileSync(new URL(`../../fixtures/certs/${name}.pem`, import.meta.url))).raw,
);
const NO_CERTIFICATE = Buffer.from("no certificate");

/** A certificate with only a name, and a count of its signature checks. */
function counted(name: string, isGood = true) {
  const counter = { checks: 0, keys: [] as unknown[], certificate: {} as Certificate };
  const native = {
    fingerprint256: name,
    verify: (key: unknown) => {
      counter.checks++;
      counter.keys.push(key);
      return isGood;
    },
  };
  counter.certificate = { native, key: `key of ${name}` } as unknown as Certificate;
  return counter;
}

const named = (name: string) => counted(name).certificate;

/** The number of operations until the search stops. */
function spent(once: (number: number) => void): { count: number; message: string } {
  for (let count = 0; count < 2000; count++) {
    try {
      once(count);
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === "limit") return { count, message };
      if (code !== "untrusted") throw error;
    }
  }
  throw new Error("there is no limit");
}

let serial = 0;
const check = (work: PathWork) => spent(() => work.isSigned(named("leaf"), named(`issuer ${serial++}`)));
const parse = (work: PathWork) => spent(() => work.parse(NO_CERTIFICATE));

for (const [kind, spend, words] of [
  ["checks", check, "signature checks"],
  ["certificates", parse, "certificates"],
] as const) {
  test(`PathBudget: a path has 100 ${kind}, 8 of its own and the others from a shared thousand`, () => {
    const budget = new PathBudget();
    const given = (count: number) => ({
      count,
      message: `search for a path to a trusted root stopped after ${count} ${words}`,
    });
    for (let path = 1; path <= 10; path++) assert.deepEqual(spend(budget.path()), given(100), `path ${path}`);
    assert.deepEqual(spend(budget.path()), given(88), "1000 less ten times 92, and its own 8");
    for (let path = 12; path <= 14; path++) assert.deepEqual(spend(budget.path()), given(8), `path ${path}`);
    assert.deepEqual(spend(new PathBudget().path()), given(100), "of another budget");
  });
}

test("PathBudget counts checks and certificates separately", () => {
  const budget = new PathBudget();
  for (let path = 0; path < 12; path++) check(budget.path());
  const work = budget.path();
  assert.equal(check(work).count, 8);
  assert.equal(parse(work).count, 100);
});

test("PathBudget: a cached certificate is free in every path", () => {
  const budget = new PathBudget();
  const work = budget.path();
  const [leaf = Buffer.of()] = FIXTURES;
  const first = work.parse(Buffer.from(leaf));
  for (let time = 0; time < 300; time++) assert.equal(work.parse(Buffer.from(leaf)), first);
  assert.equal(budget.path().parse(Buffer.from(leaf)), first);
  assert.equal(parse(work).count, 99);
  const other = new PathBudget().path();
  other.parse(Buffer.from(leaf));
  assert.equal(parse(other).count, 99, "what another image had parsed is not free");
  const others = FIXTURES.map((der) => budget.path().parse(Buffer.from(der)));
  assert.deepEqual(
    others.map(({ native }) => native.raw),
    FIXTURES,
  );
});

test("PathBudget: a cached signature check is free and keeps its result", () => {
  const budget = new PathBudget();
  const [good, bad, issuer] = [counted("good"), counted("bad", false), counted("issuer")];
  for (const work of [budget.path(), budget.path()]) {
    for (let time = 0; time < 300; time++) {
      assert.equal(work.isSigned(good.certificate, issuer.certificate), true);
      assert.equal(work.isSigned(bad.certificate, issuer.certificate), false);
    }
  }
  assert.deepEqual([good.keys, bad.keys, issuer.keys], [["key of issuer"], ["key of issuer"], []]);
  const other = counted("other issuer");
  assert.equal(budget.path().isSigned(good.certificate, other.certificate), true);
  assert.deepEqual(good.keys, ["key of issuer", "key of other issuer"]);
  assert.equal(budget.path().isSigned(other.certificate, good.certificate), true, "the other way round");
  assert.deepEqual(other.keys, ["key of good"]);
});

test("PathBudget: what another image had checked is not checked again, and not free", () => {
  const [leaf, forged, issuer] = [counted("leaf"), counted("forged", false), counted("issuer")];
  for (let image = 0; image < 3; image++) {
    const work = new PathBudget().path();
    assert.equal(work.isSigned(leaf.certificate, issuer.certificate), true);
    assert.equal(work.isSigned(forged.certificate, issuer.certificate), false);
    assert.equal(check(work).count, 98);
  }
  assert.deepEqual([leaf.checks, forged.checks], [1, 1]);
  const namesake = counted("leaf", false);
  assert.equal(new PathBudget().path().isSigned(namesake.certificate, issuer.certificate), false);
});

test("PathBudget caches up to 10000 signature checks, then starts again", () => {
  const leaf = counted("leaf");
  const budget = new PathBudget();
  const checkAll = (from: number, to: number) => {
    for (let pair = from; pair < to; pair++) {
      budget.path().isSigned(leaf.certificate, named(`issuer ${pair}`)); // a path each, for its own share
    }
    return leaf.checks;
  };
  assert.equal(checkAll(0, 10_000), 10_000);
  assert.equal(checkAll(0, 10_000), 10_000);
  assert.equal(checkAll(10_000, 10_001), 10_001);
  assert.equal(checkAll(0, 1), 10_002);
  assert.equal(checkAll(10_000, 10_001), 10_002);
});

test("PathBudget caches up to 64 certificates, then starts again", () => {
  const budget = new PathBudget();
  const [leaf = Buffer.of()] = FIXTURES;
  const variant = (number: number) => Buffer.concat([leaf.subarray(0, -1), Buffer.of(number)]); // of the signature
  const parsed = (number: number) => budget.path().parse(variant(number));
  const first = Array.from({ length: 64 }, (_, number) => parsed(number));
  for (const [number, certificate] of first.entries()) assert.equal(parsed(number), certificate);
  const more = parsed(64);
  assert.notEqual(parsed(0), first[0]);
  assert.equal(parsed(64), more);
});
