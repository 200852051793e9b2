import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Evidence } from "../evidence/model.ts";
import { type Digest, digestOf, hash, messageOf, messageOfDigests } from "../format/digest.ts";
import { defaultHashes, publicKeyFromObject, signerFromKey } from "../keys/index.ts";
import { signStatement, simpleSigningPayload } from "../sign/payload.ts";
import { type SigningIdentity, signBlob, signInTotoStatement, signPayload } from "../sign/sign.ts";
import { ALWAYS, NO_TRUST } from "../trust/material.ts";
import { fieldsOfCheck, type IdentityPolicy, type Policy, type Subject, type TrustMaterial } from "./model.ts";
import { exactly, matching } from "./patterns.ts";
import { verify } from "./verify.ts";

const DIGEST = digestOf(Buffer.from("an image"));
const OTHER = digestOf(Buffer.from("another image"));
const IMAGE: Subject = { kind: "image", digest: DIGEST };
const SIGN = "https://sigstore.dev/cosign/sign/v1";
const TRUST: TrustMaterial = { ...NO_TRUST, now: new Date() };

const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const KEY = newKey();
const by: SigningIdentity = { signer: signerFromKey(KEY) };

function keyPolicy(key: KeyObject, claims: Policy["claims"] = { annotations: {}, predicateTypes: [SIGN] }): Policy {
  const publicKey = publicKeyFromObject(key);
  const signer = { kind: "key", key: publicKey, hashes: defaultHashes(publicKey) } as const;
  return { signer, claims, log: "insecureSkip", timestamp: "optional", sct: "insecureSkip" };
}

const FORMS: Record<string, (digest: Digest, annotations?: Record<string, string>) => Promise<Evidence>> = {
  "simple signing": (digest, annotations = {}) =>
    signPayload(by, simpleSigningPayload({ digest, annotations, dockerReference: "r.example/app" })),
  statement: (digest, annotations = {}) => signInTotoStatement(by, signStatement({ digest, annotations })),
};

async function failsAt(
  evidence: Evidence,
  step: string,
  options: { subject?: Subject; policy?: Policy; trust?: TrustMaterial } = {},
) {
  const verdict = await verify(
    evidence,
    options.subject ?? IMAGE,
    options.trust ?? TRUST,
    options.policy ?? keyPolicy(KEY),
  );
  assert.ok(!verdict.ok, "this must not verify");
  assert.equal(verdict.failed.name, step, verdict.failed.detail);
  return verdict.failed.detail;
}

for (const [form, sign] of Object.entries(FORMS)) {
  test(`verify: a valid ${form} -> accepted, with every check`, async () => {
    const verdict = await verify(await sign(DIGEST), IMAGE, TRUST, keyPolicy(KEY));
    assert.ok(verdict.ok);
    const outcomes = verdict.checks.map(({ name, outcome }) => `${name} ${outcome}`);
    assert.deepEqual(outcomes, ["log skipped", "signature passed", "key passed", "claims passed"]);
  });

  test(`verify: a ${form} with another key, another image or any changed byte -> refused`, async () => {
    const good = await sign(DIGEST);
    await failsAt(good, "signature", { policy: keyPolicy(newKey()) });
    await failsAt(await sign(OTHER), "claims");
    await failsAt(good, "claims", { subject: { kind: "image", digest: OTHER } });
    const { content } = good;
    assert.ok(content.kind !== "blob");
    const flip = (bytes: Uint8Array, index: number) =>
      Buffer.from(bytes).fill((bytes[index] ?? 0) ^ 1, index, index + 1);
    for (const index of [0, 40, content.payload.length - 1]) {
      await failsAt({ ...good, content: { ...content, payload: flip(content.payload, index) } }, "signature");
    }
    await failsAt({ ...good, content: { ...content, signature: flip(content.signature, 10) } }, "signature");
    await failsAt({ ...good, content: { ...content, signature: new Uint8Array() } }, "signature");
  });

  test(`verify: annotations of a ${form} -> compared exactly, without those of the prototype`, async () => {
    const good = await sign(DIGEST, { env: "prod" });
    const demand = (annotations: Record<string, readonly string[]>) =>
      keyPolicy(KEY, { annotations, predicateTypes: [SIGN] });
    assert.ok((await verify(good, IMAGE, TRUST, demand({ env: ["prod"] }))).ok);
    const wrong: Record<string, unknown>[] = [
      { env: ["test"] },
      { env: ["prod"], x: ["y"] },
      { toString: ["x"] },
      { ENV: ["prod"] },
      { env: ["prod", "test"] },
      { env: ["test", "prod"] },
    ];
    for (const each of wrong) {
      await failsAt(good, "claims", { policy: demand(each as Record<string, string[]>) });
    }
  });
}

test("verify: a failed comparison -> the check has the expected and the found value as fields", async () => {
  const [sign] = Object.values(FORMS);
  const fieldsFor = async (evidence: Evidence, subject: Subject, policy: Policy) => {
    const verdict = await verify(evidence, subject, TRUST, policy);
    assert.ok(!verdict.ok);
    const { hint: _, ...fields } = fieldsOfCheck(verdict.failed);
    return fields;
  };
  const evidence = (await sign?.(DIGEST)) ?? assert.fail();
  const other = await fieldsFor(evidence, { kind: "image", digest: OTHER }, keyPolicy(KEY));
  assert.deepEqual(other, { check: "claims", expected: OTHER, actual: DIGEST });
  const artifact = Buffer.from("artifact");
  const content = { kind: "blob", signature: evidence.content.signature } as const;
  const stated = { algorithm: "sha256", digest: Buffer.alloc(32) } as const;
  const blob = { kind: "blob", message: messageOf(artifact) } as const;
  const wrong = await fieldsFor({ ...evidence, content: { ...content, stated } }, blob, keyPolicy(KEY, "insecureSkip"));
  const expected = `sha256:${"0".repeat(64)}`;
  assert.deepEqual(wrong, { check: "claims", expected, actual: digestOf(artifact) });
  assert.deepEqual(await fieldsFor(evidence, IMAGE, keyPolicy(newKey())), { check: "signature" });
  const types = { annotations: {}, predicateTypes: ["x", "y"] };
  const statement = (await FORMS["statement"]?.(DIGEST)) ?? assert.fail();
  const type = await fieldsFor(statement, IMAGE, keyPolicy(KEY, types));
  assert.deepEqual(type, { check: "claims", expected: "x or y", actual: SIGN });
});

test("verify: an attestation -> refused as a signature, accepted if the policy allows any predicate type", async () => {
  const statement = Buffer.from(
    Buffer.from(signStatement({ digest: DIGEST, annotations: {} }))
      .toString()
      .replace(SIGN, "https://slsa.dev/provenance/v1"),
  );
  const attestation = await signInTotoStatement(by, statement);
  assert.match(await failsAt(attestation, "claims"), /predicate type mismatch/);
  assert.ok(
    (await verify(attestation, IMAGE, TRUST, keyPolicy(KEY, { annotations: {}, predicateTypes: undefined }))).ok,
  );
});

test("verify: a statement that two parsers could read differently, or without a required member -> refused", async () => {
  const hex = DIGEST.slice(7);
  const base = `"_type":"https://in-toto.io/Statement/v1","predicateType":"${SIGN}","predicate":{}`;
  const statements: Record<string, string> = {
    "repeated key": `{${base},"subject":[{"digest":{"sha256":"${"0".repeat(64)}"}}],"subject":[{"digest":{"sha256":"${hex}"}}]}`,
    "no subject": `{${base},"subject":[]}`,
    "empty digest": `{${base},"subject":[{"digest":{}}]}`,
    "only an unknown algorithm": `{${base},"subject":[{"digest":{"sha1":"${hex}"}}]}`,
    "unknown type": `{${base.replace("Statement/v1", "Statement/v9")},"subject":[{"digest":{"sha256":"${hex}"}}]}`,
    "not JSON": "{",
    "an array": "[]",
  };
  for (const [name, statement] of Object.entries(statements)) {
    assert.ok(await failsAt(await signInTotoStatement(by, Buffer.from(statement)), "claims"), name);
  }
});

test("verify: another file, stated digest or signature of a blob -> refused", async () => {
  const artifact = Buffer.from("artifact");
  const pieces = async function* () {
    yield artifact;
  };
  const good = await signBlob(by, pieces());
  const policy = keyPolicy(KEY, { annotations: {}, predicateTypes: undefined });
  const subject: Subject = { kind: "blob", message: messageOf(artifact) };
  assert.ok((await verify(good, subject, TRUST, policy)).ok);
  const byDigest: Subject = {
    kind: "blob",
    message: messageOfDigests(new Map([["sha256", hash("sha256", artifact)]])),
  };
  assert.ok((await verify(good, byDigest, TRUST, policy)).ok, "a digest is enough");
  await failsAt(good, "claims", { policy, subject: { kind: "blob", message: messageOf(Buffer.from("artifacT")) } });
  const { content } = good;
  assert.ok(content.kind === "blob" && content.stated);
  const otherDigest = { ...content.stated, digest: hash("sha256", Buffer.from("x")) };
  await failsAt({ ...good, content: { ...content, stated: otherDigest } }, "claims", { policy, subject });
});

test("verify: a key where the evidence has a certificate -> refused for a bundle, accepted for a legacy signature", async () => {
  const good = await FORMS["statement"]!(DIGEST);
  const leaf = der("leaf");
  await failsAt({ ...good, key: { kind: "certificate", leaf, chain: [], binding: true } }, "key");
  const offered = { ...good, key: { kind: "certificate", leaf, chain: [], binding: false } as const };
  assert.ok((await verify(offered, IMAGE, TRUST, keyPolicy(KEY))).ok);
});

const read = (name: string) => readFileSync(new URL(`../../fixtures/certs/${name}`, import.meta.url));
const der = (name: string) => new X509Certificate(read(`${name}.pem`)).raw;
const ISSUED = new X509Certificate(read("leaf.pem")).validFromDate;
const SOON = new Date(ISSUED.getTime() + 3_600_000);
const NEVER = new Date("2099-01-01");

const WHO: IdentityPolicy = {
  subject: [exactly("dev@example.com")],
  issuer: [exactly("https://issuer.example")],
  extensions: new Map(),
};

function identityPolicy(identity: Partial<IdentityPolicy> = {}): Policy {
  const claims = { annotations: {}, predicateTypes: [SIGN] };
  return {
    signer: { kind: "identity", identity: { ...WHO, ...identity } },
    claims,
    log: "insecureSkip",
    timestamp: "optional",
    sct: "insecureSkip",
  };
}

async function certified(leaf = "leaf", chain: string[] = []): Promise<Evidence> {
  const signer = signerFromKey(createPrivateKey(read("leaf.key")));
  const certificate = { leaf: der(leaf), chain: chain.map(der) };
  return signInTotoStatement({ signer, certificate }, signStatement({ digest: DIGEST, annotations: {} }));
}

function trusting(roots: string[], intermediates: string[], now = SOON): TrustMaterial {
  const authority = { roots: roots.map(der), intermediates: intermediates.map(der), validFor: ALWAYS };
  return { ...NO_TRUST, authorities: [authority], now };
}

test("verify: a certificate with a path to a trusted root -> accepted for its own names only", async () => {
  const evidence = await certified();
  const trust = trusting(["root"], ["intermediate"]);
  for (const name of ["dev@example.com", "https://ci.example/workflow"]) {
    assert.ok((await verify(evidence, IMAGE, trust, identityPolicy({ subject: [exactly(name)] }))).ok, name);
  }
  assert.ok(
    (await verify(await certified("leaf", ["intermediate"]), IMAGE, trusting(["root"], []), identityPolicy())).ok,
  );
  const wrong: Partial<IdentityPolicy>[] = [
    { subject: [exactly("dev@example.co")] },
    { subject: [exactly("dev@example.com.evil")] },
    { subject: [await matching("^ev")] },
    { subject: [exactly("dev@example.com"), await matching("other")] },
    { subject: [] },
    { issuer: [exactly("https://issuer.example/")] },
    { issuer: [] },
    { extensions: new Map([["1.3.6.1.4.1.57264.1.5", "org/other"]]) },
    { extensions: new Map([["1.3.6.1.4.1.57264.1.6", "refs/heads/main"]]) },
  ];
  for (const identity of wrong) await failsAt(evidence, "identity", { trust, policy: identityPolicy(identity) });
  const right: Partial<IdentityPolicy>[] = [
    { subject: [await matching("^dev@")], issuer: [await matching("issuer")] },
    { extensions: new Map([["1.3.6.1.4.1.57264.1.5", "org/repo"]]) },
  ];
  for (const identity of right) assert.ok((await verify(evidence, IMAGE, trust, identityPolicy(identity))).ok);
});

test("verify: a certificate without a valid path to a trusted root -> refused", async () => {
  const policy = identityPolicy();
  const cases: [string, Evidence, TrustMaterial][] = [
    ["no root", await certified(), trusting([], ["intermediate"])],
    ["another root", await certified(), trusting(["other-root"], ["intermediate"])],
    ["no intermediate", await certified(), trusting(["root"], [])],
    ["an intermediate is no root", await certified("leaf", ["intermediate", "root"]), trusting(["other-root"], [])],
    ["expired", await certified(), trusting(["root"], ["intermediate"], NEVER)],
    ["not valid yet", await certified(), trusting(["root"], ["intermediate"], new Date("2001-01-01"))],
  ];
  for (const [, evidence, trust] of cases) await failsAt(evidence, "key", { policy, trust });
});

test("verify: the policy requires an identity, and the evidence has a bare key -> refused", async () => {
  await failsAt(await FORMS["statement"]!(DIGEST), "key", { policy: identityPolicy(), trust: trusting(["root"], []) });
});

test("matching: RE2 syntax, not anchored, in linear time; an invalid pattern -> refused", async () => {
  assert.ok((await matching("b+")).matches("abc"));
  assert.ok(!(await matching("^b")).matches("abc"));
  assert.ok(!(await matching("^(a+)+$")).matches(`${"a".repeat(50_000)}b`), "no backtracking");
  await assert.rejects(matching("("), /error parsing regexp/);
  await assert.rejects(matching("(?=x)"), /error parsing regexp/);
  await assert.rejects(matching("a".repeat(5000)), /longer than/);
});
