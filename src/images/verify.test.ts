import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { memoryStore } from "../../test/support/memory-store.ts";
import { TsignError } from "../errors.ts";
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
import { isVerified } from "../verify/verify.ts";
import { Judging } from "./candidates.ts";
import type { ImageTarget } from "./open.ts";
import { type VerifyImageOptions, verifyImage } from "./verify.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const NAME = "registry.example/app:v1";
const SLSA = "https://slsa.dev/provenance/v1";
const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const KEY = newKey();
const NOW = new Date("2026-01-02T03:04:05Z");

/** A world without a network: whoever asks it fails the test. */
function offline(signal = new AbortController().signal): TransportIo {
  const http = () => assert.fail("nothing may be asked of the network");
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

test("verifyImage rejects an image without signatures, and one that is not there", async () => {
  const { store, descriptor, target } = await image();
  const { verdict, code } = await verdictOf(target);
  assert.ok(!verdict.ok && code === "no-signatures");
  assert.deepEqual([verdict.verified, verdict.failures, verdict.instead], [[], [], { kind: "nothing" }]);
  await store.delete(descriptor.digest);
  const gone = await verdictOf(target);
  assert.ok(!gone.verdict.ok && gone.code === "image-not-found");
  assert.equal(gone.verdict.instead, undefined);
});

test("verifyImage rejects what another key signed, and names where it is and which check failed", async () => {
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
    assert.deepEqual(JSON.parse(JSON.stringify(plain)), plain, "all but the error is data");
  }
});

test("verifyImage accepts one good signature among others, and tells which failed", async () => {
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

test("verifyImage rejects a signature that is about another image, unless claims are skipped", async () => {
  const { store, descriptor, target } = await image();
  await signAsBundle(store, descriptor, KEY, (await pushImage(store, "another")).digest);
  const { verdict, code } = await verdictOf(target);
  assert.deepEqual([code, verdict.failures[0]?.check], ["no-match-bundle", "claims"]);
  const { policy } = options();
  const lax = { policy: { ...policy, claims: { annotations: {}, subject: "insecureSkip" } } } as const;
  assert.ok((await verdictOf(target, lax)).verdict.ok);
});

test("verifyImage never takes an attestation for a signature, nor one of another type for the one wanted", async () => {
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

test("verifyImage asks the policy about every attestation that verifies, and about no other", async () => {
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
  assert.deepEqual(verdict.verified, [], "nothing of it counts");
  assert.deepEqual(
    verdict.unsatisfied?.map(({ reasons }) => reasons),
    [["too old"]],
  );
});

test("verifyImage says that a place could not be read: beside a good signature, else as the reason", async () => {
  const broken = new TsignError("network", "nothing answered");
  const { store, descriptor } = await image();
  const halfRead: ImageStore = {
    ...store,
    manifest: async (tag) => (tag.endsWith(".sig") ? Promise.reject(broken) : store.manifest(tag)),
  };
  const target = targetOf(halfRead, descriptor.digest);
  const { verdict } = await verdictOf(target);
  assert.ok(!verdict.ok);
  assert.equal(verdict.error, broken, "it cannot be said that there are none");
  assert.equal(verdict.instead, undefined);
  await signAsBundle(store, descriptor);
  const good = (await verdictOf(target)).verdict;
  assert.ok(good.ok);
  assert.deepEqual(
    good.incomplete.map(({ origin, code, reason }) => [origin.kind, code, reason]),
    [["sig-tag", "network", "nothing answered"]],
  );
});

test("verifyImage fails a candidate that cannot be read, and hides no other by it", async () => {
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

test("verifyImage tells of an image of the index that is signed, and of bundles that were left out", async () => {
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

test("verifyImage looks log entries of legacy signatures up, and of bundles none", async () => {
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
  assert.match(verdict.failures[0]?.reason ?? "", /^it came without its log entry, and the log was asked$/);
  const nowhere = await verdictOf(legacy.target, { ...logged, rekorUrl: undefined });
  assert.deepEqual([nowhere.code, nowhere.verdict.failures[0]?.check], ["no-match", "log"]);
});

test("verifyImage keeps nothing from one image to the next, and may judge several at a time", async () => {
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

test("verifyImage judges the signatures it is given in place of those stored", async () => {
  const { store, descriptor, target } = await image();
  await signAsBundle(store, descriptor);
  const dockerReference = "registry.example/app";
  const payload = simpleSigningPayload({ digest: descriptor.digest, annotations: {}, dockerReference });
  const given = (key: KeyObject) => signPayload({ signer: signerFromKey(key) }, payload);
  assert.ok((await verdictOf(target, { given: [await given(KEY)] })).verdict.ok);
  assert.equal((await verdictOf(target, { given: [await given(newKey())] })).code, "no-match");
});

const signal = new AbortController().signal;

test("a defect of tsign is the reason of the verdict where nothing verifies, and hides nothing that does", async () => {
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
  assert.equal(alone.error, defect, "and not a bad signature");
});

test("a candidate that a defect stands in the way of fails alone as an internal error", async () => {
  const evidence = await signPayload({ signer: signerFromKey(KEY) }, Buffer.from("{}"));
  const defect = new TypeError("a defect");
  const judging = new Judging(signal, async () => {
    throw defect;
  });
  await judging.add(evidence);
  await judging.add({ origin: evidence.origin, unreadable: "no JSON" });
  assert.deepEqual(
    judging.failures.map(({ check }) => check),
    ["internal error", "unreadable"],
  );
  assert.equal(judging.defect?.error, defect);
});

test("a candidate that cannot be judged for a reason from outside fails alone, and a stop is thrown on", async () => {
  const evidence = await signPayload({ signer: signerFromKey(KEY) }, Buffer.from("{}"));
  const judging = new Judging(signal, async () => {
    throw new TsignError("network", "nothing answered");
  });
  await judging.add(evidence);
  assert.deepEqual([judging.defect, judging.failures[0]?.check], [undefined, "unreadable"]);
  assert.equal(judging.failures[0]?.reason, "nothing answered");
  const stopped = new Judging(signal, async () => {
    throw new TsignError("cancelled", "stopped");
  });
  await assert.rejects(stopped.add(evidence), /stopped/);
  const aborted = new Judging(AbortSignal.abort(), async () => {
    throw new TsignError("timeout", "the time is over");
  });
  await assert.rejects(aborted.add(evidence), /the time is over/);
});
