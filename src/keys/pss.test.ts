import assert from "node:assert/strict";
import { constants, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import { hash, messageOf, messageOfDigests } from "../format/digest.ts";
import { publicKeyFromObject } from "./public-key.ts";
import { verifySignature } from "./verify.ts";

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...publicKeyFromObject(privateKey), padding: "pss" } as const;
const message = Buffer.from("message");
const pss = (name: string, saltLength: number) =>
  sign(name, message, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });

for (const name of ["sha256", "sha384", "sha512"] as const) {
  test(`PSS with ${name} made by OpenSSL verifies, by message and by digest`, async () => {
    const signature = pss(name, hash(name, message).length);
    for (const form of [messageOf(message), messageOfDigests(new Map([[name, hash(name, message)]]))]) {
      assert.ok(await verifySignature({ key, message: form, signature, hashes: [name] }));
    }
    assert.equal(
      await verifySignature({ key, message: messageOf(Buffer.from("x")), signature, hashes: [name] }),
      false,
    );
    const altered = signature.map((byte, at) => (at === 100 ? byte ^ 1 : byte));
    for (const bad of [altered, signature.subarray(1), Buffer.alloc(256), Buffer.alloc(256, 255), Buffer.alloc(0)]) {
      assert.equal(await verifySignature({ key, message: messageOf(message), signature: bad, hashes: [name] }), false);
    }
  });
}

test("PSS: another salt length, another hash, PKCS#1 v1.5, and a key without PSS padding -> false", async () => {
  const no = { key, message: messageOf(message), hashes: ["sha256"] } as const;
  assert.equal(await verifySignature({ ...no, signature: pss("sha256", 0) }), false);
  assert.equal(await verifySignature({ ...no, signature: pss("sha256", 20) }), false);
  assert.equal(await verifySignature({ ...no, signature: pss("sha512", 64) }), false);
  assert.equal(await verifySignature({ ...no, signature: sign("sha256", message, privateKey) }), false);
  const plain = publicKeyFromObject(privateKey);
  assert.equal(await verifySignature({ ...no, key: plain, signature: pss("sha256", 32) }), false);
});
