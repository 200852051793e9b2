import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { digestOf, isDigest, messageOfDigests, parseDigest, readMessage } from "./digest.ts";
import { newPiece } from "./pieces.ts";

const text = Buffer.from("a message that is read in more than one piece");

/** In small pieces of a file's kind, whose memory serves the next one as soon as it is given back. */
async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5) {
    const content = bytes.subarray(at, at + 5);
    const piece = newPiece();
    piece.set(content);
    yield piece.subarray(0, content.length);
  }
}

for (const keepBytes of [text.length, text.length + 1, text.length - 1, 0]) {
  test(`readMessage: ${text.length} bytes, at most ${keepBytes} to keep -> their digests, and the bytes if they fit`, async () => {
    const message = await readMessage(inPieces(text), { hashes: ["sha256", "sha512"], keepBytes });
    assert.equal(message.size, text.length);
    for (const name of ["sha256", "sha512"] as const) {
      assert.deepEqual(Buffer.from(message.digest(name)), createHash(name).update(text).digest());
    }
    const kept = keepBytes >= text.length;
    assert.deepEqual(message.bytes && Buffer.from(message.bytes), kept ? text : undefined);
  });
}

test("readMessage: digest that was not computed -> internal error", async () => {
  const message = await readMessage(inPieces(text), { hashes: ["sha256"], keepBytes: 0 });
  assert.throws(() => message.digest("sha384"), { code: "internal" });
  assert.throws(() => messageOfDigests(new Map()).digest("sha256"), { code: "internal" });
});

test("isDigest accepts complete lower-case digests of known algorithms only", () => {
  const hex = createHash("sha256").update(text).digest("hex");
  const long = createHash("sha512").update(text).digest("hex");
  for (const good of [`sha256:${hex}`, `sha512:${long}`]) assert.equal(isDigest(good), true, good);
  const bad = ["", hex, "sha256:", `sha256:${hex}0`, `sha256:${hex.slice(1)}`, `sha256:${long}`, `sha512:${hex}`];
  const worse = [
    `sha256:${hex.toUpperCase()}A`,
    `sha256:${"g".repeat(64)}`,
    `sha1:${hex}`,
    `sha256:${hex}:x`,
    `sha256:${hex}\n`,
  ];
  for (const each of [...bad, ...worse]) assert.equal(isDigest(each), false, each);
});

test("parseDigest returns algorithm, hex and bytes", () => {
  const { algorithm, hex, bytes } = parseDigest(digestOf(text, "sha512"));
  assert.equal(algorithm, "sha512");
  assert.equal(hex, createHash("sha512").update(text).digest("hex"));
  assert.equal(Buffer.from(bytes).toString("hex"), hex);
});
