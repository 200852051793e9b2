import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeReply, refuses, serviceIo } from "../../test/support/fake-service.ts";
import { ctConsistency, ctInclusion, ctLeaves, ctTreeHead } from "./ct-log.ts";
import { serviceClient } from "./exchange.ts";

const HASH = Buffer.alloc(32, 7);
const TEXT = HASH.toString("base64");

function logOf(reply: FakeReply) {
  const { io, asked } = serviceIo(() => reply);
  return { client: serviceClient(io, { service: "ct", url: new URL("https://ct.example/test/") }), asked };
}

const REFUSED: [FakeReply, string, RegExp][] = [
  [{ status: 403, text: "no" }, "auth", /403: no/],
  [{ status: 500, text: "down" }, "service", /500: down/],
  [{ json: null }, "service", /not an object/],
  [{ json: [] }, "service", /not an object/],
];

test("ctTreeHead: the answer as text, and its size; refusals and answers of another form -> error", async () => {
  const { text, size } = await ctTreeHead(logOf({ json: { tree_size: 3 } }).client);
  assert.deepEqual([JSON.parse(text), size], [{ tree_size: 3 }, 3]);
  for (const [reply, code, reason] of REFUSED) await refuses(ctTreeHead(logOf(reply).client), { code, text: reason });
  for (const tree_size of [-1, "3", 0.5, undefined]) {
    const asked = ctTreeHead(logOf({ json: { tree_size } }).client);
    await refuses(asked, { code: "service", text: /invalid tree head/ });
  }
});

test("ctConsistency: the hashes of the proof; refusals and answers of another form -> error", async () => {
  assert.deepEqual(await ctConsistency(logOf({ json: { consistency: [TEXT] } }).client, 1, 2), [HASH]);
  assert.deepEqual(await ctConsistency(logOf({ json: { consistency: [] } }).client, 1, 1), []);
  for (const [reply, code, text] of REFUSED) await refuses(ctConsistency(logOf(reply).client, 1, 2), { code, text });
  const many = Array.from({ length: 129 }, () => TEXT);
  for (const consistency of [undefined, TEXT, [1], ["AA=="], ["!"], many]) {
    const asked = ctConsistency(logOf({ json: { consistency } }).client, 1, 2);
    await refuses(asked, { code: "service", text: /invalid proof/ });
  }
});

test("ctInclusion: index and path; refusals and answers of another form -> error", async () => {
  const leaf = { hash: HASH, size: 4 };
  const found = await ctInclusion(logOf({ json: { leaf_index: 2, audit_path: [TEXT] } }).client, leaf);
  assert.deepEqual(found, { index: 2, path: [HASH] });
  for (const [reply, code, text] of REFUSED) await refuses(ctInclusion(logOf(reply).client, leaf), { code, text });
  for (const json of [{ leaf_index: -1, audit_path: [] }, { audit_path: [] }, { leaf_index: 0 }]) {
    await refuses(ctInclusion(logOf({ json }).client, leaf), { code: "service", text: /invalid (inclusion )?proof/ });
  }
});

test("ctLeaves: no more than was asked for; refusals and answers of another form -> error", async () => {
  const entries = [{ leaf_input: TEXT }, { leaf_input: "AA==" }, { leaf_input: TEXT }];
  const range = { from: 5, to: 7 };
  assert.deepEqual(await ctLeaves(logOf({ json: { entries } }).client, range), [HASH, Buffer.alloc(1)]);
  for (const [reply, code, text] of REFUSED) await refuses(ctLeaves(logOf(reply).client, range), { code, text });
  for (const each of [undefined, {}, [null], [{}], [{ leaf_input: 1 }], [{ leaf_input: "!" }]]) {
    await refuses(ctLeaves(logOf({ json: { entries: each } }).client, range), { code: "service", text: /entry/ });
  }
});
