import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { ALWAYS, type Log } from "../trust/material.ts";
import { CheckFailed } from "./model.ts";
import { treeHeadText, verifyTreeHead } from "./tree-head.ts";

const ROOT = Buffer.alloc(32, 7);
const pairOf = (kind: "ec" | "rsa") =>
  kind === "rsa"
    ? generateKeyPairSync("rsa", { modulusLength: 2048 })
    : generateKeyPairSync("ec", { namedCurve: "P-256" });

/** A log, and a function that signs tree heads with its key. */
function logOf(kind: "ec" | "rsa") {
  const { publicKey, privateKey } = pairOf(kind);
  const log: Log = { baseUrl: "https://ct.example", id: Buffer.alloc(32), key: publicKey, validFor: ALWAYS };
  const head = (size: number, timestamp = 1_700_000_000_000, algorithm = kind === "rsa" ? 1 : 3) => {
    const signed = Buffer.alloc(50);
    signed[1] = 1;
    signed.writeBigUInt64BE(BigInt(timestamp), 2);
    signed.writeBigUInt64BE(BigInt(size), 10);
    signed.set(ROOT, 18);
    const signature = sign("sha256", signed, privateKey);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(signature.length);
    return {
      tree_size: size,
      timestamp,
      sha256_root_hash: ROOT.toString("base64"),
      tree_head_signature: Buffer.concat([Buffer.of(4, algorithm), length, signature]).toString("base64"),
    };
  };
  return { log, head };
}

for (const kind of ["ec", "rsa"] as const) {
  test(`verifyTreeHead, ${kind}: genuine head -> its tree; any member changed, another key -> refused`, () => {
    const { log, head } = logOf(kind);
    const genuine = head(5);
    const verified = verifyTreeHead(treeHeadText(JSON.stringify(genuine)), log);
    assert.deepEqual([verified.size, Buffer.from(verified.root), verified.treeId], [5, ROOT, undefined]);
    const later = verifyTreeHead(treeHeadText(JSON.stringify(head(5, 1_700_000_000_001))), log);
    assert.equal(later.text, verified.text, "the same tree at another time");
    const refused = (changed: object, by: Log = log) =>
      assert.throws(() => verifyTreeHead(treeHeadText(JSON.stringify({ ...genuine, ...changed })), by), CheckFailed);
    refused({ tree_size: 6 });
    refused({ timestamp: genuine.timestamp + 1 });
    refused({ sha256_root_hash: Buffer.alloc(32, 8).toString("base64") });
    refused({}, logOf(kind).log);
    refused({}, logOf(kind === "ec" ? "rsa" : "ec").log);
    refused(head(5, genuine.timestamp, kind === "rsa" ? 3 : 1));
    const bytes = Buffer.from(genuine.tree_head_signature, "base64");
    for (let at = 0; at < bytes.length; at++) {
      const other = Buffer.from(bytes);
      other[at] = (other[at] ?? 0) ^ 1;
      refused({ tree_head_signature: other.toString("base64") });
      refused({ tree_head_signature: bytes.subarray(0, at).toString("base64") });
    }
    refused({ tree_head_signature: Buffer.concat([bytes, Buffer.of(0)]).toString("base64") });
  });
}

test("verifyTreeHead: text in front of the head changed, or no head at all -> refused", () => {
  const { log, head } = logOf("ec");
  const text = treeHeadText(JSON.stringify(head(5)));
  assert.throws(() => verifyTreeHead(text.replace("5\n", "6\n"), log), /are for different trees/);
  for (const json of ["", "[]", "{}", '{"tree_size":-1}', JSON.stringify({ ...head(5), tree_size: "5" })]) {
    assert.throws(() => treeHeadText(json), /invalid tree head/);
    assert.throws(() => verifyTreeHead(json, log), CheckFailed);
  }
});
