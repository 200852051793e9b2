import assert from "node:assert/strict";
import { test } from "node:test";
import { badBundle, base64, jsonBytes, logEntry, refused } from "../../../test/support/evidence-parts.ts";
import type { Evidence } from "../model.ts";
import { readBundle } from "./read.ts";
import { upgradeBundle } from "./upgrade.ts";
import { writeBundle } from "./write.ts";

const old = (version: string) => `application/vnd.dev.sigstore.bundle+json;version=${version}`;
const origin = { kind: "file", where: "f" } as const;
const EVIDENCE: Evidence = {
  origin,
  content: {
    kind: "blob",
    signature: Buffer.from("signature"),
    stated: { algorithm: "sha256", digest: Buffer.from("d") },
  },
  key: { kind: "certificate", leaf: Buffer.from("leaf"), chain: [], binding: true },
  log: [logEntry()],
  timestamps: [],
  annotations: {},
};
const V03 = JSON.parse(writeBundle(EVIDENCE));
const CERTIFICATES = ["leaf", "issuer", "root"].map((name) => ({ rawBytes: base64(name) }));
const { certificate: _, ...REST } = V03.verificationMaterial;
const MATERIAL = { ...REST, x509CertificateChain: { certificates: CERTIFICATES } };
const [ENTRY] = REST.tlogEntries;
const { inclusionProof: __, ...PROMISED } = ENTRY;

/** Upgrades a bundle, with a log that has these entries. */
async function upgrade(value: unknown, entries = [logEntry()]) {
  const [notices, asked] = [[] as string[], [] as string[]];
  const bytes = value instanceof Uint8Array ? value : jsonBytes(value);
  const upgraded = await upgradeBundle(bytes, {
    path: "f",
    fetchEntry: async (logIndex) => {
      asked.push(logIndex);
      return entries.shift() ?? assert.fail("not asked for");
    },
    notice: (text) => notices.push(text),
  });
  return { bytes, upgraded, notices, asked };
}

test("upgradeBundle: a bundle of version 0.3 -> returned byte for byte", async () => {
  for (const mediaType of [V03.mediaType, old("0.3")]) {
    const { bytes, upgraded, notices, asked } = await upgrade(
      Buffer.from(JSON.stringify({ ...V03, mediaType }, null, 2)),
    );
    assert.equal(upgraded, bytes);
    assert.deepEqual([notices.length, asked], [1, []]);
    assert.match(notices[0] ?? "", /no upgrade needed/);
  }
  await assert.rejects(upgrade({ ...V03, more: 1 }), badBundle);
});

test("upgradeBundle: a certificate chain -> only the leaf; the signed content is unchanged", async () => {
  for (const version of ["0.1", "0.2"]) {
    const { upgraded, notices, asked } = await upgrade({
      ...V03,
      mediaType: old(version),
      verificationMaterial: MATERIAL,
    });
    assert.deepEqual(JSON.parse(Buffer.from(upgraded).toString()), V03);
    assert.deepEqual(readBundle(upgraded, origin), EVIDENCE);
    assert.deepEqual(asked, []);
    assert.deepEqual(notices, [
      `Upgrading from v${version} to v0.3...`,
      "Truncating certificate chain to only the leaf certificate...",
    ]);
  }
});

test("upgradeBundle: a key -> kept, without a notice about certificates", async () => {
  const material = { publicKey: { hint: "h" }, tlogEntries: [ENTRY] };
  const { upgraded, notices } = await upgrade({ ...V03, mediaType: old("0.2"), verificationMaterial: material });
  assert.deepEqual(readBundle(upgraded, origin).key, { kind: "public-key", hint: "h" });
  assert.equal(notices.length, 1);
});

test("upgradeBundle: a missing inclusion proof -> fetched, if the log's entry is the bundle's", async () => {
  const { inclusionProof: proof } = ENTRY;
  for (const entry of [PROMISED, { ...ENTRY, inclusionProof: { ...proof, checkpoint: undefined } }]) {
    const bundle = { ...V03, mediaType: old("0.1"), verificationMaterial: { ...MATERIAL, tlogEntries: [entry] } };
    const { upgraded, notices, asked } = await upgrade(bundle);
    assert.deepEqual(readBundle(upgraded, origin), EVIDENCE);
    assert.deepEqual(asked, ["12"]);
    assert.match(notices.at(-1) ?? "", /log index 12/);
    const others = [
      logEntry({ logId: { keyId: Buffer.alloc(32, 8) } }),
      logEntry({ canonicalizedBody: Buffer.from("another") }),
    ];
    for (const other of others) await assert.rejects(upgrade(bundle, [other]), refused("service"));
  }
  const nameless = { ...PROMISED, logId: undefined };
  const bundle = { ...V03, mediaType: old("0.1"), verificationMaterial: { ...MATERIAL, tlogEntries: [nameless] } };
  await assert.rejects(upgrade(bundle), refused("service"));
  await assert.rejects(upgrade(bundle, [logEntry({ logId: { keyId: Buffer.alloc(0) } })]), badBundle);
});

test("upgradeBundle: a fetched entry -> only its inclusion proof is added", async () => {
  const bundle = { ...V03, mediaType: old("0.1"), verificationMaterial: { ...MATERIAL, tlogEntries: [PROMISED] } };
  const answer = logEntry({ integratedTime: "5", logIndex: "99", inclusionPromise: undefined });
  const { upgraded } = await upgrade(bundle, [answer]);
  assert.deepEqual(readBundle(upgraded, origin), EVIDENCE);
});

test("upgradeBundle: an invalid bundle, or one that cannot be converted to version 0.3 -> refused", async () => {
  const of = (change: object) => ({ ...V03, mediaType: old("0.2"), verificationMaterial: MATERIAL, ...change });
  const wrong: unknown[] = [
    null,
    [],
    {},
    { base64Signature: "" },
    of({ mediaType: old("0.4") }),
    of({ mediaType: `x${old("0.2")}` }),
    of({ mediaType: `${old("0.2")}x` }),
    of({ mediaType: 5 }),
    of({ more: 1 }),
    of({ verificationMaterial: undefined }),
    of({ verificationMaterial: { ...MATERIAL, x509CertificateChain: { certificates: [] } } }),
    of({ verificationMaterial: { tlogEntries: [ENTRY] } }),
    of({ messageSignature: undefined }),
  ];
  for (const value of wrong) await assert.rejects(upgrade(value), badBundle, JSON.stringify(value));
  await assert.rejects(upgrade(Buffer.from("{")), refused("bad-bundle", "f is not"));
});
