import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { base64, jsonBytes, refused } from "../../../test/support/evidence-parts.ts";
import { type MemoryStore, memoryStore } from "../../../test/support/memory-store.ts";
import { TsignError } from "../../errors.ts";
import { attachmentTag } from "../../oci/tags.ts";
import type { Descriptor } from "../../oci/types.ts";
import { ANNOTATION, BUNDLE_ANNOTATION } from "../media-types.ts";
import type { Found, Origin } from "../model.ts";
import { BlobCache } from "./blobs.ts";
import { type FindOptions, findEvidence } from "./find.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json";
const EMPTY = { mediaType: "application/vnd.oci.empty.v1+json", digest: `sha256:${"e".repeat(64)}`, size: 2 };
const MIB = 1024 * 1024;

/** An image in a store, functions that attach signatures to it, and the search. */
function beside(options: Partial<FindOptions> = {}) {
  const store = memoryStore("r/app");
  const image = store.add({ config: EMPTY, layers: [] });
  const { digest: subject } = image;
  const all: FindOptions = {
    subject,
    forms: { legacy: true, bundle: true },
    tagPrefix: "",
    maxBytes: Number.POSITIVE_INFINITY,
    workers: 4,
    ...options,
  };
  const search = async () => {
    const found: Found[] = [];
    for await (const each of findEvidence(store, all)) found.push(each);
    return found;
  };
  const tag = (layers: readonly Descriptor[], kind: "sig" | "att" = "sig", prefix = "") =>
    store.add({ config: EMPTY, layers }, { tag: attachmentTag(subject, kind, prefix) });
  const referrer = (layers: readonly Descriptor[], more: object = {}) =>
    store.add({ config: EMPTY, layers, subject: image, ...more });
  const bundle = (text: string, { size, stated, type = "t" }: { size?: number; stated?: string; type?: string } = {}) =>
    referrer([layerOf(store, bundleOf(text, type), BUNDLE, size)], {
      artifactType: BUNDLE,
      annotations: { ...(stated === undefined ? {} : { [BUNDLE_ANNOTATION.predicateType]: stated }) },
    });
  return { store, image, subject, options: all, search, tag, referrer, bundle };
}

/** A blob's descriptor, which may state a larger size than the blob has. */
function layerOf(store: MemoryStore, content: string | Uint8Array, mediaType: string, size?: number): Descriptor {
  const blob = store.addBlob(content);
  return { ...blob, mediaType, size: size ?? blob.size };
}

function signatureOf(store: MemoryStore, payload: string, size?: number): Descriptor {
  const annotations = { [ANNOTATION.signature]: base64(`signed ${payload}`) };
  return { ...layerOf(store, payload, SIMPLE, size), annotations };
}

const statement = (type: string) =>
  jsonBytes({ _type: "https://in-toto.io/Statement/v1", subject: [], predicateType: type });
const envelopeOf = (name: string, type: string) => ({
  payload: base64(statement(type)),
  payloadType: "application/vnd.in-toto+json",
  signatures: [{ sig: base64(`signed ${name}`) }],
});
function bundleOf(name: string, type: string): Buffer {
  const verificationMaterial = { publicKey: { hint: name }, tlogEntries: [] };
  return jsonBytes({ mediaType: BUNDLE, verificationMaterial, dsseEnvelope: envelopeOf(name, type) });
}

/** A summary of the results: the signed text, or that it could not be read. */
const names = (found: readonly Found[]) =>
  found.map((each) => {
    if ("unreadable" in each) return "unreadable";
    if ("incomplete" in each) return `incomplete ${each.incomplete.code}`;
    return Buffer.from(each.content.signature).toString().replace("signed ", "");
  });
const places = (found: readonly Found[]) => found.map(({ origin }) => `${origin.kind} ${origin.where}`);

test("findEvidence: the tag's layers, then referrers, each in stored order, large ones last", async () => {
  const { store, subject, tag, bundle, referrer, search } = beside();
  tag([signatureOf(store, "t1"), signatureOf(store, "t2", 16 * MIB + 1), signatureOf(store, "t3", 16 * MIB)]);
  const large = bundle("b1", { size: 16 * MIB + 1 });
  const small = bundle("b2", { size: 16 * MIB });
  const image = referrer([signatureOf(store, "i1"), signatureOf(store, "i2")]);
  const found = await search();
  assert.deepEqual(names(found), ["t1", "t3", "t2", "b2", "i1", "i2", "b1"]);
  const at = `sig-tag r/app:${subject.replace(":", "-")}.sig, layer`;
  assert.deepEqual(places(found), [
    `${at} 1`,
    `${at} 3`,
    `${at} 2`,
    `referrer r/app@${small.digest}`,
    `referrer r/app@${image.digest}, layer 1`,
    `referrer r/app@${image.digest}, layer 2`,
    `referrer r/app@${large.digest}`,
  ]);
});

test("findEvidence: a form that is not searched for -> not read", async () => {
  const fill = ({ store, tag, bundle, referrer }: ReturnType<typeof beside>) => {
    tag([signatureOf(store, "t")]);
    bundle("b");
    referrer([signatureOf(store, "i")]);
  };
  for (const [legacy, bundle, expected] of [
    [true, true, ["t", "b", "i"]],
    [true, false, ["t", "i"]],
    [false, true, ["b"]],
    [false, false, []],
  ] as const) {
    const repository = beside({ forms: { legacy, bundle } });
    fill(repository);
    assert.deepEqual(names(await repository.search()), expected);
    const { asked } = repository.store;
    assert.equal(asked.includes(`manifest ${attachmentTag(repository.subject, "sig")}`), legacy);
    if (!legacy && !bundle) assert.deepEqual(asked, []);
  }
  const attestations = beside({ attachment: "att" });
  fill(attestations);
  const { store } = attestations;
  attestations.tag([layerOf(store, jsonBytes(envelopeOf("a", "t")), "application/vnd.dsse.envelope.v1+json")], "att");
  const found = await attestations.search();
  assert.deepEqual(names(found), ["a", "b"]);
  assert.match(places(found)[0] ?? "", /^att-tag r\/app:sha256-[0-9a-f]{64}\.att, layer 1$/);
  const signatures = beside({ attachment: "sig" });
  fill(signatures);
  assert.deepEqual(names(await signatures.search()), ["t", "b", "i"]);
});

test("findEvidence: a tag prefix -> used; the image itself under the tag -> not a signature", async () => {
  const prefixed = beside({ tagPrefix: "p-" });
  prefixed.tag([signatureOf(prefixed.store, "without")]);
  assert.deepEqual(names(await prefixed.search()), []);
  prefixed.tag([signatureOf(prefixed.store, "with")], "sig", "p-");
  assert.deepEqual(names(await prefixed.search()), ["with"]);
  const { store, subject, search } = beside();
  const layers = [signatureOf(store, "its own layer")];
  const image = store.add({ config: EMPTY, layers });
  store.tagged.set(attachmentTag(image.digest, "sig"), image.digest);
  assert.deepEqual(await search(), []);
  const found: Found[] = [];
  const options = { ...beside().options, subject: image.digest };
  for await (const each of findEvidence(store, options)) found.push(each);
  assert.deepEqual(found, []);
  assert.notEqual(image.digest, subject);
});

const broken = () => new TsignError("registry", "the registry is broken");
const isPlace = (found: Found | undefined): found is Found & { incomplete: TsignError } =>
  found !== undefined && "incomplete" in found;

test("findEvidence: a tag that cannot be looked up -> incomplete, and the referrers are still found", async () => {
  const { store, subject, bundle, search } = beside();
  bundle("b");
  store.before = (asked) => {
    if (asked.startsWith("manifest") && asked.endsWith(".sig")) throw broken();
  };
  const found = await search();
  assert.deepEqual(names(found), ["incomplete registry", "b"]);
  assert.equal(places(found)[0], `sig-tag r/app:${attachmentTag(subject, "sig")}`);
  for (const code of ["internal", "cancelled"] as const) {
    store.before = (asked) => {
      if (asked.endsWith(".sig")) throw new TsignError(code, "it ends here");
    };
    await assert.rejects(search(), refused(code));
  }
  store.before = (asked) => {
    if (asked.endsWith(".sig")) throw new RangeError("a defect");
  };
  await assert.rejects(search(), RangeError);
});

test("findEvidence: an interrupted list of referrers -> the listed ones, then incomplete", async () => {
  const { store, subject, bundle, tag, search } = beside();
  const listed = bundle("b");
  tag([signatureOf(store, "t")]);
  store.listings.set(subject, [{ unreadable: "no digest" }, listed, broken()]);
  const found = await search();
  assert.deepEqual(names(found), ["t", "unreadable", "b", "incomplete registry"]);
  const [, entry, , last] = found;
  assert.deepEqual(entry, { origin: { kind: "referrer", where: `r/app@${subject}` }, unreadable: "no digest" });
  assert.ok(isPlace(last));
  assert.deepEqual(last.origin, { kind: "referrer", where: `r/app@${subject}` });
  // A defect is thrown, also if the tag takes longer than the list of referrers.
  store.listings.set(subject, [new RangeError("a defect")]);
  store.before = (asked) => (asked.endsWith(".sig") ? turn() : undefined);
  await assert.rejects(search(), RangeError);
});

test("findEvidence: a referrer or blob that cannot be fetched or read -> the others are still found", async () => {
  const { store, image, subject, bundle, tag, search } = beside();
  const missing = { ...image, digest: `sha256:${"0".repeat(64)}` } as Descriptor;
  const gone = bundle("gone");
  store.blobs.delete(layerOf(store, bundleOf("gone", "t"), BUNDLE).digest);
  const refusedToSay = bundle("refused");
  store.before = (asked) => {
    if (asked === `manifest ${refusedToSay.digest}`) throw broken();
  };
  tag([
    { ...signatureOf(store, "t1"), annotations: {} },
    signatureOf(store, "t2"),
    { ...signatureOf(store, "t3"), digest: missing.digest },
  ]);
  store.listings.set(subject, [missing, gone, refusedToSay, bundle("b")]);
  const found = await search();
  const none = "unreadable";
  assert.deepEqual(names(found), [none, "t2", none, none, none, none, "b"]);
  for (const each of found) assert.ok(!("defect" in each), "each is the candidate's own fault");
  assert.ok(places(found).includes(`referrer r/app@${missing.digest}`));
});

test("findEvidence: a defect while reading a candidate -> kept with it; the user's abort -> thrown", async () => {
  const { store, bundle, tag, search } = beside();
  bundle("b");
  tag([signatureOf(store, "t")]);
  const fail = (error: unknown) => {
    store.before = (asked) => {
      if (asked.startsWith("blob")) throw error;
    };
  };
  for (const error of [new RangeError("a defect"), new TsignError("internal", "a defect")]) {
    fail(error);
    const found = await search();
    assert.deepEqual(names(found), ["unreadable", "unreadable"]);
    for (const each of found) {
      assert.ok("unreadable" in each);
      assert.deepEqual([each.unreadable, each.defect], ["a defect", { error }]);
    }
  }
  fail("no error at all");
  assert.deepEqual(
    (await search()).map((each) => "unreadable" in each && each.unreadable),
    ["no error at all", "no error at all"],
  );
  fail(new TsignError("cancelled", "stopped"));
  await assert.rejects(search(), refused("cancelled"));
  store.before = (asked) => {
    if (asked.startsWith("blob")) throw new TsignError("limit", "too much");
  };
  for (const each of await search())
    assert.deepEqual("unreadable" in each && [each.unreadable, each.defect], ["too much", undefined]);
});

test("findEvidence: referrers of other types -> fetched only if there are no candidates, at most 32", async () => {
  const other = (repository: ReturnType<typeof beside>, name: string) => {
    const { store, referrer } = repository;
    const listed = referrer([layerOf(store, bundleOf(name, "t"), BUNDLE)], { annotations: { name } });
    return { ...listed, artifactType: "application/x-report" };
  };
  const alone = beside();
  alone.store.listings.set(
    alone.subject,
    Array.from({ length: 32 }, (_, index) => other(alone, `o${index}`)),
  );
  assert.equal((await alone.search()).length, 32);
  const crowd = beside();
  crowd.store.listings.set(
    crowd.subject,
    Array.from({ length: 33 }, (_, index) => other(crowd, `o${index}`)),
  );
  assert.deepEqual(await crowd.search(), []);
  assert.deepEqual(
    crowd.store.asked.filter((asked) => /^(blob|manifest sha256:)/.test(asked)),
    [],
  );
  const beyond = beside();
  beyond.store.listings.set(beyond.subject, [other(beyond, "o"), beyond.bundle("b")]);
  assert.deepEqual(names(await beyond.search()), ["b"]);
  const large = beside();
  const { store } = large;
  const listed = large.referrer([layerOf(store, bundleOf("large", "t"), BUNDLE, 17 * MIB)]);
  store.listings.set(large.subject, [{ ...listed, artifactType: "application/x-report" }, other(large, "small")]);
  assert.deepEqual(names(await large.search()), ["small", "large"]);
});

test("findEvidence: a listed type that the manifest does not have -> ignored", async () => {
  const { store, referrer, search } = beside();
  const layer = (text: string) => layerOf(store, bundleOf(text, "t"), BUNDLE);
  referrer([layer("two"), layer("layers")], { artifactType: BUNDLE });
  referrer([], { artifactType: BUNDLE });
  referrer([layerOf(store, "report", "application/json")]);
  assert.deepEqual(await search(), []);
  assert.deepEqual(
    store.asked.filter((asked) => asked.startsWith("blob")),
    [],
  );
});

test("findEvidence: a bundle in several referrers -> returned once, the others are passed to onRepeat", async () => {
  const repeats: [Origin, Origin][] = [];
  const { store, bundle, search } = beside({ onRepeat: (origin, first) => repeats.push([origin, first]) });
  const first = bundle("b", { stated: "t" });
  const second = bundle("b");
  const other = bundle("b", { stated: "another" });
  const found = await search();
  assert.deepEqual(names(found), ["b", "unreadable"]);
  assert.deepEqual(
    places(found),
    [first, other].map(({ digest }) => `referrer r/app@${digest}`),
  );
  assert.equal(store.asked.filter((asked) => asked.startsWith("blob")).length, 1);
  const origin = ({ digest }: Descriptor) => ({
    kind: "referrer",
    where: `r/app@${digest}`,
    stored: { manifest: digest },
  });
  assert.deepEqual(repeats, [[origin(second), origin(first)]]);
});

test("findEvidence: a bundle under a wrong type -> unreadable; under the right one -> found", async () => {
  const { bundle, search } = beside();
  bundle("b", { stated: "wrong" });
  bundle("b", { stated: "worse" });
  bundle("b", { stated: "t" });
  bundle("b");
  assert.deepEqual(names(await search()), ["unreadable", "unreadable", "b"]);
  const unread = beside();
  const { store } = unread;
  const text = jsonBytes({
    mediaType: BUNDLE,
    verificationMaterial: { publicKey: { hint: "" }, tlogEntries: [] },
    dsseEnvelope: { payload: base64("x"), payloadType: "text/plain", signatures: [{ sig: base64("signed x") }] },
  });
  for (const stated of ["one", "two"]) {
    unread.referrer([layerOf(store, text, BUNDLE)], { annotations: { [BUNDLE_ANNOTATION.predicateType]: stated } });
  }
  assert.deepEqual(names(await unread.search()), ["x"], "what is no statement has no type to contradict");
  const message = beside();
  const signed = {
    mediaType: BUNDLE,
    verificationMaterial: { publicKey: { hint: "" }, tlogEntries: [] },
    messageSignature: { messageDigest: { algorithm: "SHA2_256", digest: base64("d") }, signature: base64("signed m") },
  };
  message.referrer([layerOf(message.store, jsonBytes(signed), BUNDLE)], {
    annotations: { [BUNDLE_ANNOTATION.predicateType]: "any" },
  });
  assert.deepEqual(names(await message.search()), ["m"]);
});

test("findEvidence: a blob that cannot be fetched -> unreadable for every referrer with it", async () => {
  const { store, bundle, search } = beside();
  bundle("b");
  bundle("b", { stated: "t" });
  store.blobs.clear();
  assert.deepEqual(names(await search()), ["unreadable", "unreadable"]);
});

test("findEvidence: documents are requested -> bundles are returned with their bytes", async () => {
  for (const documents of [true, false]) {
    const { bundle, search } = beside({ documents });
    bundle("b");
    const [found] = await search();
    assert.ok(found && "content" in found);
    assert.deepEqual(found.document && Buffer.from(found.document), documents ? bundleOf("b", "t") : undefined);
  }
});

test("findEvidence: a blob above the size limit -> not fetched", async () => {
  const { store, bundle, tag, search } = beside({ maxBytes: 1000 });
  bundle("b", { size: 1001 });
  bundle("c", { size: 1000 });
  tag([signatureOf(store, "t", 1001), signatureOf(store, "u", 1000)]);
  assert.deepEqual(names(await search()), ["unreadable", "u", "unreadable", "c"]);
});

test("findEvidence: more than 4 GiB of signatures for an image -> not read", async () => {
  const { store, bundle, tag, search } = beside();
  const gib = 1024 * MIB;
  tag([signatureOf(store, "t1", 3 * gib), signatureOf(store, "t2", gib - 1)]);
  bundle("b1", { size: 1 });
  assert.deepEqual(names(await search()), ["t1", "t2", "b1"]);
  bundle("b2", { size: 1 });
  assert.deepEqual(names(await search()), ["t1", "t2", "b1", "unreadable"]);
});

test("findEvidence: a payload that several layers share -> fetched once; above 64 MiB -> the oldest is evicted", async () => {
  const count = async (sizes: readonly [string, number][]) => {
    const { store, tag, search } = beside();
    tag(sizes.map(([name, size]) => signatureOf(store, name, size)));
    assert.equal((await search()).length, sizes.length);
    return store.asked.filter((asked) => asked.startsWith("blob")).length;
  };
  assert.equal(
    await count([
      ["a", 9],
      ["b", 9],
      ["a", 9],
    ]),
    2,
  );
  assert.equal(
    await count([
      ["a", 9],
      ["a", 10],
    ]),
    2,
    "of another size it is another blob",
  );
  const [a, b, c] = [
    ["a", 32 * MIB],
    ["b", 32 * MIB],
    ["c", 17 * MIB],
  ] satisfies [string, number][];
  assert.ok(a && b && c);
  assert.equal(await count([a, b, a, b]), 2, "64 MiB are kept");
  assert.equal(await count([a, b, c, b, c]), 3, "more than that, the oldest goes");
  assert.equal(await count([a, b, c, a]), 4);
  assert.equal(await count([a, b, c, a, c]), 4, "and the next oldest with it");
  assert.equal(
    await count([
      ["d", 65 * MIB],
      ["d", 65 * MIB],
    ]),
    1,
    "the last one stays whatever its size",
  );
});

/** Counts the most concurrent requests for blobs or manifests. */
function watch(store: MemoryStore, pattern: RegExp): () => number {
  let [now, most] = [0, 0];
  store.before = async (asked) => {
    if (!pattern.test(asked)) return;
    most = Math.max(most, ++now);
    await turn();
    now--;
  };
  return () => most;
}

test("findEvidence: concurrent fetches -> as many as there are workers, and at most 16 MiB of large blobs", async () => {
  for (const [workers, size, expected] of [
    [3, 9, 3],
    [1, 9, 1],
    [4, 8 * MIB, 2],
    [4, 8 * MIB + 1, 1],
  ] as const) {
    const tagged = beside({ workers });
    tagged.tag(Array.from({ length: 6 }, (_, index) => signatureOf(tagged.store, `t${index}`, size)));
    const ofLayers = watch(tagged.store, /^blob/);
    assert.equal((await tagged.search()).length, 6);
    assert.equal(ofLayers(), expected);
    const referred = beside({ workers });
    for (let index = 0; index < 6; index++) referred.bundle(`b${index}`, { size });
    const ofBundles = watch(referred.store, /^blob/);
    assert.equal((await referred.search()).length, 6);
    assert.equal(ofBundles(), expected);
    const others = beside({ workers });
    const listed = Array.from({ length: 6 }, (_, index) => others.bundle(`b${index}`));
    const ofManifests = watch(others.store, /^manifest sha256:/);
    assert.equal((await others.search()).length, 6);
    assert.equal(ofManifests(), workers);
    others.store.listings.set(
      others.subject,
      listed.map((each) => ({ ...each, artifactType: "x" })),
    );
    const again = watch(others.store, /^manifest sha256:/);
    assert.equal((await others.search()).length, 6);
    assert.equal(again(), workers);
  }
});

test("findEvidence: the referrers are listed while the tag is looked up", async () => {
  const { store, subject, search } = beside();
  const answered: string[] = [];
  store.before = async (asked) => {
    await turn();
    answered.push(asked);
  };
  await search();
  assert.deepEqual(store.asked, [`referrers ${subject}`, `manifest ${attachmentTag(subject, "sig")}`]);
});

test("findEvidence: after 16 candidates -> a turn of the event loop", async () => {
  const turnOf = async (fill: (repository: ReturnType<typeof beside>) => void) => {
    const repository = beside();
    fill(repository);
    let [seen, count] = [-1, 0];
    for await (const _ of findEvidence(repository.store, repository.options)) {
      if (++count === 1) setImmediate(() => (seen = count));
    }
    assert.ok(count > 20);
    return seen;
  };
  const numbers = Array.from({ length: 24 }, (_, index) => `${index}`);
  assert.equal(await turnOf(({ store, tag }) => tag(numbers.map((each) => signatureOf(store, each)))), 16);
  assert.equal(
    await turnOf(({ bundle }) => {
      for (const each of numbers) bundle(each);
    }),
    16,
  );
});

test("findEvidence: a consumer that stops -> the listing ends", async () => {
  const { store, options, tag, bundle } = beside();
  tag([signatureOf(store, "t")]);
  for (let index = 0; index < 9; index++) bundle(`b${index}`);
  const { referrers } = store;
  let ended = false;
  store.referrers = async function* (subject) {
    try {
      yield* referrers(subject);
    } finally {
      ended = true;
    }
  };
  for await (const _ of findEvidence(store, { ...options, workers: 1 })) break;
  assert.ok(ended);
});

test("findEvidence: the error for too many bytes names the limit", async () => {
  const { store, tag, search } = beside();
  const half = 2 * 1024 * MIB;
  tag([signatureOf(store, "a", half), signatureOf(store, "b", half), signatureOf(store, "c", half)]);
  const last = (await search()).at(-1);
  assert.match(last && "unreadable" in last ? last.unreadable : "", /\b4 GiB\b/);
});

test("findEvidence: more than 100,000 referrers that may be signatures -> those before are fetched, then incomplete", async () => {
  const { store, image, search } = beside();
  const entry = { ...EMPTY, artifactType: BUNDLE } as Descriptor;
  store.listings.set(
    image.digest,
    Array.from({ length: 100_001 }, () => entry),
  );
  const other = await store.manifest(image.digest);
  let asked = 0;
  store.manifest = async (what) => {
    if (what !== EMPTY.digest) return undefined;
    asked++;
    return other;
  };
  assert.deepEqual(names(await search()), ["incomplete limit"]);
  assert.equal(asked, 100_000);
});

test("findEvidence: a bundle under two wrong types -> fetched once, unreadable twice", async () => {
  const { store, referrer, search } = beside({ workers: 1 });
  const layer = layerOf(store, bundleOf("b", "right"), BUNDLE);
  for (const stated of ["wrong", "wrong too"]) {
    referrer([layer], { artifactType: BUNDLE, annotations: { [BUNDLE_ANNOTATION.predicateType]: stated } });
  }
  assert.deepEqual(names(await search()), ["unreadable", "unreadable"]);
  assert.equal(store.asked.filter((each) => each === `blob ${layer.digest}`).length, 1);
});

test("findEvidence: a large bundle with its bytes requested -> the stored bytes", async () => {
  const { store, referrer, search } = beside({ documents: true });
  const payload = Buffer.alloc(3 * MIB + 1024, "0123456789").toString("base64");
  const envelope = { ...envelopeOf("b", "t"), payload };
  const verificationMaterial = { publicKey: { hint: "b" }, tlogEntries: [] };
  const bytes = jsonBytes({ mediaType: BUNDLE, verificationMaterial, dsseEnvelope: envelope });
  referrer([layerOf(store, bytes, BUNDLE)], { artifactType: BUNDLE });
  const [found] = await search();
  assert.ok(found && "document" in found && found.document);
  assert.equal(Buffer.compare(found.document, bytes), 0);
});

test("BlobCache: more than 64 MiB of payloads -> the oldest are evicted", async () => {
  const { store } = beside();
  const cache = new BlobCache(store, Number.POSITIVE_INFINITY);
  const count = () => store.asked.filter((each) => each.startsWith("blob")).length;
  const [old, recent] = [layerOf(store, "old", SIMPLE, 64 * MIB - 1), layerOf(store, "recent", SIMPLE, 1)];
  for (const layer of [old, recent, old, recent]) {
    assert.equal(Buffer.from(await cache.get(layer)).toString(), layer === old ? "old" : "recent");
  }
  assert.equal(count(), 2, "64 MiB are kept");
  const more = layerOf(store, "more", SIMPLE, 1);
  await cache.get(more);
  await cache.get(recent);
  assert.equal(count(), 3);
  await cache.get(old);
  assert.equal(count(), 4, "the oldest was let go");
});
