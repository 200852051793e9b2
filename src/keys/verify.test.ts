import assert from "node:assert/strict";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as nodeSign,
  randomBytes,
} from "node:crypto";
import { describe, test } from "node:test";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { type HashName, type Message, messageOf, messageOfDigests } from "../format/digest.ts";
import { ecdsaSignature } from "./ecdsa-signature.ts";
import { defaultHashes, publicKeyFromObject } from "./public-key.ts";
import { signerFromKey } from "./signer.ts";
import { verifySignature } from "./verify.ts";

const ALL: readonly HashName[] = ["sha256", "sha384", "sha512"];
const text = Buffer.from("what is signed\n");
const digests = (bytes: Uint8Array) =>
  messageOfDigests(new Map(ALL.map((name) => [name, createHash(name).update(bytes).digest()])), bytes.length);
const forms: readonly [string, (bytes: Uint8Array) => Message][] = [
  ["the message", messageOf],
  ["its digest", digests],
];
const ec = (namedCurve: string) => generateKeyPairSync("ec", { namedCurve }).privateKey;
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength }).privateKey;
const keys: Readonly<Record<string, () => [KeyObject, KeyObject]>> = {
  "RSA 2048": () => [rsa(2048), rsa(2048)],
  "P-256": () => [ec("P-256"), ec("P-256")],
  "P-384": () => [ec("P-384"), ec("P-384")],
  "P-521": () => [ec("P-521"), ec("P-521")],
};

for (const [name, make] of Object.entries(keys)) {
  const [privateKey, other] = make();
  const key = publicKeyFromObject(privateKey);
  for (const [form, message] of forms) {
    describe(`${name}, checked by ${form}`, () => {
      test("what signerFromKey signs verifies with the key's own hashes", async () => {
        const { signature } = await signerFromKey(privateKey).sign(text);
        assert.equal(
          await verifySignature({ key, message: message(text), signature, hashes: defaultHashes(key) }),
          true,
        );
      });

      for (const hash of ALL) {
        test(`${hash} verifies with ${hash} and with no other`, async () => {
          const signature = nodeSign(hash, text, privateKey);
          for (const tried of ALL) {
            const valid = await verifySignature({ key, message: message(text), signature, hashes: [tried] });
            assert.equal(valid, tried === hash, tried);
          }
          assert.equal(await verifySignature({ key, message: message(text), signature, hashes: ALL }), true);
        });
      }

      test("no hash to try -> false", async () => {
        const signature = nodeSign(key.hash, text, privateKey);
        assert.equal(await verifySignature({ key, message: message(text), signature, hashes: [] }), false);
      });

      test("another message, another key, a flipped bit, a truncated or longer signature -> false", async () => {
        const signature = nodeSign(key.hash, text, privateKey);
        const hashes = [key.hash];
        const yes = { key, message: message(text), signature, hashes };
        const no = [
          { ...yes, message: message(Buffer.from("what is signed")) },
          { ...yes, message: message(Buffer.alloc(0)) },
          { ...yes, key: publicKeyFromObject(other) },
          { ...yes, signature: signature.subarray(0, -1) },
          { ...yes, signature: signature.subarray(1) },
          { ...yes, signature: Buffer.concat([signature, Buffer.from([0])]) },
          { ...yes, signature: Buffer.alloc(0) },
          { ...yes, signature: Buffer.alloc(signature.length) },
          ...[0, 1, 3, 5, signature.length >> 1, signature.length - 1].map((at) => ({
            ...yes,
            signature: signature.map((byte, index) => (index === at ? byte ^ 1 : byte)),
          })),
        ];
        assert.equal(await verifySignature(yes), true);
        for (const [index, each] of no.entries()) assert.equal(await verifySignature(each), false, `case ${index}`);
      });
    });
  }
}

describe("which key and which form of a message are used", () => {
  const [privateKey, other] = [ec("P-256"), ec("P-256")];
  const [key, otherKey] = [publicKeyFromObject(privateKey), publicKeyFromObject(other)];
  const hashes = ["sha256"] as const;

  test("earlier versions of a key verify too, and no other keys", async () => {
    const renewed = { ...otherKey, earlier: [publicKeyFromObject(ec("P-256")), key] };
    const [signature, stranger] = [nodeSign("sha256", text, privateKey), nodeSign("sha256", text, ec("P-256"))];
    const message = messageOf(text);
    assert.equal(await verifySignature({ key: renewed, message, signature, hashes }), true);
    assert.equal(await verifySignature({ key: otherKey, message, signature, hashes }), false);
    assert.equal(await verifySignature({ key: renewed, message, signature: stranger, hashes }), false);
    assert.equal(await verifySignature({ key: renewed, message: messageOf(Buffer.of(1)), signature, hashes }), false);
  });

  test("a message up to 16 MiB is verified by its bytes, a larger one by its digests", async () => {
    const another = Buffer.from("something else");
    for (const [name, signer] of [
      ["P-256", privateKey],
      ["RSA 2048", rsa(2048)],
    ] as const) {
      const signature = nodeSign("sha256", text, signer);
      const judge = (size: number, bytes: Buffer, hashed: Buffer) => {
        const message: Message = { size, bytes, hashes, digest: () => createHash("sha256").update(hashed).digest() };
        return verifySignature({ key: publicKeyFromObject(signer), message, signature, hashes });
      };
      const limit = 2 ** 24;
      const judged = [
        await judge(limit, text, another),
        await judge(limit, another, text),
        await judge(limit + 1, text, another),
        await judge(limit + 1, another, text),
      ];
      assert.deepEqual(judged, [true, false, false, true], name);
    }
  });

  test("a key that node:crypto cannot verify with -> false, not an error", async () => {
    const x25519 = generateKeyPairSync("x25519").publicKey;
    const pss = generateKeyPairSync("rsa-pss", { modulusLength: 1024 }).publicKey;
    const signature = nodeSign("sha256", text, privateKey);
    for (const object of [x25519, pss]) {
      for (const kind of [key.kind, { type: "rsa", bits: 2048 }, { type: "ed25519" }] as const) {
        for (const [form, message] of forms) {
          const judged = verifySignature({ key: { ...key, kind, object }, message: message(text), signature, hashes });
          assert.equal(await judged, false, `${kind.type} by ${form}`);
        }
      }
    }
  });
});

describe("encodings of ECDSA signatures", () => {
  const curves = { "P-256": p256, "P-384": p384, "P-521": p521 };
  const integer = (value: bigint, padding = ""): string => {
    let hex = value.toString(16);
    if (hex.length % 2) hex = `0${hex}`;
    if (Number.parseInt(hex.slice(0, 2), 16) > 127) hex = `00${hex}`;
    return element("02", padding + hex);
  };
  const element = (tag: string, content: string): string => {
    const length = content.length / 2;
    return tag + (length > 127 ? "81" : "") + length.toString(16).padStart(2, "0") + content;
  };
  const sequence = (...parts: string[]) => Buffer.from(element("30", parts.join("")), "hex");

  for (const [name, curve] of Object.entries(curves)) {
    const privateKey = ec(name);
    const key = publicKeyFromObject(privateKey);
    const raw = nodeSign(key.hash, text, { key: privateKey, dsaEncoding: "ieee-p1363" }).toString("hex");
    const r = BigInt(`0x${raw.slice(0, raw.length / 2)}`);
    const s = BigInt(`0x${raw.slice(raw.length / 2)}`);
    const n = curve.Point.Fn.ORDER;
    const hashes = [key.hash];
    for (const [form, message] of forms) {
      const check = (signature: Uint8Array) => verifySignature({ key, message: message(text), signature, hashes });

      test(`${name} by ${form}: both s and n - s are valid, as they are for OpenSSL and Go`, async () => {
        assert.equal(await check(sequence(integer(r), integer(s))), true);
        assert.equal(await check(sequence(integer(r), integer(n - s))), true);
      });

      const bad: [string, Uint8Array][] = [
        ["r + n", sequence(integer(r + n), integer(s))],
        ["s + n", sequence(integer(r), integer(s + n))],
        ["r = 0", sequence(integer(0n), integer(s))],
        ["s = 0", sequence(integer(r), integer(0n))],
        ["s = n", sequence(integer(r), integer(n))],
        ["r and s exchanged", sequence(integer(s), integer(r))],
        ["a needless leading zero", sequence(integer(r, "0000"), integer(s))],
        ["a third integer", sequence(integer(r), integer(s), integer(1n))],
        ["one integer", sequence(integer(r))],
        ["a byte after the sequence", Buffer.concat([sequence(integer(r), integer(s)), Buffer.from([0])])],
        ["an indefinite length", Buffer.from(`3080${integer(r)}${integer(s)}0000`, "hex")],
        ["a length of 2^31", Buffer.from("308480000000", "hex")],
        ["text", Buffer.from("not a signature")],
      ];
      for (const [what, signature] of bad) {
        test(`${name} by ${form}: ${what} -> false`, async () => assert.equal(await check(signature), false));
      }
    }
  }
});

test("RSA PKCS#1 v1.5 made by OpenSSL with each hash verifies by message and by digest, with that hash only", async () => {
  const privateKey = rsa(2048);
  const key = publicKeyFromObject(privateKey);
  for (const name of ALL) {
    const signature = nodeSign(name, text, privateKey);
    for (const [form, message] of forms) {
      const answers = await Promise.all(
        ALL.map((hash) => verifySignature({ key, message: message(text), signature, hashes: [hash] })),
      );
      assert.deepEqual(
        answers,
        ALL.map((hash) => hash === name),
        `${name}, by ${form}`,
      );
    }
  }
});

describe("encodings of RSA signatures", () => {
  const privateKey = rsa(2048);
  const key = publicKeyFromObject(privateKey);
  const digest = createHash("sha256").update(text).digest("hex");
  const { n = "", d = "" } = privateKey.export({ format: "jwk" });
  const [modulus, exponent] = [n, d].map((part) => BigInt(`0x${Buffer.from(part, "base64url").toString("hex")}`));
  /** Returns m^d mod n for any padded block, as a malicious signer would. */
  const rawSign = (block: string): Uint8Array => {
    let [result, base, power] = [1n, BigInt(`0x${block}`), exponent ?? 0n];
    for (; power > 0n; power >>= 1n, base = (base * base) % (modulus ?? 1n)) {
      if (power & 1n) result = (result * base) % (modulus ?? 1n);
    }
    return Buffer.from(result.toString(16).padStart(512, "0"), "hex");
  };
  const padded = (content: string) => `0001${"ff".repeat(253 - content.length / 2)}00${content}`;
  const info = "3031300d060960864801650304020105000420";

  for (const [form, message] of forms) {
    const check = (signature: Uint8Array) =>
      verifySignature({ key, message: message(text), signature, hashes: ["sha256"] });

    test(`by ${form}: the expected block -> true`, async () => {
      assert.equal(await check(rawSign(padded(info + digest))), true);
    });

    const bad: [string, string][] = [
      ["a DigestInfo without its NULL", padded(`302f300b0609608648016503040201${"0420"}${digest}`)],
      ["the digest without a DigestInfo", padded(digest)],
      ["another hash's name", padded(`3031300d060960864801650304020205000420${digest}`)],
      ["a byte after the digest", padded(`${info}${digest}00`)],
      ["short padding and garbage at the end", `0001${"ff".repeat(8)}00${info}${digest}${"00".repeat(194)}`],
      ["encryption's block type", `0002${"ff".repeat(253 - 51)}00${info}${digest}`],
    ];
    for (const [what, block] of bad) {
      test(`by ${form}: ${what} -> false`, async () => assert.equal(await check(rawSign(block)), false));
    }

    test(`by ${form}: a signature not below the modulus -> false`, async () => {
      const value = BigInt(`0x${Buffer.from(rawSign(padded(info + digest))).toString("hex")}`) + (modulus ?? 0n);
      const hex = value.toString(16).padStart(514, "0");
      assert.equal(await check(Buffer.from(hex, "hex")), false);
      assert.equal(await check(Buffer.from(hex.slice(-512), "hex")), false);
    });
  }
});

describe("Ed25519", () => {
  /** RFC 8032 §7.1 and §7.3: seed, message, signature. */
  const vectors = {
    "pure, test 1": [
      "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ],
    "pure, test 2": [
      "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ],
    "pre-hashed, abc": [
      "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "616263",
      "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
    ],
  } as const;
  const fromSeed = (seed: string) =>
    createPrivateKey({
      key: Buffer.from(`302e020100300506032b657004220420${seed}`, "hex"),
      format: "der",
      type: "pkcs8",
    });
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const hashes = ["sha512", "sha256"] as const;

  for (const [name, [seed, message, signature]] of Object.entries(vectors)) {
    test(`RFC 8032, ${name}`, async () => {
      const key = publicKeyFromObject(fromSeed(seed));
      const yes = {
        key,
        message: messageOf(Buffer.from(message, "hex")),
        signature: Buffer.from(signature, "hex"),
        hashes,
      };
      assert.equal(await verifySignature(yes), true);
      assert.equal(await verifySignature({ ...yes, message: messageOf(Buffer.from("ff", "hex")) }), false);
      assert.equal(await verifySignature({ ...yes, key: publicKeyFromObject(fromSeed("01".repeat(32))) }), false);
    });
  }

  test("signerFromKey: makes the pure signature of the RFC", async () => {
    const [seed, message, signature] = vectors["pure, test 2"];
    const made = await signerFromKey(fromSeed(seed)).sign(Buffer.from(message, "hex"));
    assert.equal(Buffer.from(made.signature).toString("hex"), signature);
  });

  const seed = "02".repeat(32);
  const key = publicKeyFromObject(fromSeed(seed));
  const ph = ed25519ph.sign(Uint8Array.from(text), Uint8Array.from(Buffer.from(seed, "hex")));
  const pure = nodeSign(null, text, fromSeed(seed));

  for (const [form, message] of forms) {
    test(`the pre-hashed form verifies by ${form}`, async () => {
      assert.equal(await verifySignature({ key, message: message(text), signature: ph, hashes }), true);
      assert.equal(await verifySignature({ key, message: message(Buffer.from("x")), signature: ph, hashes }), false);
    });
  }

  test("the pure form verifies by the message and cannot by its digest", async () => {
    assert.equal(await verifySignature({ key, message: messageOf(text), signature: pure, hashes }), true);
    assert.equal(await verifySignature({ key, message: digests(text), signature: pure, hashes }), false);
  });

  test("a message with a SHA-256 digest only -> false, not an error", async () => {
    const message = messageOfDigests(new Map([["sha256", createHash("sha256").update(text).digest()]]));
    assert.equal(await verifySignature({ key, message, signature: ph, hashes }), false);
  });

  test("a pure signature over the SHA-512 digest is not accepted as a pre-hashed one", async () => {
    const signature = nodeSign(null, createHash("sha512").update(text).digest(), fromSeed(seed));
    for (const [, message] of forms) {
      assert.equal(await verifySignature({ key, message: message(text), signature, hashes }), false);
    }
  });

  test("altered, truncated and malleable signatures -> false", async () => {
    for (const signature of [Uint8Array.from(ph), Uint8Array.from(pure)]) {
      const s = BigInt(`0x${Buffer.from(signature.slice(32)).reverse().toString("hex")}`) + L;
      const plusL = Buffer.concat([
        signature.slice(0, 32),
        Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse(),
      ]);
      const bad = [
        signature.map((byte, at) => (at === 0 ? byte ^ 1 : byte)),
        signature.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
        signature.slice(0, 63),
        Buffer.concat([signature, Buffer.from([0])]),
        Buffer.alloc(0),
        Buffer.alloc(64),
        Buffer.alloc(64, 255),
        plusL,
      ];
      for (const each of bad) {
        for (const [, message] of forms) {
          assert.equal(await verifySignature({ key, message: message(text), signature: each, hashes }), false);
        }
      }
    }
  });

  test("a public key of small order is refused", () => {
    const spki = Buffer.from(`302a300506032b657003210001${"00".repeat(31)}`, "hex");
    const small = createPublicKey({ key: spki, format: "der", type: "spki" });
    assert.throws(() => publicKeyFromObject(small), /small order/); // R = S·B + k·A would hold for every message
  });
});

describe("an ECDSA signature written as r and s side by side", () => {
  const curves = { "P-256": [p256, 32], "P-384": [p384, 48], "P-521": [p521, 66] } as const;
  const concatenated = (r: bigint, s: bigint, bytes: number) =>
    Buffer.from([r, s].map((number) => number.toString(16).padStart(2 * bytes, "0")).join(""), "hex");

  for (const [namedCurve, [curve, size]] of Object.entries(curves)) {
    const privateKey = ec(namedCurve);
    const key = publicKeyFromObject(privateKey);
    const signature = nodeSign("sha256", text, { key: privateKey, dsaEncoding: "ieee-p1363" });
    const [r, s] = [signature.subarray(0, size), signature.subarray(size)].map((half) =>
      BigInt(`0x${half.toString("hex")}`),
    ) as [bigint, bigint];
    const order = curve.Point.Fn.ORDER;
    const judge = (bytes: Uint8Array, message: Message, of = key) =>
      verifySignature({ key: of, message, signature: bytes, hashes: defaultHashes(of) });

    for (const [form, message] of forms) {
      test(`${namedCurve}: verifies, checked by ${form}, and for nothing else`, async () => {
        assert.equal(await judge(signature, message(text)), true);
        assert.equal(await judge(signature, message(Buffer.from("other"))), false);
        assert.equal(await judge(signature, message(text), publicKeyFromObject(ec(namedCurve))), false);
        assert.equal(await judge(concatenated(s, r, size), message(text)), false, "s and r");
        for (const [a, b] of [
          [0n, s],
          [r, 0n],
          [0n, 0n],
          [order, s],
          [r, order],
          [r, s + 1n],
        ] as const) {
          assert.equal(await judge(concatenated(a, b, size), message(text)), false);
        }
        for (const bytes of [
          signature.subarray(1),
          Buffer.concat([signature, Buffer.of(0)]),
          Buffer.alloc(134),
          Buffer.of(),
        ])
          assert.equal(await judge(bytes, message(text)), false, `${bytes.length} bytes`);
        assert.equal(await judge(Buffer.concat([signature, signature]), message(text)), false, "twice");
      });
    }
  }

  test("may start like DER, and is read as DER only with two integers", async () => {
    const der = Buffer.from([0x30, 6, 2, 1, 5, 2, 1, 7]);
    assert.deepEqual(ecdsaSignature(der), der);
    assert.deepEqual(ecdsaSignature(Buffer.concat([der, Buffer.of(0, 0)])), Buffer.concat([der, Buffer.of(0, 0)]));
    const likeDer = Buffer.concat([Buffer.of(0x30, 62, 2, 1), randomBytes(60)]);
    likeDer[5] = 9; // no second integer
    const read = ecdsaSignature(likeDer);
    assert.ok(read && !likeDer.equals(read));
    const { r, s } = p256.Signature.fromBytes(Buffer.from(read), "der");
    assert.equal(concatenated(r, s, 32).toString("hex"), likeDer.toString("hex"));
    for (const [hex, why] of [
      ["3007020105020107", "cut off"],
      ["300702020005020107", "an integer with a byte too many"],
      ["3081060201050201070000", "a length with a byte too many"],
    ] as const) {
      const bytes = Buffer.from(hex, "hex");
      const whole = bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.of(1)]);
      assert.notDeepEqual(ecdsaSignature(whole), whole, why);
    }
  });
});
