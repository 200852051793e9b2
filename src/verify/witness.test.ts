import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { test } from "node:test";
import { CheckFailed } from "./model.ts";
import { parseWitness, verifyWitnesses } from "./witness.ts";

const TEXT = `log.example\n7\n${Buffer.alloc(32, 1).toString("base64")}\n`;
const LOG_LINE = `\u2014 log.example ${Buffer.alloc(68, 2).toString("base64")}\n`;

/** A witness, its verifier key, and a function that cosigns a text. */
function witness(name: string, pair = generateKeyPairSync("ed25519")) {
  const raw = pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const bytes = Buffer.concat([Buffer.of(4), raw]);
  const hint = createHash("sha256").update(`${name}\n`).update(bytes).digest().subarray(0, 4);
  const line = (text: string, key: KeyObject = pair.privateKey, time = 1_700_000_000n) => {
    const at = Buffer.alloc(8);
    at.writeBigUInt64BE(time);
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), key);
    return `\u2014 ${name} ${Buffer.concat([hint, at, signature]).toString("base64")}\n`;
  };
  return { pair, key: `${name}+${hint.toString("hex")}+${bytes.toString("base64")}`, line };
}

test("verifyWitnesses: enough cosignatures -> accepted; fewer, of another text, time, key or name, or one twice -> refused", () => {
  const [a, b, c] = [witness("a.example"), witness("b.example"), witness("c.example")];
  const keys = [a, b].map(({ key }) => parseWitness(key));
  const note = (...lines: string[]) => `${TEXT}\n${LOG_LINE}${lines.join("")}`;
  const accepted = (text: string, quorum: number) => assert.doesNotThrow(() => verifyWitnesses(text, { keys, quorum }));
  const refused = (text: string, quorum: number) =>
    assert.throws(() => verifyWitnesses(text, { keys, quorum }), CheckFailed);
  accepted(note(a.line(TEXT), b.line(TEXT), c.line(TEXT)), 2);
  accepted(note(b.line(TEXT)), 1);
  accepted(note(a.line(TEXT, c.pair.privateKey), a.line(TEXT)), 1);
  refused(note(), 1);
  refused(note(c.line(TEXT)), 1);
  refused(note(a.line(TEXT)), 2);
  refused(note(a.line(TEXT), a.line(TEXT, a.pair.privateKey, 1_700_000_001n)), 2);
  refused(note(a.line(TEXT.replace("7", "8"))), 1);
  refused(note(a.line(TEXT, c.pair.privateKey)), 1);
  refused(note(witness("b.example", a.pair).line(TEXT)), 1);
  const [, , encoded = ""] = a.line(TEXT).trim().split(" ");
  const bytes = Buffer.from(encoded, "base64");
  for (let at = 0; at < bytes.length; at++) {
    const other = Buffer.from(bytes);
    other[at] = (other[at] ?? 0) ^ 1;
    refused(note(`\u2014 a.example ${other.toString("base64")}\n`), 1);
  }
  refused(note(`\u2014 a.example ${bytes.subarray(0, 12).toString("base64")}\n`), 1);
});

test("parseWitness: key of another kind, with another name or hint, or none at all -> refused", () => {
  const { key } = witness("a.example");
  const [name = "", hint = "", encoded = ""] = key.split("+", 3).concat(key.split("+").slice(3));
  const bytes = Buffer.from(key.slice(`${name}+${hint}+`.length), "base64");
  const ed25519 = Buffer.concat([Buffer.of(1), bytes.subarray(1)]).toString("base64");
  for (const text of [
    "",
    "a",
    `${name}+${hint}`,
    `${name}+${hint}+${ed25519}`,
    `${name}+${hint}+AAAA`,
    `${key}AA`,
    encoded,
  ]) {
    assert.throws(() => parseWitness(text), /expected a verifier key/, text);
  }
  assert.throws(() => parseWitness(key.replace("a.example", "b.example")), /hint mismatch: got [0-9a-f]{8}, want/);
});
