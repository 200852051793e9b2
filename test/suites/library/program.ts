// A program that embeds tsign, compiled in strict mode and run on every Node that the library is for.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { Readable } from "node:stream";
import {
  attestImage,
  createRegistry,
  createTransport,
  createVerifier,
  type ErrorCode,
  type ImageFailure,
  ImageRefusal,
  loadKey,
  openSession,
  signImage,
  startSandbox,
  TsignError,
  type VerificationResult,
  verifyImage,
} from "tsign";
import * as keys from "tsign/keys";
import * as oci from "tsign/oci";
import * as sandboxes from "tsign/sandbox";
import * as sign from "tsign/sign";
import * as verify from "tsign/verify";

const shared: boolean[] = [
  keys.loadKey === loadKey,
  oci.createRegistry === createRegistry,
  sandboxes.startSandbox === startSandbox,
  sign.signImage === signImage,
  verify.verifyImage === verifyImage,
];
assert.deepEqual(shared, [true, true, true, true, true], "a module of its own is another copy");

/** The fields by which a program tells what went wrong. */
async function fieldsOf(promise: Promise<unknown>): Promise<Partial<TsignError>> {
  const error: unknown = await promise.then(
    () => assert.fail("it was accepted"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof TsignError, String(error));
  const { code, check, service, status } = error;
  return { code, ...(check ? { check } : {}), ...(service ? { service } : {}), ...(status ? { status } : {}) };
}

await using sandbox = await startSandbox();
const transport = createTransport();
const registry = createRegistry({ transport });
const verifier = await createVerifier({ trustedRoot: sandbox.trustedRoot });
const identity = { subject: "alice@example.com", issuer: sandbox.urls.issuer };
const image: string = await sandbox.pushImage("app:v1");

for (const signingConfig of [sandbox.signingConfig, sandbox.signingConfigRekor1]) {
  const token = { getToken: async () => sandbox.token({ email: identity.subject }) };
  const session = await openSession({ identity: token, signingConfig, verifier, transport });
  const { stored } = await signImage(image, { session, registry, annotations: { env: "prod" } });
  assert.ok(stored.startsWith(`${sandbox.registry}/app@sha256:`));
  const predicateType = "https://example.com/predicate/v1";
  await attestImage(image, { session, registry, predicateType, predicate: { answer: 42 } });
  const { verified } = await verifyImage(image, { verifier, registry, identity, predicateType });
  assert.equal(verified[0].content.kind, "statement");
}
const result = await verifyImage(image, { verifier, registry, identity, annotations: { env: "prod" } });
assert.equal(result.verified.length, 2);
assert.deepEqual(JSON.parse(JSON.stringify(result)), result);

const artifact = Buffer.from("an artifact");
for (const [kind, options] of [
  ["rsa", { modulusLength: 2048 }],
  ["ec", { namedCurve: "P-256" }],
  ["ec", { namedCurve: "P-384" }],
  ["ed25519", {}],
] as const) {
  const pair = generateKeyPairSync(kind as "rsa", options as { modulusLength: number });
  const pem = pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const key = await loadKey({ pem });
  const session = await openSession({ key, signingConfig: sandbox.signingConfig, verifier, transport });
  const bundle = await session.signArtifact(artifact);
  const stream = Readable.from([artifact.subarray(0, 2), artifact.subarray(2)]);
  const checked: VerificationResult = await verifier.verify(bundle, { artifact: stream, key: key.publicKey });
  assert.equal(checked.timestamps.length, 1);
  // Pure Ed25519 needs the artifact itself.
  const sha512 = createHash("sha512").update(artifact).digest("hex");
  const digests = { sha256: createHash("sha256").update(artifact).digest("hex"), sha512 };
  if (kind === "rsa") assert.equal((await verifier.verify(bundle, { artifact: digests, key })).times.length, 1);
  const other = Buffer.from("another");
  const { code, check } = await fieldsOf(verifier.verify(bundle, { artifact: other, key }));
  assert.equal(code, "bad-signature");
  assert.ok(check === "claims" || check === "signature", String(check));
}

const mallory = { ...identity, subject: "mallory@example.com" };
const refusal: unknown = await verifyImage(image, { verifier, registry, identity: mallory }).catch(
  (error: unknown) => error,
);
assert.ok(refusal instanceof ImageRefusal);
const failures: readonly ImageFailure[] = refusal.failures;
assert.deepEqual(
  failures.map(({ check }) => check),
  ["identity", "identity"],
);
const code: ErrorCode = refusal.code;
assert.equal(code, "no-match-bundle");
assert.deepEqual(await fieldsOf(verifyImage(image, { verifier, registry, identity: mallory })), {
  code,
  check: "identity",
});
assert.deepEqual(await fieldsOf(verifyImage(`${sandbox.registry}/app:v2`, { verifier, registry, identity })), {
  code: "image-not-found",
});
sandbox.fault("fulcio:status=403*1", "tsa:status=400*1");
const token = sandbox.token({ email: identity.subject });
const services = { signingConfig: sandbox.signingConfig, verifier, transport };
assert.deepEqual(await fieldsOf(openSession({ ...services, identity: token })), {
  code: "auth",
  service: "fulcio",
  status: 403,
});
const session = await openSession({ ...services, identity: token });
const dated = await fieldsOf(session.signArtifact(artifact));
assert.equal(dated.status, 400);
assert.ok(dated.service, "the service is not named");
process.stdout.write(`verified on ${process.version}\n`);
