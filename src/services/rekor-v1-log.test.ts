import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeReply, refuses, serviceIo } from "../../test/support/fake-service.ts";
import { serviceClient } from "./exchange.ts";
import { consistencyV1, entryBodies, logInfo } from "./rekor-v1-log.ts";

const URL_OF_LOG = new URL("https://rekor.example/");
const SHARD = { treeID: "12", treeSize: 3, signedTreeHead: "head" };
const TREE = { treeId: "12", first: 1, last: 3 };
const HASH = "ab".repeat(32);

function logOf(reply: FakeReply) {
  const { io, asked } = serviceIo(() => reply);
  return { client: serviceClient(io, { service: "rekor", url: URL_OF_LOG }), asked };
}

test("logInfo: the active tree and those that grow no longer", async () => {
  const read = { treeId: "12", size: 3, checkpoint: "head" };
  assert.deepEqual(await logInfo(logOf({ json: SHARD }).client), { active: read, inactive: [] });
  const inactiveShards = [{ ...SHARD, treeID: "7", treeSize: 0 }];
  assert.deepEqual(await logInfo(logOf({ json: { ...SHARD, inactiveShards } }).client), {
    active: read,
    inactive: [{ ...read, treeId: "7", size: 0 }],
  });
});

test("logInfo: refusals and answers of another form -> error", async () => {
  const invalid = /invalid log/;
  const answers: [FakeReply, string, RegExp][] = [
    [{ status: 403, text: "no" }, "auth", /403: no/],
    [{ status: 500, text: "down" }, "service", /500: down/],
    [{ json: null }, "service", invalid],
    [{ json: [] }, "service", invalid],
    [{ json: { ...SHARD, treeID: "x" } }, "service", invalid],
    [{ json: { ...SHARD, treeID: "1".repeat(21) } }, "service", invalid],
    [{ json: { ...SHARD, treeSize: -1 } }, "service", invalid],
    [{ json: { ...SHARD, signedTreeHead: 1 } }, "service", invalid],
    [{ json: { ...SHARD, inactiveShards: {} } }, "service", invalid],
    [{ json: { ...SHARD, inactiveShards: [7] } }, "service", invalid],
    [{ json: { ...SHARD, inactiveShards: Array.from({ length: 1001 }, () => SHARD) } }, "service", invalid],
  ];
  for (const [reply, code, text] of answers) await refuses(logInfo(logOf(reply).client), { code, text });
});

test("consistencyV1: the hashes of the proof; refusals and answers of another form -> error", async () => {
  assert.deepEqual(await consistencyV1(logOf({ json: { hashes: [HASH] } }).client, TREE), [Buffer.from(HASH, "hex")]);
  assert.deepEqual(await consistencyV1(logOf({ json: {} }).client, TREE), []);
  const invalid = /invalid consistency proof/;
  const answers: [FakeReply, string, RegExp][] = [
    [{ status: 400, text: "no such tree" }, "service", /400: no such tree/],
    [{ json: null }, "service", invalid],
    [{ json: { hashes: HASH } }, "service", invalid],
    [{ json: { hashes: [HASH.toUpperCase()] } }, "service", invalid],
    [{ json: { hashes: [1] } }, "service", invalid],
    [{ json: { hashes: Array.from({ length: 129 }, () => HASH) } }, "service", invalid],
  ];
  for (const [reply, code, text] of answers) await refuses(consistencyV1(logOf(reply).client, TREE), { code, text });
});

test("entryBodies: the bodies by index; refusals, other entries and answers of another form -> error", async () => {
  const entry = (logIndex: unknown, body: unknown = "AQI=") => ({ ["0".repeat(64)]: { logIndex, body } });
  const { client, asked } = logOf({ json: [entry(4)] });
  assert.deepEqual([...(await entryBodies(client, [4, 5]))], [[4, Buffer.of(1, 2)]]);
  assert.deepEqual(
    asked.map(({ json }) => json),
    [{ logIndexes: [4, 5] }],
  );
  const invalid = /invalid log entry/;
  const answers: [FakeReply, string, RegExp][] = [
    [{ status: 404, text: "gone" }, "service", /404: gone/],
    [{ json: {} }, "service", invalid],
    [{ json: [entry(4), entry(4)] }, "service", invalid],
    [{ json: [entry(5)] }, "service", invalid],
    [{ json: [entry("4")] }, "service", invalid],
    [{ json: [entry(4, 7)] }, "service", invalid],
    [{ json: [entry(4, "*")] }, "service", invalid],
    [{ json: [{ uuid: 7 }] }, "service", invalid],
  ];
  for (const [reply, code, text] of answers) await refuses(entryBodies(logOf(reply).client, [4]), { code, text });
});
