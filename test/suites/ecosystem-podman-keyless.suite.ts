import assert from "node:assert/strict";
import { test } from "node:test";
import { stackVariables, token } from "./ecosystem-kit.ts";
import { makeKeys, tagOf, workshop } from "./ecosystem-shop.ts";
import { COSIGN, LEGACY, OFFLINE, run, TSIGN } from "./support.ts";

/** Policies of podman's library with `fulcio` and `rekorPublicKey`: identities and logged keys, on the shared stack. */
const ALICE = "alice@example.com";
const MALLORY = "mallory@example.com";
const OTHER_LOG = /^refused: .*cryptographic signature verification of Rekor SET failed$/;
const UNLOGGED = /^refused: missing dev\.sigstore\.cosign\/bundle annotation$/;

/** cosign and tsign read the trust in the stack from the environment. */
function trust(stack: (name: string) => string): Record<string, string> {
  return {
    SIGSTORE_ROOT_FILE: stack("FULCIO_CHAIN"),
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: stack("CT_PUB"),
    SIGSTORE_REKOR_PUBLIC_KEY: stack("REKOR1_PUB"),
  };
}

test("podman policy: signature of the identity -> pulled; other subject, issuer, authority or log -> refused", async (context) => {
  const stack = await stackVariables();
  const shop = await workshop(context);
  const env = trust(stack);
  const logged = { rekorPublicKeyPath: stack("REKOR1_PUB") };
  const by = (more: object = {}) => ({
    ...logged,
    fulcio: { caPath: stack("FULCIO_CHAIN"), oidcIssuer: stack("ISSUER"), subjectEmail: ALICE, ...more },
  });
  const services = ["--fulcio-url", stack("FULCIO"), "--rekor-url", stack("REKOR1"), "--oidc-issuer", stack("ISSUER")];
  const config = ["--signing-config", stack("SIGNING_CONFIG_REKOR1"), "--trusted-root", stack("TRUSTED_ROOT")];
  const signers: [string, ...string[]][] = [
    [TSIGN, LEGACY, "--use-signing-config=false", ...services],
    [TSIGN, "--format=both", ...config],
    [COSIGN, LEGACY, "--use-signing-config=false", ...services],
  ];
  for (const [signer, ...flags] of signers) {
    await context.test([signer.replace(/.*\//, ""), flags[0]].join(" "), async () => {
      const image = await shop.image(stack("REGISTRY"), "keyless");
      const args = ["sign", "--yes", "--identity-token", await token(stack("ISSUER"), ALICE), ...flags, image];
      const signed = await run(signer, args, { cwd: shop.cwd, env });
      assert.equal(signed.code, 0, signed.stderr);
      await shop.accepts(by(), image);
      // Only the root: cosign 3.1.2 does not store the chain to it.
      const byRoot = by({ caPath: stack("FULCIO_ROOT") });
      if (signer === TSIGN) await shop.accepts(byRoot, image);
      else await shop.refuses(byRoot, image, /signed by unknown authority/);
      await shop.refuses(by({ subjectEmail: MALLORY }), image, /Required email "mallory@example.com" not found/);
      await shop.refuses(by({ oidcIssuer: stack("CI_ISSUER") }), image, /Unexpected Fulcio OIDC issuer/);
      await shop.refuses(by({ caPath: stack("TSA_CHAIN") }), image, /signed by unknown authority/);
      await shop.refuses({ ...by(), rekorPublicKeyPath: stack("CT_PUB") }, image, OTHER_LOG);
    });
  }
});

test("tsign verifies keyless signatures of podman's library", async (context) => {
  const stack = await stackVariables();
  const shop = await workshop(context);
  const image = await shop.image(stack("REGISTRY"), "signed-keyless");
  const identity = [stack("FULCIO"), stack("REKOR1"), await token(stack("ISSUER"), ALICE)];
  const signed = await shop.use(["sign-keyless", ...identity, image, tagOf(image)]);
  assert.equal(signed.code, 0, signed.stderr);
  for (const verifier of [TSIGN, COSIGN]) {
    const verify = (email: string, issuer: string) => {
      const who = ["--certificate-identity", email, "--certificate-oidc-issuer", issuer];
      return run(verifier, ["verify", LEGACY, ...who, image], { cwd: shop.cwd, env: trust(stack) });
    };
    const good = await verify(ALICE, stack("ISSUER"));
    assert.equal(good.code, 0, good.stderr);
    assert.equal((await verify(MALLORY, stack("ISSUER"))).code, 12, verifier);
    assert.equal((await verify(ALICE, stack("CI_ISSUER"))).code, 12, verifier);
  }
});

test("podman policy with a key and a log: signature without a log entry -> refused", async (context) => {
  const stack = await stackVariables();
  const shop = await workshop(context);
  const { a, b } = await makeKeys(shop);
  const logged = { rekorPublicKeyPath: stack("REKOR1_PUB") };
  for (const signer of [TSIGN, COSIGN]) {
    const image = await shop.image(stack("REGISTRY"), "logged");
    const sign = (...flags: string[]) =>
      run(signer, ["sign", "--key", "a.key", LEGACY, ...flags, image], { cwd: shop.cwd, env: trust(stack) });
    const unlogged = await sign(...OFFLINE);
    assert.equal(unlogged.code, 0, unlogged.stderr);
    await shop.accepts(a, image);
    await shop.refuses({ ...a, ...logged }, image, UNLOGGED);
    const signed = await sign("--yes", "--use-signing-config=false", "--rekor-url", stack("REKOR1"));
    assert.equal(signed.code, 0, signed.stderr);
    await shop.accepts({ ...a, ...logged }, image);
    await shop.refuses({ ...b, ...logged }, image, /publicKey in Rekor SET does not match/);
    await shop.refuses({ ...a, rekorPublicKeyPath: stack("CT_PUB") }, image, OTHER_LOG);
  }
});
