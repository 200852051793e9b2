import "../../test/support/remembered-scrypt.ts";
import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, scryptSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { encryptedKey } from "../../test/support/key-pairs.ts";
import { TsignError } from "../errors.ts";
import { readPem, writePem } from "../format/pem.ts";
import { readKeyFile, writeKeyFile } from "./key-file.ts";
import { publicKeyFromObject } from "./public-key.ts";

const fixture = (name: string) => readFileSync(new URL(`../../fixtures/keys/${name}`, import.meta.url), "utf8");
const password = async () => Buffer.from("correct horse");
const refused = (code: string, text: string) => (error: unknown) => {
  assert.ok(error instanceof TsignError, String(error));
  assert.equal(error.code, code);
  assert.ok(error.message.includes(text), error.message);
  return true;
};

describe("key files made by cosign", () => {
  const names = ["cosign3", "cosign2", "rsa2048", "prime256v1", "secp384r1", "secp521r1", "ed25519"];
  for (const name of names.map((each) => (each.startsWith("cosign") ? each : `imported-${each}`))) {
    test(`${name} opens and its public half is the one that cosign wrote`, async () => {
      const key = await readKeyFile(fixture(`${name}.key`), password);
      assert.equal(publicKeyFromObject(key).pem, fixture(`${name}.pub`));
    });
  }

  test("the label of cosign 1 is accepted", async () => {
    const older = fixture("cosign3.key").replaceAll("ENCRYPTED SIGSTORE", "ENCRYPTED COSIGN");
    assert.equal((await readKeyFile(older, password)).type, "private");
  });

  test("CRLF line ends are accepted", async () => {
    assert.equal((await readKeyFile(fixture("cosign3.key").replaceAll("\n", "\r\n"), password)).type, "private");
  });

  for (const wrong of ["", "correct horse\n", "Correct horse"]) {
    test(`the password ${JSON.stringify(wrong)} is refused`, async () => {
      const attempt = readKeyFile(fixture("cosign3.key"), async () => Buffer.from(wrong));
      await assert.rejects(attempt, refused("input", "decryption failed"));
    });
  }

  test("a wrong password: the hint says whether it is empty or ends in a line break", async () => {
    const hint = async (password: string) => {
      const error = await readKeyFile(fixture("cosign3.key"), async () => Buffer.from(password)).catch((each) => each);
      assert.ok(error instanceof TsignError, String(error));
      assert.ok(password === "" || !JSON.stringify([error.message, error.hint]).includes(password.trim()));
      return error.hint ?? "";
    };
    for (const end of ["\n", "\r\n", "\r"])
      assert.match(await hint(`correct horse${end}`), /remove the line break at the end of the password/);
    assert.match(await hint(""), /set COSIGN_PASSWORD .*; the given password is empty/);
    const other = await hint("Correct horse");
    assert.match(other, /check the password/);
    assert.doesNotMatch(other, /line break|empty/);
  });
});

describe("key files made by tsign", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

  for (const secret of ["", "pw", "pässword\n", "x".repeat(300)]) {
    test(`open again with a password of ${Buffer.byteLength(secret)} bytes`, async () => {
      const text = await writeKeyFile({ random: randomBytes }, privateKey, Buffer.from(secret));
      const opened = await readKeyFile(text, async () => Buffer.from(secret));
      assert.ok(opened.equals(privateKey));
    });
  }

  test("have cosign's label, line length and JSON, apart from random bytes", async () => {
    const text = await writeKeyFile({ random: (bytes) => Buffer.alloc(bytes, 7) }, privateKey, Buffer.from("pw"));
    const lines = text.split("\n");
    assert.equal(lines[0], "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----");
    assert.equal(lines.at(-2), "-----END ENCRYPTED SIGSTORE PRIVATE KEY-----");
    assert.equal(lines.at(-1), "");
    assert.ok(lines.slice(1, -3).every((line) => line.length === 64));
    const json = Buffer.from(readPem(text)[0]?.bytes ?? []).toString("utf8");
    const salt = Buffer.alloc(32, 7).toString("base64");
    const nonce = Buffer.alloc(24, 7).toString("base64");
    const { ciphertext } = JSON.parse(json) as { ciphertext: string };
    assert.equal(
      json,
      `{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},"salt":"${salt}"},"cipher":{"name":"nacl/secretbox","nonce":"${nonce}"},"ciphertext":"${ciphertext}"}`,
    );
  });

  test("contain PKCS#8 in a secretbox with a scrypt key, as another implementation confirms", async () => {
    const text = await writeKeyFile({ random: randomBytes }, privateKey, Buffer.from("pw"));
    const { kdf, cipher, ciphertext } = JSON.parse(Buffer.from(readPem(text)[0]?.bytes ?? []).toString("utf8"));
    const key = scryptSync("pw", Buffer.from(kdf.salt, "base64"), 32, { N: 65_536, r: 8, p: 1, maxmem: 2 ** 28 });
    const box = xsalsa20poly1305(Uint8Array.from(key), Uint8Array.from(Buffer.from(cipher.nonce, "base64")));
    const opened = box.decrypt(Uint8Array.from(Buffer.from(ciphertext, "base64")));
    assert.deepEqual(Buffer.from(opened), privateKey.export({ type: "pkcs8", format: "der" }));
  });
});

describe("the scrypt parameters of a key file", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });

  for (const N of [32_768, 65_536, 131_072]) {
    test(`N = ${N} opens`, async () => {
      const key = await readKeyFile(encryptedKey(privateKey, { N, r: 8, p: 1 }), async () => Buffer.from("pw"));
      assert.ok(createPublicKey(key).equals(createPublicKey(privateKey)));
    });
  }

  const others = [
    { N: 16_384, r: 8, p: 1 },
    { N: 65_536, r: 4, p: 1 },
    { N: 65_536, r: 8, p: 2 },
    { N: 2, r: 1, p: 1 },
  ];
  for (const params of others) {
    test(`${JSON.stringify(params)} is refused before the password is asked for`, async () => {
      const attempt = readKeyFile(encryptedKey(privateKey, params), () => assert.fail("asked"));
      await assert.rejects(attempt, refused("input", "unsupported scrypt parameters"));
    });
  }
});

describe("files that are not key files", () => {
  const whole = Buffer.from(readPem(fixture("cosign3.key"))[0]?.bytes ?? []).toString("utf8");
  const altered = (change: (envelope: ReturnType<typeof JSON.parse>) => void) => {
    const envelope = JSON.parse(whole);
    change(envelope);
    return writePem("ENCRYPTED SIGSTORE PRIVATE KEY", Buffer.from(JSON.stringify(envelope)));
  };
  const inside = (text: string) => writePem("ENCRYPTED SIGSTORE PRIVATE KEY", Buffer.from(text));
  const cases: [string, string, string][] = [
    ["an empty file", "", "not PEM"],
    ["text", "hello\n", "not PEM"],
    ["a public key", fixture("cosign3.pub"), "unsupported pem type: PUBLIC KEY"],
    ["an unencrypted key", writePem("PRIVATE KEY", Buffer.from("x")), "unsupported pem type: PRIVATE KEY"],
    ["a block without JSON", inside("nothing"), "not JSON"],
    ["JSON null", inside("null"), 'unknown kdf name ""'],
    ["a JSON number", inside("3"), 'unknown kdf name ""'],
    ["another kdf", altered((e) => Object.assign(e.kdf, { name: "argon2" })), 'unknown kdf name "argon2"'],
    ["another cipher", altered((e) => Object.assign(e.cipher, { name: "aes" })), 'unknown cipher name "aes"'],
    ["no parameters", altered((e) => Reflect.deleteProperty(e.kdf, "params")), "unsupported scrypt parameters"],
    ["N as text", altered((e) => Object.assign(e.kdf.params, { N: "65536" })), "unsupported scrypt parameters"],
    ["a short nonce", altered((e) => Object.assign(e.cipher, { nonce: "AAAA" })), "damaged"],
    ["no nonce", altered((e) => Reflect.deleteProperty(e.cipher, "nonce")), "damaged"],
    ["no ciphertext", altered((e) => Reflect.deleteProperty(e, "ciphertext")), "damaged"],
    ["a salt that is not base64", altered((e) => Object.assign(e.kdf, { salt: "****" })), "damaged"],
  ];
  for (const [what, text, message] of cases) {
    test(`${what} is refused before the password is asked for`, async () => {
      const attempt = readKeyFile(text, () => assert.fail("asked"));
      await assert.rejects(attempt, refused("input", message));
    });
  }

  for (const [what, ciphertext] of [
    [
      "a flipped bit",
      Buffer.from(JSON.parse(whole).ciphertext, "base64").map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
    ],
    ["a cut end", Buffer.from(JSON.parse(whole).ciphertext, "base64").subarray(0, -1)],
    ["nothing at all", Buffer.alloc(0)],
  ] as const) {
    test(`a ciphertext with ${what} does not open`, async () => {
      const text = altered((e) => Object.assign(e, { ciphertext: Buffer.from(ciphertext).toString("base64") }));
      await assert.rejects(readKeyFile(text, password), refused("input", "decryption failed"));
    });
  }

  test("an unencrypted key: the hint names import-key-pair", async () => {
    const text = writePem("EC PRIVATE KEY", Buffer.from("x"));
    await assert.rejects(readKeyFile(text, password), (error: TsignError) => /import-key-pair/.test(error.hint ?? ""));
  });
});

test("readKeyFile: the hint fits the kind of the other key, and a second block is refused", async () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const none = async () => Buffer.of();
  const hint = async (text: string): Promise<string> => {
    const error = await readKeyFile(text, none).catch((each: unknown) => each);
    assert.ok(error instanceof TsignError && error.code === "input", String(error));
    return `${error.message} | ${error.hint ?? ""}`;
  };
  const encrypted = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" } as const;
  const pem = (key: KeyObject, type: "pkcs8" | "spki") =>
    key.export({ type: type as "pkcs8", format: "pem" }).toString();
  assert.match(await hint(pair.privateKey.export(encrypted).toString()), /openssl pkey -in FILE -out plain\.pem/);
  assert.match(await hint(pem(pair.privateKey, "pkcs8")), /tsign import-key-pair --key FILE/);
  assert.match(await hint(pem(pair.publicKey, "spki")), /pass the private key.*; this is a public key/);
  assert.match(await hint(writePem("CERTIFICATE", Buffer.of(1))), /use --certificate/);
  assert.doesNotMatch(await hint(pem(pair.privateKey, "pkcs8")), /public key|certificate/);
  const written = await writeKeyFile({ random: randomBytes }, pair.privateKey, Buffer.from("x"));
  assert.match(await hint(written + written), /ambiguous private key: expected one PEM block, found 2/);
  assert.match(await hint(written + pem(pair.publicKey, "spki")), /ambiguous/);
  assert.match(await hint(written.trim().replaceAll("\n", " ")), /line breaks are missing/);
});
