import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { refused } from "../../test/support/evidence-parts.ts";
import { type MemoryStore, memoryStore } from "../../test/support/memory-store.ts";
import { type ErrorCode, TsignError } from "../errors.ts";
import { digestOf } from "../format/digest.ts";
import { fallbackTag } from "../oci/tags.ts";
import type { Descriptor } from "../oci/types.ts";
import { findReferrersOf, removeListed, removeReferrersOf, removeTag } from "./remove.ts";

const SIGNATURE = "application/vnd.dev.cosign.artifact.sig.v1+json";
const SBOM = "application/vnd.dev.cosign.artifact.sbom.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";
const config = { mediaType: "config", digest: digestOf(Buffer.from("c")), size: 1 };

/** An image, its registry, and a record of the pauses. */
function beside() {
  const store = memoryStore();
  const image = store.add({ config, layers: [] });
  const pauses: number[] = [];
  const io = {
    sleep: async (milliseconds: number) => void pauses.push(milliseconds),
    now: () => new Date(0),
    signal: new AbortController().signal,
  };
  const refer = (name: string, artifactType = SIGNATURE, subject: Descriptor = image) => {
    const listed = store.add({
      config,
      layers: [],
      artifactType,
      annotations: { name },
      subject,
    });
    return { ...listed, artifactType };
  };
  const remove = (kinds: Parameters<typeof removeReferrersOf>[3] = ["signature"]) =>
    removeReferrersOf(io, store, image.digest, kinds);
  return { store, image, io, pauses, refer, remove, deleted: () => asked(store, "delete ") };
}

const asked = (store: MemoryStore, what: string) =>
  store.asked.filter((each) => each.startsWith(what)).map((each) => each.slice(what.length));
const failing = (code: ErrorCode, what: RegExp) => (asked: string) => {
  if (what.test(asked)) throw new TsignError(code, `no ${asked}`);
};
/** Makes a registry report success without deleting. */
const unmoved = (store: MemoryStore) => {
  store.delete = async (tagOrDigest) => {
    store.asked.push(`delete ${tagOrDigest}`);
    return true;
  };
};
/** A registry without the referrers API: what the index under the fallback tag lists. */
function fallback(store: MemoryStore, image: Descriptor, entries: readonly Descriptor[]): string {
  const tag = fallbackTag(image.digest);
  store.add({ mediaType: INDEX, manifests: entries }, { tag });
  store.referrers = async function* (subject) {
    yield* (await store.manifest(fallbackTag(subject)))?.manifest.manifests ?? [];
  };
  return tag;
}
const indexed = async (store: MemoryStore, tag: string) =>
  (await store.manifest(tag))?.manifest.manifests?.map(({ digest }) => digest);

test("removeTag: a tag -> deleted, and its manifest stays", async () => {
  const { store, image, io, pauses, deleted } = beside();
  const { digest } = store.add({ config, layers: [], annotations: { a: "b" } }, { tag: "t" });
  assert.equal(await removeTag(io, store, "t", image.digest), true);
  assert.deepEqual([deleted(), pauses], [["t"], []]);
  assert.ok(store.manifests.has(digest));
  assert.equal(await removeTag(io, store, "t", image.digest), false);
  assert.deepEqual(deleted(), ["t"]);
});

test("removeTag: a registry that returns the image for a missing tag -> the image is not deleted", async () => {
  const { store, image, io, deleted } = beside();
  store.tagged.set("t", image.digest);
  assert.equal(await removeTag(io, store, "t", image.digest), false);
  assert.deepEqual(deleted(), []);
});

test("removeTag: a registry that deletes by digest only -> deleted by digest", async () => {
  for (const code of ["registry", "auth"] as const) {
    const { store, image, io, deleted } = beside();
    const { digest } = store.add({ config, layers: [], annotations: { a: "b" } }, { tag: "t" });
    store.before = failing(code, /^delete t$/);
    assert.equal(await removeTag(io, store, "t", image.digest), true);
    assert.deepEqual(deleted(), ["t", digest]);
    assert.ok(!store.manifests.has(digest));
  }
});

test("removeTag: the tag still exists after both attempts -> the first refusal, or an error that it still exists", async () => {
  const { store, image, io, pauses, deleted } = beside();
  const { digest } = store.add({ config, layers: [], annotations: { a: "b" } }, { tag: "t" });
  store.before = failing("auth", /^delete/);
  await assert.rejects(removeTag(io, store, "t", image.digest), refused("auth", "no delete t"));
  assert.deepEqual(pauses, [100, 400, 1500, 100, 400, 1500]);
  store.before = failing("network", /^delete/);
  await assert.rejects(removeTag(io, store, "t", image.digest), refused("network"));
  assert.deepEqual(deleted().length, 3, "anything else than a refusal ends it at once");
  store.before = () => undefined;
  unmoved(store);
  await assert.rejects(removeTag(io, store, "t", image.digest), refused("registry", "the tag still exists"));
  assert.ok(store.manifests.has(digest));
});

test("removeTag: a registry that deletes with a delay -> deleted", async () => {
  const { store, image, io, pauses } = beside();
  store.add({ config, layers: [], annotations: { a: "b" } }, { tag: "t" });
  unmoved(store);
  io.sleep = async (milliseconds) => {
    pauses.push(milliseconds);
    if (milliseconds === 400) store.tagged.delete("t");
  };
  assert.equal(await removeTag(io, store, "t", image.digest), true);
  assert.deepEqual(pauses, [100, 400]);
  assert.deepEqual(asked(store, "delete "), ["t"]);
});

test("findReferrersOf: referrers of the kinds whose subject is the image, and listed ones whose manifest is missing", async () => {
  const { store, image, refer } = beside();
  const another = store.add({ config, layers: [], annotations: { another: "x" } });
  const [signature, sbom, report] = [refer("a"), refer("b", SBOM), refer("c", "application/x-report")];
  const foreign = refer("d", SIGNATURE, another);
  const { artifactType: _, ...untyped } = refer("f", "application/vnd.dev.sigstore.bundle.v0.3+json");
  const gone = { ...signature, digest: digestOf(Buffer.from("gone")) };
  const orphan = store.add({ config, layers: [], artifactType: SIGNATURE });
  store.listings.set(image.digest, [signature, sbom, report, foreign, untyped, gone, orphan]);
  const find = async (...kinds: Parameters<typeof findReferrersOf>[2]) =>
    (await findReferrersOf(store, image.digest, kinds)).map(({ digest, there }) => [digest, there]);
  const absent = [gone.digest, false];
  assert.deepEqual(await find("signature"), [[signature.digest, true], [untyped.digest, true], absent].concat());
  assert.deepEqual(await find("sbom"), [[sbom.digest, true], absent]);
  assert.deepEqual(await find("signature", "sbom"), [
    [signature.digest, true],
    [sbom.digest, true],
    [untyped.digest, true],
    absent,
  ]);
  assert.ok(!store.asked.includes(`manifest ${report.digest}`));
});

test("findReferrersOf: an unreadable entry -> an error, or passed to onUnreadable", async () => {
  const { store, image, refer } = beside();
  const own = refer("a");
  store.listings.set(image.digest, [{ unreadable: "no digest" }, own]);
  await assert.rejects(findReferrersOf(store, image.digest, ["signature"]), refused("registry", "no digest"));
  const told: TsignError[] = [];
  const found = await findReferrersOf(store, image.digest, ["signature"], (error) => told.push(error));
  assert.deepEqual(found, [{ digest: own.digest, there: true }]);
  assert.deepEqual(
    told.map(({ code }) => code),
    ["registry"],
  );
});

test("removeReferrersOf: referrers of the kinds -> deleted; others -> kept", async () => {
  const { store, image, refer, remove, deleted, pauses } = beside();
  const [one, other, sbom] = [refer("a"), refer("b"), refer("c", SBOM)];
  const removal = await remove();
  assert.deepEqual(removal, { removed: [one.digest, other.digest], kept: [], failure: undefined });
  assert.deepEqual([deleted(), pauses], [[one.digest, other.digest], []]);
  assert.ok(store.manifests.has(sbom.digest) && store.manifests.has(image.digest));
  assert.deepEqual(await remove(), { removed: [], kept: [], failure: undefined });
  assert.equal(deleted().length, 2);
});

test("removeReferrersOf: a referrer that the registry keeps and still lists -> a failure with the reason", async () => {
  const { store, refer, remove, pauses } = beside();
  const [one, other] = [refer("a"), refer("b")];
  store.before = failing("auth", new RegExp(`^delete ${one.digest}`));
  const removal = await remove();
  assert.deepEqual([removal.removed, removal.kept], [[other.digest], []]);
  assert.ok(refused("auth")(removal.failure));
  assert.deepEqual(pauses, [100, 400, 1500]);
  store.before = () => undefined;
  unmoved(store);
  const nothing = await remove();
  assert.deepEqual([nothing.removed, nothing.kept], [[], []]);
  assert.ok(refused("registry", one.digest)(nothing.failure));
  store.before = failing("network", /^delete/);
  store.delete = async (tagOrDigest) => {
    await store.before(`delete ${tagOrDigest}`);
    return true;
  };
  await assert.rejects(remove(), refused("network"));
});

test("removeReferrersOf: an unreadable entry -> reported after the others are deleted", async () => {
  const { store, image, refer, remove } = beside();
  const own = refer("a");
  const { referrers } = store;
  store.referrers = async function* (subject) {
    yield { unreadable: "one" };
    yield { unreadable: "two" };
    yield* referrers(subject);
  };
  const { removed, failure } = await remove();
  assert.deepEqual(removed, [own.digest]);
  assert.ok(refused("registry", "one")(failure));
  assert.ok(image.digest !== own.digest);
});

test("removeReferrersOf: the entries of the kinds -> removed from the fallback index; others -> kept", async () => {
  const { store, image, refer, remove } = beside();
  const [own, sbom] = [refer("a"), refer("b", SBOM)];
  const gone = { ...own, digest: digestOf(Buffer.from("gone")) };
  const tag = fallback(store, image, [own, gone, sbom]);
  const removal = await remove();
  assert.deepEqual(removal, { removed: [own.digest], kept: [], failure: undefined });
  assert.deepEqual(await indexed(store, tag), [sbom.digest]);
  assert.equal(store.manifests.get(store.tagged.get(tag) ?? config.digest)?.mediaType, INDEX);
});

test("removeReferrersOf: an index that becomes empty -> deleted, or written empty if the registry does not delete", async () => {
  const kept = beside();
  const own = kept.refer("a");
  const tag = fallback(kept.store, kept.image, [own]);
  assert.deepEqual(await kept.remove(), { removed: [own.digest], kept: [], failure: undefined });
  assert.ok(!kept.store.tagged.has(tag));
  const strict = beside();
  const other = strict.refer("a");
  const place = fallback(strict.store, strict.image, [other]);
  strict.store.before = failing("registry", /^delete/);
  const removal = await strict.remove();
  assert.deepEqual(removal, { removed: [other.digest], kept: [other.digest], failure: undefined });
  assert.deepEqual(await indexed(strict.store, place), []);
});

/** Calls a function at the first request that matches. */
const once = (what: RegExp, act: () => void) => {
  let acted = false;
  return (asked: string) => {
    if (acted || !what.test(asked)) return;
    acted = true;
    act();
  };
};

test("removeReferrersOf: another writer adds to the index between read and write -> its entry is kept", async () => {
  const { store, image, refer, remove } = beside();
  const [own, sbom, late] = [refer("a"), refer("b", SBOM), refer("c")];
  const tag = fallback(store, image, [own, sbom]);
  store.before = once(new RegExp(`^resolve ${tag}$`), () => fallback(store, image, [own, sbom, late]));
  const removal = await remove();
  assert.deepEqual(removal, { removed: [own.digest], kept: [], failure: undefined });
  assert.deepEqual(await indexed(store, tag), [sbom.digest, late.digest]);
  assert.ok(store.manifests.has(late.digest));
});

test("removeReferrersOf: another writer overwrites the index with what it had read before -> removed again, its entry is kept", async () => {
  const { store, image, io, refer } = beside();
  const [own, sbom, late] = [refer("a"), refer("b", SBOM), refer("c")];
  const tag = fallback(store, image, [own, sbom]);
  const { sleep } = io;
  const overwrite = once(/^put /, () => {
    io.sleep = async (milliseconds) => {
      fallback(store, image, [own, sbom, late]);
      io.sleep = sleep;
      await sleep(milliseconds);
    };
  });
  store.before = overwrite;
  const { failure } = await removeReferrersOf(io, store, image.digest, ["signature"]);
  assert.equal(failure, undefined);
  assert.equal(asked(store, "put ").length, 2);
  assert.deepEqual(await indexed(store, tag), [sbom.digest, late.digest]);
});

test("removeReferrersOf: another writer adds to an index that becomes empty, before it is deleted -> its entry is kept", async () => {
  for (const also of [true, false]) {
    const { store, image, refer, remove } = beside();
    const [own, late] = [refer("a"), refer("c")];
    const tag = fallback(store, image, [own]);
    const before = store.tagged.get(tag);
    store.before = once(new RegExp(`^delete ${before}$`), () => fallback(store, image, also ? [own, late] : [late]));
    assert.deepEqual(await remove(), { removed: [own.digest], kept: [], failure: undefined });
    assert.deepEqual(await indexed(store, tag), [late.digest]);
  }
});

test("removeReferrersOf: another writer adds to an index that the registry does not delete -> its entry is kept", async () => {
  const { store, image, refer, remove } = beside();
  const [own, late] = [refer("a"), refer("c")];
  const tag = fallback(store, image, [own]);
  const add = once(new RegExp(`^resolve ${tag}$`), () => fallback(store, image, [own, late]));
  const refuse = failing("registry", /^delete/);
  store.before = (asked) => {
    add(asked);
    refuse(asked);
  };
  assert.deepEqual(await remove(), { removed: [own.digest], kept: [own.digest], failure: undefined });
  assert.deepEqual(await indexed(store, tag), [late.digest]);
});

test("removeReferrersOf: another client deletes the index before it is written -> not written again", async () => {
  const { store, image, refer, remove } = beside();
  const [own, sbom] = [refer("a"), refer("b", SBOM)];
  const tag = fallback(store, image, [own, sbom]);
  store.before = once(new RegExp(`^resolve ${tag}$`), () => store.tagged.delete(tag));
  assert.deepEqual(await remove(), { removed: [own.digest], kept: [], failure: undefined });
  assert.deepEqual([store.tagged.has(tag), asked(store, "put ")], [false, []]);
});

test("removeReferrersOf: an index without these entries, or another manifest under the fallback tag -> unchanged", async () => {
  const { store, image, refer, remove } = beside();
  const own = refer("a");
  const tag = fallbackTag(image.digest);
  const strange = store.add({ mediaType: INDEX, manifests: [config] }, { tag });
  assert.deepEqual((await remove()).removed, [own.digest]);
  assert.equal(store.tagged.get(tag), strange.digest);
  assert.deepEqual(asked(store, "put "), []);
  const again = refer("b");
  store.before = failing("registry", new RegExp(`^manifest ${tag}`));
  assert.deepEqual(await remove(), { removed: [again.digest], kept: [], failure: undefined });
  const last = refer("c");
  store.before = failing("network", new RegExp(`^manifest ${tag}`));
  await assert.rejects(remove(), refused("network"));
  assert.ok(!store.manifests.has(last.digest));
});

test("removeTag: an interruption while the tag is looked up -> thrown", async () => {
  const { store, image, io } = beside();
  store.add({ config, layers: [], annotations: { a: "b" } }, { tag: "t" });
  unmoved(store);
  io.sleep = async () => {
    throw new TsignError("cancelled", "interrupted");
  };
  await assert.rejects(removeTag(io, store, "t", image.digest), refused("cancelled"));
});

test("removeTag: missing after the last pause -> deleted", async () => {
  const { store, image, io, pauses } = beside();
  store.add({ config, layers: [], annotations: { a: "b" } }, { tag: "t" });
  unmoved(store);
  io.sleep = async (milliseconds) => {
    pauses.push(milliseconds);
    if (milliseconds === 1500) store.tagged.delete("t");
  };
  assert.equal(await removeTag(io, store, "t", image.digest), true);
  assert.deepEqual([pauses, asked(store, "delete ")], [[100, 400, 1500], ["t"]]);
});

test("removeListed: nothing listed -> no requests", async () => {
  const { store, image, io } = beside();
  store.asked.length = 0;
  assert.deepEqual(await removeListed(io, store, image.digest, []), { removed: [], kept: [], failure: undefined });
  assert.deepEqual(store.asked, []);
});

test("removeListed: an entry without a manifest -> not deleted, and not counted as removed", async () => {
  const { store, image, io, refer, deleted } = beside();
  const [one, gone] = [refer("one"), digestOf(Buffer.from("gone"))];
  const listed = [
    { digest: one.digest, there: true },
    { digest: gone, there: false },
  ];
  const { removed, kept, failure } = await removeListed(io, store, image.digest, listed);
  assert.deepEqual([removed, kept, failure], [[one.digest], [], undefined]);
  assert.deepEqual(deleted(), [one.digest]);
});

test("removeListed: a deleted manifest that is still listed -> removed, without a failure", async () => {
  const { store, image, io, refer, pauses } = beside();
  const one = refer("one");
  store.listings.set(image.digest, [one]);
  const { removed, kept, failure } = await removeListed(io, store, image.digest, [{ digest: one.digest, there: true }]);
  assert.deepEqual([removed, kept, failure], [[one.digest], [], undefined]);
  assert.deepEqual(pauses, [100, 400, 1500]);
});

test("removeListed: an image under the fallback tag -> unchanged", async () => {
  const { store, image, io, refer } = beside();
  const [one, tag] = [refer("one"), fallbackTag(image.digest)];
  const { digest } = store.add({ config, layers: [], annotations: { other: "image" } }, { tag });
  const { removed, failure } = await removeListed(io, store, image.digest, [{ digest: one.digest, there: true }]);
  assert.deepEqual([removed, failure], [[one.digest], undefined]);
  assert.equal(store.tagged.get(tag), digest);
});

test("removeListed: deleting the empty index fails other than by a refusal -> thrown, nothing written", async () => {
  const { store, image, io, refer } = beside();
  const one = refer("one");
  const tag = fallback(store, image, [one]);
  store.before = failing("network", new RegExp(`^delete ${store.tagged.get(tag)}$`));
  const removal = removeListed(io, store, image.digest, [{ digest: one.digest, there: true }]);
  await assert.rejects(removal, refused("network"));
  assert.deepEqual(asked(store, "put "), []);
});

test("removeListed, findReferrersOf: eight requests at a time", async () => {
  const { store, image, io, refer } = beside();
  const listed = Array.from({ length: 20 }, (_, index) => refer(`${index}`));
  const most: Record<string, number> = {};
  const running: Record<string, number> = {};
  const remember = (kind: string) => {
    running[kind] = (running[kind] ?? 0) + 1;
    most[kind] = Math.max(most[kind] ?? 0, running[kind]);
  };
  store.before = async (what) => {
    const [kind = ""] = what.split(" ");
    remember(kind);
    await turn();
    await turn();
    running[kind] = (running[kind] ?? 0) - 1;
  };
  await findReferrersOf(store, image.digest, ["signature"]);
  assert.equal(most["manifest"], 8);
  unmoved(store);
  const { delete: remove } = store;
  store.delete = async (digest) => {
    await store.before(`delete ${digest}`);
    return remove(digest);
  };
  const { failure } = await removeListed(
    io,
    store,
    image.digest,
    listed.map(({ digest }) => ({ digest, there: true })),
  );
  assert.equal(failure?.code, "registry");
  assert.deepEqual([most["delete"], most["resolve"]], [8, 8]);
});
