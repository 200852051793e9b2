import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { type FakeReply, refuses, serviceIo } from "../../test/support/fake-service.ts";
import { testIo } from "../../test/support/test-io.ts";
import type { HttpRequest } from "../io/io.ts";
import { Rekor2Log } from "../sandbox/logs/rekor2/log.ts";
import { verifyLogEntry } from "../verify/log-entry.ts";
import { entriesByUuid, leafHex, searchIndex } from "./rekor-search.ts";
import { entryAtIndexV2 } from "./rekor-v2-read.ts";

const REKOR = new URL("https://rekor.example/");
const [ONE, TWO] = ["1".repeat(64), `${"0".repeat(15)}a${"2".repeat(64)}`];

test("searchIndex: sends what is searched for, and returns each UUID once", async () => {
  const { io, asked } = serviceIo(() => ({ json: [ONE, TWO, ONE] }));
  const query = { digest: "sha256:00", email: "a@example.com", publicKey: "PEM", operator: "and" } as const;
  assert.deepEqual(await searchIndex(io, REKOR, query), [ONE, TWO]);
  await searchIndex(io, REKOR, { operator: "or" });
  const publicKey = { format: "x509", content: Buffer.from("PEM").toString("base64") };
  assert.deepEqual(
    asked.map(({ json }) => json),
    [{ hash: "sha256:00", email: "a@example.com", publicKey, operator: "and" }, { operator: "or" }],
  );
  assert.deepEqual(await searchIndex(serviceIo(() => ({ text: "null" })).io, REKOR, query), []);
});

test("searchIndex: refusals and answers of another form -> error", async () => {
  const answers: [FakeReply, string, RegExp][] = [
    [{ status: 501, json: { message: "no index" } }, "service", /501: no index\nuse another log/],
    [{ status: 403, text: "no" }, "auth", /403: no/],
    [{ status: 400, text: "no" }, "service", /400: no/],
    [{ json: { uuids: [] } }, "service", /invalid list of UUIDs/],
    [{ json: [ONE, 1] }, "service", /invalid list of UUIDs/],
    [{ json: [ONE, "A".repeat(64)] }, "service", /invalid list of UUIDs/],
    [{ json: Array.from({ length: 100_001 }, () => ONE) }, "service", /invalid list of UUIDs/],
  ];
  for (const [reply, code, text] of answers) {
    await refuses(searchIndex(serviceIo(() => reply).io, REKOR, { operator: "or" }), { code, text });
  }
});

test("entriesByUuid: ten at a time; another entry, another form and refusals -> error", async () => {
  const logged = (n: number) => {
    const body = Buffer.from(JSON.stringify({ kind: "hashedrekord", apiVersion: "0.0.1", n }));
    const uuid = leafHex({ canonicalizedBody: body });
    const entry = { body: body.toString("base64"), integratedTime: 1, logID: "00".repeat(32), logIndex: n };
    return { uuid, answer: { [uuid]: entry } };
  };
  const entries = Array.from({ length: 12 }, (_, n) => logged(n));
  const { io, asked } = serviceIo(({ json }) => ({
    json: entries.filter(({ uuid }) => (json["entryUUIDs"] as string[]).includes(uuid)).map(({ answer }) => answer),
  }));
  const uuids = entries.map(({ uuid }) => uuid);
  const found = await entriesByUuid(io, REKOR, uuids);
  assert.deepEqual(
    found.map(({ uuid }) => uuid),
    uuids,
  );
  assert.equal(asked.length, 2);
  const answers: [FakeReply, string, RegExp][] = [
    [{ json: [logged(99).answer] }, "service", /another log entry than was asked for/],
    [{ json: [logged(0).answer, logged(1).answer] }, "service", /invalid log entry/],
    [{ json: {} }, "service", /invalid log entry/],
    [{ status: 404, text: "gone" }, "service", /404: gone/],
  ];
  for (const [reply, code, text] of answers) {
    await refuses(entriesByUuid(serviceIo(() => reply).io, REKOR, [logged(0).uuid]), { code, text });
  }
  assert.deepEqual(await entriesByUuid(serviceIo(() => ({ json: [7] })).io, REKOR, [ONE]), []);
});

type Change = (path: string, bytes: Uint8Array | undefined) => Uint8Array | number | undefined;

/** A Rekor v2 log of so many entries, whose answers can be changed, with the key to trust. */
async function v2Log(size: number) {
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = createPublicKey(privateKey);
  const log = new Rekor2Log({
    signingKey: { key: privateKey, spki: key.export({ type: "spki", format: "der" }) } as never,
    journal: { entries: [], append: async () => {} } as never,
    origin: "log.example",
  });
  for (let n = 0; n < size; n++) {
    const body = Buffer.from(JSON.stringify({ kind: "hashedrekord", apiVersion: "0.0.2", n }));
    await log.add({ kind: "hashedrekord", version: "0.0.2", body });
  }
  const answer = (path: string) => {
    if (path === "checkpoint") return Buffer.from(log.checkpoint());
    const tile = path.replace("tile/", "");
    return tile.startsWith("entries/") ? log.entries(tile.slice("entries/".length)) : log.tile(tile);
  };
  const get = (index: number, change: Change = (_, bytes) => bytes) => {
    const http = async ({ url }: HttpRequest) => {
      const path = url.pathname.replace("/api/v2/", "");
      const changed = change(path, answer(path));
      const body = (async function* () {
        if (changed instanceof Uint8Array) yield changed;
      })();
      const status = typeof changed === "number" ? changed : changed ? 200 : 404;
      return { status, headers: {}, body, discard() {} };
    };
    return entryAtIndexV2(testIo({ io: { http } }), new URL("http://log.example/api/v2"), index);
  };
  const validFor = { start: new Date(0), end: undefined };
  return { get, trusted: { baseUrl: "https://log.example", id: log.keyId, key, validFor } };
}

test("entryAtIndexV2: invalid checkpoints, tiles and refusals -> error", async () => {
  const { get } = await v2Log(5);
  const checkpoint = (size: string, root: string) => (path: string, bytes: Uint8Array | undefined) =>
    path === "checkpoint" ? Buffer.from(`log.example\n${size}\n${root}\n\n`) : bytes;
  const root = Buffer.alloc(32).toString("base64");
  const only = (part: string, answer: Uint8Array | number) => (path: string, bytes: Uint8Array | undefined) =>
    path.includes(part) ? answer : bytes;
  const changes: [Change, string, RegExp][] = [
    [checkpoint("x", root), "service", /invalid checkpoint/],
    [checkpoint("9".repeat(16), root), "service", /invalid checkpoint/],
    [checkpoint("5", "AAAA"), "service", /invalid checkpoint/],
    [checkpoint("5", "?"), "service", /invalid checkpoint/],
    [only("checkpoint", Buffer.from("")), "service", /invalid checkpoint/],
    [only("checkpoint", 404), "service", /404/],
    [checkpoint("2", root), "input", /no such log entry: 4; the size of the log at log\.example is 2/],
    [only("tile/entries", Buffer.from([0])), "service", /invalid log entry/],
    [only("tile/entries", Buffer.from([0, 9, 1])), "service", /invalid log entry/],
    [only("tile/entries", 403), "auth", /403/],
    [only("tile/entries", 404), "service", /404/],
    [only("tile/0", Buffer.alloc(33)), "service", /incomplete tile/],
  ];
  for (const [change, code, text] of changes) await refuses(get(4, change), { code, text });
});

test("entryAtIndexV2: a log that keeps full tiles only, and numbers of more than three digits", async () => {
  const { get, trusted } = await v2Log(300);
  const first = await get(7);
  assert.equal(verifyLogEntry(first, [trusted]).treeSize, "300");
  const asked: string[] = [];
  const grown: Change = (path, bytes) => {
    asked.push(path);
    return path.endsWith(".p/44") ? undefined : bytes;
  };
  // The log of this test has not grown, so that the full tile that is asked for instead is missing.
  await refuses(get(299, grown), { code: "service", text: /404/ });
  assert.ok(asked.includes("tile/entries/001"), asked.join(" "));

  const large: Change = (path) => {
    asked.push(path);
    const root = Buffer.alloc(32).toString("base64");
    return path === "checkpoint" ? Buffer.from(`log.example\n500000000\n${root}\n\n`) : undefined;
  };
  await refuses(get(400_000_000, large), { code: "service", text: /404/ });
  assert.ok(asked.includes("tile/entries/x001/x562/500"), asked.join(" "));
});
