import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { faultOf } from "../format/key-fault.ts";
import { importPrivateKey } from "./import.ts";
import { weaknessOf } from "./weakness.ts";

const weak = (name: string) =>
  createPublicKey(readFileSync(new URL(`../../fixtures/keys/weak/${name}.pub`, import.meta.url)));

test("weaknessOf: names the weakness of a weak RSA key", () => {
  const cases: [string, RegExp][] = [
    ["size-1024", /key size not supported: 1024/],
    ["exponent-3", /exponent must be 65537, got 3/],
    ["small-factor", /small prime/],
    ["roca", /ROCA/],
    ["close-primes", /too close together/],
  ];
  for (const [name, reason] of cases) assert.match(weaknessOf(weak(name)) ?? "sound", reason, name);
});

test("weaknessOf: returns undefined for strong keys", () => {
  for (const modulusLength of [2048, 3072]) {
    assert.equal(weaknessOf(generateKeyPairSync("rsa", { modulusLength }).privateKey), undefined);
  }
  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    assert.equal(weaknessOf(generateKeyPairSync("ec", { namedCurve }).privateKey), undefined);
  }
  assert.equal(weaknessOf(generateKeyPairSync("ed25519").privateKey), undefined);
});

test("weaknessOf: refuses other curves and types of key", () => {
  const curve = generateKeyPairSync("ec", { namedCurve: "secp224r1" }).privateKey;
  assert.match(weaknessOf(curve) ?? "", /secp224r1 not allowed/);
  assert.match(weaknessOf(generateKeyPairSync("x25519").privateKey) ?? "", /not supported/);
});

test("importPrivateKey: reads PKCS#1, PKCS#8 and SEC 1, and refuses other input", () => {
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

/** Returns an RSA SubjectPublicKeyInfo with a modulus and an exponent. */
function rsaKey(modulus: bigint, exponent: bigint) {
  const base64url = (n: bigint) => {
    const hex = n.toString(16);
    return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex").toString("base64url");
  };
  return createPublicKey({ key: { kty: "RSA", n: base64url(modulus), e: base64url(exponent) }, format: "jwk" });
}

const modulusOf = (key: KeyObject) =>
  BigInt(`0x${Buffer.from(key.export({ format: "jwk" }).n ?? "", "base64url").toString("hex")}`);

test("faultOf: names the fault of an unsafe RSA key, and accepts other sizes and exponents", () => {
  const sound = modulusOf(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey);
  for (const exponent of [3n, 17n, 65_537n, 2n ** 31n - 1n]) {
    assert.equal(faultOf(rsaKey(sound, exponent)), undefined, String(exponent));
  }
  for (const exponent of [1n, 2n, 65_536n, 2n ** 31n + 1n]) {
    assert.match(faultOf(rsaKey(sound, exponent)) ?? "sound", /exponent/, String(exponent));
  }
  for (const modulusLength of [512, 768, 1024, 2047]) {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength });
    assert.match(faultOf(publicKey) ?? "sound", /too short/, String(modulusLength));
  }
  assert.equal(faultOf(generateKeyPairSync("rsa", { modulusLength: 2056 }).publicKey), undefined);
  assert.match(faultOf(rsaKey(sound - 1n, 65_537n)) ?? "sound", /even/);
  assert.match(faultOf(rsaKey(2n ** 16_400n + 1n, 65_537n)) ?? "sound", /too long/);
  for (const [name, reason] of [
    ["small-factor", /small prime/],
    ["roca", /ROCA/],
    ["close-primes", /too close/],
  ] as const) {
    assert.match(faultOf(weak(name)) ?? "sound", reason, name);
  }
});

test("faultOf: refuses other curves, compressed points, explicit curve parameters, and other types of key", () => {
  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve });
    assert.equal(faultOf(publicKey), undefined, namedCurve);
  }
  for (const namedCurve of ["secp224r1", "prime192v1", "secp256k1"]) {
    assert.match(faultOf(generateKeyPairSync("ec", { namedCurve }).publicKey) ?? "sound", /curve/, namedCurve);
  }
  const explicit = generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }).publicKey;
  assert.notEqual(faultOf(explicit), undefined);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = publicKey.export({ type: "spki", format: "der" });
  const compressed = Buffer.concat([
    spki.subarray(0, 26),
    Buffer.from([2 + ((spki.at(-1) ?? 0) & 1)]),
    spki.subarray(27, 59),
  ]);
  compressed[1] = compressed.length - 2;
  compressed[24] = 34;
  assert.match(faultOf(createPublicKey({ key: compressed, format: "der", type: "spki" })) ?? "sound", /uncompressed/);
  assert.match(
    faultOf(generateKeyPairSync("dsa", { modulusLength: 2048 }).publicKey) ?? "sound",
    /dsa are not supported/,
  );
  assert.match(faultOf(generateKeyPairSync("ed448").publicKey) ?? "sound", /not supported/);
});

test("faultOf: refuses Ed25519 points of small order in every encoding", async () => {
  const { ed25519 } = await import("@noble/curves/ed25519.js");
  const key = (raw: Uint8Array) =>
    createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(raw).toString("base64url") }, format: "jwk" });
  assert.equal(faultOf(generateKeyPairSync("ed25519").publicKey), undefined);
  const small = ed25519.utils.randomSecretKey();
  const torsion = ed25519.Point.fromBytes(
    Buffer.from("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "hex"),
  );
  assert.equal(faultOf(key(ed25519.getPublicKey(small))), undefined);
  let point = torsion;
  for (let order = 1; order <= 8; order++, point = point.add(torsion)) {
    assert.match(faultOf(key(point.toBytes())) ?? "sound", /small order/, `${order}`);
  }
  assert.ok(point.equals(torsion), "the eight of them");
  for (const hex of [`01${"00".repeat(30)}80`, `ee${"ff".repeat(30)}7f`, `ed${"ff".repeat(30)}ff`]) {
    assert.match(faultOf(key(Buffer.from(hex, "hex"))) ?? "sound", /small order/, hex);
  }
});
