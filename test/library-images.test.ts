import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bundleToJSON } from "@sigstore/bundle";
import { DSSEBundleBuilder } from "@sigstore/sign";
import {
  attestImage,
  createRegistry,
  createTransport,
  createVerifier,
  ImageRefusal,
  loadKey,
  openSession,
  type Registry,
  type Sandbox,
  type Session,
  signImage,
  startSandbox,
  TsignError,
  type Verifier,
  type VerifyImageOptions,
  verifyImage,
} from "../src/lib/index.ts";
import { fromSigner, toSigner, toWitnesses } from "../src/lib/sigstore-js.ts";
import { refused } from "./support/refused.ts";
import { run, temporaryFolder } from "./support/test-io.ts";

const ALICE = "alice@example.com";
const PROVENANCE = "https://slsa.dev/provenance/v1";

interface Place {
  sandbox: Sandbox;
  registry: Registry;
  verifier: Verifier;
  /** Policy that requires Alice's signature. */
  alice: VerifyImageOptions;
  /** The same on the command line. */
  env: Record<string, string>;
  session: (options?: { config?: string; email?: string }) => Promise<Session>;
}

async function place(t: TestContext): Promise<Place> {
  const sandbox = await startSandbox();
  t.after(() => sandbox.close());
  const transport = createTransport();
  const registry = createRegistry({ transport });
  const verifier = await createVerifier({ trustedRoot: sandbox.trustedRoot });
  const identity = { subject: ALICE, issuer: sandbox.urls.issuer };
  const session = ({ config = sandbox.signingConfig, email = ALICE } = {}) =>
    openSession({ transport, signingConfig: config, identity: sandbox.token({ email }), verifier });
  return { sandbox, registry, verifier, alice: { verifier, registry, identity }, env: sandbox.variables, session };
}

test("signImage and verifyImage: a signature by identity verifies here and with the command line", async (t) => {
  const { sandbox, registry, alice, session } = await place(t);
  for (const config of [sandbox.signingConfig, sandbox.signingConfigRekor1]) {
    const reference = await sandbox.pushImage(`app${config.length}:v1`);
    const signed = await signImage(reference, {
      session: await session({ config }),
      registry,
      annotations: { env: "prod" },
    });
    assert.equal(signed.reference, reference);
    const tag = reference.replace(/@.*/, ":v1");
    const result = await verifyImage(tag, { ...alice, annotations: { env: "prod" } });
    assert.equal(result.reference, reference);
    assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
    const [{ signer, logEntries, checks }] = result.verified;
    assert.equal(signer.kind === "certificate" && signer.subject, ALICE);
    assert.equal(logEntries.length, 1);
    assert.ok(checks.every(({ outcome }) => outcome === "passed"));
    await refused("no-match-bundle", verifyImage(tag, { ...alice, annotations: { env: "test" } }));
  }
});

test("verifyImage: the command line accepts what the library signed, and the library what the command line signed", async (t) => {
  const { sandbox, registry, alice, session } = await place(t);
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "root.json"), sandbox.trustedRoot);
  writeFileSync(join(cwd, "config.json"), sandbox.signingConfigRekor1);
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sandbox.urls.issuer];
  const ours = await sandbox.pushImage("ours");
  await signImage(ours, { session: await session(), registry });
  const verified = await run(["verify", ...who, "--trusted-root", "root.json", ours], { cwd });
  assert.equal(verified.code, 0, verified.stderr);

  const theirs = await sandbox.pushImage("theirs");
  for (const form of ["bundle", "legacy"]) {
    const token = sandbox.token({ email: ALICE });
    const services = ["--signing-config", "config.json", "--trusted-root", "root.json", "--identity-token", token];
    const signed = await run(["sign", "--yes", "--format", form, ...services, theirs], { cwd });
    assert.equal(signed.code, 0, signed.stderr);
  }
  const result = await verifyImage(theirs, alice);
  assert.deepEqual(result.verified.map(({ content }) => content.kind).sort(), ["simple-signing", "statement"]);
});

test("verifyImage: invalid signature -> error code and every failure", async (t) => {
  const { sandbox, registry, verifier, alice, session } = await place(t);
  const reference = await sandbox.pushImage("app");
  const unsigned = await refused("no-signatures", verifyImage(reference, alice));
  assert.ok(unsigned instanceof ImageRefusal);
  assert.deepEqual(unsigned.failures, []);
  await signImage(reference, { session: await session({ email: "mallory@example.com" }), registry });
  const error = await refused("no-match-bundle", verifyImage(reference, alice));
  assert.ok(error instanceof ImageRefusal);
  assert.equal(error.failures.length, 1);
  assert.equal(error.failures[0]?.check, "identity");
  await signImage(reference, { session: await session(), registry });
  const both = await verifyImage(reference, alice);
  assert.equal(both.verified.length, 1);
  assert.equal(both.failures.length, 1);
  const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
  await refused("no-match-bundle", verifyImage(reference, { verifier, registry, key: key.toString() }));
  await refused("no-match-bundle", verifyImage(reference, { ...alice, verifier: await createVerifier() }));
  await refused("image-not-found", verifyImage(`${sandbox.registry}/app:nothing`, alice));
  await refused("image-not-found", verifyImage(reference.replace(/.{8}$/, "00000000"), alice));
  await refused("input", verifyImage("not a reference", alice));
  await refused("usage", verifyImage(reference, { verifier, registry }));
  await refused("usage", verifyImage(reference, { ...alice, key: key.toString() }));
  await refused("usage", verifyImage(reference, { ...alice, verifier: { ...verifier } }));
  await refused("no-match-bundle", verifyImage(reference, { ...alice, predicateType: PROVENANCE }));
});

test("attestImage: an attestation counts for its type, and is not a signature", async (t) => {
  const { sandbox, registry, alice, session } = await place(t);
  const reference = await sandbox.pushImage("app");
  const predicate = { buildDefinition: { buildType: "https://example.com/build" } };
  const opened = await session();
  await attestImage(reference, { session: opened, registry, predicateType: PROVENANCE, predicate });
  const { verified } = await verifyImage(reference, { ...alice, predicateType: PROVENANCE });
  const [{ content }] = verified;
  assert.deepEqual(content.kind === "statement" && JSON.parse(content.payload).predicate, predicate);
  await refused("no-signatures", verifyImage(reference, alice));
  await refused("no-match-bundle", verifyImage(reference, { ...alice, predicateType: "https://spdx.dev/Document" }));
  for (const predicateType of ["provenance", "https://sigstore.dev/cosign/sign/v1"]) {
    await refused("usage", attestImage(reference, { session: opened, registry, predicateType, predicate }));
  }
});

test("openSession: key without services -> signature without log entry or timestamp, verifies with the key", async (t) => {
  const { sandbox, registry, verifier } = await place(t);
  const pem = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({ type: "pkcs8", format: "pem" });
  const key = await loadKey({ pem: pem.toString() });
  const published: unknown[] = [];
  const session = await openSession({ key, onPublish: (publication) => void published.push(publication) });
  assert.equal(session.publicKey, key.publicKey);
  const reference = await sandbox.pushImage("app");
  const other = `${sandbox.registry}/signatures`;
  await signImage(reference, { session, registry, attachmentRepository: other });
  const wanted = { verifier, registry, key: key.publicKey, insecureIgnoreTransparencyLog: true };
  await refused("no-signatures", verifyImage(reference, wanted));
  assert.equal((await verifyImage(reference, { ...wanted, attachmentRepository: other })).verified.length, 1);
  await refused(
    "no-match-bundle",
    verifyImage(reference, { ...wanted, attachmentRepository: other, insecureIgnoreTransparencyLog: false }),
  );
  const bundle = await session.signArtifact(Buffer.from("artifact"));
  const result = await verifier.verify(bundle, {
    artifact: Buffer.from("artifact"),
    key,
    insecureIgnoreTransparencyLog: true,
  });
  assert.deepEqual(result.times, []);
  assert.deepEqual(published, []);
});

test("openSession: onPublish is called before anything is public, and can stop it", async (t) => {
  const { sandbox, verifier } = await place(t);
  const transport = createTransport();
  const token = { getToken: async () => sandbox.token({ email: ALICE }) };
  const published: unknown[] = [];
  const options = { transport, signingConfig: sandbox.signingConfig, identity: token, verifier };
  const session = await openSession({ ...options, onPublish: (each) => void published.push(each) });
  const host = new URL(sandbox.urls.fulcio).host;
  assert.deepEqual(published, [{ identity: ALICE, places: [host] }]);
  assert.match(session.certificate ?? "", /^-----BEGIN CERTIFICATE-----/);
  const bundle = await session.signArtifact(Buffer.from("artifact"));
  const identity = { subject: ALICE, issuer: sandbox.urls.issuer };
  assert.equal((await verifier.verify(bundle, { artifact: Buffer.from("artifact"), identity })).times.length, 1);

  const stop = () => {
    throw new TsignError("cancelled", "not today");
  };
  await refused("cancelled", openSession({ ...options, onPublish: stop }));
  const pem = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
  await refused("input", openSession({ key: await loadKey({ pem }) }));
  await refused("usage", openSession({}));
  await refused("usage", openSession({ identity: token }));
  await refused("input", openSession({ ...options, signingConfig: "{}" }));
  await refused("usage", openSession({ signingConfig: sandbox.signingConfig, identity: token, verifier }));
  const stranger = await createVerifier({ trustedRoot: (await startedRoot(t)).trustedRoot });
  await refused("untrusted", openSession({ ...options, verifier: stranger }));
  const other = { ...options, identity: sandbox.token({ email: ALICE, audience: "other" }) };
  const mismatch = await refused("auth", openSession(other));
  assert.deepEqual([mismatch.expected, mismatch.actual, mismatch.service], ["sigstore", "other", undefined]);
  const sent = await openSession({ ...other, audience: "other" }).catch((error: unknown) => error);
  assert.ok(sent instanceof TsignError && sent.service === "fulcio", "a token with the audience of the option is sent");
  sandbox.fault("fulcio:status=403");
  const error = await refused("auth", openSession(options));
  assert.match(error.message, /Fulcio/);
});

async function startedRoot(t: TestContext): Promise<Sandbox> {
  const sandbox = await startSandbox();
  t.after(() => sandbox.close());
  return sandbox;
}

test("tsign/sigstore-js: keys work in a builder of @sigstore/sign, and its signers in a session", async (t) => {
  const { sandbox, registry, verifier } = await place(t);
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = await loadKey({ pem: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString() });
  const signer = await toSigner(key);
  const bundle = await new DSSEBundleBuilder({ signer, witnesses: [] }).create({
    data: Buffer.from(statementAbout(Buffer.from("artifact"))),
    type: "application/vnd.in-toto+json",
  });
  const wanted = { key: key.publicKey, insecureIgnoreTransparencyLog: true };
  const text = JSON.stringify(bundleToJSON(bundle));
  const attested = { ...wanted, predicateType: PROVENANCE };
  const result = await verifier.verify(text, { artifact: Buffer.from("artifact"), ...attested });
  assert.equal(result.content.kind, "statement");
  await refused("bad-signature", verifier.verify(text, { artifact: Buffer.from("another"), ...attested }));
  await refused("input", toSigner(await loadKey({ pem: key.publicKey })));

  const theirs = fromSigner(signer, { publicKey: key.publicKey });
  assert.deepEqual({ ...theirs }, { ...key });
  const reference = await sandbox.pushImage("app");
  await signImage(reference, { session: await openSession({ key: theirs }), registry });
  assert.equal((await verifyImage(reference, { ...wanted, verifier, registry })).verified.length, 1);
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
  const lying = await openSession({ key: fromSigner(signer, { publicKey: other.toString() }) });
  await refused("unsupported", lying.signArtifact(Buffer.from("artifact")));
});

test("tsign/sigstore-js: witnesses work in a builder of @sigstore/sign, and its witnesses in a session", async (t) => {
  const { sandbox, verifier } = await place(t);
  const transport = createTransport();
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const key = await loadKey({ pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString() });
  const artifact = Buffer.from("artifact");
  const witnesses = toWitnesses({ transport, signingConfig: sandbox.signingConfigRekor1 });
  const type = "application/vnd.in-toto+json";
  const builder = new DSSEBundleBuilder({ signer: await toSigner(key), witnesses });
  const made = await builder.create({ data: Buffer.from(statementAbout(artifact)), type });
  const attested = { artifact, key: key.publicKey, predicateType: PROVENANCE };
  const result = await verifier.verify(JSON.stringify(bundleToJSON(made)), attested);
  assert.equal(result.logEntries.length, 1);

  const told: string[] = [];
  const [log] = witnesses;
  const session = (witness = log ?? assert.fail("no log")) =>
    openSession({
      ...{ key, verifier },
      witnesses: [{ witness, role: "log", name: "a log" }],
      onPublish: ({ places }) => void told.push(...places),
    });
  const bundle = await (await session()).signArtifact(artifact);
  assert.equal((await verifier.verify(bundle, { artifact, key: key.publicKey })).logEntries.length, 1);
  assert.deepEqual(told, ["a log"]);
  await refused("untrusted", (await session({ testify: async () => ({}) })).signArtifact(artifact));
});

function statementAbout(artifact: Uint8Array): string {
  const digest = { sha256: createHash("sha256").update(artifact).digest("hex") };
  const subject = [{ name: "artifact", digest }];
  return JSON.stringify({
    _type: "https://in-toto.io/Statement/v1",
    subject,
    predicateType: PROVENANCE,
    predicate: {},
  });
}
