import assert from "node:assert/strict";
import { createHash, createPublicKey, sign, verify } from "node:crypto";
import { test } from "node:test";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { preAuthEncoding } from "../src/format/dsse.ts";
import { canonicalJson } from "../src/sandbox/logs/canonical.ts";
import { leafHash, MerkleTree } from "../src/sandbox/logs/merkle.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { ask, b64, hashedRekord, keyOf } from "./support/sandbox-client.ts";

const ENTRIES = "/api/v1/log/entries";
const V2 = "/api/v2/log/entries";
const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest();

interface Entry {
  body: string;
  integratedTime: number;
  logID: string;
  logIndex: number;
  attestation?: { data: string };
  verification: { signedEntryTimestamp: string; inclusionProof: { checkpoint: string; treeSize: number } };
}
type Entries = Record<string, Entry>;

const pemOf = (pair: ReturnType<typeof keyOf>) => pair.publicKey.export({ type: "spki", format: "pem" }).toString();

function signed(text: string, pair = keyOf("P-256")) {
  const signature = sign("sha256", Buffer.from(text), pair.privateKey);
  return { pair, signature, proposed: hashedRekord(sha256(text).toString("hex"), signature, pemOf(pair)) };
}

function statement(pair: ReturnType<typeof keyOf>, name = "thing") {
  const subject = [{ name, digest: { sha256: "ab".repeat(32) } }];
  const payload = Buffer.from(JSON.stringify({ _type: "https://in-toto.io/Statement/v1", subject }));
  const payloadType = "application/vnd.in-toto+json";
  const sig = sign("sha256", preAuthEncoding(payloadType, payload), pair.privateKey);
  return {
    payload,
    payloadType,
    sig,
    envelope: { payload: b64(payload), payloadType, signatures: [{ sig: b64(sig) }] },
  };
}

async function post(sandbox: TestSigstore, path: string, body: unknown) {
  return ask(sandbox, "POST", path, { body });
}

test("Rekor: entry found by UUID, index, content and search; duplicate -> 409 with its location", async () => {
  const sandbox = await testSigstore();
  const first = signed("one");
  const created = await post(sandbox, ENTRIES, first.proposed);
  assert.equal(created.status, 201);
  const uuid = created.headers["etag"] ?? "";
  assert.match(uuid, /^[0-9a-f]{80}$/);
  assert.equal(created.headers["location"], `${ENTRIES}/${uuid}`);
  const entry = (created.json() as unknown as Entries)[uuid];
  assert.equal(leafHash(Buffer.from(entry?.body ?? "", "base64")).toString("hex"), uuid.slice(16));
  await post(sandbox, ENTRIES, signed("two").proposed);

  const again = await post(sandbox, ENTRIES, first.proposed);
  assert.equal(again.status, 409);
  assert.equal(again.headers["location"], `${ENTRIES}/${uuid}`);
  assert.match(again.bytes.toString(), /equivalent entry already exists/);
  for (const path of [`${ENTRIES}/${uuid}`, `${ENTRIES}/${uuid.slice(16)}`, `${ENTRIES}?logIndex=0`]) {
    const found = (await ask(sandbox, "GET", path)).json() as unknown as Entries;
    assert.equal(found[uuid]?.body, entry?.body, path);
    assert.equal(found[uuid]?.verification.inclusionProof.treeSize, 2);
  }
  for (const query of [{ entryUUIDs: [uuid] }, { logIndexes: [0] }, { entries: [first.proposed] }]) {
    const found = (await post(sandbox, `${ENTRIES}/retrieve`, query)).json() as unknown as Entries[];
    assert.deepEqual(found.flatMap(Object.keys), [uuid]);
  }
  const hash = `sha256:${sha256("one").toString("hex")}`;
  const publicKey = { format: "x509", content: b64(pemOf(first.pair)) };
  for (const query of [{ hash }, { publicKey }, { hash, publicKey, operator: "and" }]) {
    assert.deepEqual((await post(sandbox, "/api/v1/index/retrieve", query)).json(), [uuid]);
  }
  const none = { hash: `sha256:${"0".repeat(64)}`, publicKey, operator: "and" };
  assert.deepEqual((await post(sandbox, "/api/v1/index/retrieve", none)).json(), []);

  assert.equal((await ask(sandbox, "GET", `${ENTRIES}/${"0".repeat(80)}`)).status, 404);
  assert.equal((await ask(sandbox, "GET", `${ENTRIES}?logIndex=9`)).status, 404);
  assert.equal((await ask(sandbox, "GET", `${ENTRIES}?logIndex=x`)).status, 422);
  const unknown = await post(sandbox, `${ENTRIES}/retrieve`, { entries: [signed("three").proposed] });
  assert.deepEqual(unknown.json(), []);
  assert.equal((await post(sandbox, `${ENTRIES}/retrieve`, { logIndexes: Array(11).fill(0) })).status, 422);
});

test("Rekor: SET is signed by the log's key; consistency proofs verify", async () => {
  const sandbox = await testSigstore();
  for (const text of ["one", "two", "three"]) {
    const answered = await post(sandbox, ENTRIES, signed(text).proposed);
    const entry = (answered.json() as unknown as Entries)[answered.headers["etag"] ?? ""];
    assert.ok(entry);
    const { verification, ...promised } = entry;
    const key = createPublicKey((await ask(sandbox, "GET", "/api/v1/log/publicKey")).bytes);
    const signature = Buffer.from(verification.signedEntryTimestamp, "base64");
    assert.ok(verify("sha256", Buffer.from(canonicalJson(promised)), key, signature));
    assert.equal(promised.logID, sha256(key.export({ type: "spki", format: "der" })).toString("hex"));
  }
  const log = (await ask(sandbox, "GET", "/api/v1/log")).json() as unknown as { treeSize: number; rootHash: string };
  assert.equal(log.treeSize, 3);
  const proof = (await ask(sandbox, "GET", "/api/v1/log/proof?firstSize=1&lastSize=3")).json() as unknown as {
    hashes: string[];
    rootHash: string;
  };
  assert.equal(proof.rootHash, log.rootHash);
  assert.equal(proof.hashes.length, 2);
  for (const query of ["firstSize=1&lastSize=4", "firstSize=3&lastSize=2", "lastSize=0"]) {
    assert.equal((await ask(sandbox, "GET", `/api/v1/log/proof?${query}`)).status, 400);
  }
});

test("Rekor: statements are logged as dsse and intoto, and found by subject", async () => {
  const sandbox = await testSigstore();
  const pair = keyOf("P-256");
  const made = statement(pair);
  const text = JSON.stringify(made.envelope);
  const publicKey = b64(pemOf(pair));
  const hash = { algorithm: "sha256", value: sha256(text).toString("hex") };
  const payloadHash = { algorithm: "sha256", value: sha256(made.payload).toString("hex") };
  const signature = { sig: b64(b64(made.sig)), publicKey };
  const envelope = { payloadType: made.payloadType, payload: b64(b64(made.payload)), signatures: [signature] };
  const proposals = {
    dsse: { kind: "dsse", apiVersion: "0.0.1", spec: { proposedContent: { envelope: text, verifiers: [publicKey] } } },
    intoto1: { kind: "intoto", apiVersion: "0.0.1", spec: { content: { envelope: text, hash }, publicKey } },
    intoto2: { kind: "intoto", apiVersion: "0.0.2", spec: { content: { envelope, hash, payloadHash } } },
  };
  const specs = {
    dsse: { envelopeHash: hash, payloadHash, signatures: [{ signature: b64(made.sig), verifier: publicKey }] },
    intoto1: { content: { hash, payloadHash }, publicKey },
    intoto2: { content: { envelope: { payloadType: made.payloadType, signatures: [signature] }, hash, payloadHash } },
  };
  const uuids: string[] = [];
  for (const [name, proposed] of Object.entries(proposals)) {
    const answered = await post(sandbox, ENTRIES, proposed);
    assert.equal(answered.status, 201, `${name} ${answered.bytes}`);
    const uuid = answered.headers["etag"] ?? "";
    const entry = (answered.json() as unknown as Entries)[uuid];
    const { kind, apiVersion } = proposed;
    const body = canonicalJson({ kind, apiVersion, spec: specs[name as keyof typeof specs] });
    assert.equal(Buffer.from(entry?.body ?? "", "base64").toString(), body);
    assert.equal(entry?.attestation?.data, name === "dsse" ? undefined : b64(made.payload));
    uuids.push(uuid);
  }
  const found = await post(sandbox, "/api/v1/index/retrieve", { hash: `sha256:${"ab".repeat(32)}` });
  assert.deepEqual(found.json(), uuids);
});

test("Rekor v1, v2: invalid signature or unknown entry kind -> refused", async () => {
  const sandbox = await testSigstore();
  const { proposed, signature, pair } = signed("one");
  const other = signed("two");
  const made = statement(pair);
  const verifiers = [b64(pemOf(other.pair))];
  const dsse = { proposedContent: { envelope: JSON.stringify(made.envelope), verifiers } };
  const proposals: unknown[] = [
    hashedRekord(sha256("two").toString("hex"), signature, pemOf(pair)),
    hashedRekord(sha256("one").toString("hex"), signature, pemOf(other.pair)),
    hashedRekord("abc", signature, pemOf(pair)),
    hashedRekord(sha256("one").toString("hex"), signature, "no key"),
    { kind: "dsse", apiVersion: "0.0.1", spec: dsse },
    { kind: "dsse", apiVersion: "0.0.1", spec: { proposedContent: { envelope: "{", verifiers } } },
    { ...proposed, apiVersion: "0.0.9" },
    { ...proposed, kind: "rekord" },
    {},
    Buffer.from("no JSON"),
  ];
  for (const bad of proposals) assert.equal((await post(sandbox, ENTRIES, bad)).status, 400, JSON.stringify(bad));
  assert.equal((await post(sandbox, ENTRIES, proposed)).status, 201);

  const rawBytes = b64(pair.publicKey.export({ type: "spki", format: "der" }));
  const verifier = { publicKey: { rawBytes }, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
  const request = (digest: Uint8Array, by: object = verifier) => ({
    hashedRekordRequestV002: { digest: b64(digest), signature: { content: b64(signature), verifier: by } },
  });
  const requests: unknown[] = [
    request(sha256("two")),
    request(sha256("one").subarray(1)),
    request(sha256("one"), { ...verifier, keyDetails: "PKIX_ECDSA_P384_SHA_384" }),
    request(sha256("one"), { ...verifier, keyDetails: "toString" }),
    { dsseRequestV002: { envelope: { ...made.envelope, payload: b64("other") }, verifiers: [verifier] } },
    { dsseRequestV002: { envelope: { ...made.envelope, signatures: [] }, verifiers: [verifier] } },
    {},
  ];
  for (const bad of requests) assert.equal((await post(sandbox, V2, bad)).status, 400, JSON.stringify(bad));
  assert.equal((await post(sandbox, V2, request(sha256("one")))).status, 201);
  // The same content is the same entry.
  const again = (await post(sandbox, V2, request(sha256("one")))).json() as unknown as { logIndex: string };
  assert.equal(again.logIndex, "0");
});

test("Rekor v1, v2: RSA, P-384, P-521 and Ed25519ph signatures -> accepted", async () => {
  const sandbox = await testSigstore();
  const kinds = [
    { kind: "RSA", hash: "sha256", keyDetails: "PKIX_RSA_PKCS1V15_2048_SHA256" },
    { kind: "P-384", hash: "sha384", keyDetails: "PKIX_ECDSA_P384_SHA_384" },
    { kind: "P-521", hash: "sha512", keyDetails: "PKIX_ECDSA_P521_SHA_512" },
  ] as const;
  for (const { kind, hash, keyDetails } of kinds) {
    const pair = keyOf(kind);
    const digest = createHash(hash).update("message").digest();
    const signature = sign(hash, Buffer.from("message"), pair.privateKey);
    const entry = hashedRekord(digest.toString("hex"), signature, pemOf(pair), hash);
    assert.equal((await post(sandbox, ENTRIES, entry)).status, 201, kind);
    const publicKey = { rawBytes: b64(pair.publicKey.export({ type: "spki", format: "der" })) };
    const content = { content: b64(signature), verifier: { publicKey, keyDetails } };
    const body = { hashedRekordRequestV002: { digest: b64(digest), signature: content } };
    assert.equal((await post(sandbox, V2, body)).status, 201, kind);
  }
  const pair = keyOf("Ed25519");
  const seed = Buffer.from(pair.privateKey.export({ format: "jwk" }).d ?? "", "base64url");
  const digest = createHash("sha512").update("message").digest();
  const signature = ed25519ph.sign(Uint8Array.from(Buffer.from("message")), Uint8Array.from(seed));
  const entry = hashedRekord(digest.toString("hex"), signature, pemOf(pair), "sha512");
  assert.equal((await post(sandbox, ENTRIES, entry)).status, 201);
  const pure = sign(null, Buffer.from("message"), pair.privateKey);
  const other = hashedRekord(digest.toString("hex"), pure, pemOf(pair), "sha512");
  assert.equal((await post(sandbox, ENTRIES, other)).status, 400);
});

test("Rekor v2: checkpoint and tiles are consistent", async () => {
  const sandbox = await testSigstore();
  const pair = keyOf("P-256");
  const publicKey = { rawBytes: b64(pair.publicKey.export({ type: "spki", format: "der" })) };
  const verifier = { publicKey, keyDetails: "PKIX_ECDSA_P256_SHA_256" };
  const count = 258;
  for (let index = 0; index < count; index++) {
    const signature = { content: b64(sign("sha256", Buffer.from(`${index}`), pair.privateKey)), verifier };
    const body = { hashedRekordRequestV002: { digest: b64(sha256(`${index}`)), signature } };
    assert.equal((await post(sandbox, V2, body)).status, 201);
  }
  const [origin, size, root] = (await ask(sandbox, "GET", "/api/v2/checkpoint")).bytes.toString().split("\n");
  assert.equal(origin, "127.0.0.1");
  assert.equal(size, String(count));
  const tile = async (path: string) => ask(sandbox, "GET", `/api/v2/tile/${path}`);
  const entries = Buffer.concat([(await tile("entries/000")).bytes, (await tile("entries/001.p/2")).bytes]);
  const hashes = Buffer.concat([(await tile("0/000")).bytes, (await tile("0/001.p/2")).bytes]);
  const tree = new MerkleTree();
  for (let at = 0; at < entries.length; ) {
    const length = entries.readUInt16BE(at);
    const hash = leafHash(entries.subarray(at + 2, at + 2 + length));
    assert.deepEqual(hash, hashes.subarray(tree.size * 32, tree.size * 32 + 32));
    tree.append(hash);
    at += 2 + length;
  }
  assert.equal(tree.size, count);
  assert.equal(tree.root().toString("base64"), root);
  assert.deepEqual((await tile("1/000.p/1")).bytes, tree.root(256));
  for (const path of [
    "0/002",
    "0/001",
    "0/001.p/3",
    "1/000",
    "2/000.p/1",
    "9/000",
    "entries/001",
    "0/1",
    "0/x000/000.p/0",
  ]) {
    assert.equal((await tile(path)).status, 404, path);
  }
});
