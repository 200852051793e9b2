import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { foundry } from "../../../test/support/authorities.ts";
import { implicit, sequence } from "../../sandbox/pki/der.ts";
import { extension } from "../../sandbox/pki/x509.ts";
import { ALWAYS, NO_TRUST } from "../../trust/material.ts";
import { certificateHash, searchLeaf } from "./search-ct.ts";

const EMAIL = "dev@corp.example";
const { newKey, make } = foundry();
const [root, other] = [newKey(), newKey()];
const authority = make({ name: "CA", key: root, issuer: "CA", issuerKey: root });
const watch = {
  identities: [
    {
      subject: [{ text: EMAIL, matches: (name: string) => name === EMAIL }],
      issuer: [{ text: ".*", matches: () => true, matchesNone: true }],
      extensions: new Map(),
    },
  ],
  ...{ keys: [], digests: new Set<string>(), expected: new Set<string>(), authorities: [] },
  ordered: { commits: new Set<string>(), identities: [], keys: [] },
  trust: {
    ...NO_TRUST,
    authorities: [{ roots: [authority], intermediates: [], validFor: ALWAYS }],
    now: new Date(),
  },
};

function certificate(email: string, issuerKey = root): Buffer {
  const name = extension("2.5.29.17", sequence(implicit(1, Buffer.from(email))));
  return make({ name: undefined, key: newKey(), issuer: "CA", issuerKey, more: [name] });
}

/** A MerkleTreeLeaf (RFC 6962 §3.4): version, leaf_type, timestamp, entry_type, the entry with its length, no extensions. */
function leafOf(type: number, ...entry: readonly Uint8Array[]): Buffer {
  const content = entry.at(-1) ?? Buffer.alloc(0);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([
    Buffer.alloc(10),
    Buffer.from([0, type]),
    ...entry.slice(0, -1),
    length.subarray(1),
    content,
    Buffer.alloc(2),
  ]);
}

test("searchLeaf: a whole certificate of a trusted authority with a watched identity -> found", () => {
  const der = certificate(EMAIL);
  const seen = searchLeaf(leafOf(0, der), watch);
  assert.ok(typeof seen === "object", String(seen));
  assert.deepEqual([seen.by, seen.certificate], ["identity", certificateHash(der)]);
});

test("searchLeaf: a whole certificate of another authority, or with another identity -> no finding", () => {
  assert.equal(searchLeaf(leafOf(0, certificate(EMAIL, other)), watch), "untrusted");
  assert.equal(searchLeaf(leafOf(0, certificate("a@b.example")), watch), "nothing");
});

test("searchLeaf: a precertificate is found by the hash of its issuer's key only", () => {
  const tbs = tbsOf(certificate(EMAIL));
  const keyHash = (key: typeof root) =>
    createHash("sha256")
      .update(key.publicKey.export({ type: "spki", format: "der" }))
      .digest();
  assert.ok(typeof searchLeaf(leafOf(1, keyHash(root), tbs), watch) === "object");
  assert.equal(searchLeaf(leafOf(1, keyHash(other), tbs), watch), "untrusted");
});

test("searchLeaf: leaves that cannot be read -> unparsed", () => {
  const der = certificate(EMAIL);
  const whole = leafOf(0, der);
  const wrong = [
    Buffer.alloc(0),
    whole.subarray(0, 14),
    leafOf(2, der),
    leafOf(0, der.subarray(0, -1)),
    leafOf(1, der),
  ];
  assert.deepEqual(
    wrong.map((leaf) => searchLeaf(leaf, watch)),
    wrong.map(() => "unparsed"),
  );
});

/** A certificate's first member, DER; a definite length of two bytes is expected for both. */
function tbsOf(der: Buffer): Buffer {
  return der.subarray(4, 8 + der.readUInt16BE(6));
}
