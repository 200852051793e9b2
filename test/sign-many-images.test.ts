import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openRegistry } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { jsonAnswer } from "./support/json-answer.ts";
import { PASSWORD, writeKeyPairs } from "./support/key-pairs.ts";
import { testSigstore } from "./support/sandbox.ts";
import { storageWorkshop } from "./support/storage.ts";
import {
  LEGACY,
  NO_LOG,
  OFFLINE,
  type Outcome,
  PLAIN_REGISTRY,
  run,
  temporaryFolder,
  testIo,
} from "./support/test-io.ts";

/** A registry with images, and the number of signatures of each. */
async function workshop(t: TestContext, count: number) {
  const shop = await storageWorkshop(t);
  const { ok, tsign, cwd, registry } = shop;
  const images = Array.from({ length: count }, (_, index) => `${registry}/team/app${index}:v1`);
  for (const [index, image] of images.entries()) {
    writeFileSync(join(cwd, "content"), `app ${index}`);
    await ok("sandbox", "push", image.slice(registry.length + 1), "content");
  }
  writeFileSync(join(cwd, "images.txt"), `# a build\n${images.join("\n")}\n`);
  const signatures = async (image: string, key = "a.pub") => {
    const { code, stdout } = await tsign("verify", "--key", key, NO_LOG, image);
    return code === 0 ? JSON.parse(stdout.trim().split("\n")[0] ?? "[]").length : 0;
  };
  const sign = (...args: string[]) => tsign("sign", "--key", "a.key", "-y", ...OFFLINE, ...args);
  return { ...shop, images, signatures, sign };
}

for (const form of [[], [LEGACY], ["--format=both"]]) {
  test(`sign --skip-signed ${form.join()}: a second run signs only what is left`, async (t) => {
    const { images, signatures, sign, ok } = await workshop(t, 4);
    const perImage = form[0] === "--format=both" ? 2 : 1;
    const [first = "", second = ""] = images;
    await ok("sign", "--key", "a.key", "-y", ...OFFLINE, ...form, first);
    const run = await sign(...form, "--from", "images.txt", "--skip-signed");
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /^Already signed: \S+team\/app0@sha256:[0-9a-f]{64}$/m);
    assert.match(run.stderr, /^3 of 4 images signed, 1 already signed$/m);
    for (const image of images) assert.equal(await signatures(image), perImage, image);
    const again = await sign(...form, "--skip-signed", "--json", ...images);
    const { result } = jsonAnswer(again, "sign").document;
    assert.deepEqual(Reflect.get(result, "stored"), []);
    assert.deepEqual(
      result.images.map(({ state }) => state),
      Array(4).fill("already signed"),
    );
    // Without the flag each run adds a bundle.
    await ok("sign", "--key", "a.key", "-y", ...OFFLINE, ...form, second);
    assert.equal(await signatures(second), perImage + (form[0] === LEGACY ? 0 : 1));
  });
}

test("sign --skip-signed: what this signing would not produce -> signed", async (t) => {
  const { images, signatures, sign, ok, tsign } = await workshop(t, 1);
  const [image = ""] = images;
  await ok("generate-key-pair", "--output-key-prefix", "b");
  // By another key, in the other form, with other annotations, and an attestation.
  await ok("sign", "--key", "b.key", "-y", ...OFFLINE, image);
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, LEGACY, image);
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, "-a", "env=dev", image);
  assert.equal(await signatures(image), 2);
  const skip = async (...args: string[]) => {
    const { code, stderr } = await sign("--skip-signed", ...args, image);
    assert.equal(code, 0, stderr);
    return /^Already signed: /m.test(stderr);
  };
  assert.equal(await skip(), false);
  assert.equal(await signatures(image), 3);
  assert.equal(await skip(), true);
  assert.equal(await skip(LEGACY), true);
  assert.equal(await skip("-a", "env=dev"), true);
  assert.equal(await skip("-a", "env=prod"), false);
  assert.equal(await skip("-a", "env=dev", "-a", "team=x"), false);
  assert.equal(await skip(LEGACY, "-a", "env=dev"), false);
  assert.equal(await skip(LEGACY, "--sign-container-identity=registry.example/app"), false);
  assert.equal(await skip(LEGACY, "--sign-container-identity=registry.example/app"), true);
  assert.equal(await signatures(image), 7);
  for (const flag of ["--upload=false", "--output-signature=sig", "--bundle=out.json"]) {
    const { code, stderr } = await tsign(
      "sign",
      "--key",
      "a.key",
      "-y",
      ...OFFLINE,
      LEGACY,
      "--skip-signed",
      flag,
      image,
    );
    assert.equal(code, 1);
    assert.match(stderr, /--skip-signed and --[a-z=-]+ cannot be used together/);
  }
});

test("sign --from: an image that is not there -> nothing is signed", async (t) => {
  const { images, signatures, sign, registry } = await workshop(t, 2);
  const { code, stderr } = await sign(...images, `${registry}/team/absent:v1`);
  assert.equal(code, 1);
  assert.match(stderr, /absent/);
  for (const image of images) assert.equal(await signatures(image), 0);
});

test("sign: two names of one digest -> signed once", async (t) => {
  const { images, signatures, sign, ok, registry } = await workshop(t, 1);
  const [image = ""] = images;
  await ok("copy", image, `${registry}/team/app0:v2`);
  const { code, stderr } = await sign(image, `${registry}/team/app0:v2`);
  assert.equal(code, 0, stderr);
  assert.equal(await signatures(image), 1);
});

const [ALICE, BOB] = ["alice@example.com", "bob@example.com"];

/** Images in a sandbox with all services and a clock, and a command that signs them without a key. */
async function keyless(t: TestContext, count: number) {
  let ahead = 0;
  const started = Date.now();
  const sigstore = await testSigstore({ clock: () => new Date(started + ahead) });
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "rekor1.json"), sigstore.signingConfig.rekor1);
  const images: string[] = [];
  for (let index = 0; index < count; index++) {
    const ref = parseReference(`${sigstore.registry}/app${index}:v1`);
    const store = await openRegistry(testIo({ cwd, io: sigstore.io }), ref, PLAIN_REGISTRY);
    const { digest } = await pushImage(store, { file: "app", content: Buffer.from(`app ${index}`), tag: "v1" });
    images.push(`${ref.name}@${digest}`);
  }
  const sign = (email: string, ...args: string[]) => {
    const identity = ["--identity-token", sigstore.mint(email, {}, { ttl: 7200 }), "--trusted-root", "root.json"];
    const config = ["--signing-config", "rekor1.json"];
    return run(["sign", "--yes", ...identity, ...config, ...args, ...images], { cwd, io: sigstore.io });
  };
  const posted = (path: string) => sigstore.requests.filter((each) => each === `POST ${path}`).length;
  const counts = () => ({ certificates: posted("/api/v2/signingCert"), entries: posted("/api/v1/log/entries") });
  const pass = (milliseconds: number) => {
    ahead += milliseconds;
  };
  return { sigstore, cwd, images, sign, counts, pass };
}

test("sign, keyless: several images -> one certificate; --skip-signed by identity and log", async (t) => {
  const { images, sign, counts } = await keyless(t, 3);
  const first = await sign(ALICE);
  assert.equal(first.code, 0, first.stderr);
  assert.deepEqual(counts(), { certificates: 1, entries: 3 });
  const again = await sign(ALICE, "--skip-signed");
  assert.equal(again.code, 0, again.stderr);
  assert.match(again.stderr, /^0 of 3 images signed, 3 already signed$/m);
  assert.equal(counts().entries, 3, "nothing is logged twice");
  const other = await sign(BOB, "--skip-signed");
  assert.match(other.stderr, /^3 of 3 images signed$/m);
  assert.equal(counts().entries, 3 + images.length);
});

test("sign --skip-signed with a key: a signature without a log entry -> signed where a log is demanded", async (t) => {
  const { images, sigstore, cwd, counts } = await keyless(t, 1);
  writeKeyPairs(cwd, "a");
  const [image = ""] = images;
  const key = ["--key", "a.key", "-y", "--trusted-root", "root.json"];
  const sign = async (...args: string[]) => {
    const outcome = await run(["sign", ...key, "--skip-signed", ...args, image], {
      cwd,
      env: { COSIGN_PASSWORD: PASSWORD },
      io: sigstore.io,
    });
    assert.equal(outcome.code, 0, outcome.stderr);
    return /^Already signed/m.test(outcome.stderr);
  };
  assert.equal(await sign(...OFFLINE), false);
  assert.equal(await sign(...OFFLINE), true, "no log is asked for where none is written");
  assert.equal(await sign("--signing-config", "rekor1.json"), false);
  assert.equal(counts().entries, 1);
  assert.equal(await sign("--signing-config", "rekor1.json"), true);
  assert.equal(await sign(...OFFLINE), true);
});

test("sign, keyless: the certificate expires between two images -> a new one, for the same identity", async (t) => {
  const { sigstore, cwd, images, counts, pass } = await keyless(t, 8);
  const flags = ["--trusted-root", "root.json", "--signing-config", "rekor1.json"];
  const token = sigstore.mint(ALICE, {}, { ttl: 7200 });
  let uploads = 0;
  const io = {
    ...sigstore.io,
    http: async (request: Parameters<typeof sigstore.io.http>[0]) => {
      if (request.method === "POST" && request.url.pathname === "/api/v1/log/entries" && ++uploads === 4)
        pass(9.5 * 60_000);
      return sigstore.io.http(request);
    },
  };
  const signed = await run(["sign", "--yes", "--identity-token", token, ...flags, ...images], { cwd, io });
  assert.equal(signed.code, 0, signed.stderr);
  assert.deepEqual(counts(), { certificates: 2, entries: 8 });
  const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer];
  const verified = await run(["verify", "--trusted-root", "root.json", ...who, ...images], { cwd, io: sigstore.io });
  assert.equal(verified.code, 0, verified.stderr);
});

test("sign: a service fails for one image -> the others are named, and a second run completes", async (t) => {
  const { sigstore, cwd, images, counts } = await keyless(t, 12);
  const token = sigstore.mint(ALICE, {}, { ttl: 7200 });
  const line = ["sign", "--yes", "--identity-token", token, "--trusted-root", "root.json"];
  const args = [...line, "--signing-config", "rekor1.json", "--json", "--skip-signed", ...images];
  let broken = true;
  const io = {
    ...sigstore.io,
    http: async (request: Parameters<typeof sigstore.io.http>[0]) => {
      if (broken && request.method === "PUT" && request.url.pathname.startsWith("/v2/app5/manifests/")) {
        return sigstore.io.http({ ...request, url: new URL("/v2/nowhere", request.url) });
      }
      return sigstore.io.http(request);
    },
  };
  const first = await run(args, { cwd, io });
  assert.equal(first.code, 1);
  const states = (outcome: Outcome): string[] =>
    jsonAnswer(outcome, "sign").document.result.images.map(({ state }) => state);
  const found = states(first);
  assert.equal(found.length, 12);
  assert.equal(found[5], "failed");
  assert.ok(found.includes("not begun") && found.includes("signed"), found.join());
  assert.match(first.stderr, /^\d+ of 12 images signed, 1 failed, \d+ not begun$/m);
  assert.match(first.stderr, /--skip-signed/);
  const before = counts().entries;
  const signedBefore = found.filter((state) => state === "signed").length;
  assert.equal(before, signedBefore + 1, "no image is logged after a failure");
  broken = false;
  const second = await run(args, { cwd, io });
  assert.equal(second.code, 0, second.stderr);
  assert.equal(counts().entries, before + 12 - signedBefore);
  assert.equal(states(second).filter((state) => state === "already signed").length, signedBefore);
});
