import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { closeDoors } from "../scripts/executable-doors.ts";
import { signAgain } from "../scripts/executable-signature.ts";

const NAMES =
  "\0BUN_OPTIONS\0BUN_BE_BUNBUN_INSPECT\0NODE_TLS_REJECT_UNAUTHORIZED\0NODE_EXTRA_CA_CERTS\0 = process.env.BUN_TMPDIR || {BUN_INSTALL} \0NODE_MODULE_VERSION";
/** `cmpb $LETTER, N(%r14); jne`, and on arm64 `ldrb w9, [x8, #N]; cmp w9, #LETTER; b.ne`. */
const comparison = (arm64: boolean, letters = "BUN_JSC_") =>
  Buffer.concat(
    [...Buffer.from(letters)].map((letter, index) => {
      if (!arm64) return Buffer.from([0x41, 0x80, 0x7e, index, letter, 0x75, 0xd0]);
      const words = [0x39400109 | (index << 10), 0x7100013f | (letter << 10), 0x54fffc61];
      return Buffer.from(new Uint32Array(words).buffer);
    }),
  );
const executable = (arm64: boolean, names = NAMES) => {
  return Buffer.concat([Buffer.from(names.padEnd(252), "latin1"), comparison(arm64), Buffer.from("end.")]);
};

for (const arm64 of [false, true]) {
  test(`closeDoors, ${arm64 ? "arm64" : "x86-64"}: names and the comparison with BUN_JSC_ change, nothing else`, () => {
    const closed = closeDoors(executable(arm64));
    const text = closed.toString("latin1");
    assert.doesNotMatch(text, /BUN_[A-Z]|NODE_(?!MODULE_VERSION)/);
    assert.match(text, /env\.bUN_TMPDIR \|\| \{bUN_INSTALL\}/, "identifiers stay identifiers");
    assert.ok(closed.includes("\0\0UN_OPTIONS\0\0UN_BE_BUNbUN_INSPECT\0", "latin1"), text);
    const code = closed.subarray(252);
    const other = Buffer.concat([comparison(arm64, "BUN_\x01SC_"), Buffer.from("end.")]);
    assert.deepEqual(code, other);
  });
}

test("closeDoors: a name that the runtime does not have, or another comparison -> error", () => {
  assert.throws(() => closeDoors(executable(false, NAMES.replace("BUN_BE_BUN", "BUN_BE_BAN"))), /close BUN_BE_BUN/);
  assert.throws(() => closeDoors(Buffer.from(NAMES, "latin1")), /expected one comparison in the executable, found 0/);
  assert.throws(() => closeDoors(Buffer.concat([executable(false), comparison(false)])), /found 2/);
});

test("signAgain: changed Mach-O -> its hashes match again; other files -> unchanged", () => {
  const [page, limit, signature] = [16, 200, 208];
  const file = Buffer.alloc(signature + 20 + 44 + Math.ceil(limit / page) * 32);
  file.writeUInt32LE(0xfeedfacf, 0);
  file.writeUInt32LE(2, 16); // load commands
  file.writeUInt32LE(0x19, 32);
  file.writeUInt32LE(8, 36);
  file.writeUInt32LE(0x1d, 40);
  file.writeUInt32LE(16, 44);
  file.writeUInt32LE(signature, 48);
  file.writeUInt32BE(1, signature + 8); // one blob in the signature
  file.writeUInt32BE(20, signature + 16);
  const directory = signature + 20;
  file.writeUInt32BE(0xfade0c02, directory);
  file.writeUInt32BE(44, directory + 16);
  file.writeUInt32BE(Math.ceil(limit / page), directory + 28);
  file.writeUInt32BE(limit, directory + 32);
  file.writeUInt8(2, directory + 37);
  file.writeUInt8(Math.log2(page), directory + 39);
  assert.equal(signAgain(file), 13);
  assert.equal(signAgain(file), 0);
  file[100] = 1;
  file[199] = 1;
  assert.equal(signAgain(file), 2);
  const last = createHash("sha256").update(file.subarray(192, 200)).digest();
  assert.deepEqual(file.subarray(-32), last, "the last page ends where the signed part ends");
  assert.equal(signAgain(Buffer.from("\x7fELF and more")), undefined);
});
