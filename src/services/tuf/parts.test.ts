import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { refuses, serviceIo } from "../../../test/support/fake-service.ts";
import { temporaryFolder, testIo } from "../../../test/support/test-io.ts";
import type { Io } from "../../io/io.ts";
import { cacheFolder, noPlaceToKeep, openCache } from "./cache.ts";
import { MAX_ROTATIONS, readMetadata, requireContent, requireMeta } from "./metadata.ts";
import { mirrorSource } from "./mirror.ts";
import { currentMirror } from "./mirrors.ts";
import { fetchTarget, followRepository, type Source } from "./workflow.ts";

const EXPIRES = "2090-01-01T00:00:00Z";
const NOW = new Date("2026-01-01T00:00:00Z");
const KEY = generateKeyPairSync("ed25519").privateKey;
const ROLES = ["root", "timestamp", "snapshot", "targets"] as const;
const NOTHING = { timestamp: undefined, snapshot: undefined, targets: undefined };

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(",")}}`;
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const publicHex = (key: KeyObject) => Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");
const KEY_ID = "a".repeat(64);

/** Returns signed metadata of a role. */
function signed(role: (typeof ROLES)[number], version: number, fields: object): Buffer {
  const content = { _type: role, spec_version: "1.0.31", version, expires: EXPIRES, ...fields };
  const signature = { keyid: KEY_ID, sig: sign(null, Buffer.from(canonical(content)), KEY).toString("hex") };
  return Buffer.from(JSON.stringify({ signatures: [signature], signed: content }));
}

const root = (version: number, consistent: boolean, fields: object = {}) =>
  signed("root", version, {
    consistent_snapshot: consistent,
    keys: { [KEY_ID]: { keytype: "ed25519", scheme: "ed25519", keyval: { public: publicHex(KEY) } } },
    roles: Object.fromEntries(ROLES.map((role) => [role, { keyids: [KEY_ID], threshold: 1 }])),
    ...fields,
  });

/** Returns a repository as a source that records requests, with parts replaced. */
function repository(
  options: { consistent?: boolean; targets?: object; meta?: object; version?: number; roots?: number } = {},
) {
  const { consistent = false, version = 1, roots = 1 } = options;
  const content = Buffer.from("content");
  const listed = options.targets ?? { "a/b.json": { length: content.length, hashes: { sha256: sha256(content) } } };
  const targets = signed("targets", version, { targets: listed });
  const snapshot = signed("snapshot", version, { meta: options.meta ?? { "targets.json": { version } } });
  const timestamp = signed("timestamp", version, { meta: { "snapshot.json": { version } } });
  const asked: unknown[] = [];
  const source: Source = {
    root: async (wanted) => (wanted <= roots ? root(wanted, consistent) : undefined),
    timestamp: async () => timestamp,
    metadata: async (kind, wanted) => {
      asked.push([kind, wanted]);
      return kind === "snapshot" ? snapshot : targets;
    },
    target: async (name, expected) => {
      asked.push([name, expected.hash]);
      return content;
    },
  };
  const follow = (known = NOTHING as Parameters<typeof followRepository>[1]["known"]) =>
    followRepository(source, { anchor: root(1, consistent), known, now: NOW });
  return { source, asked, follow, files: { timestamp, snapshot, targets } };
}

test("followRepository: uses version and hash in file names only with consistent snapshots", async () => {
  const plain = repository();
  const content = await fetchTarget(plain.source, await plain.follow(), { name: "a/b.json", kept: undefined });
  assert.equal(Buffer.from(content).toString(), "content");
  assert.deepEqual(plain.asked, [
    ["snapshot", undefined],
    ["targets", undefined],
    ["a/b.json", undefined],
  ]);
  const consistent = repository({ consistent: true });
  await fetchTarget(consistent.source, await consistent.follow(), { name: "a/b.json", kept: Buffer.from("another") });
  assert.deepEqual(consistent.asked, [
    ["snapshot", 1],
    ["targets", 1],
    ["a/b.json", sha256(Buffer.from("content"))],
  ]);
});

test("followRepository: uses cached files that match the metadata, and no damaged or foreign ones", async () => {
  const { follow, files, asked } = repository();
  await follow(files);
  assert.deepEqual(asked, []);
  await follow({ ...files, snapshot: Buffer.from("torn"), targets: signed("snapshot", 1, {}) });
  assert.deepEqual(asked, [
    ["snapshot", undefined],
    ["targets", undefined],
  ]);
  const listed = repository({ meta: { "targets.json": { version: 1, length: 1 } } });
  await refuses(listed.follow(listed.files), {
    code: "untrusted",
    text: /targets\.json size mismatch: got \d+ bytes, want 1/,
  });
});

test("followRepository: rollback in a snapshot, or too many roots -> refused", async () => {
  const before = repository({ version: 2, meta: { "targets.json": { version: 2 }, "more.json": { version: 5 } } });
  const known = { ...NOTHING, snapshot: before.files.snapshot };
  for (const more of [{}, { "more.json": { version: 4 } }]) {
    const { follow } = repository({ version: 2, meta: { "targets.json": { version: 2 }, ...more } });
    const later = { ...known, snapshot: signed("snapshot", 1, { meta: { "more.json": { version: 5 } } }) };
    await refuses(follow(later), { code: "untrusted", text: /older version of more\.json than before/ });
  }
  const nameless = repository({ meta: {} });
  await refuses(nameless.follow(), { code: "untrusted", text: /snapshot\.json does not list targets\.json/ });
  const older = repository({ version: 1 });
  const newer = repository({ version: 2 }).files.timestamp;
  await refuses(older.follow({ ...NOTHING, timestamp: newer }), {
    code: "untrusted",
    text: /older than the one seen before/,
  });
  assert.equal((await repository({ roots: MAX_ROTATIONS + 1 }).follow()).rotations.length, MAX_ROTATIONS);
  const endless = repository({ roots: MAX_ROTATIONS + 2 });
  await refuses(endless.follow(), { code: "untrusted", text: /more than 256 root rotations/ });
});

test("fetchTarget: returns listed targets with a hash only", async () => {
  const { source, follow } = repository({ targets: { bare: { length: 7, hashes: {} } } });
  const followed = await follow();
  const fetch = (name: string) => fetchTarget(source, followed, { name, kept: undefined });
  await refuses(fetch("bare"), { code: "untrusted", text: /target bare has no hash/ });
  for (const name of ["none", "toString", "__proto__"])
    await refuses(fetch(name), { code: "untrusted", text: /is not a target of the repository/ });
});

test("requireContent: compares the length and every hash, and refuses unknown hashes", () => {
  const bytes = Buffer.from("content");
  const sha512 = createHash("sha512").update(bytes).digest("hex");
  for (const expected of [{}, { length: 7 }, { hashes: { sha256: sha256(bytes), sha512 } }])
    requireContent("f", bytes, expected);
  const wrong: [Parameters<typeof requireContent>[2], RegExp][] = [
    [{ length: 8 }, /f size mismatch: got 7 bytes, want 8/],
    [{ hashes: { sha256: sha512 } }, /f sha256 mismatch: got .*, want/],
    [{ hashes: { sha256: sha256(bytes), sha512: "00" } }, /f sha512 mismatch: got .*, want 00/],
    [{ hashes: { md5: "00" } }, /unsupported hash: md5/],
  ];
  for (const [expected, message] of wrong)
    assert.throws(() => requireContent("f", bytes, expected), { code: "untrusted", message });
  const read = readMetadata("targets", signed("targets", 3, { targets: {} }));
  requireMeta("targets", { version: 3 }, read);
  assert.throws(() => requireMeta("targets", { version: 4 }, read), { message: /version mismatch: got 3, want 4/ });
  for (const text of ["{", "[]", "1", "{}", '{"signed":{}}'])
    assert.throws(() => readMetadata("targets", Buffer.from(text)), {
      code: "untrusted",
      message: /targets\.json is malformed/,
    });
});

test("requireSigned: unreadable key -> its signature does not count", async () => {
  for (const text of ["", "zz", "-----BEGIN PUBLIC KEY-----"]) {
    const keys = { [KEY_ID]: { keytype: "ed25519", scheme: "ed25519", keyval: { public: text } } };
    const anchor = root(1, false, { keys });
    const follow = followRepository(repository().source, { anchor, known: NOTHING, now: NOW });
    await refuses(follow, { code: "untrusted", text: /root\.json is not signed by enough/ });
  }
});

test("mirrorSource: distinguishes missing files from failures; escapes names below targets/", async () => {
  const over = (status: number) => {
    const { io, asked } = serviceIo(() => ({ status, text: "x" }));
    return { asked, source: mirrorSource(io, new URL("https://tuf.example/base/")) };
  };
  const good = over(200);
  await good.source.target("a/../b c.json", { hash: "ff", length: 9 });
  await good.source.target("plain", { hash: undefined, length: 9 });
  await good.source.metadata("targets", undefined);
  await good.source.metadata("snapshot", 7);
  assert.equal(Buffer.from((await good.source.root(2)) ?? "").toString(), "x");
  assert.deepEqual(
    good.asked.map(({ path }) => path),
    [
      "/base/targets/b%20c.json",
      "/base/targets/plain",
      "/base/targets.json",
      "/base/7.snapshot.json",
      "/base/2.root.json",
    ].map((path) => (path.includes("b%20c") ? good.asked[0]?.path : path)),
  );
  assert.match(good.asked[0]?.path ?? "", /^\/base\/targets\/.*ff\.b%20c\.json$/);
  for (const status of [403, 404]) {
    const { source } = over(status);
    assert.equal(await source.root(2), undefined);
    await assert.rejects(source.timestamp(), { code: "service", service: "tuf", status });
  }
  await assert.rejects(over(400).source.root(2), { code: "service", status: 400 });
});

test("mirrorSource: folder -> missing file is named, missing root ends the chain", async (t) => {
  const folder = temporaryFolder(t);
  mkdirSync(join(folder, "targets"));
  writeFileSync(join(folder, "1.root.json"), "root");
  writeFileSync(join(folder, "targets/f"), "target");
  const source = mirrorSource(testIo(), pathToFileURL(folder));
  assert.equal(Buffer.from((await source.root(1)) ?? "").toString(), "root");
  assert.equal(await source.root(2), undefined);
  assert.equal(Buffer.from(await source.target("f", { hash: undefined, length: 6 })).toString(), "target");
  await assert.rejects(source.timestamp(), { code: "service", message: /file not found: .*timestamp\.json/ });
});

test("currentMirror: TUF_MIRROR, else the mirror of initialize, else the public one", async (t) => {
  const folder = temporaryFolder(t);
  const env = { TUF_ROOT: folder };
  const current = async (more = {}) => (await currentMirror(testIo({ env: { ...env, ...more } }))).href;
  assert.equal(await current(), "https://tuf-repo-cdn.sigstore.dev/");
  assert.equal(await current({ TUF_MIRROR: "https://tuf.example/x" }), "https://tuf.example/x");
  writeFileSync(join(folder, "remote.json"), '{"mirror":"https://kept.example/"}');
  assert.equal(await current(), "https://kept.example/");
  for (const text of ['{"mirror":7}', "[]", '{"mirror":"ftp://x"}']) {
    writeFileSync(join(folder, "remote.json"), text);
    await refuses(current(), { code: "input", text: /remote\.json is not the URL of a TUF mirror/ });
  }
});

test("noPlaceToKeep: TUF_ROOT or an existing home folder -> undefined, else the reason", async (t) => {
  const home = temporaryFolder(t);
  assert.equal(cacheFolder({ env: { TUF_ROOT: "/x" } }), "/x");
  assert.equal(cacheFolder({ env: {} }), "/.sigstore/root");
  assert.equal(cacheFolder({ env: { HOME: "/h" } }), "/h/.sigstore/root");
  writeFileSync(join(home, "file"), "");
  const place = (env: Record<string, string>) => noPlaceToKeep(testIo({ env }));
  assert.equal(await place({ TUF_ROOT: "/none" }), undefined);
  assert.equal(await place({ HOME: home }), undefined);
  assert.equal(await place({ HOME: "" }), "HOME is not set");
  for (const name of ["none", "file"])
    assert.match((await place({ HOME: join(home, name) })) ?? "", /^HOME is not a folder: /);
});

test("openCache: finds caches of other spellings, ignores damaged files, and warns once if it cannot write", async (t) => {
  const folder = temporaryFolder(t);
  const { follow, files } = repository({ roots: 3 });
  const followed = await follow();
  const open = (address: string, env: Record<string, string> = { TUF_ROOT: folder }, options = {}) => {
    const io = testIo({ env });
    return { io, cache: openCache(io, new URL(address), options) };
  };
  const cache = await open("https://TUF.example/repo/").cache;
  assert.equal(cache.root, undefined);
  await assert.rejects(cache.source.timestamp(), {
    code: "input",
    message: /timestamp\.json is not cached in .*tuf\.example-repo/,
  });
  await assert.rejects(cache.source.target("f", { hash: undefined, length: 1 }), {
    message: /targets\/f is not cached/,
  });
  assert.equal(await cache.source.root(1), undefined);
  await cache.keep(followed, new Map([["f.json", Buffer.from("one")]]));
  await cache.keep(followed, new Map([["f.json", Buffer.from("two")]]));
  assert.equal(readFileSync(join(folder, "tuf.example-repo/targets/f.json"), "utf8"), "two");
  const again = await open("https://tuf.example/repo").cache;
  assert.equal(Buffer.from((await again.target("f.json")) ?? "").toString(), "two");
  assert.equal(await again.target("../root.json"), undefined);
  assert.deepEqual(Buffer.from(await again.source.timestamp()), files.timestamp);
  assert.deepEqual(Buffer.from(await again.source.metadata("snapshot", undefined)), files.snapshot);
  const versions = await Promise.all(
    [1, 2, 3, 4].map(async (version) => (await again.source.root(version)) !== undefined),
  );
  assert.deepEqual(versions, [false, true, true, false]);
  mkdirSync(join(folder, "other.example-443-x"));
  writeFileSync(join(folder, "other.example-443-x/root.json"), "{");
  const spelt = await open("https://other.example/x").cache;
  assert.equal(Buffer.from(spelt.root ?? "").toString(), "{");
  assert.equal(await spelt.source.root(1), undefined);
  assert.equal((await open("https://other.example/x", undefined, { usual: true }).cache).root, undefined);
  mkdirSync(join(folder, "plain.example-80"));
  writeFileSync(join(folder, "plain.example-80/root.json"), "80");
  assert.equal(Buffer.from((await open("http://plain.example/").cache).root ?? "").toString(), "80");

  const bad = open("https://tuf.example/repo");
  await (await bad.cache).keep(followed, new Map([["a/b", Buffer.from("x")]]));
  assert.match(bad.io.err(), /^WARNING: cannot cache trust material: TUF: invalid target name: "a\/b"\n$/);
  const homeless = open("https://tuf.example/repo", { HOME: "" });
  for (let times = 0; times < 2; times++) await (await homeless.cache).keep(followed, new Map());
  assert.match(homeless.io.err(), /^WARNING: cannot cache trust material[^\n]* HOME is not set; [^\n]*\n$/);
  assert.ok(!existsSync("/.sigstore"));
});

test("openCache: errors other than TsignError are thrown", async () => {
  const { follow } = repository();
  const followed = await follow();
  const broken = () => Promise.reject(new RangeError("defect"));
  const io = testIo({
    env: { TUF_ROOT: "/none" },
    io: { files: { stat: broken, makeDirectory: broken } as never as Io["files"] },
  });
  await assert.rejects(openCache(io, new URL("https://tuf.example"), { usual: true }), RangeError);
  const stat = async () => undefined;
  const writing = testIo({
    env: { TUF_ROOT: "/none" },
    io: { files: { stat, makeDirectory: broken } as never as Io["files"] },
  });
  const cache = await openCache(writing, new URL("https://tuf.example"));
  await assert.rejects(cache.keep(followed, new Map()), RangeError);
});
