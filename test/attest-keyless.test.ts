import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { attachmentTag } from "../src/oci/tags.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { testSigstore } from "./support/sandbox.ts";
import { PLAIN_REGISTRY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const ALICE = "alice@example.com";
const TYPE = "https://ci.example/type";

async function workshop(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  write("root.json", sigstore.trustedRoot);
  for (const [name, text] of Object.entries(sigstore.signingConfig)) write(`${name}.json`, text);
  const env = { COSIGN_MAX_ATTACHMENT_SIZE: "1GB" };
  const tsign = (...argv: string[]) => run(argv, { cwd, io: sigstore.io, env });
  const reference = parseReference(`${sigstore.registry}/app:v1`);
  const store = await openRegistry(testIo({ cwd, io: sigstore.io }), reference, PLAIN_REGISTRY);
  const push = async (content: string) => {
    const { digest } = await pushImage(store, { file: "app", content: Buffer.from(content), tag: "v1" });
    return { digest, image: `${sigstore.registry}/app@${digest}` };
  };
  const attest = (config: string, ...flags: string[]) =>
    tsign(
      ...["attest", "--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", `${config}.json`],
      ...["--trusted-root", "root.json", "--type", TYPE, "--predicate", "p", ...flags],
    );
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const verify = (...flags: string[]) =>
    tsign("verify-attestation", ...who, "--trusted-root", "root.json", "--type", TYPE, ...flags);
  return { sigstore, write, tsign, store, push, attest, verify };
}

test("attest: predicate larger than Rekor accepts -> refused before a certificate is requested; a log of digests accepts it", async (t) => {
  const { sigstore, write, tsign, push, attest, verify } = await workshop(t);
  write("p", JSON.stringify({ text: "x".repeat(26 * 1024 * 1024) }));
  write("blob", "content");
  const { image } = await push("content");
  const before = sigstore.requests.length;
  const refused = await attest("rekor1", image);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /attestation too large for Rekor v1.*\nhint: .*Rekor v2/);
  const blob = ["--identity-token", sigstore.mint(ALICE), "--trusted-root", "root.json", "--bundle", "b", "blob"];
  const told = await tsign(
    "attest-blob",
    "--signing-config",
    "rekor1.json",
    "--type",
    TYPE,
    "--predicate",
    "p",
    ...blob,
  );
  assert.match(told.stderr, /attestation too large for Rekor v1/);
  const made = sigstore.requests.slice(before).filter((request) => !request.startsWith("HEAD"));
  assert.deepEqual(made, [], "nobody was told of it");

  const attested = await attest("rekor2", image);
  assert.equal(attested.code, 0, attested.stderr);
  assert.equal((await verify(image)).code, 0);
});

test("verify-attestation --certificate: attestation with another certificate -> refused", async (t) => {
  const { write, store, push, attest, verify } = await workshop(t);
  write("p", "{}");
  const certificates: string[] = [];
  const images: string[] = [];
  for (const content of ["one", "two"]) {
    const { digest, image } = await push(content);
    const attested = await attest("rekor1", "--format", "legacy", image);
    assert.equal(attested.code, 0, attested.stderr);
    const stored = await store.manifest(attachmentTag(digest, "att"));
    certificates.push(stored?.manifest.layers[0]?.annotations?.["dev.sigstore.cosign/certificate"] ?? "");
    images.push(image);
  }
  const [first = "", second = ""] = images;
  write("certificate", certificates[0] ?? "");
  assert.notEqual(certificates[0], certificates[1]);
  for (const image of images) assert.equal((await verify(image)).code, 0);
  assert.equal((await verify("--certificate", "certificate", first)).code, 0);
  const other = await verify("--certificate", "certificate", second);
  assert.deepEqual([other.code, other.stdout], [1, ""]);
});
