import assert from "node:assert/strict";
import { test } from "node:test";
import { TsignError } from "../errors.ts";
import { parseJson } from "./json.ts";
import { decodeLargeBase64, shortened } from "./json-large.ts";
import { scanJson } from "./json-scan.ts";

const NONE = new Set<string>();
const accepts = (read: () => unknown): boolean => {
  try {
    read();
    return true;
  } catch (error) {
    assert.ok(error instanceof TsignError, String(error));
    return false;
  }
};

/** A generator with a seed, so that failures can be reproduced. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

function randomValue(pick: (below: number) => number, depth: number): string {
  const space = ["", " ", "\n\t", ""][pick(4)];
  switch (pick(depth > 3 ? 4 : 6)) {
    case 0:
      return `${space}${["0", "-1", "1.5e3", "-0.25E-2", "true", "false", "null"][pick(7)]}`;
    case 1:
    case 2:
      return `"${["", "a", "\\u00e9", "ü", '\\"', "\\\\", "x".repeat(pick(9))][pick(7)]}"${space}`;
    case 3:
      return `{}${space}`;
    case 4:
      return `[${Array.from({ length: pick(4) }, () => randomValue(pick, depth + 1)).join(`,${space}`)}]`;
    default:
      return `{${Array.from({ length: pick(4) }, (_, n) => `"k${n}":${space}${randomValue(pick, depth + 1)}`).join(",")}}`;
  }
}

test("scanJson accepts exactly what parseJson accepts, including mutated documents", () => {
  const pick = random(7);
  let good = 0;
  for (let n = 0; n < 4000; n++) {
    const bytes = Buffer.from(randomValue(pick, 0));
    const changes = pick(3);
    for (let change = 0; change < changes && bytes.length > 0; change++) {
      bytes[pick(bytes.length)] = Buffer.from('{}[],:"\\0-+.eEtfnu \n\x01\xff', "latin1")[pick(22)] ?? 0;
    }
    const expected = accepts(() => parseJson(bytes, "it"));
    assert.equal(
      accepts(() => scanJson(bytes, NONE, "it")),
      expected,
      JSON.stringify(bytes.toString("latin1")),
    );
    good += expected ? 1 : 0;
  }
  assert.ok(good > 1000 && good < 3800, `${good} of 4000 are good`);
});

test("scanJson refuses repeated keys, __proto__, deep nesting, byte order marks and bad numbers as parseJson does", () => {
  const documents = [
    '{"a":1,"\\u0061":2}',
    '{"__proto__":1}',
    `${"[".repeat(65)}${"]".repeat(65)}`,
    '\ufeff{"a":1}',
    "01",
    "1.",
    ".5",
    "1e",
    "+1",
    '"\\x"',
    '"\\u12g4"',
    '"\u0001"',
    "{,}",
    "[1,]",
    '{"a":1,}',
    "[1 2]",
    "nul",
    "",
    "[]]",
  ];
  for (const document of documents) {
    const bytes = Buffer.from(document);
    assert.equal(
      accepts(() => parseJson(bytes, "it")),
      false,
      document,
    );
    assert.equal(
      accepts(() => scanJson(bytes, NONE, "it")),
      false,
      document,
    );
  }
  const deep = Buffer.from(`${"[".repeat(64)}${"]".repeat(64)}`);
  assert.ok(accepts(() => scanJson(deep, NONE, "it")));
});

test("shortened replaces a large member and nothing else", () => {
  const payload = Buffer.alloc(6 * 1024 * 1024, "payload ");
  const text = `{"payload":"x","dsseEnvelope":{"other":["payload"],"payload":"${payload.toString("base64")}","sig":"y"},"list":[{"payload":"z"}]}`;
  const short = shortened(Buffer.from(text), new Set(["dsseEnvelope.payload"]), "it") ?? assert.fail("it is large");
  const value = JSON.parse(Buffer.from(short.bytes).toString("utf8"));
  const [[standIn, taken] = assert.fail("nothing taken")] = [...short.taken];
  assert.equal(value.dsseEnvelope.payload, standIn);
  assert.equal(value.payload, "x");
  assert.equal(value.list[0].payload, "z");
  assert.deepEqual(Buffer.from(decodeLargeBase64(taken.value) ?? []), payload);
  assert.deepEqual(Buffer.from(decodeLargeBase64(taken.value, { overwrite: true }) ?? []), payload);
  assert.equal(shortened(Buffer.from('{"payload":"x"}'), new Set(["payload"]), "it"), undefined);
  assert.throws(() => shortened(Buffer.from(`${text}}`), new Set(["payload"]), "it"), /not valid JSON/);
  const padded = Buffer.from(`{"hint":"${"x".repeat(17 * 1024 * 1024)}"}`);
  assert.throws(() => shortened(padded, new Set(["payload"]), "it"), /more than 16 MiB/);
});

test("decodeLargeBase64 refuses what decodeBase64 refuses", () => {
  const long = "QUJD".repeat(100_000);
  for (const [literal, good] of [
    [`"${long}"`, true],
    [`"${long}QQ=="`, true],
    [`"${long}QQ"`, true],
    [`"${long}-_"`, true],
    [`"${long}+/-_"`, false],
    [`"${long}Q"`, false],
    [`"${long}QQ="`, false],
    [`"QQ==${long}"`, false],
    [`"${long}\\n"`, false],
    [`"${long} "`, false],
    [`["${long}"]`, false],
  ] as const) {
    assert.equal(decodeLargeBase64(Buffer.from(literal)) !== undefined, good, literal.slice(-12));
  }
});
