import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { digestOf } from "../src/format/digest.ts";
import type { HttpResponse, Io } from "../src/io/io.ts";
import { fallbackTag } from "../src/oci/tags.ts";
import type { Descriptor } from "../src/oci/types.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { attachReferrer, descriptorOf, storageWorkshop } from "./support/storage.ts";
import { NO_LOG, run, testIo } from "./support/test-io.ts";

const INDEX = "application/vnd.oci.image.index.v1+json";
const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const { sleep, http } = testIo();
/** Pauses, but not time limits, divided by fifty. */
const QUICK: Partial<Io> = { sleep: (ms, signal) => sleep(ms >= 10_000 ? ms : ms / 50, signal) };

type Entry = Omit<Descriptor, "digest"> & { readonly digest: string };

/** A signed image, what `repair` finds, and the fallback index. */
async function workshop(t: TestContext, options = { referrers: false }) {
  const shop = await storageWorkshop(t, options);
  const { cwd, env, image, digest, store, sign } = shop;
  await sign();
  const tag = fallbackTag(digest);
  const repair = async (io: Partial<Io>, ...flags: string[]) => {
    const outcome = await run(["repair", "--json", ...flags, image], { cwd, env, io: { ...QUICK, ...io } });
    const { document } = jsonAnswer(outcome, "repair");
    const result = document.result as unknown as
      | { findings: { digest: string; problem: string; state: string; reason: string }[] }
      | undefined;
    const findings = (result?.findings ?? []).map(({ state, problem }) => `${state}: ${problem}`).sort();
    return { ...outcome, findings, found: result?.findings ?? [] };
  };
  const entries = async () => (await store.manifest(tag))?.manifest.manifests ?? [];
  const write = (manifests: readonly Entry[]) =>
    store.putManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests })), {
      mediaType: INDEX,
      tag,
    });
  return { ...shop, repair, entries, write, tag };
}

test("repair: a right index, an unsigned image -> nothing to repair, nothing written", async (t) => {
  const { repair, ok, cwd, env, entries, tag, store } = await workshop(t);
  const before = await store.resolve(tag);
  const done = await repair({}, "--apply");
  assert.deepEqual([done.code, done.findings], [0, []], done.stderr);
  assert.match(done.stderr, /Nothing to repair/);
  assert.deepEqual(await store.resolve(tag), before);
  assert.equal((await entries()).length, 1);
  writeFileSync(join(cwd, "other"), "other");
  const other = (await ok("sandbox", "push", "other:v1", "other")).stdout.trim();
  const unsigned = await run(["repair", "--apply", other], { cwd, env });
  assert.deepEqual([unsigned.code, unsigned.stdout], [0, ""]);
  assert.equal((await run(["repair", other.replace(/@.*/, ":no")], { cwd, env })).code, 11);
});

test("repair: stale, wrong and repeated entries -> corrected with --apply; foreign ones stay", async (t) => {
  const { repair, entries, write, store, digest, cwd, ok, image } = await workshop(t);
  const right = await entries();
  const [entry] = right;
  assert.ok(entry);
  const child = await descriptorOf(store, digest); // refers to nothing
  const gone = { ...entry, digest: digestOf(Buffer.from("gone")) };
  const { artifactType: _, annotations: _annotations, ...bare } = entry;
  const foreign = { ...child, annotations: { own: "x" } };
  await write([{ ...bare, size: 1, annotations: { extra: "kept" } }, gone, entry, foreign]);
  const wrong = await entries();
  const dry = await repair({});
  const expected = ["duplicate", "stale", "wrong"];
  assert.deepEqual(dry.findings, ["kept: foreign", ...expected.map((each) => `would be repaired: ${each}`)]);
  assert.match(dry.found.find(({ problem }) => problem === "wrong")?.reason ?? "", /size, artifactType, annotations/);
  assert.deepEqual(await entries(), wrong, "nothing is written without --apply");
  const done = await repair({}, "--apply");
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(done.findings, ["kept: foreign", ...expected.map((each) => `repaired: ${each}`)]);
  assert.deepEqual(await entries(), [{ ...entry, annotations: { extra: "kept", ...entry.annotations } }, foreign]);
  assert.deepEqual((await repair({}, "--apply")).findings, ["kept: foreign"]);
  await ok("verify", "--key", join(cwd, "a.pub"), NO_LOG, image);
});

test("repair: a foreign entry that is listed several times -> stays; own annotations of a repeated entry stay too", async (t) => {
  const { repair, entries, write, store, digest } = await workshop(t);
  const [entry] = await entries();
  assert.ok(entry);
  const child = await descriptorOf(store, digest); // refers to nothing
  const foreign = ["amd64", "arm64"].map((architecture) => ({ ...child, platform: { architecture, os: "linux" } }));
  await write([...foreign, entry]);
  assert.deepEqual((await repair({}, "--apply")).findings, ["kept: foreign", "kept: foreign"]);
  assert.deepEqual(await entries(), [...foreign, entry]);
  await write([entry, ...foreign, { ...entry, annotations: { own: "x", ...entry.annotations } }]);
  const done = await repair({}, "--apply");
  assert.deepEqual(done.findings, ["kept: foreign", "kept: foreign", "repaired: duplicate"]);
  assert.deepEqual(await entries(), [{ ...entry, annotations: { own: "x", ...entry.annotations } }, ...foreign]);
});

test("repair: an index of deleted manifests only -> written empty, as after cosign clean", async (t) => {
  const { repair, entries, store, tsign, image } = await workshop(t);
  for (const { digest } of await entries()) await store.delete(digest);
  const verify = ["verify", "--key", "a.pub", NO_LOG, image];
  assert.notEqual((await tsign(...verify)).code, 10, "an out-of-date index is an error");
  assert.deepEqual((await repair({}, "--apply")).findings, ["repaired: stale"]);
  assert.deepEqual(await entries(), []);
  assert.equal((await tsign(...verify)).code, 10, "unsigned");
});

test("repair: referrers that the index lacks -> added from tags and --referrer; others are refused", async (t) => {
  const { repair, entries, write, store, sign, ok, image, digest } = await workshop(t);
  await sign();
  const all = await entries();
  const [first, second] = all;
  assert.ok(first && second);
  await write([]);
  const stored = await store.manifest(first.digest);
  assert.ok(stored);
  await store.putManifest(stored.bytes, { mediaType: stored.descriptor.mediaType, tag: "signature" });
  assert.deepEqual((await repair({})).findings, ["would be repaired: missing"]);
  assert.deepEqual((await repair({}, "--apply")).findings, ["repaired: missing"]);
  assert.deepEqual(await entries(), [first]);
  await ok("verify", "--key", "a.pub", NO_LOG, image);
  assert.deepEqual((await repair({}, "--apply", "--referrer", second.digest)).findings, ["repaired: missing"]);
  assert.deepEqual(await entries(), all);
  for (const wrong of [digest, digestOf(Buffer.from("none")), "x"]) {
    const refused = await repair({}, "--apply", "--referrer", wrong);
    assert.equal(refused.code, 1, wrong);
  }
  assert.deepEqual(await entries(), all);
});

/** A registry that got the referrers API later: it lists manifests that were stored since. */
function upgraded(since: Set<string>, more: { listsNothing?: boolean } = {}): Partial<Io> {
  return {
    http: async (request) => {
      const { pathname } = request.url;
      const answer: HttpResponse = await http(request);
      if (request.method === "PUT" && pathname.includes("/manifests/sha256:"))
        since.add(pathname.split("/manifests/")[1] ?? "");
      if (!pathname.includes("/referrers/")) return answer;
      const pieces: Uint8Array[] = [];
      for await (const piece of answer.body) pieces.push(piece);
      const list = JSON.parse(Buffer.concat(pieces).toString()) as { manifests: Entry[] };
      const manifests = more.listsNothing ? [] : list.manifests.filter(({ digest }) => since.has(digest));
      const body = Buffer.from(JSON.stringify({ ...list, manifests }));
      const { "content-length": _, ...headers } = answer.headers;
      return {
        ...answer,
        headers,
        body: (async function* () {
          yield body;
        })(),
      };
    },
  };
}

test("repair: a registry that got the referrers API later -> stored again, so that the API lists them", async (t) => {
  const { repair, write, store, digest, cwd, env, image } = await workshop(t, { referrers: true });
  const listed: Descriptor[] = [];
  for await (const entry of store.referrers(digest)) if ("digest" in entry) listed.push(entry);
  await write(listed);
  const since = new Set<string>();
  const verify = (io: Partial<Io>) =>
    run(["verify", "--key", "a.pub", NO_LOG, image], { cwd, env, io: { ...QUICK, ...io } });
  const note = await attachReferrer(store, await descriptorOf(store, digest), {
    layer: "n",
    layerType: "application/x-note",
  });
  since.add(note.digest);
  assert.equal((await verify(upgraded(since))).code, 10, "the API lists the note, so that the index is not read");
  assert.deepEqual((await repair(upgraded(since))).findings, ["would be repaired: unlisted"]);
  assert.equal((await verify(upgraded(since))).code, 10);
  const done = await repair(upgraded(since), "--apply");
  assert.deepEqual([done.code, done.findings], [0, ["repaired: unlisted"]], done.stderr);
  assert.equal((await verify(upgraded(since))).code, 0);
  assert.deepEqual((await repair(upgraded(since))).findings, []);
});

test("repair: a referrers API that never lists them -> an error; one that lists nothing -> the index is kept", async (t) => {
  const { repair, write, store, digest } = await workshop(t, { referrers: true });
  const listed: Descriptor[] = [];
  for await (const entry of store.referrers(digest)) if ("digest" in entry) listed.push(entry);
  await write(listed);
  const nothing = await repair(upgraded(new Set(), { listsNothing: true }), "--apply");
  assert.deepEqual([nothing.code, nothing.findings], [0, ["kept: unlisted"]], nothing.stderr);
  assert.match(nothing.stderr, /WARNING: the referrers API of .* lists nothing/);
  const note = await attachReferrer(store, await descriptorOf(store, digest), {
    layer: "n",
    layerType: "application/x-note",
  });
  const frozen = new Set([note.digest]);
  frozen.add = () => frozen; // as if it listed what was stored by others only
  const never = await repair(upgraded(frozen), "--apply");
  assert.deepEqual([never.code, never.findings], [1, ["failed: unlisted"]], never.stderr);
});

test("repair: the index or the list cannot be read or written -> an error, and the index is unchanged", async (t) => {
  const { repair, write, entries } = await workshop(t);
  const right = await entries();
  const gone: Entry = { mediaType: BUNDLE, size: 2, digest: digestOf(Buffer.from("gone")) };
  await write([...right, gone]);
  const before = await entries();
  for (const [which, status] of [
    [/^PUT .*\/manifests\/sha256-/, 403],
    [/^GET .*\/manifests\/sha256:/, 500],
    [/^GET .*\/manifests\/sha256-/, 500],
    [/^GET .*\/referrers\//, 500],
  ] as const) {
    const io: Partial<Io> = {
      http: async (request) =>
        which.test(`${request.method} ${request.url.pathname}`)
          ? { status, headers: {}, body: (async function* () {})(), discard() {} }
          : http(request),
    };
    const done = await repair(io, "--apply");
    assert.notEqual(done.code, 0, String(which));
    assert.deepEqual(await entries(), before, String(which));
  }
  const blind = await repair({
    http: async (request) =>
      request.url.pathname.includes("/tags/list")
        ? { status: 403, headers: {}, body: (async function* () {})(), discard() {} }
        : http(request),
  });
  assert.deepEqual([blind.code, blind.findings], [0, ["would be repaired: stale"]]);
  assert.match(blind.stderr, /WARNING: referrers under tags are not looked for/);
});

test("repair: an entry that another client adds meanwhile -> kept", async (t) => {
  const { repair, write, entries, store, digest } = await workshop(t);
  const right = await entries();
  const gone: Entry = { mediaType: BUNDLE, size: 2, digest: digestOf(Buffer.from("gone")) };
  await attachReferrer(store, await descriptorOf(store, digest), { layer: "n", layerType: "application/x-note" });
  const added = (await entries()).filter((each) => each.digest !== right[0]?.digest);
  await write([...right, gone]);
  let overwritten = false;
  const done = await repair(
    {
      http: async (request) => {
        const answer = await http(request);
        if (request.method === "PUT" && /\/manifests\/sha256-/.test(request.url.pathname) && !overwritten) {
          overwritten = true; // by a client that read the index before
          await write([...right, gone, ...added]);
        }
        return answer;
      },
    },
    "--apply",
  );
  assert.equal(done.code, 0, done.stderr);
  assert.ok(overwritten);
  assert.deepEqual(await entries(), [...right, ...added]);
});
