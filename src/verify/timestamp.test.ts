import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { testSigstore } from "../../test/support/sandbox.ts";
import { timestamp } from "../../test/support/sandbox-client.ts";
import type { TimestampAuthority } from "../trust/material.ts";
import { readTrustedRoot } from "../trust/trusted-root.ts";
import { CheckFailed } from "./model.ts";
import { verifyTimestamp } from "./timestamp.ts";
import { readToken } from "./timestamp-token.ts";

const SIGNATURE = Buffer.from("a signature");
const sandbox = await testSigstore();
const { timestampAuthorities } = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
const [AUTHORITY = assert.fail()] = timestampAuthorities;
/** With the authority's certificates in it, and without. */
const FULL = await timestamp(sandbox, SIGNATURE, { full: true });
const BARE = await timestamp(sandbox, SIGNATURE);

/** DER as a tree: constructed elements have members. */
interface Der {
  tag: number;
  members?: Der[];
  value?: Buffer;
}

function parse(bytes: Buffer): { node: Der; rest: Buffer } {
  const [tag = 0, first = 0] = bytes;
  const longer = first & 0x80 ? first & 0x7f : 0;
  const length = longer ? Number.parseInt(bytes.subarray(2, 2 + longer).toString("hex"), 16) : first;
  const start = 2 + longer;
  const value = bytes.subarray(start, start + length);
  const rest = bytes.subarray(start + length);
  if (!(tag & 0x20)) return { node: { tag, value }, rest };
  const members: Der[] = [];
  for (let left = value; left.length > 0; ) {
    const next = parse(left);
    members.push(next.node);
    left = next.rest;
  }
  return { node: { tag, members }, rest };
}

function write({ tag, members, value = Buffer.alloc(0) }: Der): Buffer {
  const content = members ? Buffer.concat(members.map(write)) : value;
  const size =
    content.length < 128
      ? [content.length]
      : content.length < 256
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const at = (node: Der, ...path: number[]): Der =>
  path.reduce((within, index) => within.members?.at(index) ?? assert.fail(`${path}`), node);
const list = (node: Der): Der[] => node.members ?? assert.fail("it has no members");
const CONTENT = [1, 1, 0];
const SIGNER = [...CONTENT, -1, 0];

/** The full token with one thing changed. */
function changed(change: (root: Der) => void): Buffer {
  const { node } = parse(FULL);
  change(node);
  return write(node);
}

function refused(
  token: Uint8Array,
  reason: RegExp,
  authorities: readonly TimestampAuthority[] = timestampAuthorities,
  name = "",
): void {
  const isIt = (error: unknown) => error instanceof CheckFailed && error.check === "time" && reason.test(error.message);
  assert.throws(() => verifyTimestamp(token, [SIGNATURE], authorities), isIt, `${name} ${reason}`);
}

test("verifyTimestamp: a token of a trusted authority, with its certificates or without -> its time", () => {
  assert.ok(write(parse(FULL).node).equals(FULL));
  for (const token of [FULL, BARE]) {
    const made = verifyTimestamp(token, [Buffer.from("other"), SIGNATURE], [{ ...AUTHORITY, roots: [] }, AUTHORITY]);
    assert.deepEqual(made, { time: readToken(token).time, authority: AUTHORITY });
    assert.ok(Math.abs((made?.time.getTime() ?? 0) - sandbox.io.now().getTime()) < 120_000);
  }
  const unnamed = { ...AUTHORITY, leaf: undefined };
  assert.ok(verifyTimestamp(FULL, [SIGNATURE], [unnamed]), "the token brings the certificate");
  assert.equal(verifyTimestamp(BARE, [SIGNATURE], [unnamed]), undefined);
  assert.equal(verifyTimestamp(FULL, [SIGNATURE], []), undefined);
});

test("verifyTimestamp: a token for another signature or time -> refused; of another authority -> undefined", () => {
  const isIt = (error: unknown) => error instanceof CheckFailed && /made for a different signature/.test(error.message);
  assert.throws(() => verifyTimestamp(FULL, [Buffer.from("other")], timestampAuthorities), isIt);
  assert.throws(() => verifyTimestamp(FULL, [], timestampAuthorities), isIt);
  const { time } = readToken(FULL);
  const within = (start: number, end: number | undefined) => [
    {
      ...AUTHORITY,
      validFor: {
        start: new Date(time.getTime() + start),
        end: end === undefined ? undefined : new Date(time.getTime() + end),
      },
    },
  ];
  assert.ok(verifyTimestamp(FULL, [SIGNATURE], within(0, 0)));
  refused(FULL, /is not trusted at/, within(1, undefined));
  refused(FULL, /is not trusted at/, within(-1000, -1));
  assert.ok(verifyTimestamp(FULL, [SIGNATURE], [...within(1, undefined), AUTHORITY]), "one that holds is enough");
  const foreign = { ...AUTHORITY, leaf: AUTHORITY.roots[0] };
  assert.equal(verifyTimestamp(FULL, [SIGNATURE], [foreign]), undefined, "the signer is another");
  refused(FULL, /invalid signed timestamp/, [{ ...AUTHORITY, roots: [], intermediates: [] }]);
});

test("verifyTimestamp: a signer's certificate without a path to the authority's root at the token's time -> refused", () => {
  const [foreign = assert.fail()] = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "r").authorities.map(
    ({ roots }) => roots,
  );
  assert.ok(verifyTimestamp(BARE, [SIGNATURE], [AUTHORITY]));
  refused(BARE, /invalid signed timestamp/, [{ ...AUTHORITY, roots: foreign, intermediates: [] }], "another root");
  refused(BARE, /invalid signed timestamp/, [{ ...AUTHORITY, roots: [], intermediates: [] }], "no root");
});

test("verifyTimestamp: a duplicate certificate in a token, or one that is not the authority's -> refused", () => {
  const certificates = [...CONTENT, 3];
  const twice = changed((root) => list(at(root, ...certificates)).push(at(root, ...certificates, 0)));
  refused(twice, /duplicate certificate/);
  const root = new X509Certificate(
    Buffer.from(readTrustedRoot(Buffer.from(sandbox.trustedRoot), "r").authorities[0]?.roots[0] ?? ""),
  );
  const foreign = changed((each) => list(at(each, ...certificates)).push(parse(root.raw).node));
  refused(foreign, /a certificate that is not from its authority/);
  const many = changed((each) => {
    at(each, ...certificates).members = Array.from({ length: 17 }, () => at(each, ...certificates, 0));
  });
  refused(many, /more than 16 certificates/);
});

test("readToken: a missing, repeated, misplaced or changed part of a token -> refused", () => {
  const value = (node: Der, bytes: number[]) => {
    node.value = Buffer.from(bytes);
  };
  const oid = (node: Der) => {
    node.value = Buffer.concat([(node.value ?? Buffer.alloc(0)).subarray(0, -1), Buffer.from([9])]);
  };
  const cases: [string, (root: Der) => void, RegExp][] = [
    ["not granted", (root) => value(at(root, 0, 0), [1]), /not granted/],
    [
      "a failure bit",
      (root) => list(at(root, 0)).push({ tag: 0x30, members: [] }, { tag: 0x03, value: Buffer.from([0]) }),
      /not granted/,
    ],
    [
      "a text of another type",
      (root) => list(at(root, 0)).splice(1, 1, { tag: 0x30, members: [{ tag: 0x13, value: Buffer.from("x") }] }),
      /malformed/,
    ],
    ["no token", (root) => list(root).pop(), /malformed/],
    ["more behind it", (root) => list(root).push({ tag: 0x05 }), /malformed/],
    ["no signed data", (root) => oid(at(root, 1, 0)), /content is not SignedData/],
    ["a part too much", (root) => list(at(root, 1)).push({ tag: 0x05 }), /malformed/],
    ["two contents", (root) => list(at(root, 1, 1)).push({ tag: 0x05 }), /malformed/],
    ["another version", (root) => value(at(root, ...CONTENT, 0), [1]), /unknown \w+ version/],
    ["a number with a byte too many", (root) => value(at(root, ...CONTENT, 0), [0, 3]), /malformed/],
    ["two digests", (root) => list(at(root, ...CONTENT, 1)).push(at(root, ...CONTENT, 1, 0)), /malformed/],
    ["another content", (root) => oid(at(root, ...CONTENT, 2, 0)), /content is not a TSTInfo/],
    ["no content", (root) => list(at(root, ...CONTENT, 2)).pop(), /malformed/],
    ["content of two parts", (root) => list(at(root, ...CONTENT, 2, 1)).push({ tag: 0x05 }), /malformed/],
    ["content of another type", (root) => Object.assign(at(root, ...CONTENT, 2, 1, 0), { tag: 0x0c }), /malformed/],
    ["no signer", (root) => list(at(root, ...CONTENT, -1)).pop(), /expected one signer, found none$/],
    [
      "two signers",
      (root) => list(at(root, ...CONTENT, -1)).push(at(root, ...SIGNER)),
      /expected one signer, found 2$/,
    ],
    ["signers of another type", (root) => Object.assign(at(root, ...CONTENT, -1), { tag: 0x30 }), /malformed/],
    [
      "revocation lists",
      (root) => list(at(root, ...CONTENT)).splice(4, 0, { tag: 0xa1, members: [] }),
      /unexpected revocation lists/,
    ],
    ["a signer of another version", (root) => value(at(root, ...SIGNER, 0), [3]), /unknown SignerInfo version/],
    ["a hash that is not listed", (root) => oid(at(root, ...SIGNER, 2, 0)), /unsupported hash|not listed/],
    [
      "a weak hash",
      (root) => Object.assign(at(root, ...SIGNER, 2, 0), { value: Buffer.from("2b0e03021a", "hex") }),
      /unsupported hash/,
    ],
    [
      "SHA-512 for one",
      (root) => value(at(root, ...SIGNER, 2, 0), [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3]),
      /not listed/,
    ],
    ["no attributes", (root) => list(at(root, ...SIGNER)).splice(3, 1), /missing signed attributes/],
    ["nothing behind the digest", (root) => list(at(root, ...SIGNER)).splice(3), /missing signed attributes/],
    [
      "unsigned attributes",
      (root) => list(at(root, ...SIGNER)).push({ tag: 0xa1, members: [] }),
      /unexpected unsigned attributes/,
    ],
    [
      "an attribute twice",
      (root) => list(at(root, ...SIGNER, 3)).push(at(root, ...SIGNER, 3, 0)),
      /duplicate attribute/,
    ],
    ["an attribute of three parts", (root) => list(at(root, ...SIGNER, 3, 0)).push({ tag: 0x05 }), /malformed/],
    [
      "parameters of an algorithm",
      (root) => list(at(root, ...SIGNER, 4)).push({ tag: 0x05, value: Buffer.from([0]) }),
      /malformed/,
    ],
    [
      "three parts of an algorithm",
      (root) => list(at(root, ...SIGNER, 4)).push({ tag: 0x05 }, { tag: 0x05 }),
      /malformed/,
    ],
    ["a name of three parts", (root) => list(at(root, ...SIGNER, 1)).push({ tag: 0x05 }), /malformed/],
    ["a signature of another type", (root) => Object.assign(at(root, ...SIGNER, 5), { tag: 0x0c }), /malformed/],
  ];
  const text = changed((root) => {
    list(at(root, 0)).push({ tag: 0x30, members: [{ tag: 0x0c, value: Buffer.from("granted") }] });
  });
  assert.ok(verifyTimestamp(text, [SIGNATURE], timestampAuthorities), "granted with a text");
  for (const [name, change, reason] of cases) refused(changed(change), reason, timestampAuthorities, name);
  for (const attributes of list(at(parse(FULL).node, ...SIGNER, 3)).keys()) {
    const without = changed((root) => list(at(root, ...SIGNER, 3)).splice(attributes, 1));
    refused(without, /not a TSTInfo|malformed|invalid signature|does not match the content/);
  }
});

test("readToken: trailing data, or more than 128 KiB -> refused", () => {
  refused(Buffer.concat([FULL, Buffer.from([0])]), /malformed/);
  refused(FULL.subarray(0, -1), /malformed/);
  refused(Buffer.alloc(0), /malformed/);
  refused(Buffer.alloc(128 * 1024 + 1), /larger than 128 KiB/);
  refused(Buffer.alloc(128 * 1024), /malformed/);
  assert.equal(readToken(FULL).certificates.length > 0, true);
  assert.deepEqual(readToken(BARE).certificates, []);
});

test("verifyTimestamp: any changed byte of the signed content -> refused", () => {
  const token = parse(FULL).node;
  const places = [
    [...CONTENT, 2, 1, 0],
    [...SIGNER, 5],
    [...SIGNER, 1, 1],
  ];
  for (const place of places) {
    const size = at(token, ...place).value?.length ?? 0;
    for (let index = 0; index < size; index += 5) {
      const bytes = changed((root) => {
        const copy = Buffer.from(at(root, ...place).value ?? "");
        copy[index] = (copy[index] ?? 0) ^ 1;
        at(root, ...place).value = copy;
      });
      let made: ReturnType<typeof verifyTimestamp>;
      try {
        made = verifyTimestamp(bytes, [SIGNATURE], timestampAuthorities);
      } catch (error) {
        assert.ok(error instanceof CheckFailed, String(error));
      }
      assert.equal(made, undefined, `${place} ${index}`);
    }
  }
});
