import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { memoryStore } from "../../test/support/memory-store.ts";
import { type CheckName, TsignError } from "../errors.ts";
import { writeBundle } from "../evidence/bundle/write.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { putBundleReferrer } from "../evidence/write-referrer.ts";
import { type Digest, parseDigest } from "../format/digest.ts";
import { defaultHashes, publicKeyFromObject, signerFromKey } from "../keys/index.ts";
import type { TransportIo } from "../net/retry.ts";
import type { Descriptor, ImageStore } from "../oci/types.ts";
import { signStatement, simpleSigningPayload } from "../sign/payload.ts";
import { signInTotoStatement, signPayload } from "../sign/sign.ts";
import { storeLegacySignature } from "../sign/store.ts";
import { NO_TRUST } from "../trust/material.ts";
import { isVerified, type Refused } from "../verify/verify.ts";
import { CandidateVerifier } from "./candidates.ts";
import type { ImageTarget } from "./open.ts";
import { type VerifyImageOptions, verifyImage } from "./verify.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const NAME = "registry.example/app:v1";
const SLSA = "https://slsa.dev/provenance/v1";
const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const KEY = newKey();
const NOW = new Date("2026-01-02T03:04:05Z");

/** A transport that fails the test when it is used. */
function offline(signal = new AbortController().signal): TransportIo {
  const http = () => assert.fail("unexpected request");
  return { http, sleep: async () => {}, now: () => NOW, env: {}, signal };
}

function options(more: Partial<VerifyImageOptions> = {}): VerifyImageOptions {
  const key = publicKeyFromObject(KEY);
  return {
    wanted: { kind: "signatures" },
    trust: { ...NO_TRUST, now: NOW },
    policy: {
      signer: { kind: "key", key, hashes: defaultHashes(key) },
      log: "insecureSkip",
      timestamp: "optional",
      sct: "insecureSkip",
      claims: { annotations: {} },
    },
    bundles: true,
    tagPrefix: "",
    maxBytes: 1024 * 1024,
    workers: 2,
    rekorUrl: undefined,
    ...more,
  };
}

const ATTESTATIONS = { kind: "attestations", predicateType: SLSA } as const;

async function pushImage(store: ImageStore, content = "an image"): Promise<Descriptor> {
  const config = await store.putBlob(Buffer.from(content));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] }));
  return store.putManifest(bytes, { mediaType: MANIFEST });
}

async function image() {
  const store = memoryStore();
  const descriptor = await pushImage(store);
  return { store, descriptor, target: targetOf(store, descriptor.digest) };
}

function targetOf(store: ImageStore, digest: Digest): ImageTarget {
  return { name: NAME, reference: NAME, digest, store, attachments: store, repository: "registry.example/app" };
}

async function storeAsBundle(store: ImageStore, subject: Descriptor, evidence: Evidence, predicateType: string) {
  await putBundleReferrer({ store, subject, bundle: writeBundle(evidence), predicateType, created: NOW });
}

async function signAsBundle(store: ImageStore, subject: Descriptor, key: KeyObject = KEY, about = subject.digest) {
  const statement = signStatement({ digest: about, annotations: {} });
  const evidence = await signInTotoStatement({ signer: signerFromKey(key) }, statement);
  await storeAsBundle(store, subject, evidence, SIGN_PREDICATE_TYPE);
}

async function signAsLegacy(store: ImageStore, { digest }: Descriptor, key: KeyObject = KEY) {
  const signer = signerFromKey(key);
  const payload = simpleSigningPayload({ digest, annotations: {}, dockerReference: "registry.example/app" });
  const evidence = await signPayload({ signer }, payload);
  const style = { dockerMediaTypes: false, created: undefined, subject: undefined };
  const publicKey = signer.publicKey;
  await storeLegacySignature({ io: offline(), store, digest, tagPrefix: "", evidence, key: publicKey, style });
}

async function attest(store: ImageStore, subject: Descriptor, predicateType = SLSA, key: KeyObject = KEY) {
  const { algorithm, hex } = parseDigest(subject.digest);
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { [algorithm]: hex } }],
    predicateType,
    predicate: {},
  };
  const signed = await signInTotoStatement({ signer: signerFromKey(key) }, Buffer.from(JSON.stringify(statement)));
  await storeAsBundle(store, subject, signed, predicateType);
}

/** The verdict, and the code of its error. */
async function verdictOf(target: ImageTarget, more: Partial<VerifyImageOptions> = {}, io = offline()) {
  const verdict = await verifyImage(io, target, options(more));
  const error = verdict.ok ? undefined : verdict.error;
  return { verdict, code: error instanceof TsignError ? error.code : error };
}

test("verifyImage accepts an image with a good signature of either form", async () => {
  for (const sign of [signAsBundle, signAsLegacy]) {
    const { store, descriptor, target } = await image();
    await sign(store, descriptor);
    const { verdict } = await verdictOf(target);
    assert.ok(verdict.ok);
    assert.deepEqual(
      { ...verdict, verified: verdict.verified.map(isVerified) },
      { ok: true, image: NAME, digest: descriptor.digest, count: 1, verified: [true], failures: [], incomplete: [] },
    );
  }
});

test("verifyImage: no signatures or a missing image -> rejected with its own code", async () => {
  const { store, descriptor, target } = await image();
  const { verdict, code } = await verdictOf(target);
  assert.ok(!verdict.ok && code === "no-signatures");
  assert.deepEqual([verdict.verified, verdict.failures, verdict.instead], [[], [], { kind: "nothing" }]);
  await store.delete(descriptor.digest);
  const gone = await verdictOf(target);
  assert.ok(!gone.verdict.ok && gone.code === "image-not-found");
  assert.equal(gone.verdict.instead, undefined);
});

test("verifyImage: signed with another key -> rejected with the origin and the failed check", async () => {
  for (const [sign, expected] of [
    [signAsBundle, "no-match-bundle"],
    [signAsLegacy, "no-match"],
  ] as const) {
    const { store, descriptor, target } = await image();
    await sign(store, descriptor, newKey());
    const { verdict, code } = await verdictOf(target);
    assert.ok(!verdict.ok && code === expected);
    assert.deepEqual([verdict.count, verdict.failures.map(({ check }) => check)], [1, ["signature"]]);
    assert.ok(verdict.error instanceof TsignError && verdict.error.check === "signature");
    assert.match(verdict.failures[0]?.origin.where ?? "", /^registry.example\/app[:@]sha256/);
    const { error: _, ...plain } = verdict;
    assert.deepEqual(JSON.parse(JSON.stringify(plain)), plain, "everything but the error is plain data");
  }
});

test("verifyImage: one valid signature among others -> accepted, with the failed ones listed", async () => {
  const { store, descriptor, target } = await image();
  await signAsLegacy(store, descriptor, newKey());
  await signAsBundle(store, descriptor);
  const { verdict } = await verdictOf(target);
  assert.ok(verdict.ok);
  assert.deepEqual([verdict.verified.length, verdict.count], [1, 2]);
  assert.deepEqual(
    verdict.failures.map(({ origin, check }) => [origin.kind, check]),
    [["sig-tag", "signature"]],
  );
});

test("verifyImage: signature for another image -> rejected unless claims are skipped", async () => {
  const { store, descriptor, target } = await image();
  await signAsBundle(store, descriptor, KEY, (await pushImage(store, "another")).digest);
  const { verdict, code } = await verdictOf(target);
  assert.deepEqual([code, verdict.failures[0]?.check], ["no-match-bundle", "claims"]);
  const { policy } = options();
  const lax = { policy: { ...policy, claims: { annotations: {}, subject: "insecureSkip" } } } as const;
  assert.ok((await verdictOf(target, lax)).verdict.ok);
});

test("verifyImage: attestation in place of a signature, or of another type -> rejected", async () => {
  const { store, descriptor, target } = await image();
  await attest(store, descriptor);
  const asSignature = await verdictOf(target);
  assert.ok(!asSignature.verdict.ok && asSignature.code === "no-signatures");
  assert.deepEqual(asSignature.verdict.instead, { kind: "other-types", predicateTypes: [SLSA] });
  assert.ok((await verdictOf(target, { wanted: ATTESTATIONS })).verdict.ok);
  const other = await verdictOf(target, { wanted: { kind: "attestations", predicateType: "https://other.example" } });
  assert.ok(!other.verdict.ok && other.code === "no-match-bundle");
  assert.deepEqual(other.verdict.instead, { kind: "other-types", predicateTypes: [SLSA] });
  const unsigned = await image();
  await signAsBundle(unsigned.store, unsigned.descriptor);
  assert.ok(!(await verdictOf(unsigned.target, { wanted: ATTESTATIONS })).verdict.ok);
});

test("verifyImage applies the policy to every verified attestation, and to no other", async () => {
  const { store, descriptor, target } = await image();
  await attest(store, descriptor);
  await attest(store, descriptor, SLSA, newKey());
  const asked: unknown[] = [];
  const judged = (ok: boolean) =>
    verdictOf(target, {
      wanted: ATTESTATIONS,
      satisfies: async (statement) => {
        asked.push(JSON.parse(Buffer.from(statement).toString()).predicateType);
        return ok ? { ok } : { ok, reasons: ["too old"] };
      },
    });
  assert.ok((await judged(true)).verdict.ok);
  assert.deepEqual(asked, [SLSA]);
  const { verdict, code } = await judged(false);
  assert.ok(!verdict.ok && code === "policy");
  assert.deepEqual(verdict.verified, [], "none is accepted");
  assert.deepEqual(
    verdict.unsatisfied?.map(({ reasons }) => reasons),
    [["too old"]],
  );
});

test("verifyImage: unreadable place -> listed beside a valid signature, otherwise the reason", async () => {
  const broken = new TsignError("network", "nothing answered");
  const { store, descriptor } = await image();
  const halfRead: ImageStore = {
    ...store,
    manifest: async (tag) => (tag.endsWith(".sig") ? Promise.reject(broken) : store.manifest(tag)),
  };
  const target = targetOf(halfRead, descriptor.digest);
  const { verdict } = await verdictOf(target);
  assert.ok(!verdict.ok);
  assert.equal(verdict.error, broken, "an incomplete search does not prove that there are none");
  assert.equal(verdict.instead, undefined);
  await signAsBundle(store, descriptor);
  const good = (await verdictOf(target)).verdict;
  assert.ok(good.ok);
  assert.deepEqual(
    good.incomplete.map(({ origin, code, reason }) => [origin.kind, code, reason]),
    [["sig-tag", "network", "nothing answered"]],
  );
});

test("verifyImage: malformed candidate -> fails alone", async () => {
  const { store, descriptor, target } = await image();
  await putBundleReferrer({
    store,
    subject: descriptor,
    bundle: "no JSON",
    predicateType: SIGN_PREDICATE_TYPE,
    created: NOW,
  });
  const { verdict, code } = await verdictOf(target);
  assert.deepEqual([code, verdict.failures.map(({ check }) => check)], ["no-match-bundle", ["unreadable"]]);
  await signAsBundle(store, descriptor);
  assert.ok((await verdictOf(target)).verdict.ok);
});

test("verifyImage: nothing found -> names a signed image of the index, or bundles that options exclude", async () => {
  const { store, descriptor } = await image();
  const child = { ...descriptor, platform: { os: "linux", architecture: "arm64" } };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: [child] }));
  const index = await store.putManifest(bytes, { mediaType: INDEX });
  await signAsBundle(store, descriptor);
  const ofIndex = (await verdictOf(targetOf(store, index.digest))).verdict;
  assert.ok(!ofIndex.ok);
  assert.deepEqual(ofIndex.instead, { kind: "child", digest: descriptor.digest, platform: "linux/arm64" });
  const legacyOnly = (await verdictOf(targetOf(store, descriptor.digest), { bundles: false })).verdict;
  assert.ok(!legacyOnly.ok);
  assert.deepEqual(legacyOnly.instead, { kind: "bundles" });
});

test("verifyImage fetches missing log entries for legacy signatures only", async () => {
  const { policy } = options();
  const asked: string[] = [];
  const io: TransportIo = {
    ...offline(),
    http: async ({ url }) => {
      asked.push(url.host);
      throw new TsignError("input", "the log was asked");
    },
  };
  const logged = { policy: { ...policy, log: "required" }, rekorUrl: "https://rekor.example" } as const;
  const bundle = await image();
  await signAsBundle(bundle.store, bundle.descriptor);
  assert.deepEqual([(await verdictOf(bundle.target, logged, io)).code, asked], ["no-match-bundle", []]);
  const legacy = await image();
  await signAsLegacy(legacy.store, legacy.descriptor);
  const { verdict, code } = await verdictOf(legacy.target, logged, io);
  assert.deepEqual([code, asked], ["no-match", ["rekor.example"]]);
  assert.match(verdict.failures[0]?.reason ?? "", /^fetch missing log entry: the log was asked$/);
  const nowhere = await verdictOf(legacy.target, { ...logged, rekorUrl: undefined });
  assert.deepEqual([nowhere.code, nowhere.verdict.failures[0]?.check], ["no-match", "log"]);
});

test("verifyImage: concurrent calls with the same options do not affect each other", async () => {
  const [good, bad] = [await image(), await image()];
  await signAsBundle(good.store, good.descriptor);
  await signAsBundle(bad.store, bad.descriptor, newKey());
  const shared = options();
  const verdicts = await Promise.all(
    Array.from({ length: 30 }, (_, index) => verifyImage(offline(), index % 2 ? good.target : bad.target, shared)),
  );
  assert.deepEqual(
    verdicts.map(({ ok, count }) => [ok, count]),
    Array.from({ length: 30 }, (_, index) => [index % 2 === 1, 1]),
  );
});

test("verifyImage: signatures in the options replace the stored ones", async () => {
  const { store, descriptor, target } = await image();
  await signAsBundle(store, descriptor);
  const dockerReference = "registry.example/app";
  const payload = simpleSigningPayload({ digest: descriptor.digest, annotations: {}, dockerReference });
  const given = (key: KeyObject) => signPayload({ signer: signerFromKey(key) }, payload);
  assert.ok((await verdictOf(target, { given: [await given(KEY)] })).verdict.ok);
  assert.equal((await verdictOf(target, { given: [await given(newKey())] })).code, "no-match");
});

const signal = new AbortController().signal;

test("verifyImage: defect of tsign -> the reason if nothing verifies, otherwise a failed candidate", async () => {
  const { descriptor, target } = await image();
  const dockerReference = "registry.example/app";
  const payload = simpleSigningPayload({ digest: descriptor.digest, annotations: {}, dockerReference });
  const good = await signPayload({ signer: signerFromKey(KEY) }, payload);
  const defect = new TypeError("Cannot read properties of undefined (reading 'a')");
  const broken: Evidence = Object.defineProperty({ ...good }, "timestamps", {
    get: () => {
      throw defect;
    },
  });
  const both = (await verdictOf(target, { given: [broken, good] })).verdict;
  assert.ok(both.ok);
  assert.deepEqual([both.verified.length, both.failures[0]?.check], [1, "internal error"]);
  const alone = (await verdictOf(target, { given: [broken] })).verdict;
  assert.ok(!alone.ok);
  assert.equal(alone.error, defect, "not a bad signature");
});

test("CandidateVerifier: defect -> fails one candidate with an internal error", async () => {
  const evidence = await signPayload({ signer: signerFromKey(KEY) }, Buffer.from("{}"));
  const defect = new TypeError("a defect");
  const verifier = new CandidateVerifier(signal, async () => {
    throw defect;
  });
  await verifier.add(evidence);
  await verifier.add({ origin: evidence.origin, unreadable: "no JSON" });
  assert.deepEqual(
    verifier.failures.map(({ check }) => check),
    ["internal error", "unreadable"],
  );
  assert.equal(verifier.defect?.error, defect);
});

test("CandidateVerifier: failed request -> fails one candidate; abort -> thrown", async () => {
  const evidence = await signPayload({ signer: signerFromKey(KEY) }, Buffer.from("{}"));
  const verifier = new CandidateVerifier(signal, async () => {
    throw new TsignError("network", "nothing answered");
  });
  await verifier.add(evidence);
  assert.deepEqual([verifier.defect, verifier.failures[0]?.check], [undefined, "unreadable"]);
  assert.equal(verifier.failures[0]?.reason, "nothing answered");
  const stopped = new CandidateVerifier(signal, async () => {
    throw new TsignError("cancelled", "stopped");
  });
  await assert.rejects(stopped.add(evidence), /stopped/);
  const aborted = new CandidateVerifier(AbortSignal.abort(), async () => {
    throw new TsignError("timeout", "the time is over");
  });
  await assert.rejects(aborted.add(evidence), /the time is over/);
});

test("CandidateVerifier: several failures -> the nearest miss is the one that came furthest", async () => {
  const evidence = await signPayload({ signer: signerFromKey(KEY) }, Buffer.from("{}"));
  const refused = (...names: CheckName[]): Refused => {
    const checks = names.map((name) => ({ name, outcome: "passed", detail: name }) as const);
    const failed = { ...(checks.at(-1) ?? assert.fail()), outcome: "failed" } as const;
    return { ok: false, origin: evidence.origin, checks: [...checks.slice(0, -1), failed], failed };
  };
  const bareKey = refused("key");
  const unsigned = refused("log", "signature");
  const wrongSigner = refused("log", "signature", "key", "sct", "claims", "identity");
  const sameWithTime = refused("log", "signature", "time", "key", "sct", "claims");
  const nearest = async (...verdicts: readonly Refused[]) => {
    const queue = [...verdicts];
    const verifier = new CandidateVerifier(signal, async () => queue.shift() ?? assert.fail());
    await verifier.add({ origin: evidence.origin, unreadable: "not JSON" });
    for (const _ of verdicts) await verifier.add(evidence);
    return verifier.nearest?.check;
  };
  assert.equal(await nearest(), "unreadable");
  assert.equal(await nearest(bareKey, unsigned, wrongSigner, sameWithTime), "identity");
  assert.equal(await nearest(wrongSigner, sameWithTime, unsigned, bareKey), "identity");
  assert.equal(await nearest(unsigned, sameWithTime), "claims", "checks that only some signatures have do not count");
  assert.equal(await nearest(bareKey, unsigned), "signature", "a key that is refused at once passed nothing");
});

test("verifyImage: several failed signatures -> the error names the nearest miss and its fields", async () => {
  const { store, descriptor, target } = await image();
  const other = (await pushImage(store, "another")).digest;
  await signAsBundle(store, descriptor, newKey());
  await signAsBundle(store, descriptor, KEY, other);
  await signAsBundle(store, descriptor, newKey());
  const { verdict } = await verdictOf(target);
  assert.ok(!verdict.ok && verdict.error instanceof TsignError);
  const { check, message } = verdict.error;
  assert.equal(check, "claims");
  const reason = verdict.failures.find((failure) => failure.check === "claims")?.reason ?? assert.fail();
  assert.equal(
    message,
    `no matching signatures: 3 found for ${NAME}, none verified (nearest match: claims: ${reason})`,
  );
});
