// Tests of a program that signs and verifies, without the network: `node --test sandbox.test.ts`

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createRegistry,
  createTransport,
  createVerifier,
  openSession,
  signImage,
  startSandbox,
  verifyImage,
} from "tsign";

test("verifyImage: signed by the release job -> accepted; signed by anyone else -> refused", async () => {
  await using sandbox = await startSandbox();
  const transport = createTransport();
  const registry = createRegistry({ transport });
  const verifier = await createVerifier({ trustedRoot: sandbox.trustedRoot });
  const release = { subject: "release@example.com", issuer: sandbox.urls.issuer };
  const image = await sandbox.pushImage("app:v1");
  const signAs = async (email: string) => {
    const identity = sandbox.token({ email });
    const session = await openSession({ identity, signingConfig: sandbox.signingConfig, verifier, transport });
    return signImage(image, { session, registry });
  };

  await signAs("mallory@example.com");
  await assert.rejects(verifyImage(image, { verifier, registry, identity: release }), { check: "identity" });

  await signAs("release@example.com");
  const { verified } = await verifyImage(image, { verifier, registry, identity: release });
  assert.equal(verified.length, 1);
});

test("openSession: certificate authority fails -> error names it", async () => {
  await using sandbox = await startSandbox({ faults: ["fulcio:status=400"] });
  const options = { signingConfig: sandbox.signingConfig, transport: createTransport() };
  await assert.rejects(openSession({ ...options, identity: sandbox.token() }), { service: "fulcio", status: 400 });
});
