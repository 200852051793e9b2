import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  makeKeys,
  OTHER_DIGEST,
  OTHER_KEY,
  OTHER_NAME,
  repositoryOf,
  signaturesOf,
  tagOf,
  UNSIGNED,
  workshop,
} from "./ecosystem-shop.ts";
import { COSIGN, LEGACY, NO_LOG, OFFLINE, registries, run, TSIGN } from "./support.ts";

/**
 * The library of podman, CRI-O and skopeo verifies signatures of tsign by `sigstoreSigned` policies, as it does those of cosign,
 * and tsign verifies signatures of the library. It reads only cosign's legacy form: no bundles, no Rekor v2, no timestamps.
 */
const ALICE = "alice@example.com";
const KEYED = [...OFFLINE, LEGACY];

test("podman policy: signature with the key -> pulled; no signature, another key or a bundle -> refused", async (context) => {
  const shop = await workshop(context);
  const { a, b } = await makeKeys(shop);
  const signers = {
    "tsign, legacy": [TSIGN, LEGACY],
    "tsign, both": [TSIGN, "--format=both"],
    cosign: [COSIGN, LEGACY],
  };
  for (const [registry, address] of Object.entries(await registries(context))) {
    for (const [name, [signer = "", form = ""]] of Object.entries(signers)) {
      await context.test(`${name}, registry ${registry}`, async () => {
        const image = await shop.image(address, "app");
        await shop.refuses(a, image, UNSIGNED);
        await shop.program(signer, "sign", "--key", "a.key", ...OFFLINE, form, image);
        for (const reference of [image, tagOf(image)]) {
          await shop.accepts(a, reference);
          await shop.refuses(b, reference, OTHER_KEY);
        }
        assert.match(await shop.judge(a, image, "ignore"), UNSIGNED);
        await shop.program(signer, "sign", "--key", "b.key", ...OFFLINE, form, image);
        for (const key of [a, b]) await shop.accepts(key, image);
      });
    }
    await context.test(`bundles and attestations are no signatures to it, registry ${registry}`, async () => {
      const image = await shop.image(address, "bundle");
      writeFileSync(join(shop.cwd, "predicate"), "{}");
      await shop.program(TSIGN, "sign", "--key", "a.key", ...OFFLINE, image);
      await shop.program(TSIGN, "attest", "--key", "a.key", ...KEYED, "--predicate", "predicate", image);
      await shop.refuses(a, image, UNSIGNED);
    });
  }
});

/** The library supports only SHA-256, so it refuses signatures of P-384 and P-521 keys; cosign's Ed25519 is Ed25519ph. */
const KINDS: Record<string, { make: () => KeyObject; refused: readonly string[] }> = {
  "rsa-2048": { make: () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey, refused: [] },
  "rsa-4096": { make: () => generateKeyPairSync("rsa", { modulusLength: 4096 }).privateKey, refused: [] },
  "p-384": { make: () => generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey, refused: [TSIGN, COSIGN] },
  "p-521": { make: () => generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey, refused: [TSIGN, COSIGN] },
  ed25519: { make: () => generateKeyPairSync("ed25519").privateKey, refused: [COSIGN] },
};

test("podman: every kind of key, and signatures of the library with it", async (context) => {
  const shop = await workshop(context);
  const { ref } = await registries(context);
  for (const [kind, { make, refused }] of Object.entries(KINDS)) {
    await context.test(kind, async () => {
      writeFileSync(join(shop.cwd, "key.pem"), make().export({ type: "pkcs8", format: "pem" }));
      await shop.program(TSIGN, "import-key-pair", "--key", "key.pem", "--output-key-prefix", kind);
      for (const signer of [TSIGN, COSIGN]) {
        const image = await shop.image(ref, "kinds");
        await shop.program(signer, "sign", "--key", `${kind}.key`, ...KEYED, image);
        const verdict = await shop.judge({ keyPath: `${kind}.pub` }, image);
        assert.match(verdict, refused.includes(signer) ? OTHER_KEY : /^accepted$/, signer);
      }
    });
  }
});

const mirrorOf = (image: string) => image.replace("/podman/", "/mirror/");

test("podman policy: signature counts for its digest and name, which may be mapped", async (context) => {
  const shop = await workshop(context);
  const { a } = await makeKeys(shop);
  const { ref } = await registries(context);
  const [one, two] = [await shop.image(ref, "moved"), await shop.image(ref, "moved")];
  await shop.program(TSIGN, "sign", "--key", "a.key", ...KEYED, one);
  await shop.accepts(a, one);
  await shop.program("crane", "copy", signaturesOf(one), signaturesOf(two));
  await shop.refuses(a, two, OTHER_DIGEST);

  const mirror = mirrorOf(one);
  await shop.program("crane", "copy", one, mirror);
  await shop.program("crane", "copy", signaturesOf(one), signaturesOf(mirror));
  await shop.refuses(a, mirror, OTHER_NAME);
  const known = (dockerRepository: string) => ({ ...a, signedIdentity: { type: "exactRepository", dockerRepository } });
  await shop.accepts(known(repositoryOf(one)), mirror);
  await shop.refuses(known(repositoryOf(mirror)), mirror, OTHER_NAME);

  // Without `signedIdentity`, the tag that is pulled must be the signed one.
  const tagged = await shop.image(ref, "tagged");
  const exact = { ...a, signedIdentity: { type: "matchRepoDigestOrExact" } };
  await shop.refuses(exact, one, OTHER_NAME);
  await shop.program(TSIGN, "sign", "--key", "a.key", ...KEYED, "--sign-container-identity", tagOf(tagged), tagged);
  await shop.accepts(exact, tagOf(tagged));
  await shop.program("crane", "tag", tagged, "v2");
  await shop.refuses(exact, tagOf(tagged).replace(/v1$/, "v2"), OTHER_NAME);

  const remote = mirrorOf(tagged);
  await shop.program("crane", "copy", tagged, tagOf(remote));
  await shop.program("crane", "copy", signaturesOf(tagged), signaturesOf(remote));
  await shop.refuses(exact, tagOf(remote), OTHER_NAME);
  const mapped = (signedPrefix: string) => ({
    ...a,
    signedIdentity: { type: "remapIdentity", prefix: `${ref}/mirror`, signedPrefix },
  });
  for (const reference of [remote, tagOf(remote)]) {
    await shop.accepts(mapped(`${ref}/podman`), reference);
    await shop.refuses(mapped(`${ref}/other`), reference, OTHER_NAME);
  }
});

test("podman policy: index with all images signed -> pulled, and copied with its signatures", async (context) => {
  const shop = await workshop(context);
  const { a, b } = await makeKeys(shop);
  const { ref } = await registries(context);
  const images = [await shop.image(ref, "index"), await shop.image(ref, "index")];
  const tag = `${ref}/podman/index:all`;
  await shop.program("crane", "index", "append", ...images.flatMap((image) => ["-m", image]), "-t", tag);
  const index = `${ref}/podman/index@${(await shop.program("crane", "digest", tag)).stdout.trim()}`;
  const copy = async (key: object) => {
    shop.require(key);
    return shop.use(["copy", "policy.json", index, `${ref}/podman/copied:all`]);
  };
  await shop.program(TSIGN, "sign", "--key", "a.key", ...KEYED, index);
  await shop.accepts(a, index);
  const alone = await copy(a);
  assert.match(alone.stderr, /Source image rejected: A signature was required, but no signature exists/);
  await shop.program(TSIGN, "sign", "--key", "a.key", ...KEYED, "--recursive", index);
  for (const each of [index, ...images]) await shop.accepts(a, each);
  assert.match((await copy(b)).stderr, /Source image rejected: cryptographic signature verification failed/);
  const copied = await copy(a);
  assert.equal(copied.code, 0, copied.stderr);
  const verify = (key: string) =>
    run(TSIGN, ["verify", "--key", key, NO_LOG, `${ref}/podman/copied:all`], { cwd: shop.cwd });
  assert.equal((await verify("a.pub")).code, 0);
  assert.equal((await verify("b.pub")).code, 12);
});

test("tsign and cosign verify signatures of podman's library, with keys of either", async (context) => {
  const shop = await workshop(context);
  const { a } = await makeKeys(shop);
  const { ref } = await registries(context);
  const made = await shop.use(["generate", "own"]);
  assert.equal(made.code, 0, made.stderr);
  for (const key of ["a", "own"]) {
    const image = await shop.image(ref, key);
    const signed = await shop.use(["sign", `${key}.key`, image, tagOf(image)]);
    assert.equal(signed.code, 0, signed.stderr);
    for (const verifier of [TSIGN, COSIGN]) {
      await shop.program(verifier, "verify", "--key", `${key}.pub`, NO_LOG, LEGACY, image);
      const other = await run(verifier, ["verify", "--key", "b.pub", NO_LOG, LEGACY, image], { cwd: shop.cwd });
      assert.equal(other.code, 12, other.stderr);
    }
  }
  const image = await shop.image(ref, "signed-with-its-key");
  await shop.program(TSIGN, "sign", "--key", "own.key", ...KEYED, image);
  await shop.accepts({ keyPath: "own.pub" }, image);
  await shop.refuses(a, image, OTHER_KEY);
});

/** A certificate for a key from an authority with an intermediate, as files: root.pem, chain.pem, leaf.pem. */
function certify(cwd: string, key: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd, stdio: "pipe" });
  const profiles = `[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign
[leaf]\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning\nsubjectAltName=email:${ALICE}\n`;
  writeFileSync(join(cwd, "profiles"), profiles);
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const root of ["root", "stranger"]) {
    openssl("req", "-x509", ...fresh, "-keyout", `${root}.key.pem`, "-subj", `/CN=${root}`, "-out", `${root}.pem`);
  }
  const issue = (name: string, by: string, profile: string) =>
    openssl(
      ...["x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, "-days", "2", "-CAcreateserial"],
      ...["-CA", `${by}.pem`, "-CAkey", `${by}.key.pem`, "-extfile", "profiles", "-extensions", profile],
    );
  openssl("req", "-new", ...fresh, "-keyout", "middle.key.pem", "-subj", "/CN=middle", "-out", "middle.csr");
  issue("middle", "root", "ca");
  openssl("req", "-new", "-key", key, "-subj", "/CN=leaf", "-out", "leaf.csr");
  issue("leaf", "middle", "leaf");
  writeFileSync(join(cwd, "chain.pem"), execFileSync("cat", ["middle.pem", "root.pem"], { cwd }));
}

test("podman policy: private certificate authority, known by its root", async (context) => {
  const shop = await workshop(context);
  const { ref } = await registries(context);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(shop.cwd, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  certify(shop.cwd, "key.pem");
  await shop.program(TSIGN, "import-key-pair", "--key", "key.pem", "--output-key-prefix", "c");
  const pki = (more: object) => ({ pki: { caRootsPath: "root.pem", subjectEmail: ALICE, ...more } });
  const certificate = ["--certificate", "leaf.pem", "--certificate-chain", "chain.pem"];
  for (const signer of [TSIGN, COSIGN]) {
    const image = await shop.image(ref, "pki");
    await shop.program(signer, "sign", "--key", "c.key", ...certificate, ...KEYED, image);
    await shop.accepts(pki({ caIntermediatesPath: "middle.pem" }), image);
    // cosign 3.1.2 does not store the chain.
    if (signer === TSIGN) await shop.accepts(pki({}), image);
    const whole = { caIntermediatesPath: "middle.pem" };
    await shop.refuses(pki({ ...whole, subjectEmail: "mallory@example.com" }), image, /Required email "mallory@/);
    await shop.refuses(pki({ ...whole, caRootsPath: "stranger.pem" }), image, /signed by unknown authority/);
  }
});
