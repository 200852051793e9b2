import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { canonicalJson } from "../src/sandbox/logs/canonical.ts";
import { readAll, readOne } from "../src/sandbox/pki/der.ts";
import { withAuth } from "../src/sandbox/registry/auth.ts";
import { createRegistryHandler } from "../src/sandbox/registry/registry.ts";
import { parseClock } from "../src/sandbox/server/clock.ts";
import { FAULTS, type Fault, parseFault } from "../src/sandbox/server/faults.ts";
import { exchange, testSigstore } from "./support/sandbox.ts";
import { ALICE, ask, timestamp, timestampRequest } from "./support/sandbox-client.ts";
import { temporaryFolder, testIo } from "./support/test-io.ts";

test("timestamp authority: nonce and certificates as requested", async () => {
  const sandbox = await testSigstore();
  const parts = async (options: object) => {
    const [status, content] = readAll(readOne(await timestamp(sandbox, Buffer.from("signature"), options)).content);
    const [, signedData] = readAll(content?.content ?? Buffer.alloc(0));
    const data = readAll(readOne(readOne(signedData?.content ?? Buffer.alloc(0)).raw).content);
    const [, wrapped] = readAll(data[2]?.content ?? Buffer.alloc(0));
    const info = readAll(readOne(readOne(wrapped?.content ?? Buffer.alloc(0)).content).content);
    return { status: status?.content.toString("hex"), certificates: data.some(({ tag }) => tag === 0xa0), info };
  };
  const bare = await parts({});
  assert.equal(bare.status, "020100");
  assert.equal(bare.certificates, false);
  assert.equal(bare.info.length, 6);
  const full = await parts({ full: true });
  assert.equal(full.certificates, true);
  assert.equal(full.info.at(-1)?.raw.toString("hex"), "0204075bcd15");
});

test("timestamp authority: JSON request -> timestamp; invalid JSON -> refused", async () => {
  const sandbox = await testSigstore();
  const digest = createHash("sha256").update("signature").digest();
  const headers = { "content-type": "application/json" };
  const send = (body: unknown) => ask(sandbox, "POST", "/api/v1/timestamp", { body, headers });
  const request = { artifactHash: digest.toString("base64"), hashAlgorithm: "sha256" };
  const bare = await send(request);
  assert.equal(bare.status, 201);
  assert.ok(bare.bytes.includes(digest));
  const full = await send({ ...request, nonce: 123456789, certificates: true });
  assert.ok(full.bytes.includes(Buffer.from("0204075bcd15", "hex")));
  assert.ok(full.bytes.length > bare.bytes.length + 300);
  const sha512 = createHash("sha512").update("signature").digest();
  assert.equal((await send({ artifactHash: sha512.toString("base64"), hashAlgorithm: "SHA512" })).status, 201);
  const bad: Record<string, unknown> = {
    "no hash": { hashAlgorithm: "sha256" },
    "no algorithm": { artifactHash: request.artifactHash },
    "a hash of another length": { ...request, artifactHash: sha512.toString("base64") },
    "a hash that is not base64": { ...request, artifactHash: "not base64!" },
    SHA1: { artifactHash: digest.subarray(0, 20).toString("base64"), hashAlgorithm: "sha1" },
    "an unknown algorithm": { ...request, hashAlgorithm: "constructor" },
    "a nonce that is text": { ...request, nonce: "1" },
    "certificates that are text": { ...request, certificates: "yes" },
    DER: timestampRequest(Buffer.from("signature")),
    list: [],
  };
  for (const [name, body] of Object.entries(bad)) assert.equal((await send(body)).status, 400, name);
  const der = { "content-type": "application/timestamp-query" };
  assert.equal((await ask(sandbox, "POST", "/api/v1/timestamp", { body: request, headers: der })).status, 400);
});

test("timestamp authority: SHA-1 or unknown hash -> rejected; invalid request -> 400", async () => {
  const sandbox = await testSigstore();
  for (const hash of ["1.3.14.3.2.26", "2.16.840.1.101.3.4.2.4"]) {
    const [status, ...rest] = readAll(readOne(await timestamp(sandbox, Buffer.from("x"), { hash })).content);
    assert.equal(status?.content.toString("hex"), "02010203020780");
    assert.deepEqual(rest, []);
  }
  const good = timestampRequest(Buffer.from("x"));
  for (const body of [
    Buffer.from("{}"),
    good.subarray(0, -1),
    Buffer.concat([good, Buffer.from([0])]),
    Buffer.from([0x30]),
  ]) {
    assert.equal((await ask(sandbox, "POST", "/api/v1/timestamp", { body })).status, 400);
  }
});

interface Signed {
  signatures: { keyid: string; sig: string }[];
  signed: {
    version: number;
    expires: string;
    keys: Record<string, { keyval: { public: string } }>;
    roles: Record<string, { keyids: string[] }>;
    meta: Record<string, Described>;
    targets: Record<string, Described>;
  };
}
interface Described {
  version: number;
  length: number;
  hashes: { sha256: string };
}

test("TUF repository: root -> trusted root; versions increase", async (t) => {
  const folder = temporaryFolder(t);
  const versions: number[] = [];
  for (const clock of ["", "+1h"]) {
    const sandbox = await testSigstore({ folder, clock: parseClock(clock, testIo()) });
    const root = JSON.parse(sandbox.files["tuf_root.json"]) as Signed;
    const check = (role: string, document: Signed) => {
      const [signature] = document.signatures;
      assert.ok(root.signed.roles[role]?.keyids.includes(signature?.keyid ?? ""), role);
      const raw = root.signed.keys[signature?.keyid ?? ""]?.keyval.public ?? "";
      const der = Buffer.from(`302a300506032b6570032100${raw}`, "hex");
      const key = createPublicKey({ key: der, type: "spki", format: "der" });
      assert.ok(
        verify(null, Buffer.from(canonicalJson(document.signed)), key, Buffer.from(signature?.sig ?? "", "hex")),
      );
      assert.ok(new Date(document.signed.expires) > new Date());
      return document.signed;
    };
    const fetch = async (path: string, described?: Described) => {
      const { status, bytes } = await ask(sandbox, "GET", `/tuf/${path}`);
      assert.equal(status, 200, path);
      if (described) {
        assert.equal(bytes.length, described.length);
        assert.equal(createHash("sha256").update(bytes).digest("hex"), described.hashes.sha256);
      }
      return bytes.toString();
    };
    check("root", root);
    assert.equal(await fetch("1.root.json"), sandbox.files["tuf_root.json"]);
    const timestamped = check("timestamp", JSON.parse(await fetch("timestamp.json")));
    const { version } = timestamped;
    const snapshot = check(
      "snapshot",
      JSON.parse(await fetch(`${version}.snapshot.json`, timestamped.meta["snapshot.json"])),
    );
    const targets = check("targets", JSON.parse(await fetch(`${version}.targets.json`, snapshot.meta["targets.json"])));
    const names = {
      "trusted_root.json": sandbox.trustedRoot,
      "signing_config.v0.2.json": sandbox.signingConfig.rekor2,
    };
    for (const [name, content] of Object.entries(names)) {
      const target = targets.targets[name];
      assert.equal(await fetch(`targets/${target?.hashes.sha256}.${name}`, target), content);
    }
    assert.equal((await ask(sandbox, "GET", "/tuf/2.root.json")).status, 404);
    versions.push(version);
  }
  assert.ok((versions[1] ?? 0) > (versions[0] ?? 0));
});

test("sandbox: other hosts and browsers -> refused; request size is limited", async () => {
  const sandbox = await testSigstore();
  const get = async (headers: Record<string, string>) => (await ask(sandbox, "GET", "/mint", { headers })).status;
  assert.equal(await get({}), 200);
  assert.equal(await get({ host: "localhost:1" }), 200);
  for (const host of ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", ""]) {
    assert.equal(await get({ host }), 421, host);
  }
  assert.equal(await get({ origin: "http://127.0.0.1:1" }), 403);
  assert.equal(await get({ "sec-fetch-site": "cross-site" }), 403);
  assert.equal((await ask(sandbox, "GET", "/nonsense")).status, 404);
  assert.equal((await ask(sandbox, "DELETE", "/mint")).status, 404);
  const limits = {
    "/api/v1/timestamp": 65,
    "/token": 65,
    "/api/v2/signingCert": 257,
    "/api/v1/log/entries": 32 * 1024 + 1,
  };
  for (const [path, kilobytes] of Object.entries(limits)) {
    const answered = await ask(sandbox, "POST", path, { body: Buffer.alloc(kilobytes * 1024) });
    assert.equal(answered.status, 413, path);
  }
});

test("faults: occur for the given service as often as set", async () => {
  const sandbox = await testSigstore();
  const mint = () => ask(sandbox, "GET", "/mint");
  sandbox.faults.add(parseFault("oidc:rate-limit=7*1"));
  const limited = await mint();
  assert.deepEqual([limited.status, limited.headers["retry-after"]], [429, "7"]);
  assert.equal((await mint()).status, 200);
  sandbox.faults.add({ service: "oidc", kind: "status", value: "503", path: "/jwks" });
  assert.equal((await mint()).status, 200);
  for (let count = 0; count < 3; count++) assert.equal((await ask(sandbox, "GET", "/jwks")).status, 503);
  sandbox.faults.clear();
  assert.equal((await ask(sandbox, "GET", "/jwks")).status, 200);
  sandbox.faults.add(parseFault("oidc:garbage*1"));
  assert.match((await mint()).bytes.toString(), /not what you asked for/);
  for (const kind of ["torn", "cut"] as const) {
    sandbox.faults.add({ service: "oidc", kind, times: 1 });
    await assert.rejects(mint(), { code: "network" }, kind);
    assert.equal((await mint()).status, 200);
  }
  sandbox.faults.add(parseFault("oidc:slow=1*1"));
  assert.equal((await mint()).status, 200);
  sandbox.faults.add(parseFault("registry:torn*1"));
  const upload = () => ask(sandbox, "POST", "/v2/app/blobs/uploads/", { body: Buffer.from("blob") });
  await assert.rejects(upload(), { code: "network" });
  assert.equal((await upload()).status, 202);
});

test("faults, clocks: invalid text -> refused", () => {
  const read: Fault = { service: "rekor1", kind: "slow", value: "20", times: 3 };
  assert.deepEqual(parseFault("rekor1:slow=20*3"), read);
  for (const kind of Object.keys(FAULTS)) assert.equal(parseFault(`tsa:${kind}`).kind, kind);
  for (const bad of [
    "",
    "rekor1",
    "rekor9:slow",
    "rekor1:other",
    "rekor1:toString",
    "rekor1:slow*x",
    "rekor1:slow=1*2*3",
  ]) {
    assert.throws(() => parseFault(bad), { code: "usage" }, bad);
  }
  const now = new Date("2026-05-05T12:00:00Z");
  const at = (text: string) => parseClock(text, { now: () => now })().toISOString();
  assert.equal(at(""), now.toISOString());
  assert.equal(at("+1h30m"), "2026-05-05T13:30:00.000Z");
  assert.equal(at("-36h"), "2026-05-04T00:00:00.000Z");
  assert.equal(at("2020-01-02T03:04:05Z"), "2020-01-02T03:04:05.000Z");
  for (const bad of ["+", "tomorrow", "2020", "+1d", "2020-13-01T00:00:00Z"]) {
    assert.throws(() => parseClock(bad, { now: () => now }), { code: "usage" }, bad);
  }
});

test("registries with a login: no credentials -> 401", async () => {
  const io = testIo();
  const random = (bytes: number) => io.random(bytes);
  const login = { authorization: `Basic ${Buffer.from("sandbox:sandbox").toString("base64")}` };
  const send = async (kind: "basic" | "bearer") => {
    const handler = withAuth(createRegistryHandler({ referrers: true }), { kind, random });
    return async (path: string, headers: Record<string, string> = {}) => {
      const url = new URL(path, "http://127.0.0.1:1");
      const response = await exchange(handler, { url, method: "GET", headers, signal: io.signal });
      let text = "";
      for await (const piece of response.body) text += Buffer.from(piece).toString();
      return { status: response.status, challenge: response.headers["www-authenticate"] ?? "", text };
    };
  };
  const basic = await send("basic");
  assert.equal((await basic("/v2/")).status, 401);
  assert.match((await basic("/v2/")).challenge, /^Basic /);
  const wrong = { authorization: `Basic ${Buffer.from("sandbox:wrong").toString("base64")}` };
  assert.equal((await basic("/v2/", wrong)).status, 401);
  assert.equal((await basic("/v2/", login)).status, 200);
  const bearer = await send("bearer");
  const { status, challenge } = await bearer("/v2/app/manifests/v1");
  assert.equal(status, 401);
  assert.match(challenge, /^Bearer realm="http:\/\/127\.0\.0\.1:1\/token",.*scope="repository:app:pull,push"$/);
  assert.equal((await bearer("/token")).status, 401);
  assert.equal((await bearer("/v2/", login)).status, 401);
  const { token } = JSON.parse((await bearer("/token", login)).text) as { token: string };
  assert.equal((await bearer("/v2/", { authorization: `Bearer ${token}` })).status, 200);
  assert.equal((await bearer("/v2/", { authorization: "Bearer other" })).status, 401);
});

test("tokens: times are those of the sandbox's clock", async () => {
  const sandbox = await testSigstore({ clock: () => new Date("2025-01-01T00:00:00Z") });
  const claims = JSON.parse(Buffer.from(sandbox.mint(ALICE).split(".")[1] ?? "", "base64url").toString());
  assert.equal(claims.iat, Date.parse("2025-01-01T00:00:00Z") / 1000);
});
