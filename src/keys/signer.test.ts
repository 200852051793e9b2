import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, verify } from "node:crypto";
import { describe, test } from "node:test";
import { TsignError } from "../errors.ts";
import type { HashName } from "../format/digest.ts";
import { newPiece } from "../format/pieces.ts";
import { MAX_ED25519_MESSAGE, signerFromKey } from "./signer.ts";

const text = Buffer.from("what is signed, in several pieces");
const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;

/** Yields small pieces as a file does, whose memory is reused once it is given back. */
async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 5) {
    const content = bytes.subarray(at, at + 5);
    const piece = newPiece();
    piece.set(content);
    yield piece.subarray(0, content.length);
  }
}

/** How a kind of key signs, the hash it signs with, and the hash of the digest it returns. */
const kinds: [string, KeyObject, HashName | null, HashName][] = [
  ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey, "sha256", "sha256"],
  ["P-256", ec("P-256"), "sha256", "sha256"],
  ["P-384", ec("P-384"), "sha384", "sha384"],
  ["P-521", ec("P-521"), "sha512", "sha512"],
  ["Ed25519", generateKeyPairSync("ed25519").privateKey, null, "sha256"],
];

for (const [name, key, hash, algorithm] of kinds) {
  describe(`a signer with a key of kind ${name}`, () => {
    const inputs: [string, Uint8Array, () => Uint8Array | AsyncIterable<Uint8Array>][] = [
      ["bytes", text, () => text],
      ["a stream of pieces", text, () => inPieces(text)],
      ["nothing", Buffer.alloc(0), () => Buffer.alloc(0)],
      ["an empty stream", Buffer.alloc(0), () => inPieces(Buffer.alloc(0))],
    ];
    for (const [what, bytes, input] of inputs) {
      test(`signs ${what} so that node:crypto verifies it, and returns the digest`, async () => {
        const made = await signerFromKey(key).sign(input());
        assert.equal(verify(hash, bytes, key, made.signature), true);
        assert.equal(verify(hash, Buffer.concat([bytes, Buffer.from("x")]), key, made.signature), false);
        assert.equal(made.digest.algorithm, algorithm);
        assert.deepEqual(Buffer.from(made.digest.value), createHash(algorithm).update(bytes).digest());
      });
    }

    test("throws an error of the stream", async () => {
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield text;
        throw new TsignError("input", "the disk is gone");
      }
      await assert.rejects(signerFromKey(key).sign(broken()), { code: "input", message: "the disk is gone" });
    });
  });
}

test("Ed25519: a message above the limit is refused before it is read to its end", async () => {
  const piece = Buffer.alloc(32 * 1024 * 1024);
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      given += piece.length;
      yield piece;
    }
  }
  await assert.rejects(signerFromKey(generateKeyPairSync("ed25519").privateKey).sign(endless()), (error: unknown) => {
    assert.ok(error instanceof TsignError);
    assert.equal(error.code, "limit");
    assert.ok(error.message.includes(String(MAX_ED25519_MESSAGE)), error.message);
    return true;
  });
  assert.equal(given, MAX_ED25519_MESSAGE + piece.length);
});
