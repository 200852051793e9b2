import assert from "node:assert/strict";
import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { test } from "node:test";
import { bundleToJSON } from "@sigstore/bundle";
import {
  DSSEBundleBuilder,
  MessageSignatureBundleBuilder,
  type Signer as SigstoreSigner,
  type Witness as SigstoreWitness,
} from "@sigstore/sign";
import type { ErrorCode } from "../src/errors.ts";
import { readBundle } from "../src/evidence/bundle/read.ts";
import { bundleText, writeBundle } from "../src/evidence/bundle/write.ts";
import type { Evidence } from "../src/evidence/model.ts";
import { digestOf, messageOf } from "../src/format/digest.ts";
import { defaultHashes, signerFromKey } from "../src/keys/index.ts";
import type { PublicKey, Signer } from "../src/keys/types.ts";
import { identityOf } from "../src/sign/certify.ts";
import { signStatement } from "../src/sign/payload.ts";
import { openWitnesses, rekorV1Witness, rekorV2Witness, timestampWitness } from "../src/sign/services.ts";
import { openSession, type Publication, type SessionOptions } from "../src/sign/session.ts";
import {
  bundleBuilder,
  fromSigstoreSigner,
  fulcioSigner,
  toIdentityProvider,
  toSigstoreSigner,
  witnessOf,
} from "../src/sign/sigstore-js.ts";
import type { Witness } from "../src/sign/witness.ts";
import { readTrustedRoot } from "../src/trust/trusted-root.ts";
import type { Policy } from "../src/verify/model.ts";
import { verify } from "../src/verify/verify.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { ALICE, keyOf } from "./support/sandbox-client.ts";
import { testIo } from "./support/test-io.ts";

const STATEMENT = signStatement({ digest: digestOf(Buffer.from("image")), annotations: {} });
const IN_TOTO = "application/vnd.in-toto+json";
const FILE = Buffer.from("a file");

const ioOf = (sandbox: TestSigstore) => testIo({ io: sandbox.io });
const rekor1 = (sandbox: TestSigstore) => [rekorV1Witness(ioOf(sandbox), new URL(sandbox.at.rekor1))];
const rekor2 = (sandbox: TestSigstore) => [
  rekorV2Witness(ioOf(sandbox), new URL(sandbox.at.rekor2)),
  timestampWitness(ioOf(sandbox), { url: new URL(sandbox.at.tsa) }),
];
const keyFor = (kind: Parameters<typeof keyOf>[0]) => signerFromKey(keyOf(kind).privateKey);

/** "ok", or what failed. */
async function judge(sandbox: TestSigstore, evidence: Evidence, signer: PublicKey | string): Promise<string> {
  const trust = { ...readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root"), now: sandbox.io.now() };
  const named = (name: string) => [{ text: name, matches: (found: string) => found === name }];
  const policy: Policy = {
    signer:
      typeof signer === "string"
        ? {
            kind: "identity",
            identity: { subject: named(signer), issuer: named(sandbox.at.issuer), extensions: new Map() },
          }
        : { kind: "key", key: signer, hashes: defaultHashes(signer) },
    claims: "insecureSkip",
    log: "required",
    timestamp: "optional",
    sct: typeof signer === "string" ? { detached: undefined } : "insecureSkip",
  };
  const verdict = await verify(evidence, { kind: "blob", message: messageOf(FILE) }, trust, policy);
  return verdict.ok ? "ok" : `${verdict.failed.name}: ${verdict.failed.detail}`;
}

function evidenceOf(bundle: Parameters<typeof bundleToJSON>[0]): Evidence {
  return readBundle(Buffer.from(bundleText(bundleToJSON(bundle))), { kind: "file", where: "" });
}

const code = (expected: ErrorCode) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, expected, String(error));
  return true;
};

test("@sigstore/sign builders with tsign's keys and witnesses -> bundles that verify", async () => {
  const sandbox = await testSigstore();
  const rows: [Parameters<typeof keyOf>[0], "dsse" | "message", readonly Witness[], object][] = [
    ["P-256", "dsse", rekor1(sandbox), {}],
    ["P-256", "message", rekor2(sandbox), {}],
    ["RSA", "dsse", rekor2(sandbox), {}],
    ["RSA", "message", rekor1(sandbox), {}],
    ["P-384", "dsse", rekor2(sandbox), {}],
    ["P-384", "dsse", rekor1(sandbox), { hash: "sha256" }],
    ["P-384", "message", rekor1(sandbox), { hash: "sha256" }],
    ["Ed25519", "dsse", rekor1(sandbox), {}],
    ["Ed25519", "dsse", rekor2(sandbox), { prehash: true }],
  ];
  for (const [kind, form, witnesses, options] of rows) {
    const key = keyFor(kind);
    const signer = toSigstoreSigner(key, options);
    const builder =
      form === "dsse"
        ? new DSSEBundleBuilder({ signer, witnesses: [...witnesses] })
        : new MessageSignatureBundleBuilder({ signer, witnesses: [...witnesses] });
    const data = form === "dsse" ? Buffer.from(STATEMENT) : FILE;
    const evidence = evidenceOf(await builder.create({ data, ...(form === "dsse" ? { type: IN_TOTO } : {}) }));
    assert.equal(await judge(sandbox, evidence, key.publicKey), "ok", `${kind} ${form}`);
    assert.notEqual(await judge(sandbox, evidence, keyFor(kind).publicKey), "ok", `${kind} ${form}, another key`);
  }
});

test("@sigstore/sign builders: unsupported key -> refused by the log", async () => {
  const sandbox = await testSigstore();
  const rows: [Parameters<typeof keyOf>[0], "dsse" | "message", readonly Witness[], RegExp][] = [
    ["P-384", "dsse", rekor1(sandbox), /a signature does not match any verifier/], // requires SHA-384
    ["P-384", "message", rekor1(sandbox), /invalid signature/i], // states SHA-256
    ["P-384", "message", rekor2(sandbox), /invalid signature/i],
    ["Ed25519", "message", rekor1(sandbox), /invalid signature|verif/i],
  ];
  for (const [kind, form, witnesses, reason] of rows) {
    const options = { signer: toSigstoreSigner(keyFor(kind)), witnesses: [...witnesses] };
    const builder = form === "dsse" ? new DSSEBundleBuilder(options) : new MessageSignatureBundleBuilder(options);
    const made = builder.create({ data: form === "dsse" ? Buffer.from(STATEMENT) : FILE, type: IN_TOTO });
    await assert.rejects(made, reason, `${kind} ${form}`);
  }
});

test("toSigstoreSigner: form that the key cannot sign -> refused", () => {
  assert.throws(() => toSigstoreSigner(keyFor("P-256"), { prehash: true }), code("unsupported"));
  const { publicKey, sign } = keyFor("P-384"); // like a key in a service
  assert.throws(() => toSigstoreSigner({ publicKey, sign }, { hash: "sha256" }), code("unsupported"));
});

test("fulcioSigner: parallel signatures -> one certificate; renewed before it expires", async () => {
  let now = new Date("2026-06-01T12:00:00Z");
  const sandbox = await testSigstore({ clock: () => now });
  const io = ioOf(sandbox);
  const source = {
    kind: "issued",
    authority: new URL(sandbox.at.fulcio),
    identity: identityOf(io, { getToken: async () => sandbox.mint(ALICE) }),
  } as const;
  const trust = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
  const signer = fulcioSigner(io, { key: keyFor("P-256"), source, trust });
  const issued = () => sandbox.requests.filter((each) => each.endsWith("/signingCert")).length;
  const builder = new DSSEBundleBuilder({ signer, witnesses: [...rekor1(sandbox)] });
  const create = () => builder.create({ data: Buffer.from(STATEMENT), type: IN_TOTO });
  const made = await Promise.all([create(), create(), create()]);
  assert.equal(issued(), 1);
  for (const bundle of made) assert.equal(await judge(sandbox, evidenceOf(bundle), ALICE), "ok");
  assert.notEqual(await judge(sandbox, evidenceOf(made[0]), "eve@example.com"), "ok");
  now = new Date(now.getTime() + 9.5 * 60_000);
  assert.equal(await judge(sandbox, evidenceOf(await create()), ALICE), "ok");
  assert.equal(issued(), 2);
});

test("fulcioSigner: failed request -> next signature requests a new certificate", async () => {
  const sandbox = await testSigstore();
  const io = ioOf(sandbox);
  const tokens = ["garbage", sandbox.mint(ALICE)];
  const identity = identityOf(io, { getToken: async () => tokens.shift() ?? "" });
  const source = { kind: "issued", authority: new URL(sandbox.at.fulcio), identity } as const;
  const signer = fulcioSigner(io, { key: keyFor("P-256"), source });
  await assert.rejects(signer.sign(FILE), code("auth"));
  assert.equal((await signer.sign(FILE)).key.$case, "x509Certificate");
});

/** A foreign signer with its own key. */
function foreign(kind: "P-256" | "P-384" | "RSA" | "Ed25519"): { signer: SigstoreSigner; publicKey: string } {
  const pair = keyOf(kind);
  const publicKey = pair.publicKey.export({ type: "spki", format: "pem" }).toString();
  const hash = { "P-256": "sha256", "P-384": "sha384", RSA: "sha256", Ed25519: null }[kind];
  const sign = async (data: Buffer) => {
    return { signature: signBytes(hash, data, pair.privateKey), key: { $case: "publicKey", publicKey } as const };
  };
  return { signer: { sign }, publicKey };
}

test("session: accepts a Signer of @sigstore/sign", async () => {
  const sandbox = await testSigstore();
  const trust = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
  const sessionOf = (key: Signer, witnesses: readonly Witness[]) =>
    openSession(ioOf(sandbox), { key, witnesses, trust });
  for (const kind of ["P-256", "P-384", "RSA"] as const) {
    const { signer, publicKey } = foreign(kind);
    const session = await sessionOf(fromSigstoreSigner(signer, { publicKey }), rekor2(sandbox));
    const evidence = await session.sign({ kind: "statement", statement: STATEMENT });
    const read = readBundle(Buffer.from(writeBundle(evidence)), { kind: "file", where: "" });
    assert.equal(await judge(sandbox, read, session.identity.key), "ok", kind);
    const file = await bundleBuilder(session).create({ data: FILE });
    assert.equal(await judge(sandbox, evidenceOf(file), session.identity.key), "ok", kind);
  }
  const ed = foreign("Ed25519");
  const key = fromSigstoreSigner(ed.signer, ed);
  const pure = await sessionOf(key, rekor1(sandbox));
  const evidence = await pure.sign({ kind: "statement", statement: STATEMENT });
  assert.equal(await judge(sandbox, evidence, key.publicKey), "ok");
  // Logs of digests require Ed25519ph, which the interface cannot request.
  await assert.rejects(pure.sign({ kind: "payload", payload: FILE }), code("unsupported"));
});

test("session: foreign signer returns another key or a certificate -> refused before anything is public", async () => {
  const sandbox = await testSigstore();
  const { signer } = foreign("P-256");
  const other = foreign("P-256");
  const lying = fromSigstoreSigner(signer, { publicKey: other.publicKey });
  const session = await openSession(ioOf(sandbox), { key: lying, witnesses: rekor2(sandbox) });
  await assert.rejects(session.sign({ kind: "payload", payload: FILE }), code("unsupported"));
  const certified: SigstoreSigner = {
    sign: async (data) => ({ ...(await signer.sign(data)), key: { $case: "x509Certificate", certificate: "" } }),
  };
  const bringing = fromSigstoreSigner(certified, { publicKey: other.publicKey });
  await assert.rejects(bringing.sign(FILE), code("unsupported"));
  await assert.rejects(async () => fromSigstoreSigner(signer, { publicKey: "no PEM" }), code("input"));
  assert.deepEqual(sandbox.requests, []);
});

test("session: signer signs other data -> refused", async () => {
  const sandbox = await testSigstore();
  const trust = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
  const { signer, publicKey } = foreign("P-256");
  const wrong: SigstoreSigner = { sign: (data) => signer.sign(Buffer.concat([data, Buffer.from("x")])) };
  const key = fromSigstoreSigner(wrong, { publicKey });
  const witnesses = rekor2(sandbox).filter(({ role }) => role === "timestamp-authority");
  const session = await openSession(ioOf(sandbox), { key, witnesses, trust });
  await assert.rejects(session.sign({ kind: "payload", payload: FILE }), code("untrusted"));
});

test("session: Witness of @sigstore/sign -> accepted; false log entry -> refused", async () => {
  const sandbox = await testSigstore();
  const trust = readTrustedRoot(Buffer.from(sandbox.trustedRoot), "root");
  const [log] = rekor1(sandbox);
  assert.ok(log);
  const plain: SigstoreWitness = { testify: (signature, publicKey) => log.testify(signature, publicKey) };
  const key = keyFor("P-256");
  const options = { key, trust, witnesses: [witnessOf(plain, { role: "log", name: "a log" })] };
  const session = await openSession(ioOf(sandbox), options);
  const evidence = await session.sign({ kind: "statement", statement: STATEMENT });
  assert.equal(evidence.log.length, 1);
  assert.equal(await judge(sandbox, evidence, key.publicKey), "ok");
  const silent = witnessOf({ testify: async () => ({}) }, { role: "log", name: "a log" });
  const empty = await openSession(ioOf(sandbox), { ...options, witnesses: [silent] });
  await assert.rejects(empty.sign({ kind: "statement", statement: STATEMENT }), code("untrusted"));
  const replaying = witnessOf(
    { testify: async () => ({ tlogEntries: [...evidence.log] }) },
    options.witnesses[0] ?? log,
  );
  const lied = await openSession(ioOf(sandbox), { ...options, witnesses: [replaying] });
  const another = signStatement({ digest: digestOf(Buffer.from("another")), annotations: {} });
  await assert.rejects(lied.sign({ kind: "statement", statement: another }), code("untrusted"));
});

test("session: onPublish gets key or identity and places before anything is sent, and can stop it", async () => {
  const sandbox = await testSigstore();
  const io = ioOf(sandbox);
  const told: Publication[] = [];
  const onPublish = (publication: Publication) => {
    told.push(publication);
    throw new Error("no");
  };
  const { host } = new URL(sandbox.at.rekor1);
  const key = keyFor("P-256");
  const open = (options: Partial<SessionOptions>) =>
    openSession(io, { key, witnesses: rekor1(sandbox), onPublish, ...options });
  await assert.rejects(open({}), /^Error: no$/);
  const identity = identityOf(io, sandbox.mint(ALICE), { source: "a test" });
  const authority = new URL(sandbox.at.fulcio);
  await assert.rejects(open({ certificate: { kind: "issued", authority, identity } }), /^Error: no$/);
  const [bare, keyless, ...more] = told;
  assert.deepEqual([bare?.identity, bare?.places, keyless?.identity, more], [undefined, [host], ALICE, []]);
  assert.equal(bare?.key.pem, key.publicKey.pem);
  assert.deepEqual(sandbox.requests, []);
  // A timestamp authority gets only a digest.
  const services = { logs: [], timestampAuthorities: [{ url: new URL(sandbox.at.tsa) }] };
  await open({ witnesses: openWitnesses(io, services) });
  assert.equal(told.length, 2);
});

test("session: request that the logs would refuse -> refused before the key is opened", async () => {
  const sandbox = await testSigstore();
  const io = ioOf(sandbox);
  const key = () => assert.fail("the key was opened");
  const tooLarge = { key, witnesses: rekor1(sandbox), envelopeSize: 64 * 1024 * 1024 };
  await assert.rejects(openSession(io, tooLarge), code("limit"));
  const identity = identityOf(io, sandbox.mint(ALICE));
  const certificate = { kind: "issued", authority: new URL(sandbox.at.fulcio), identity } as const;
  const undated = rekor2(sandbox).filter(({ role }) => role === "log");
  await assert.rejects(openSession(io, { key, certificate, witnesses: undated }), code("usage"));
  const { publicKey, sign } = signerFromKey(generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey);
  const service = { key: { publicKey, sign }, witnesses: rekor1(sandbox) };
  await assert.rejects(openSession(io, { ...service, contents: ["envelope"] }), code("unsupported"));
  assert.deepEqual(sandbox.requests, []);
});

test("bundleBuilder: envelope of another type -> refused; identity providers work in both directions", async () => {
  const sandbox = await testSigstore();
  const io = ioOf(sandbox);
  const session = await openSession(io, { key: keyFor("P-256"), witnesses: [] });
  await assert.rejects(bundleBuilder(session).create({ data: FILE, type: "text/plain" }), code("unsupported"));
  const token = sandbox.mint(ALICE);
  const provider = toIdentityProvider(identityOf(io, token));
  assert.equal(await provider.getToken(), token);
  await assert.rejects(identityOf(io, "garbage").token(), code("auth"));
});
