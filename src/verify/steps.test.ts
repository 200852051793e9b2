import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import { foundry } from "../../test/support/authorities.ts";
import { evidenceOf } from "../../test/support/evidence.ts";
import { testSigstore } from "../../test/support/sandbox.ts";
import { timestamp } from "../../test/support/sandbox-client.ts";
import type { Evidence } from "../evidence/model.ts";
import { messageOf } from "../format/digest.ts";
import { defaultHashes, publicKeyFromObject } from "../keys/index.ts";
import { ALWAYS, type Authority, type Log, NO_TRUST } from "../trust/material.ts";
import { PathBudget } from "../trust/path-budget.ts";
import { readTrustedRoot } from "../trust/trusted-root.ts";
import { certifiedKey, verifyCertificate } from "./certificate.ts";
import type { KnownEntry } from "./log.ts";
import { CheckFailed, type Policy, type TrustMaterial } from "./model.ts";
import { exactly } from "./patterns.ts";
import { describeKey } from "./signature.ts";
import { checkIdentity, checkLog, checkTimes } from "./steps.ts";

const KEY = publicKeyFromObject(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey);
const POLICY: Policy = {
  signer: { kind: "key", key: KEY, hashes: defaultHashes(KEY) },
  claims: "insecureSkip",
  log: "required",
  timestamp: "required",
  sct: "insecureSkip",
};
const sandbox = await testSigstore();
const ROOT = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
const SIGNATURE = Buffer.from("a signature");
const ENVELOPE = Buffer.from("an envelope");

const signed = (more: Partial<Evidence>): Evidence => evidenceOf({ kind: "blob", signature: SIGNATURE }, more);

const isCheck = (check: string, reason: RegExp) => (error: unknown) =>
  error instanceof CheckFailed && error.check === check && reason.test(error.message);

test("checkIdentity: the policy requires an identity, and there is only a key -> refused", async () => {
  const identity = { subject: [exactly("a@example.com")], issuer: [exactly("https://i")], extensions: new Map() };
  const step = { path: undefined, key: KEY };
  const signer = { kind: "identity", identity } as const;
  await assert.rejects(
    checkIdentity({ ...step, policy: { ...POLICY, signer } }),
    isCheck("identity", /no certificate to identify the signer/),
  );
  const value = { kind: "key", key: KEY };
  assert.deepEqual(await checkIdentity({ ...step, policy: POLICY }), { check: undefined, value });
});

test("checkTimes: timestamps over the signature or the stored envelope, and integrated times -> trusted times", async () => {
  const trust: TrustMaterial = { ...NO_TRUST, timestampAuthorities: ROOT.timestampAuthorities, now: new Date() };
  const response = await timestamp(sandbox, ENVELOPE);
  const judge = async (more: Partial<Evidence>, entries: KnownEntry[] = [], policy = POLICY) =>
    (await checkTimes({ evidence: signed(more), entries, trust, policy })).value;
  const { times, timestamps } = await judge({ timestamps: [response], timestamped: ENVELOPE });
  const [time = assert.fail()] = times;
  assert.deepEqual(timestamps, [{ time, response }]);
  await assert.rejects(judge({ timestamps: [response] }), isCheck("time", /made for a different signature/));
  const ofSignature = await timestamp(sandbox, SIGNATURE);
  const both = await judge({ timestamps: [ofSignature, response], timestamped: ENVELOPE });
  assert.equal(both.times.length, 2);
  await assert.rejects(judge({}), isCheck("time", /no signed timestamp found/));
  assert.deepEqual(await judge({}, [], { ...POLICY, timestamp: "optional" }), { times: [], timestamps: [] });
  const entryOf = (start: Date, end: Date | undefined): KnownEntry => {
    const log: Log = { baseUrl: "https://log.example", id: randomBytes(32), key: KEY.object, validFor: { start, end } };
    return { entry: { integratedTime: "0" } as never, log };
  };
  const known = { timestamps: [response], timestamped: ENVELOPE };
  await judge(known, [entryOf(time, time)]);
  const ended = entryOf(new Date(0), new Date(time.getTime() - 1));
  for (const entries of [[ended], [entryOf(time, time), ended]]) {
    await assert.rejects(judge(known, entries), isCheck("log", /log\.example is not trusted at \d{4}-/));
  }
});

test("checkTimes: fewer different authorities than the policy requires -> refused; the same roots count once", async () => {
  const [authority = assert.fail()] = ROOT.timestampAuthorities;
  const other = { ...authority, validFor: ALWAYS, baseUrl: "https://again.example" };
  const second = await timestamp(sandbox, SIGNATURE);
  const first = await timestamp(sandbox, SIGNATURE);
  const judge = (change: Partial<Policy>, timestamps = [first, second], timestampAuthorities = [authority, other]) => {
    const trust: TrustMaterial = { ...NO_TRUST, timestampAuthorities, now: new Date() };
    const step = { evidence: signed({ timestamps }), entries: [], trust, policy: { ...POLICY, ...change } };
    return checkTimes(step);
  };
  const tooFew = (expected: string, actual: string) => (error: unknown) =>
    error instanceof CheckFailed &&
    error.check === "time" &&
    error.message === `expected timestamps from ${expected} authorities, found ${actual}` &&
    error.compared.expected === expected &&
    error.compared.actual === actual;
  assert.equal((await judge({ timestamps: 1 })).value.timestamps.length, 2);
  assert.equal((await judge({ timestamps: 0 })).value.timestamps.length, 2);
  for (const timestamp of ["required", "optional"] as const) {
    await assert.rejects(judge({ timestamp, timestamps: 2 }), tooFew("2", "1"));
    await assert.rejects(judge({ timestamp, timestamps: 2 }, []), tooFew("2", "0"));
    await assert.rejects(judge({ timestamp, timestamps: Number.NaN }), tooFew("NaN", "1"));
    await assert.rejects(judge({ timestamp, timestamps: 1 }, []), isCheck("time", /no signed timestamp found/));
  }
  await assert.rejects(judge({ timestamps: 0 }, []), isCheck("time", /no signed timestamp found/));
  assert.equal((await judge({ timestamp: "optional", timestamps: 0 }, [])).check, undefined);
});

test("checkTimes: authorities with different roots -> counted separately", async () => {
  const another = await testSigstore();
  const { timestampAuthorities: others } = readTrustedRoot(Buffer.from(another.trustedRoot), "root");
  const timestamps = [await timestamp(sandbox, SIGNATURE), await timestamp(another, SIGNATURE)];
  const timestampAuthorities = [...ROOT.timestampAuthorities, ...others];
  const trust: TrustMaterial = { ...NO_TRUST, timestampAuthorities, now: new Date() };
  const step = { evidence: signed({ timestamps }), entries: [], trust };
  const { value, check } = await checkTimes({ ...step, policy: { ...POLICY, timestamps: 2 } });
  assert.deepEqual([value.timestamps.length, check?.outcome], [2, "passed"]);
  const three = checkTimes({ ...step, policy: { ...POLICY, timestamps: 3 } });
  await assert.rejects(three, isCheck("time", /^expected timestamps from 3 authorities, found 2$/));
});

test("checkTimes: an authority whose roots are listed in another order -> counted once", async () => {
  let now = Date.now();
  const moving = await testSigstore({ clock: () => new Date(now) });
  const [authority = assert.fail()] = readTrustedRoot(Buffer.from(moving.trustedRoot), "root").timestampAuthorities;
  const { newKey, make } = foundry();
  const key = newKey();
  const more = make({ name: "another root", key, issuer: "another root", issuerKey: key });
  const first = await timestamp(moving, SIGNATURE);
  const change = new Date(now + 30_000);
  now += 60_000;
  const second = await timestamp(moving, SIGNATURE);
  const roots = [...authority.roots, more];
  const judge = (later: readonly Uint8Array[]) => {
    const timestampAuthorities = [
      { ...authority, roots, validFor: { start: new Date(0), end: change } },
      { ...authority, roots: later, validFor: { start: change, end: undefined } },
    ];
    const trust: TrustMaterial = { ...NO_TRUST, timestampAuthorities, now: new Date() };
    const step = { evidence: signed({ timestamps: [first, second] }), entries: [], trust };
    return checkTimes({ ...step, policy: { ...POLICY, timestamps: 2 } });
  };
  for (const later of [roots, roots.toReversed()]) await assert.rejects(judge(later), isCheck("time", /2.*1/));
  assert.equal((await judge(authority.roots)).value.timestamps.length, 2, "with other roots it is another one");
});

test("checkLog: the policy skips the log and requires a number of logs -> refused", () => {
  const step = {
    evidence: signed({}),
    message: messageOf(SIGNATURE),
    key: KEY,
    trust: { ...NO_TRUST, now: new Date() },
  };
  const judge = (policy: Partial<Policy>) => checkLog({ ...step, policy: { ...POLICY, ...policy } });
  assert.deepEqual(judge({ log: "insecureSkip" }).value, []);
  assert.equal(judge({ log: "insecureSkip", transparencyLogs: 0 }).check?.outcome, "skipped");
  for (const transparencyLogs of [1, 2, Number.NaN]) {
    const reason = new RegExp(`^expected entries from ${transparencyLogs} transparency logs, found 0$`);
    assert.throws(() => judge({ log: "insecureSkip", transparencyLogs }), isCheck("log", reason));
  }
  assert.throws(() => judge({ transparencyLogs: 0 }), isCheck("log", /no transparency log entry found/));
});

test("describeKey: a description for every kind of key", () => {
  const of = (pair: { publicKey: import("node:crypto").KeyObject }) => describeKey(publicKeyFromObject(pair.publicKey));
  assert.equal(of(generateKeyPairSync("ec", { namedCurve: "P-384" })), "an ECDSA P-384 key");
  assert.equal(of(generateKeyPairSync("rsa", { modulusLength: 2048 })), "an RSA 2048 key");
  assert.equal(of(generateKeyPairSync("ed25519")), "an Ed25519 key");
});

const { newKey, make } = foundry();
const NOW = new Date();
const [ROOT_KEY, LEAF_KEY] = [newKey(), newKey()];
const AUTHORITY: Authority = {
  roots: [make({ name: "CA", key: ROOT_KEY, issuer: "CA", issuerKey: ROOT_KEY })],
  intermediates: [],
  validFor: ALWAYS,
};
const LEAF = make({ name: undefined, key: LEAF_KEY, issuer: "CA", issuerKey: ROOT_KEY });
const certified = (leaf: Buffer, chain: readonly Buffer[] = []) =>
  ({ kind: "certificate", leaf, chain, binding: true }) as const;
const judgeCertificate = (
  authorities: readonly Authority[],
  times: readonly Date[] = [NOW],
  key = certified(LEAF),
  budget = new PathBudget(),
) => verifyCertificate(key, { ...NO_TRUST, authorities, now: NOW, budget }, times);

test("verifyCertificate: a time without a path, or without a trusted authority -> refused", () => {
  const later = new Date(NOW.getTime() + 60_000);
  assert.deepEqual(judgeCertificate([AUTHORITY], [NOW, later]).leaf.native.raw, LEAF);
  assert.throws(() => judgeCertificate([AUTHORITY], []), isCheck("time", /no trusted time/));
  const expired = new Date(NOW.getTime() + 3_600_000);
  for (const times of [
    [expired, NOW],
    [NOW, expired],
  ]) {
    assert.throws(() => judgeCertificate([AUTHORITY], times), isCheck("key", /certificate is valid from/));
  }
  const ended = { ...AUTHORITY, validFor: { start: new Date(0), end: new Date(NOW.getTime() - 1) } };
  const beginning = { ...AUTHORITY, validFor: { start: later, end: undefined } };
  assert.throws(
    () => judgeCertificate([ended, beginning]),
    isCheck("key", new RegExp(`no certificate authority is trusted at ${NOW.toISOString()}$`)),
  );
  assert.throws(() => judgeCertificate([]), isCheck("key", /no certificate authority is trusted$/));
  assert.throws(() => judgeCertificate([ended, beginning], [NOW, later]), isCheck("key", /is trusted at/));
  const other = { ...AUTHORITY, roots: [make({ name: "CA", key: LEAF_KEY, issuer: "CA", issuerKey: LEAF_KEY })] };
  assert.ok(judgeCertificate([other, AUTHORITY]), "one authority that holds is enough");
  assert.throws(() => judgeCertificate([other, ended]), isCheck("key", /no valid path/));
});

test("verifyCertificate: hostile chains with one budget -> share its limit", () => {
  const keys = Array.from({ length: 10 }, newKey);
  const chain = keys.flatMap((key) =>
    keys.map((issuerKey) => make({ name: "other", key, issuer: "other", issuerKey })),
  );
  const leaf = make({ name: undefined, key: LEAF_KEY, issuer: "other", issuerKey: keys[0] ?? LEAF_KEY });
  const givenUp = (budget?: PathBudget) => {
    try {
      verifyCertificate(
        certified(leaf, chain),
        { ...NO_TRUST, authorities: [AUTHORITY], now: NOW, ...(budget ? { budget } : {}) },
        [NOW],
      );
    } catch (error) {
      return error instanceof CheckFailed ? Number(/stopped after (\d+)/.exec(error.message)?.[1]) : 0;
    }
    return assert.fail("it has a path");
  };
  const budget = new PathBudget();
  assert.notEqual(givenUp(budget), 8);
  let last = 0;
  for (let count = 0; count < 40 && last !== 8; count++) last = givenUp(budget);
  assert.equal(last, 8, "the share of its own is left");
  assert.ok(judgeCertificate([AUTHORITY], [NOW], certified(LEAF), budget), "an honest path is found still");
  assert.notEqual(givenUp(new PathBudget()), 8, "another budget is another's");
  assert.notEqual(givenUp(), 8, "without one a certificate has its own");
});

test("verifyCertificate: a defect -> thrown; a malformed certificate -> the key check fails", () => {
  const roots = new Proxy([], {
    get: () => {
      throw new TypeError("a defect");
    },
  });
  assert.throws(() => judgeCertificate([{ ...AUTHORITY, roots }]), TypeError);
  assert.throws(() => certifiedKey(certified(Buffer.from("x"))), isCheck("key", /malformed certificate/));
  assert.throws(
    () => judgeCertificate([AUTHORITY], [NOW], certified(Buffer.from("x"))),
    isCheck("key", /malformed certificate/),
  );
});
