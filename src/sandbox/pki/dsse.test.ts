import assert from "node:assert/strict";
import { test } from "node:test";
import { signedBytes } from "./dsse.ts";

test("signedBytes: equals the protocol's example, and counts bytes rather than characters", () => {
  const hello = signedBytes("http://example.com/HelloWorld", Buffer.from("hello world"));
  assert.equal(hello.toString(), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  assert.equal(signedBytes("ü", Buffer.from("€")).toString(), "DSSEv1 2 ü 3 €");
  assert.equal(signedBytes("", new Uint8Array()).toString("latin1"), "DSSEv1 0  0 ");
});
