import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ownMessage } from "./signed-message.ts";

const [payload, signature] = [Buffer.from("payload"), Buffer.from("signature")];
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const digest = (content: Parameters<typeof ownMessage>[0]) =>
  Buffer.from(ownMessage(content)?.digest("sha256") ?? []).toString("hex");

test("ownMessage: a simple-signing payload -> the payload itself", () => {
  const content = { kind: "simple-signing", payload, signature } as const;
  assert.equal(digest(content), sha256("payload"));
  assert.deepEqual(ownMessage(content)?.bytes, payload);
});

test("ownMessage: an envelope -> its type and payload with their lengths (DSSE, PAE)", () => {
  const content = { kind: "dsse", payloadType: "tÿpe", payload, signature } as const;
  const pae = "DSSEv1 5 tÿpe 7 payload";
  assert.equal(digest(content), sha256(pae));
  assert.equal(Buffer.from(ownMessage(content)?.bytes ?? []).toString(), pae);
  assert.equal(ownMessage(content), ownMessage(content), "it is made once");
  assert.equal(digest({ ...content, payloadType: "b" }), sha256("DSSEv1 1 b 7 payload"));
});

test("ownMessage: a blob's signature -> undefined", () => {
  const stated = { algorithm: "sha256", digest: createHash("sha256").digest() } as const;
  assert.equal(ownMessage({ kind: "blob", signature }), undefined);
  assert.equal(ownMessage({ kind: "blob", signature, stated }), undefined);
});
