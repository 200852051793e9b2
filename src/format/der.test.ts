import assert from "node:assert/strict";
import { test } from "node:test";
import { integer, NULL, octetString, sequence, tlv } from "../sandbox/pki/der.ts";
import { DerError, derChildren, encodeDer, readDer, readDerSequence, requireDer, TAG } from "./der.ts";

test("readDer parses exactly one element with the expected tag", () => {
  const { tag, value, bytes } = readDer(integer(5), TAG.integer);
  assert.deepEqual([tag, [...value], [...bytes]], [2, [5], [2, 1, 5]]);
  assert.equal(readDer(octetString(Buffer.alloc(300))).value.length, 300);
  for (const [what, hex] of [
    ["nothing", ""],
    ["a tag alone", "02"],
    ["cut off", "020205"],
    ["two elements", "05000500"],
    ["an indefinite length", "30800000"],
    ["a length with a byte too many", "02810105"],
    ["a length with zeros", "0282000105"],
    ["a length of five bytes", "02850000000001"],
    ["a tag of two bytes", "1f8101020500"],
    ["an INTEGER without digits", "0200"],
    ["a positive INTEGER with a byte too many", "02020001"],
    ["a negative INTEGER with a byte too many", "0202ff80"],
    ["a BOOLEAN that is neither", "010101"],
    ["a BOOLEAN of two bytes", "0102ffff"],
    ["a NULL with content", "050100"],
  ] as const) {
    assert.throws(() => readDer(Buffer.from(hex, "hex")), DerError, what);
  }
  for (const hex of ["020100", "02020080", "0202ff7f", "010100", "0101ff", "0500"]) readDer(Buffer.from(hex, "hex"));
  assert.throws(() => readDer(NULL, TAG.integer), DerError);
});

test("derChildren and readDerSequence return the elements in order", () => {
  const list = sequence(integer(1), NULL, integer(2));
  assert.deepEqual(
    derChildren(readDer(list), TAG.sequence).map(({ tag }) => tag),
    [2, 5, 2],
  );
  assert.throws(() => derChildren(readDer(list), TAG.set), DerError);
  assert.throws(() => derChildren(undefined, TAG.set), DerError);
  assert.equal(readDerSequence(Buffer.from("0500050005", "hex"), 2).length, 2, "no further than asked");
});

test("requireDer checks all nested elements, and refuses more than 32 levels", () => {
  const nested = (tag: number, levels: number) => {
    let bytes = NULL;
    for (let level = 0; level < levels; level++) bytes = tlv(tag, bytes);
    return bytes;
  };
  for (const tag of [TAG.sequence, TAG.set, 0xa0, TAG.octets]) {
    requireDer(nested(tag, 31));
    for (const levels of [32, 100, 3000]) {
      assert.throws(() => requireDer(nested(tag, levels)), /nested deeper/, `${tag} ${levels}`);
    }
  }
  assert.throws(() => requireDer(sequence(Buffer.from("0281", "hex"))), DerError, "no element inside");
  requireDer(sequence(octetString(Buffer.from("0281", "hex"))));
  requireDer(octetString(Buffer.from([0x30, 3, 0x30, 5, 1])));
});

test("requireDer takes linear time", () => {
  const time = (count: number) => {
    const bytes = sequence(Buffer.alloc(2 * count, Buffer.of(5, 0)));
    const start = performance.now();
    requireDer(bytes);
    return performance.now() - start;
  };
  time(1000);
  assert.ok(time(64_000) < 1500);
});

test("encodeDer writes the length in the shortest form, as it is read", () => {
  for (const length of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xfff, 0x1000, 0xffff, 0x10000, 0x123456]) {
    const value = Buffer.alloc(length, 1);
    const encoded = encodeDer(TAG.octets, value);
    assert.ok(octetString(value).equals(encoded), `${length} bytes`);
    assert.ok(value.equals(readDer(encoded, TAG.octets).value));
  }
});
