import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { importPrivateKey } from "./import.ts";
import { weaknessOf } from "./weakness.ts";

const weak = (name: string) =>
  createPublicKey(readFileSync(new URL(`../../fixtures/keys/weak/${name}.pub`, import.meta.url)));

test("weak RSA keys are refused by the name of their weakness", () => {
  const cases: [string, RegExp][] = [
    ["size-1024", /key size not supported: 1024/],
    ["exponent-3", /exponent must be 65537, it is 3/],
    ["small-factor", /small prime/],
    ["roca", /ROCA/],
    ["close-primes", /too close together/],
  ];
  for (const [name, reason] of cases) assert.match(weaknessOf(weak(name)) ?? "sound", reason, name);
});

test("sound keys are none of it", () => {
  for (const modulusLength of [2048, 3072]) {
    assert.equal(weaknessOf(generateKeyPairSync("rsa", { modulusLength }).privateKey), undefined);
  }
  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    assert.equal(weaknessOf(generateKeyPairSync("ec", { namedCurve }).privateKey), undefined);
  }
  assert.equal(weaknessOf(generateKeyPairSync("ed25519").privateKey), undefined);
});

test("other curves and kinds of key are refused", () => {
  const curve = generateKeyPairSync("ec", { namedCurve: "secp224r1" }).privateKey;
  assert.match(weaknessOf(curve) ?? "", /secp224r1 not allowed/);
  assert.match(weaknessOf(generateKeyPairSync("x25519").privateKey) ?? "", /not supported/);
});

test("every usual form of a private key is imported, and what is none is refused", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const ec = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey;
  const forms = [
    rsa.export({ type: "pkcs1", format: "pem" }),
    rsa.export({ type: "pkcs8", format: "pem" }),
    ec.export({ type: "sec1", format: "pem" }),
    ec.export({ type: "pkcs8", format: "pem" }),
    generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
    readFileSync(new URL("../../fixtures/keys/openssl-ec-parameters.pem", import.meta.url), "utf8"),
  ];
  for (const pem of forms) assert.equal(importPrivateKey(pem.toString()).type, "private");
  const encrypted = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
  const cases: [string, RegExp][] = [
    ["text", /not PEM/],
    [rsa.export(encrypted).toString(), /encrypted/],
    [`-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n`, /encrypted/],
    ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", /unsupported private key: CERTIFICATE/],
    ["-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", /error parsing/],
  ];
  for (const [pem, reason] of cases) assert.throws(() => importPrivateKey(pem), reason);
});
