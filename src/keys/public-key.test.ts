import assert from "node:assert/strict";
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { TsignError } from "../errors.ts";
import { writePem } from "../format/pem.ts";
import { defaultHashes, keyHint, publicKeyFromObject, publicKeyFromPem, sameKey } from "./public-key.ts";
import type { KeyKind } from "./types.ts";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/keys/${name}`, import.meta.url), "utf8");
const refused =
  (text: string, hint = "") =>
  (error: unknown) => {
    assert.ok(error instanceof TsignError, String(error));
    assert.equal(error.code, "input");
    assert.ok(error.message.includes(text), error.message);
    assert.ok((error.hint ?? "").includes(hint));
    return true;
  };

describe("a public key", () => {
  const kinds: [string, KeyKind, string[]][] = [
    ["imported-rsa2048", { type: "rsa", bits: 2048 }, ["sha256"]],
    ["imported-prime256v1", { type: "ecdsa", curve: "P-256" }, ["sha256"]],
    ["imported-secp384r1", { type: "ecdsa", curve: "P-384" }, ["sha384", "sha256"]],
    ["imported-secp521r1", { type: "ecdsa", curve: "P-521" }, ["sha512", "sha256"]],
    ["imported-ed25519", { type: "ed25519" }, ["sha512", "sha256"]],
  ];
  for (const [name, kind, hashes] of kinds) {
    test(`${name} has its kind, default hashes, SPKI and PEM`, () => {
      const key = publicKeyFromPem(fixture(`${name}.pub`));
      assert.deepEqual(key.kind, kind);
      assert.deepEqual(defaultHashes(key), hashes);
      assert.equal(key.hash, hashes[0]);
      assert.equal(key.pem, fixture(`${name}.pub`));
      assert.deepEqual(Buffer.from(key.spki), key.object.export({ type: "spki", format: "der" }));
    });
  }

  test("is the same in PKCS#1 and in PKIX", () => {
    const object = createPublicKey(fixture("imported-rsa2048.pub"));
    const pkcs1 = object.export({ type: "pkcs1", format: "pem" }).toString();
    assert.match(pkcs1, /BEGIN RSA PUBLIC KEY/);
    assert.equal(publicKeyFromPem(pkcs1).pem, fixture("imported-rsa2048.pub"));
  });

  test("must be the only PEM block of its file; text around it is ignored", () => {
    const one = `comment\n${fixture("cosign3.pub")}more\n`;
    assert.equal(publicKeyFromPem(one).pem, fixture("cosign3.pub"));
    for (const second of [fixture("cosign2.pub"), fixture("cosign3.pub"), writePem("CERTIFICATE", Buffer.of(1))]) {
      assert.throws(
        () => publicKeyFromPem(one + second),
        refused("ambiguous public key: expected one PEM block, found 2", "its own file"),
      );
      assert.throws(
        () => publicKeyFromPem(second + one),
        refused("ambiguous public key: expected one PEM block, found 2"),
      );
    }
  });

  test("without line breaks is refused with that reason", () => {
    const pem = fixture("cosign3.pub").trim();
    for (const [text, reason] of [
      [pem.replaceAll("\n", " "), "its line breaks are missing"],
      [pem.replaceAll("\n", ""), "its line breaks are missing"],
      [pem.replaceAll("\n", "\\n"), "its line breaks are written as \\n"],
      [Buffer.from(`\uFEFF${pem}`, "utf16le").toString("latin1"), "UTF-16"],
      [pem.replace(/-----END.*/, ""), "no matching end line"],
    ] as const) {
      assert.throws(() => publicKeyFromPem(text), refused(reason), reason);
    }
    assert.ok(publicKeyFromPem(pem.replaceAll("\n", "\r\n")));
    assert.ok(publicKeyFromPem(`\uFEFF${pem}\n`));
  });

  test("of a private key object is its public key", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    assert.deepEqual(publicKeyFromObject(privateKey).spki, publicKeyFromObject(publicKey).spki);
    assert.equal(publicKeyFromObject(privateKey).object.type, "public");
  });

  test("has the SHA-256 of its SubjectPublicKeyInfo as its hint", () => {
    const key = publicKeyFromPem(fixture("cosign3.pub"));
    assert.equal(keyHint(key), createHash("sha256").update(key.spki).digest("base64"));
    assert.notEqual(keyHint(key), keyHint(publicKeyFromPem(fixture("cosign2.pub"))));
  });
});

describe("input that is not a public key", () => {
  const pkix = createPublicKey(fixture("cosign3.pub")).export({ type: "spki", format: "der" });
  const curve = generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey;
  const cases: [string, string, string, string?][] = [
    ["an empty file", "", "not PEM"],
    ["an error page", "<html>404</html>", "not PEM"],
    ["bare DER", pkix.toString("latin1"), "not PEM"],
    ["a begin without an end", fixture("cosign3.pub").replace(/-----END.*/, ""), "not PEM"],
    ["an encrypted private key", fixture("cosign3.key"), "ENCRYPTED SIGSTORE PRIVATE KEY", "this is a private key"],
    ["a private key", writePem("PRIVATE KEY", pkix), "unknown public key PEM type: PRIVATE KEY", "tsign public-key"],
    ["a certificate", writePem("CERTIFICATE", pkix), "unknown public key PEM type: CERTIFICATE", "use --certificate"],
    ["a block named like a property of every object", writePem("CONSTRUCTOR", pkix), "unknown public key PEM type"],
    ["cut DER", writePem("PUBLIC KEY", pkix.subarray(0, -1)), "invalid public key"],
    ["an empty block", writePem("PUBLIC KEY", Buffer.alloc(0)), "invalid public key"],
    ["PKIX under PKCS#1's label", writePem("RSA PUBLIC KEY", pkix), "invalid public key"],
    [
      "a point off the curve",
      writePem(
        "PUBLIC KEY",
        pkix.map((byte, at) => (at === 60 ? byte ^ 1 : byte)),
      ),
      "invalid public key",
    ],
    ["another curve", curve.export({ type: "spki", format: "pem" }).toString(), "secp256k1"],
    [
      "an X25519 key",
      generateKeyPairSync("x25519").publicKey.export({ type: "spki", format: "pem" }).toString(),
      "x25519",
    ],
    [
      "an RSA-PSS key",
      generateKeyPairSync("rsa-pss", { modulusLength: 2048 })
        .publicKey.export({ type: "spki", format: "pem" })
        .toString(),
      "rsa-pss",
    ],
  ];
  for (const [what, text, message, hint] of cases) {
    test(`${what} is refused`, () => assert.throws(() => publicKeyFromPem(text), refused(message, hint)));
  }
});

test("sameKey: compares keys of any type, and leaves no error in OpenSSL", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const curves = ["P-256", "P-384"].map((namedCurve) => generateKeyPairSync("ec", { namedCurve }));
  const keys = [rsa, ...curves, generateKeyPairSync("ed25519")];
  for (const a of keys) {
    for (const b of keys) {
      assert.equal(sameKey(a.publicKey, b.publicKey), a === b);
      createPrivateKey(a.privateKey.export({ type: "pkcs8", format: "pem" }));
    }
    assert.ok(sameKey(a.publicKey, createPublicKey(a.privateKey)));
  }
});
