import assert from "node:assert/strict";
import { test } from "node:test";
import { explicit, integer, NULL, octetString, oid, sequence, tlv, utf8String } from "../sandbox/pki/der.ts";
import type { Certificate } from "./certificate.ts";
import { hasSoundSignature } from "./signature-algorithm.ts";

const isSound = (signatureAlgorithm: Buffer) => hasSoundSignature({ signatureAlgorithm } as unknown as Certificate);
const [PSS, MGF1] = [oid("1.2.840.113549.1.1.10"), oid("1.2.840.113549.1.1.8")];
/** SHA-2 as OIDs, with their lengths in bytes. */
const HASHES = [
  ["2.16.840.1.101.3.4.2.1", 32],
  ["2.16.840.1.101.3.4.2.2", 48],
  ["2.16.840.1.101.3.4.2.3", 64],
] as const;
const SHA256 = sequence(oid(HASHES[0][0]), NULL);

test("hasSoundSignature accepts ECDSA and RSA with SHA-2, and Ed25519, with their parameters", () => {
  for (const prefix of ["1.2.840.10045.4.3.", "1.2.840.113549.1.1."]) {
    const first = prefix === "1.2.840.10045.4.3." ? 2 : 11;
    for (let last = 1; last <= 20; last++) {
      const isSha2 = last >= first && last <= first + 2;
      const name = oid(prefix + last);
      assert.equal(isSound(sequence(name)), isSha2, `${prefix}${last}`);
      assert.equal(isSound(sequence(name, NULL)), isSha2, `${prefix}${last}, with NULL`);
      assert.equal(isSound(sequence(name, NULL, NULL)), false, `${prefix}${last}, with two parameters`);
      assert.equal(isSound(sequence(name, integer(5))), false, `${prefix}${last}, with a number`);
      assert.equal(isSound(sequence(name, sequence())), false, `${prefix}${last}, with an empty list`);
      assert.equal(isSound(sequence(name, integer(0))), false, `${prefix}${last}, with zero`);
    }
  }
  const ed25519 = oid("1.3.101.112");
  assert.equal(isSound(sequence(ed25519)), true);
  assert.equal(isSound(sequence(ed25519, NULL)), false);
  assert.equal(isSound(sequence(oid("1.3.101.113"))), false, "Ed448");
  assert.equal(isSound(sequence(tlv(0x04, oid("1.2.840.10045.4.3.2").subarray(2)))), false, "no OID, the same content");
  assert.equal(isSound(sequence()), false);
  assert.throws(() => isSound(tlv(0x31, ed25519)), /unexpected type/);
});

test("hasSoundSignature: RSASSA-PSS needs SHA-2 for hash and mask, a salt of the hash's length, and trailer 1", () => {
  const params = (parts: {
    hash?: Buffer | undefined;
    mask?: Buffer | undefined;
    salt?: Buffer | undefined;
    more?: Buffer[];
  }) => {
    const { hash, mask, salt, more } = {
      hash: explicit(0, SHA256),
      mask: explicit(1, sequence(MGF1, SHA256)),
      salt: explicit(2, integer(32)),
      more: [],
      ...parts,
    };
    return sequence(PSS, sequence(...[hash, mask, salt].filter((each) => each !== undefined), ...more));
  };
  for (const [id, length] of HASHES) {
    for (const algorithm of [sequence(oid(id), NULL), sequence(oid(id))]) {
      const [hash, mask] = [explicit(0, algorithm), explicit(1, sequence(MGF1, algorithm))];
      assert.equal(isSound(params({ hash, mask, salt: explicit(2, integer(length)) })), true, id);
      for (const salt of [0, length - 1, length + 1, length + 256]) {
        assert.equal(isSound(params({ hash, mask, salt: explicit(2, integer(salt)) })), false, `${id}, salt ${salt}`);
      }
    }
  }
  assert.equal(isSound(params({})), true);
  assert.equal(isSound(params({ more: [explicit(3, integer(1))] })), true);
  const sha1 = sequence(oid("1.3.14.3.2.26"), NULL);
  const sha384 = sequence(oid(HASHES[1][0]), NULL);
  const mask = (...parts: Buffer[]) => explicit(1, sequence(...parts));
  for (const [name, wrong] of Object.entries({
    "no parameters": sequence(PSS),
    "parameters that are NULL": sequence(PSS, NULL),
    "parameters that are empty": sequence(PSS, sequence()),
    "parameters that are a SET": sequence(PSS, tlv(0x31, explicit(0, SHA256))),
    "two parameters": sequence(PSS, sequence(explicit(0, SHA256)), NULL),
    "no hash": params({ hash: undefined }),
    "no mask": params({ mask: undefined }),
    "no salt": params({ salt: undefined }),
    "SHA-1": params({ hash: explicit(0, sha1), mask: mask(MGF1, sha1), salt: explicit(2, integer(20)) }),
    "SHA-1 in the mask": params({ mask: mask(MGF1, sha1) }),
    "SHA-384 in the mask": params({ mask: mask(MGF1, sha384) }),
    "SHA-1 outside the mask": params({ hash: explicit(0, sha1) }),
    "a mask of another kind": params({ mask: mask(PSS, SHA256) }),
    "a mask without a hash": params({ mask: mask(MGF1) }),
    "a mask with two hashes": params({ mask: mask(MGF1, SHA256, SHA256) }),
    "two masks": params({ mask: explicit(1, sequence(MGF1, SHA256), sequence(MGF1, SHA256)) }),
    "two hashes": params({ hash: explicit(0, SHA256, SHA256) }),
    "a hash under another tag": params({ hash: explicit(4, SHA256) }),
    "a mask under another tag": params({ mask: explicit(4, sequence(MGF1, SHA256)) }),
    "a salt under another tag": params({ salt: explicit(4, integer(32)) }),
    "two salts": params({ salt: explicit(2, integer(32), integer(32)) }),
    "a salt that is text": params({ salt: explicit(2, octetString(Buffer.of(32))) }),
    "a salt that begins as the right one": params({ salt: explicit(2, integer(Buffer.of(32, 0))) }),
    "an empty salt": params({ salt: explicit(2) }),
    "trailer 2": params({ more: [explicit(3, integer(2))] }),
    "a trailer under another tag": params({ more: [explicit(4, integer(1))] }),
    "two trailers": params({ more: [explicit(3, integer(1)), explicit(3, integer(1))] }),
    "a hash with a number": params({
      hash: explicit(0, sequence(oid(HASHES[0][0]), integer(1))),
      mask: mask(MGF1, sequence(oid(HASHES[0][0]), integer(1))),
    }),
    "a hash with two parameters": params({
      hash: explicit(0, sequence(oid(HASHES[0][0]), NULL, NULL)),
      mask: mask(MGF1, sequence(oid(HASHES[0][0]), NULL, NULL)),
    }),
    "a hash that is text": params({
      hash: explicit(0, sequence(utf8String("sha256"), NULL)),
      mask: mask(MGF1, sequence(utf8String("sha256"), NULL)),
    }),
  })) {
    assert.equal(isSound(wrong), false, name);
  }
});
