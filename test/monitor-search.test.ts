import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { writePem } from "../src/format/pem.ts";
import { publicKeyFromObject } from "../src/keys/index.ts";
import { search, type Watch } from "../src/monitor/watch.ts";
import { ALWAYS, NO_TRUST } from "../src/trust/material.ts";
import { foundry } from "./support/authorities.ts";
import { keyOf } from "./support/sandbox-client.ts";

/** What is seen in an entry, however it is written: a log that conspires with a thief chooses the bytes. */
const DIGEST = createHash("sha256").update("artifact").digest("hex");
const ours = keyOf("P-256").publicKey;
const others = keyOf("P-256").publicKey;
const pemOf = (key: typeof ours) => String(key.export({ type: "spki", format: "pem" }));
const b64 = (text: string) => Buffer.from(text).toString("base64");

const watching = (more: Partial<Watch> = {}): Watch => ({
  identities: [],
  keys: [publicKeyFromObject(ours)],
  digests: new Set(),
  expected: new Set(),
  ordered: { commits: new Set(), identities: [], keys: [] },
  authorities: [],
  trust: { ...NO_TRUST, now: new Date() },
  ...more,
});

/** A hashedrekord of Rekor v1, with more JSON before and after its members. */
const entry = (stated: string, { first = "", last = "", kind = "hashedrekord" } = {}) =>
  `{${first}"apiVersion":"0.0.1","kind":"${kind}","spec":{"data":{"hash":{"algorithm":"sha256","value":"${DIGEST}"}},"signature":{"content":"AAAA","publicKey":{"content":"${b64(stated)}"}}}${last}}`;
const specOf = (stated: string) =>
  `{"data":{"hash":{"algorithm":"sha256","value":"${DIGEST}"}},"signature":{"content":"AAAA","publicKey":{"content":"${b64(stated)}"}}}`;

function seen(body: string | Uint8Array, more: Partial<Watch> = {}): string {
  const found = search(Buffer.from(body), watching(more));
  return typeof found === "object" ? found.by : found;
}

test("search: our key in an entry -> key; another -> nothing; expected, or ordered -> nothing", () => {
  assert.equal(seen(entry(pemOf(ours))), "key");
  assert.equal(seen(entry(pemOf(others))), "nothing");
  assert.equal(seen(entry(pemOf(ours)), { expected: new Set([`sha256:${DIGEST}`]) }), "nothing");
  const ordered = { commits: new Set<string>(), identities: [], keys: [publicKeyFromObject(ours)] };
  assert.equal(seen(entry(pemOf(ours)), { ordered }), "nothing");
  const digests = new Set([`sha256:${DIGEST}`]);
  assert.equal(seen(entry(pemOf(ours)), { ordered, digests }), "nothing", "who signs by our order may sign it");
  assert.equal(seen(entry(pemOf(others)), { ordered, digests }), "digest");
});

test("search: entries that parsers read in different ways -> malformed, also if one of them reads what is expected", () => {
  const expected = new Set([`sha256:${DIGEST}`]);
  const theirs = pemOf(others);
  const hidden = specOf(pemOf(ours));
  for (const body of [
    entry(theirs, { first: `"spec":${hidden},` }), // a repeated member
    entry(theirs, { last: `,"spec":${hidden}` }),
    entry(theirs, { last: `,"Spec":${hidden}` }), // the same for Go
    entry(theirs, { first: `"SPEC":${hidden},` }),
    entry(theirs, { last: `,"\u017fpec":${hidden}` }),
    entry(theirs, { last: ',"\u212aind":"dsse"' }),
    entry(theirs).replace('"content":"AAAA"', `"content":"AAAA","PublicKey":{"content":"${b64(pemOf(ours))}"}`),
    `\ufeff${entry(theirs)}`,
    `${entry(theirs)}{}`,
    Buffer.concat([Buffer.from(entry(theirs).slice(0, -1)), Buffer.from(',"x":"'), Buffer.of(0xff), Buffer.from('"}')]),
    "",
    "[]x",
  ]) {
    assert.equal(seen(body), "malformed", String(body));
    assert.equal(seen(body, { expected }), "malformed", String(body));
  }
  assert.equal(seen(entry(theirs, { last: ',"other":{"name":"x"}' })), "nothing");
});

test("search: kinds that tsign does not read, with members that their signer has chosen -> unparsed", () => {
  for (const more of ['"a":1,"A":2', '"a":1,"a":2', '"__proto__":1']) {
    assert.equal(seen(`{"apiVersion":"0.0.1","kind":"alpine","spec":{${more}}}`), "unparsed", more);
  }
  assert.equal(seen(entry("no key at all")), "unparsed");
  assert.equal(seen('{"apiVersion":"0.0.1","kind":"hashedrekord"}'), "unparsed");
});

test("search: several blocks as one key -> each is compared", () => {
  const { newKey, make } = foundry();
  const key = newKey();
  const certificate = writePem("CERTIFICATE", make({ name: undefined, key, issuer: "x", issuerKey: key }));
  assert.equal(seen(entry(certificate)), "nothing");
  assert.equal(seen(entry(certificate + pemOf(ours))), "key");
  assert.equal(seen(entry(pemOf(ours) + certificate)), "key");
  assert.equal(seen(entry(pemOf(others) + certificate)), "nothing");
  assert.equal(
    seen(entry(`${pemOf(others)}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`)),
    "unparsed",
  );
});

test("search: certificates of our own authority -> authority, whatever their names; of another with its name -> nothing", () => {
  const { newKey, make } = foundry();
  const [root, forged, leaf] = [newKey(), newKey(), newKey()];
  const name = "Acme Root";
  const rootOf = (key: typeof root) => make({ name, key, issuer: name, issuerKey: key });
  const authority = { roots: [rootOf(root)], intermediates: [], validFor: ALWAYS };
  const issued = (issuerKey: typeof root, issuer = name) =>
    entry(writePem("CERTIFICATE", make({ name: undefined, key: leaf, issuer, issuerKey })));
  const own = { authorities: [authority], trust: { ...NO_TRUST, authorities: [authority], now: new Date() } };
  assert.equal(seen(issued(root), own), "authority");
  assert.equal(seen(issued(forged), own), "nothing", "the name is ours, the signature is not");
  assert.equal(seen(issued(root, "Other Root"), own), "nothing");
  assert.equal(seen(issued(root)), "nothing", "an authority that is not watched");
  const anyone = { text: "any", matches: () => true, matchesNone: true };
  const identities = [{ subject: [anyone], issuer: [anyone], extensions: new Map() }];
  const identity = { ...own, ordered: { commits: new Set<string>(), identities, keys: [] } };
  assert.equal(seen(issued(root), identity), "authority", "a certificate without a name is nobody's");
});
