import assert from "node:assert/strict";
import { test } from "node:test";
import { testIo } from "../../test/support/test-io.ts";
import type { Io } from "../io/io.ts";
import { openCt } from "./ct/source-ct.ts";
import type { LogSource } from "./source.ts";
import { openV1 } from "./source-v1.ts";

const TREE = { treeId: "1", size: 11, offset: 0 };
const URL_OF_LOG = new URL("http://log.example");

/** A log whose entries each have this many bytes, and the number of its answers. */
function logWith(bytes: number) {
  const counted = { answers: 0 };
  const entry = Buffer.alloc(bytes).toString("base64");
  const http: Io["http"] = async ({ url, body }) => {
    counted.answers++;
    const [start, end] = ["start", "end"].map((name) => Number(url.searchParams.get(name))) as [number, number];
    const pieces: Uint8Array[] = [];
    if (typeof body === "object" && body !== null && Symbol.asyncIterator in body) {
      for await (const piece of body as AsyncIterable<Uint8Array>) pieces.push(piece);
    } else if (body instanceof Uint8Array) pieces.push(body);
    const asked: number[] = pieces.length > 0 ? JSON.parse(Buffer.concat(pieces).toString()).logIndexes : [];
    const answer = url.pathname.endsWith("get-entries")
      ? { entries: Array.from({ length: end - start + 1 }, () => ({ leaf_input: entry })) }
      : asked.map((logIndex) => ({ [`id${logIndex}`]: { logIndex, body: entry } }));
    const content = (async function* () {
      yield Buffer.from(JSON.stringify(answer));
    })();
    return { status: 200, headers: {}, body: content, discard() {} };
  };
  return { io: testIo({ io: { http } }), counted };
}

async function countOf(source: LogSource, to = TREE.size): Promise<number> {
  let count = 0;
  for await (const bodies of source.entries(TREE, { from: 0, to })) count += bodies.length;
  return count;
}

test("entries that are too large for one answer -> asked for in smaller groups, and none is left out", async () => {
  const MEBIBYTE = 1024 * 1024;
  for (const [bytes, answers] of [
    [100, 2],
    [MEBIBYTE, 12],
  ] as const) {
    const { io, counted } = logWith(bytes);
    assert.equal(await countOf(openV1(io, URL_OF_LOG, [])), TREE.size);
    assert.equal(counted.answers, answers, `v1, ${bytes} bytes`);
  }
  for (const [bytes, answers] of [
    [100, 1],
    [3 * MEBIBYTE, 3],
  ] as const) {
    const { io, counted } = logWith(bytes);
    assert.equal(await countOf(openCt(io, URL_OF_LOG)), TREE.size);
    assert.equal(counted.answers, answers, `CT, ${bytes} bytes`);
  }
});

test("an entry that is larger than any may be -> error, never skipped", async () => {
  const large = (mebibytes: number) => logWith(mebibytes * 1024 * 1024).io;
  assert.equal(await countOf(openV1(large(11), URL_OF_LOG, []), 1), 1);
  await assert.rejects(countOf(openV1(large(13), URL_OF_LOG, []), 1), { code: "limit" });
  await assert.rejects(countOf(openCt(large(25), URL_OF_LOG), 1), { code: "limit" });
});
