import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { certificateOf } from "../../test/support/evidence-parts.ts";
import type { Evidence } from "../evidence/model.ts";
import { defaultHashes, publicKeyFromObject } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { bytesToKeep, keyToReadWith } from "./claimed-key.ts";
import type { Policy } from "./model.ts";
import { exactly } from "./patterns.ts";

const EC = publicKeyFromObject(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey);
const ED25519 = publicKeyFromObject(generateKeyPairSync("ed25519").publicKey);
const identity = { subject: [exactly("a@example.com")], issuer: [exactly("i")], extensions: new Map() };
const byIdentity: Policy["signer"] = { kind: "identity", identity };
const byKey = (key: PublicKey): Policy["signer"] => ({ kind: "key", key, hashes: defaultHashes(key) });
const certificate = (leaf: Uint8Array): Evidence["key"] => ({ kind: "certificate", leaf, chain: [], binding: true });

test("keyToReadWith: the policy's key, or the certificate's -> the one that verify uses", async () => {
  const leaf = certificateOf(["a@example.com"]);
  for (const key of [certificate(leaf), { kind: "none" } as const]) {
    assert.equal(await keyToReadWith({ key }, { signer: byKey(EC) }), EC);
  }
  const certified = await keyToReadWith({ key: certificate(leaf) }, { signer: byIdentity });
  assert.equal(certified?.kind.type, "ecdsa");
  assert.notEqual(certified?.pem, EC.pem);
});

test("keyToReadWith: no certificate, or a malformed one -> undefined", async () => {
  for (const key of [{ kind: "none" }, { kind: "public-key", hint: "h" }, certificate(Buffer.from("x"))] as const) {
    assert.equal(await keyToReadWith({ key }, { signer: byIdentity }), undefined);
  }
});

test("keyToReadWith: a defect -> thrown", async () => {
  const key = Object.defineProperty({ ...certificate(Buffer.from("x")) }, "leaf", {
    get: () => {
      throw new TypeError("a defect");
    },
  });
  await assert.rejects(keyToReadWith({ key }, { signer: byIdentity }), TypeError);
});

test("bytesToKeep: 4 MiB, and more for Ed25519, which signs the whole file", () => {
  assert.equal(bytesToKeep(undefined), 4 * 1024 * 1024);
  assert.equal(bytesToKeep(EC), 4 * 1024 * 1024);
  assert.ok(bytesToKeep(ED25519) > 4 * 1024 * 1024);
});
