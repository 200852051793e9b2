import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { temporaryFolder, testIo } from "../../../test/support/test-io.ts";
import { TsignError } from "../../errors.ts";
import { currentRepository, loadTarget } from "./index.ts";

const MIRROR = "http://tuf.example/repo";
const DAY = 86_400_000;
const ROLES = ["root", "timestamp", "snapshot", "targets"] as const;
type Role = (typeof ROLES)[number];

const newKey = () => generateKeyPairSync("ed25519").privateKey;
const publicHex = (key: KeyObject) => Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url").toString("hex");

/** Returns JSON with sorted keys, which for this content is the canonical JSON that TUF signs. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, each]) => `${JSON.stringify(key)}:${canonical(each)}`).join(",")}}`;
}

const idOf = (key: KeyObject) => createHash("sha256").update(publicHex(key)).digest("hex");

/** A repository in memory, which tests change. */
function repository(
  keys: Record<Role, KeyObject> = { root: newKey(), timestamp: newKey(), snapshot: newKey(), targets: newKey() },
) {
  const files = new Map<string, Buffer>();
  const put = (name: string, signed: object, by: readonly KeyObject[]) => {
    const signatures = by.map((key) => ({
      keyid: idOf(key),
      sig: sign(null, Buffer.from(canonical(signed)), key).toString("hex"),
    }));
    files.set(name, Buffer.from(JSON.stringify({ signatures, signed })));
    return files.get(name) ?? assert.fail();
  };
  const head = (role: Role, version: number, expires = Date.now() + DAY) => ({
    _type: role,
    spec_version: "1.0.31",
    version,
    expires: new Date(expires).toISOString().replace(/\.\d+Z$/, "Z"),
  });
  const meta = (bytes: Buffer, version: number) => ({
    version,
    length: bytes.length,
    hashes: { sha256: createHash("sha256").update(bytes).digest("hex") },
  });
  const root = (version: number, current: Record<Role, KeyObject>, by: readonly KeyObject[], expires?: number) =>
    put(
      `${version}.root.json`,
      {
        ...head("root", version, expires),
        consistent_snapshot: true,
        keys: Object.fromEntries(
          ROLES.map((role) => [
            idOf(current[role]),
            { keytype: "ed25519", scheme: "ed25519", keyval: { public: publicHex(current[role]) } },
          ]),
        ),
        roles: Object.fromEntries(ROLES.map((role) => [role, { keyids: [idOf(current[role])], threshold: 1 }])),
      },
      by,
    );
  const publish = (
    version: number,
    content: string,
    options: { expires?: number; by?: Record<Role, KeyObject>; more?: Record<string, object> } = {},
  ) => {
    const { expires, by = keys, more = {} } = options;
    const target = Buffer.from(content);
    const hash = createHash("sha256").update(target).digest("hex");
    files.set(`targets/${hash}.trusted_root.json`, target);
    const file = { length: target.length, hashes: { sha256: hash } };
    const others = Object.entries(more).map(([name, fields]) => [name, { ...file, ...fields }]);
    const listed = { "trusted_root.json": file, ...Object.fromEntries(others) };
    const targets = put(`${version}.targets.json`, { ...head("targets", version), targets: listed }, [by.targets]);
    const snapshotMeta = { "targets.json": meta(targets, version) };
    const snapshot = put(`${version}.snapshot.json`, { ...head("snapshot", version, expires), meta: snapshotMeta }, [
      by.snapshot,
    ]);
    const timestampMeta = { "snapshot.json": meta(snapshot, version) };
    put("timestamp.json", { ...head("timestamp", version, expires), meta: timestampMeta }, [by.timestamp]);
  };
  const anchor = root(1, keys, [keys.root]);
  publish(1, "first");
  return { files, keys, anchor, root, publish };
}

type Repository = ReturnType<typeof repository>;

/** Reads the target with a cache folder, from the repository or a mirror that is down. */
function client(folder: string, repo: Repository, options: { down?: boolean; now?: number; mirror?: string } = {}) {
  writeFileSync(join(folder, "anchor.json"), repo.anchor);
  const env = {
    TUF_ROOT: join(folder, "cache"),
    TUF_MIRROR: options.mirror ?? MIRROR,
    TUF_ROOT_JSON: join(folder, "anchor.json"),
  };
  const io = testIo({
    cwd: folder,
    env,
    io: {
      now: () => new Date(options.now ?? Date.now()),
      sleep: async (milliseconds, signal) =>
        milliseconds > 1000 ? new Promise((_, stop) => signal?.addEventListener("abort", stop)) : undefined,
      http: async ({ url }) => {
        if (options.down) throw new TsignError("network", `connect to ${url.host}`);
        const file = repo.files.get(decodeURIComponent(url.pathname.slice("/repo/".length)));
        return {
          status: file ? 200 : 404,
          headers: {},
          body: (async function* () {
            if (file) yield file;
          })(),
          discard: () => {},
        };
      },
    },
  });
  return { io, read: async () => Buffer.from(await loadTarget(io, "trusted_root.json")).toString() };
}

test("openTuf: follows new versions and new keys to the target", async (t) => {
  const folder = temporaryFolder(t);
  const repo = repository();
  assert.equal(await client(folder, repo).read(), "first");
  repo.publish(2, "second");
  assert.equal(await client(folder, repo).read(), "second");
  const next = { ...repo.keys, root: newKey(), timestamp: newKey() };
  repo.root(2, next, [repo.keys.root, next.root]);
  repo.publish(3, "third", { by: next });
  assert.equal(await client(folder, repo).read(), "third");
});

test("openTuf: unreachable mirror -> uses the cache with a warning, also after a root rotation", async (t) => {
  const folder = temporaryFolder(t);
  const repo = repository();
  const next = { ...repo.keys, root: newKey() };
  repo.root(2, next, [repo.keys.root, next.root]);
  repo.publish(2, "kept", { by: next });
  await assert.rejects(client(folder, repo, { down: true }).read(), { code: "network", hint: /--trusted-root/ });
  assert.equal(await client(folder, repo).read(), "kept");
  const offline = client(folder, repo, { down: true });
  assert.equal(await offline.read(), "kept");
  assert.match(offline.io.err(), /WARNING: the TUF mirror: connect to tuf\.example.*; using cached trust material/);
  const expired = client(folder, repo, { down: true, now: Date.now() + 2 * DAY });
  await assert.rejects(expired.read(), /(root|targets)\.json expired/, "root and targets must be current");
});

test("openTuf: rollback, wrong signature, mismatch or expired metadata -> refused", async (t) => {
  const otherKey = newKey();
  const refusals: Record<string, [change: (repo: Repository) => void, reason: RegExp]> = {
    "older than before": [(repo) => repo.publish(1, "old"), /older than the one seen before/],
    "a timestamp by another key": [
      (repo) => repo.publish(3, "x", { by: { ...repo.keys, timestamp: otherKey } }),
      /timestamp\.json is not signed/,
    ],
    "a snapshot by another key": [
      (repo) => repo.publish(3, "x", { by: { ...repo.keys, snapshot: otherKey } }),
      /snapshot\.json is not signed/,
    ],
    "targets by another key": [
      (repo) => repo.publish(3, "x", { by: { ...repo.keys, targets: otherKey } }),
      /targets\.json is not signed/,
    ],
    expired: [(repo) => repo.publish(3, "x", { expires: Date.now() - DAY }), /timestamp\.json .* expired/],
    "a target of another content": [
      (repo) => {
        repo.publish(3, "right");
        for (const [name] of repo.files) if (name.startsWith("targets/")) repo.files.set(name, Buffer.from("wrong"));
      },
      /trusted_root\.json sha256 mismatch/,
    ],
    "a snapshot of another content": [
      (repo) => {
        repo.publish(3, "right");
        repo.files.set("3.snapshot.json", repo.files.get("2.snapshot.json") ?? assert.fail());
      },
      /snapshot\.json version mismatch: got 2, want 3/,
    ],
    "a root that the one before did not sign": [
      (repo) => repo.root(2, { ...repo.keys, root: otherKey }, [otherKey]),
      /root\.json is not signed/,
    ],
    "a root of a wrong version": [
      (repo) => repo.files.set("2.root.json", repo.files.get("1.root.json") ?? assert.fail()),
      /2\.root\.json version mismatch/,
    ],
    "no JSON": [(repo) => repo.files.set("timestamp.json", Buffer.from("<html>")), /timestamp\.json is malformed/],
  };
  for (const [name, [change, reason]] of Object.entries(refusals)) {
    const folder = temporaryFolder(t);
    const repo = repository();
    repo.publish(2, "seen");
    assert.equal(await client(folder, repo).read(), "seen");
    change(repo);
    const hint = name === "expired" ? /^update the mirror .*this machine's clock, which is at \d{4}-/ : undefined;
    const expected = { code: "untrusted", message: reason, ...(hint ? { hint } : {}) };
    await assert.rejects(client(folder, repo).read(), expected, name);
  }
});

test("openTuf: damaged or unwritable cache -> still works", async (t) => {
  const folder = temporaryFolder(t);
  const repo = repository();
  assert.equal(await client(folder, repo).read(), "first");
  const cache = join(folder, "cache/tuf.example-repo");
  for (const name of ["timestamp.json", "snapshot.json", "root.json", "targets/trusted_root.json"]) {
    assert.ok(readFileSync(join(cache, name)).length > 0, "cosign's layout");
    writeFileSync(join(cache, name), "torn");
    assert.equal(await client(folder, repo).read(), "first", name);
  }
  rmSync(join(folder, "cache"), { recursive: true });
  writeFileSync(join(folder, "cache"), "a file where the folder should be");
  const readOnly = client(folder, repo);
  assert.equal(await readOnly.read(), "first");
  assert.match(readOnly.io.err(), /WARNING: cannot cache trust material/);
});

test("openTuf: parallel runs share one cache", async (t) => {
  const folder = temporaryFolder(t);
  const repo = repository();
  const read = await Promise.all(Array.from({ length: 12 }, () => client(folder, repo).read()));
  assert.deepEqual(new Set(read), new Set(["first"]));
});

test("openTuf: mirror in a folder -> works, and names a missing file", async (t) => {
  const folder = temporaryFolder(t);
  const repo = repository();
  repo.root(2, repo.keys, [repo.keys.root]);
  const copy = () => {
    mkdirSync(join(folder, "a copy/targets"), { recursive: true });
    for (const [name, bytes] of repo.files) writeFileSync(join(folder, "a copy", name), bytes);
  };
  const mirror = `${pathToFileURL(join(folder, "a copy"))}/`;
  await assert.rejects(client(folder, repo, { mirror }).read(), {
    code: "service",
    message: /file not found: .*timestamp/,
  });
  copy();
  assert.equal(await client(folder, repo, { mirror }).read(), "first");
  repo.publish(2, "x", { by: { ...repo.keys, targets: newKey() } });
  copy();
  await assert.rejects(client(folder, repo, { mirror }).read(), { code: "untrusted", message: /targets\.json is not/ });
});

test("openCache: finds cosign's cache of a mirror with any spelling of its address", async (t) => {
  for (const name of ["tuf.example-repo-", "tuf.example-80-repo", "tuf.example-80-repo-"]) {
    const folder = temporaryFolder(t);
    const repo = repository();
    assert.equal(await client(folder, repo).read(), "first");
    const kept = (each: string) => join(folder, "cache", each);
    renameSync(kept("tuf.example-repo"), kept(name));
    assert.equal(await client(folder, repo, { down: true }).read(), "first", name);
    renameSync(kept(name), kept("tuf.example-other"));
    await assert.rejects(client(folder, repo, { down: true }).read(), { code: "network" }, "another mirror's");
  }
});

test("listed: returns the targets with a usage from their metadata, else from well-known names", async (t) => {
  const uses = async (more: Record<string, object>) => {
    const repo = repository();
    repo.publish(2, "x", { more });
    const { io } = client(temporaryFolder(t), repo);
    return (await currentRepository(io)).listed().map(({ name, usage, uri }) => `${name} ${usage} ${uri}`);
  };
  const used = (usage: string, uri?: string) => ({
    custom: { sigstore: { usage, status: "Active", ...(uri ? { uri } : {}) } },
  });
  assert.deepEqual(await uses({}), []);
  assert.deepEqual(await uses({ "z.pem": used("Fulcio", "https://f"), "a.pub": used("Rekor"), b: used("Unknown") }), [
    "a.pub Rekor ",
    "z.pem Fulcio https://f",
  ]);
  assert.deepEqual(await uses({ "rekor.pub": {}, "ctfe.pub": {}, "fulcio_v1.crt.pem": {}, "artifact.pub": {} }), [
    "ctfe.pub CTFE ",
    "fulcio_v1.crt.pem Fulcio ",
    "rekor.pub Rekor ",
  ]);
  assert.deepEqual(await uses({ "rekor.pub": {}, "mine.pub": used("Rekor") }), ["mine.pub Rekor "], "metadata decides");
  assert.deepEqual(await uses({ a: { custom: null }, b: { custom: { sigstore: "Fulcio" } }, c: { custom: [] } }), []);
});

test("openTuf: root with unsafe keys -> refused", async (t) => {
  const small = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from([1, ...new Uint8Array(31)]).toString("base64url") },
    format: "jwk",
  });
  const repo = repository();
  assert.equal(await client(temporaryFolder(t), repo).read(), "first");
  const anchor = JSON.parse(repo.anchor.toString());
  const [id] = anchor.signed.roles.timestamp.keyids;
  anchor.signed.keys[id].keyval.public = publicHex(small);
  const signed = sign(null, Buffer.from(canonical(anchor.signed)), repo.keys.root).toString("hex");
  anchor.signatures[0].sig = signed;
  const weak = { ...repo, anchor: Buffer.from(JSON.stringify(anchor)) };
  await assert.rejects(client(temporaryFolder(t), weak).read(), {
    code: "untrusted",
    message: /unusable key .* in the root: it is a point of small order/,
  });
});
