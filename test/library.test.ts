import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import {
  createRegistry,
  createTransport,
  createVerifier,
  type HttpRequest,
  loadKey,
  type Sandbox,
  startSandbox,
  TsignError,
  type VerifyOptions,
} from "../src/lib/index.ts";
import { refused } from "./support/refused.ts";
import { testSigstore } from "./support/sandbox.ts";
import { ALICE } from "./support/sandbox-client.ts";
import { ARTIFACT, PREDICATE_TYPE, signedBundle } from "./support/signed-bundles.ts";
import { OFFLINE, run, temporaryFolder } from "./support/test-io.ts";

const KIND = { version: "0.3", signer: "certificate", promise: false, timestamp: true } as const;

async function started(t: TestContext): Promise<Sandbox> {
  const sandbox = await startSandbox();
  t.after(() => sandbox.close());
  return sandbox;
}

test("createVerifier: keyless bundle -> verified; the result is plain data", async () => {
  const sigstore = await testSigstore();
  const bundle = await signedBundle(sigstore, { ...KIND, entry: "hashedrekord 0.0.1", dsse: false, promise: true });
  const verifier = await createVerifier({ trustedRoot: sigstore.trustedRoot });
  const identity = { subject: ALICE, issuer: sigstore.at.issuer };
  const text = JSON.stringify(bundle.json);
  const result = await verifier.verify(text, { artifact: ARTIFACT, identity });
  assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
  assert.equal(result.signer.kind, "certificate");
  assert.equal(result.signer.kind === "certificate" && result.signer.subject, ALICE);
  assert.equal(result.signer.kind === "certificate" && result.signer.issuer, sigstore.at.issuer);
  assert.equal(result.times.length, 2);
  assert.equal(result.logEntries[0]?.kind, "hashedrekord");
  assert.equal(result.timestamps.length, 1);
  assert.ok(result.checks.every(({ outcome }) => outcome === "passed"));
  assert.deepEqual(result.content, { kind: "artifact" });

  const whole = { sha256: createHash("sha256").update(ARTIFACT).digest("hex") };
  async function* pieces() {
    yield ARTIFACT.subarray(0, 3);
    yield ARTIFACT.subarray(3);
  }
  for (const artifact of [whole, pieces()]) {
    assert.equal((await verifier.verify(text, { artifact, identity })).times.length, 2);
  }
  const patterns = { subject: { matching: "^alice@" }, issuer: { matching: "." } };
  assert.equal((await verifier.verify(Buffer.from(text), { artifact: ARTIFACT, identity: patterns })).times.length, 2);
});

test("createVerifier: invalid bundle -> error code and check", async () => {
  const sigstore = await testSigstore();
  const { json } = await signedBundle(sigstore, { ...KIND, entry: "hashedrekord 0.0.2", dsse: false });
  const verifier = await createVerifier({ trustedRoot: sigstore.trustedRoot });
  const identity = { subject: ALICE, issuer: sigstore.at.issuer };
  const text = JSON.stringify(json);
  const good: VerifyOptions = { artifact: ARTIFACT, identity };
  assert.equal((await verifier.verify(text, good)).times.length, 1);
  const flipped = Buffer.from(json.messageSignature.signature, "base64");
  flipped[9] = (flipped[9] ?? 0) ^ 1;
  const other = { ...json, messageSignature: { ...json.messageSignature, signature: flipped.toString("base64") } };
  const cases: [string, string, VerifyOptions][] = [
    ["another artifact", text, { ...good, artifact: Buffer.from("another") }],
    ["another digest", text, { ...good, artifact: { sha256: "0".repeat(64) } }],
    ["another name", text, { ...good, identity: { ...identity, subject: "mallory@example.com" } }],
    ["another issuer", text, { ...good, identity: { ...identity, issuer: "https://other.example" } }],
    ["a pattern that finds nothing", text, { ...good, identity: { ...identity, subject: { matching: "^bob" } } }],
    [
      "an extension it has not",
      text,
      { ...good, identity: { ...identity, extensions: { "1.3.6.1.4.1.57264.1.5": "a/b" } } },
    ],
    ["an attestation", text, { ...good, predicateType: PREDICATE_TYPE }],
    ["annotations", text, { ...good, annotations: { env: "prod" } }],
    ["a flipped bit", JSON.stringify(other), good],
    [
      "a key",
      text,
      {
        artifact: ARTIFACT,
        key: generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString(),
      },
    ],
  ];
  for (const [what, bundle, options] of cases) {
    const error = await refused("bad-signature", verifier.verify(bundle, options));
    assert.match(error.message, /^the bundle /, what);
  }
  const counted = await verifier.verify(text, { ...good, transparencyLogs: 1, timestamps: 1 });
  assert.equal(counted.timestamps.length, 1);
  for (const [check, options] of [
    ["log", { transparencyLogs: 2 }],
    ["time", { timestamps: 2 }],
  ] as const) {
    const error = await refused("bad-signature", verifier.verify(text, { ...good, ...options }));
    assert.equal(error.check, check);
  }
  const named = { ...good, identity: { ...identity, subject: "mallory@example.com" } };
  const { check, expected, actual } = await refused("bad-signature", verifier.verify(text, named));
  assert.deepEqual(
    [check, expected, actual],
    ["identity", "mallory@example.com", `${ALICE} (issuer ${identity.issuer})`],
  );
  const untrusting = await createVerifier();
  await refused("bad-signature", untrusting.verify(text, good));
  const stranger = await createVerifier({ trustedRoot: (await testSigstore()).trustedRoot });
  await refused("bad-signature", stranger.verify(text, good));
  await refused("bad-bundle", verifier.verify("{}", good));
  for (const options of [
    { artifact: ARTIFACT },
    { ...good, key: "" },
    { ...good, identity: { ...identity, subject: "" } },
    { ...good, identity: { issuer: identity.issuer } },
    { ...good, artifact: {} },
    { ...good, artifact: { sha256: "00" } },
    { ...good, transparencyLogs: 0 },
    { ...good, transparencyLogs: 1.5 },
    { ...good, timestamps: -1 },
    { ...good, transparencyLogs: 1, insecureIgnoreTransparencyLog: true },
  ]) {
    await refused("usage", verifier.verify(text, options as VerifyOptions));
  }
  await refused("untrusted", createVerifier({ trustedRoot: "{}" }));
});

test("createVerifier: an attestation counts only for its own predicate type", async () => {
  const sigstore = await testSigstore();
  const { json } = await signedBundle(sigstore, { ...KIND, entry: "dsse 0.0.1", dsse: true });
  const verifier = await createVerifier({ trustedRoot: sigstore.trustedRoot });
  const good = { artifact: ARTIFACT, identity: { subject: ALICE, issuer: sigstore.at.issuer } };
  const text = JSON.stringify(json);
  const { content } = await verifier.verify(text, { ...good, predicateType: PREDICATE_TYPE });
  assert.ok(content.kind === "statement");
  assert.equal(content.predicateType, PREDICATE_TYPE);
  assert.equal(content.subject?.name, "artifact");
  assert.deepEqual(JSON.parse(content.payload).predicate, { answer: 42 });
  await refused("bad-signature", verifier.verify(text, good));
  await refused("bad-signature", verifier.verify(text, { ...good, predicateType: "https://slsa.dev/provenance/v1" }));
  await refused(
    "bad-signature",
    verifier.verify(text, { ...good, artifact: Buffer.from("x"), predicateType: PREDICATE_TYPE }),
  );
});

test("loadKey: every key format -> public key; private keys can sign", async (t) => {
  const cwd = temporaryFolder(t);
  const made = await run(["generate-key-pair"], { cwd, env: { COSIGN_PASSWORD: "pw" } });
  assert.equal(made.code, 0, made.stderr);
  const file = await loadKey(join(cwd, "cosign.key"), { password: "pw" });
  const half = await loadKey(join(cwd, "cosign.pub"));
  assert.deepEqual({ ...half, canSign: true }, { ...file });
  assert.equal(file.kind, "ecdsa P-256");
  assert.equal(half.canSign, false);
  for (const [kind, pair] of [
    ["ecdsa P-384", generateKeyPairSync("ec", { namedCurve: "P-384" })],
    ["rsa 2048", generateKeyPairSync("rsa", { modulusLength: 2048 })],
    ["ed25519", generateKeyPairSync("ed25519")],
  ] as const) {
    const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const key = await loadKey({ pem });
    assert.equal(key.kind, kind);
    assert.equal(key.canSign, true);
    assert.equal(key.publicKey, pair.publicKey.export({ type: "spki", format: "pem" }));
    assert.doesNotMatch(JSON.stringify(key), /PRIVATE/);
  }
  await refused("input", loadKey(join(cwd, "cosign.key"), { password: "wrong" }));
  await refused("usage", loadKey(join(cwd, "cosign.key")));
  await refused("input", loadKey(join(cwd, "nothing.key")));
  await refused("input", loadKey({ pem: "hello" }));
  await refused("input", loadKey("env://KEY"));
  await refused("usage", loadKey("https://example.com/cosign.pub"));
  await refused("usage", loadKey("hashivault://key"));
});

test("loadKey: bundle made by the command line -> verifies with its key only", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "artifact"), ARTIFACT);
  const env = { COSIGN_PASSWORD: "pw" };
  assert.equal((await run(["generate-key-pair"], { cwd, env })).code, 0);
  const sign = ["sign-blob", "--key", "cosign.key", ...OFFLINE, "--bundle", "app.json", "artifact"];
  const signed = await run(sign, { cwd, env });
  assert.equal(signed.code, 0, signed.stderr);
  const bundle = readFileSync(join(cwd, "app.json"));
  const key = await loadKey(join(cwd, "cosign.pub"));
  const verifier = await createVerifier();
  const result = await verifier.verify(bundle, { artifact: ARTIFACT, key, insecureIgnoreTransparencyLog: true });
  assert.deepEqual(result.signer, { kind: "key", publicKey: key.publicKey });
  assert.equal(result.checks.find(({ name }) => name === "log")?.outcome, "skipped");
  await refused("bad-signature", verifier.verify(bundle, { artifact: ARTIFACT, key }));
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" });
  const wrong = { artifact: ARTIFACT, key: other.toString(), insecureIgnoreTransparencyLog: true };
  await refused("bad-signature", verifier.verify(bundle, wrong));
  await refused("usage", verifier.verify(bundle, { artifact: ARTIFACT, key: { ...key } }));
});

test("createRegistry: resolves references over the transport; without one -> refused", async (t) => {
  const sandbox = await started(t);
  const reference = await sandbox.pushImage("app:v1");
  const registry = createRegistry({ transport: createTransport() });
  const found = await registry.resolve(`${sandbox.registry}/app:v1`);
  assert.equal(found?.reference, reference);
  assert.equal(found.mediaType, "application/vnd.oci.image.manifest.v1+json");
  assert.equal(await registry.resolve(`${sandbox.registry}/app:v2`), undefined);
  await refused("input", registry.resolve("not a reference"));
  assert.throws(() => createRegistry({}), { code: "usage" });
  const closed = createRegistry({ transport: { send: () => Promise.reject(new TsignError("network", "no way")) } });
  await refused("network", closed.resolve(`${sandbox.registry}/app:v1`));
});

test("custom transport: carries every request; an abort signal ends them", async () => {
  const sigstore = await testSigstore();
  const seen: string[] = [];
  const transport = {
    send: (request: HttpRequest) => {
      seen.push(request.url.pathname);
      return sigstore.io.http(request);
    },
  };
  const root = Buffer.from(sigstore.files["tuf_root.json"]);
  const tuf = { mirror: sigstore.at.tuf, root };
  const verifier = await createVerifier({ trustedRoot: { tuf }, transport });
  const bundle = await signedBundle(sigstore, { ...KIND, entry: "hashedrekord 0.0.2", dsse: false });
  const good = { artifact: ARTIFACT, identity: { subject: ALICE, issuer: sigstore.at.issuer } };
  const before = seen.length;
  assert.ok(seen.some((path) => path.endsWith("timestamp.json")));
  await verifier.verify(JSON.stringify(bundle.json), good);
  assert.equal(seen.length, before, "verifying asked for something");
  await refused("usage", createVerifier({ trustedRoot: { tuf } }));
  await refused("usage", createVerifier({ trustedRoot: { tuf: { mirror: "https://tuf.example" } }, transport }));
  const signal = AbortSignal.abort(new TsignError("cancelled", "enough"));
  await refused("cancelled", createVerifier({ trustedRoot: { tuf }, transport, signal }));
});

test("startSandbox: provides tokens, images and faults; leaves nothing when closed", async (t) => {
  const cwd = temporaryFolder(t);
  let registry = "";
  {
    await using sandbox = await startSandbox({ folder: cwd });
    registry = sandbox.registry;
    assert.equal(sandbox.token().split(".").length, 3);
    const claims = JSON.parse(Buffer.from(sandbox.token({ github: true }).split(".")[1] ?? "", "base64url").toString());
    assert.equal(claims.iss, sandbox.urls.ciIssuer);
    const reference = await sandbox.pushImage("app");
    const { code, stderr } = await run(["tree", reference], { cwd, env: { ...sandbox.variables } });
    assert.equal(code, 0, stderr);
    const url = new URL("/.well-known/openid-configuration", sandbox.urls.issuer);
    const ask = { url, method: "GET", headers: {}, signal: new AbortController().signal };
    const status = async () => (await createTransport().send(ask)).status;
    sandbox.fault("oidc:status=418");
    assert.equal(await status(), 418);
    sandbox.clearFaults();
    assert.equal(await status(), 200);
    assert.throws(() => sandbox.fault("nothing:at-all"), { code: "usage" });
  }
  const gone = createRegistry({ transport: createTransport() });
  await refused("network", gone.resolve(`${registry}/app:latest`));
  await refused("usage", startSandbox({ clock: "yesterday" }));
});
