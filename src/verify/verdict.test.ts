import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { foundry } from "../../test/support/authorities.ts";
import { TsignError } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { digestOf, messageOf } from "../format/digest.ts";
import { defaultHashes, publicKeyFromObject, signerFromKey } from "../keys/index.ts";
import { implicit, sequence } from "../sandbox/pki/der.ts";
import { extension } from "../sandbox/pki/x509.ts";
import { signStatement } from "../sign/payload.ts";
import { signInTotoStatement } from "../sign/sign.ts";
import { ALWAYS, NO_TRUST } from "../trust/material.ts";
import { fieldsOfCheck, type Policy, type Subject, type TrustMaterial } from "./model.ts";
import { exactly, matching } from "./patterns.ts";
import { isVerified, verify } from "./verify.ts";

const DIGEST = digestOf(Buffer.from("an image"));
const IMAGE: Subject = { kind: "image", digest: DIGEST };
const TRUST: TrustMaterial = { ...NO_TRUST, now: new Date() };
const KEY = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

function policy(more: Partial<Policy> = {}): Policy {
  const key = publicKeyFromObject(KEY);
  return {
    signer: { kind: "key", key, hashes: defaultHashes(key) },
    claims: { annotations: {}, predicateTypes: undefined },
    log: "insecureSkip",
    timestamp: "optional",
    sct: "insecureSkip",
    ...more,
  };
}

const signed = (): Promise<Evidence> =>
  signInTotoStatement({ signer: signerFromKey(KEY) }, signStatement({ digest: DIGEST, annotations: { env: "prod" } }));

/** An object with a property that throws an error which no input can cause. */
function broken<T extends object>(
  base: T,
  property: keyof T,
  error: Error = new TypeError("Cannot read properties of undefined (reading 'a')"),
): T {
  return Object.defineProperty({ ...base }, property, {
    get: () => {
      throw error;
    },
  });
}

test("verify: a defect of tsign -> thrown, not a failed verdict", async () => {
  const evidence = await signed();
  const defects: [string, Promise<unknown>][] = [
    ["trust", verify(evidence, IMAGE, broken(TRUST, "logs"), policy({ log: "required" }))],
    ["policy", verify(evidence, IMAGE, TRUST, broken(policy(), "signer"))],
    ["claims", verify(evidence, IMAGE, TRUST, broken(policy(), "claims"))],
    ["subject", verify(evidence, broken(IMAGE, "digest"), TRUST, policy())],
    ["evidence", verify(broken(evidence, "timestamps"), IMAGE, TRUST, policy())],
  ];
  for (const [name, verdict] of defects) await assert.rejects(verdict, TypeError, name);
});

test("verify: malformed evidence or a failed check -> a failed verdict", async () => {
  const evidence = await signed();
  const unlogged = await verify(evidence, IMAGE, TRUST, policy({ log: "required" }));
  assert.ok(!unlogged.ok && unlogged.failed.name === "log");
  assert.ok(evidence.content.kind === "dsse");
  const other = { ...evidence, content: { ...evidence.content, payloadType: "text/plain" } };
  assert.equal((await verify(other, IMAGE, TRUST, policy())).ok, false);
});

test("verify: a reader's error -> a failed verdict; an abort, a time-out or a defect -> thrown", async () => {
  const evidence = await signed();
  const judge = (code: ConstructorParameters<typeof TsignError>[0]) =>
    verify(broken(evidence, "timestamps", new TsignError(code, "the reason")), IMAGE, TRUST, policy());
  for (const code of ["bad-bundle", "untrusted", "limit"] as const) {
    const verdict = await judge(code);
    assert.ok(!verdict.ok);
    assert.deepEqual([verdict.failed.name, verdict.failed.detail], ["time", "the reason"]);
  }
  for (const code of ["internal", "cancelled", "timeout"] as const) {
    await assert.rejects(judge(code), (error) => error instanceof TsignError && error.code === code);
  }
});

test("verify: a signature by a hash that the policy does not allow for the key -> refused", async () => {
  const artifact = Buffer.from("artifact");
  const key = publicKeyFromObject(KEY);
  const content = { kind: "blob", signature: sign("sha512", artifact, KEY) } as const;
  const evidence: Evidence = { ...(await signed()), content };
  const judge = async (...hashes: ("sha256" | "sha512")[]) => {
    const subject: Subject = { kind: "blob", message: messageOf(artifact) };
    return (await verify(evidence, subject, TRUST, policy({ signer: { kind: "key", key, hashes } }))).ok;
  };
  assert.deepEqual(
    [await judge("sha512"), await judge("sha256", "sha512"), await judge("sha256")],
    [true, true, false],
  );
});

test("isVerified: an object that verify did not return -> false", async () => {
  const verdict = await verify(await signed(), IMAGE, TRUST, policy());
  assert.ok(isVerified(verdict));
  assert.ok(!isVerified({ ...verdict }), "a copy");
  assert.ok(!isVerified(Object.create(verdict)), "something made from one");
  for (const value of [undefined, null, true, {}, { ok: true }]) assert.ok(!isVerified(value));
  assert.throws(() => Object.assign(verdict, { signer: undefined }), TypeError, "it cannot be changed");
});

test("verify: a matching subject -> the verdict has that subject and the stored envelope", async () => {
  const verdict = await verify(await signed(), IMAGE, TRUST, policy());
  assert.ok(verdict.ok && verdict.content.kind === "statement");
  assert.deepEqual(verdict.content.subject?.annotations, { env: "prod" });
  assert.deepEqual(verdict.entries, []);
  assert.equal(JSON.parse(verdict.content.envelope()).signatures.length, 1);
});

test("verify: a reader's error -> fails the running check, or the signature check before the first one", async () => {
  const error = new TsignError("bad-bundle", "the reason");
  const failedStep = async (...args: Parameters<typeof verify>) => {
    const verdict = await verify(...args);
    assert.ok(!verdict.ok);
    assert.equal(verdict.failed.detail, "the reason");
    return [verdict.failed.name, verdict.checks.length];
  };
  const evidence = await signed();
  const { signer } = policy();
  assert.ok(signer.kind === "key");
  const badHashes = policy({ signer: broken(signer, "hashes", error) });
  assert.deepEqual(await failedStep(broken(evidence, "key", error), IMAGE, TRUST, policy()), ["signature", 1]);
  const logged = { ...evidence, log: [{ logId: { keyId: Buffer.alloc(32) } }] } as unknown as Evidence;
  const badLogs = broken(TRUST, "logs", error);
  assert.deepEqual(await failedStep(logged, IMAGE, badLogs, policy({ log: "required" })), ["log", 1]);
  assert.deepEqual(await failedStep(evidence, IMAGE, TRUST, badHashes), ["signature", 2]);
  assert.deepEqual(await failedStep(evidence, IMAGE, TRUST, broken(policy(), "claims", error)), ["claims", 4]);

  const { leaf, chain, authority } = certificates();
  const certified: Evidence = { ...evidence, key: { kind: "certificate", leaf, chain, binding: true } };
  const identity = { subject: [exactly("a@example.com")], issuer: [await matching("^$")], extensions: new Map() };
  const byName = policy({ signer: { kind: "identity", identity } });
  const trust: TrustMaterial = { ...TRUST, now: new Date(), authorities: [authority] };
  assert.deepEqual(await failedStep(certified, IMAGE, broken(trust, "authorities", error), byName), ["key", 3]);
  assert.deepEqual(await failedStep(certified, IMAGE, trust, broken(byName, "sct", error)), ["sct", 4]);
  const badIdentity = policy({ signer: broken({ kind: "identity", identity }, "identity", error) });
  assert.deepEqual(await failedStep(certified, IMAGE, trust, badIdentity), ["identity", 6]);
  const verdict = await verify(certified, IMAGE, trust, byName);
  assert.ok(verdict.ok, verdict.ok ? "" : verdict.failed.detail);
});

/** A certificate for KEY, and the authority that issued it. */
function certificates() {
  const { newKey, make } = foundry();
  const key = newKey();
  const root = make({ name: "root", key, issuer: "root", issuerKey: key });
  const pair = { privateKey: KEY, publicKey: createPublicKey(KEY) };
  const san = extension("2.5.29.17", sequence(implicit(1, Buffer.from("a@example.com"))));
  const leaf = make({ name: undefined, key: pair, issuer: "root", issuerKey: key, more: [san] });
  return { leaf, chain: [], authority: { roots: [root], intermediates: [], validFor: ALWAYS } };
}

test("fieldsOfCheck: the check's name, and the other fields that it has", () => {
  const check = { name: "identity", outcome: "failed", detail: "why" } as const;
  assert.deepEqual(fieldsOfCheck(check), { check: "identity" });
  const more = { expected: "a", actual: "b", hint: "c" };
  assert.deepEqual(fieldsOfCheck({ ...check, ...more }), { check: "identity", ...more });
});
