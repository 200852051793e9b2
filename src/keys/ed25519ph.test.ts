import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { messageOf } from "../format/digest.ts";
import { signerFromKey, verifySignature } from "./index.ts";

test("RFC 8032 §7.3: the pre-hashed signature of `abc`", async () => {
  const seed = Buffer.from("833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42", "hex");
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), seed]);
  const signer = signerFromKey(createPrivateKey({ key: der, format: "der", type: "pkcs8" }));
  const signed = await signer.prehashed?.sign(Buffer.from("abc"));
  assert.equal(
    Buffer.from(signed?.signature ?? []).toString("hex"),
    "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41" +
      "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
  );
});

test("Ed25519ph: verifies for its message and key only, and not as a pure signature", async () => {
  const signer = signerFromKey(generateKeyPairSync("ed25519").privateKey);
  const message = Buffer.from("content");
  const signed = (await signer.prehashed?.sign(message)) ?? assert.fail();
  const verify = (key: typeof signer.publicKey, bytes: Uint8Array) =>
    verifySignature({ key, message: messageOf(bytes), signature: signed.signature, hashes: [] });
  assert.ok(await verify(signer.publicKey, message));
  assert.ok(!(await verify(signer.publicKey, Buffer.from("contenT"))));
  const other = signerFromKey(generateKeyPairSync("ed25519").privateKey);
  assert.ok(!(await verify(other.publicKey, message)));
});
