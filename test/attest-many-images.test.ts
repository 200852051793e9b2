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
import { LEGACY, NO_LOG, OFFLINE, PLAIN_REGISTRY, run, testIo } from "./support/test-io.ts";

const SPDX = ["--type", "spdxjson", "--predicate", "sbom.json"];

/** A registry with images, predicates, and the number of attestations of an image. */
async function workshop(t: TestContext, count: number) {
  const shop = await storageWorkshop(t);
  const { ok, tsign, cwd, env, registry } = shop;
  const images: string[] = [];
  for (let index = 0; index < count; index++) {
    writeFileSync(join(cwd, "content"), `app ${index}`);
    images.push((await ok("sandbox", "push", `team/app${index}:v1`, "content")).stdout.trim());
  }
  writeFileSync(join(cwd, "images.txt"), images.join("\n"));
  writeFileSync(join(cwd, "sbom.json"), SBOM);
  const attestations = async (image: string, type = "spdxjson", key = "a.pub") => {
    const { code, stdout } = await tsign("verify-attestation", "--key", key, NO_LOG, "--type", type, image);
    return code === 0 ? stdout.trim().split("\n").length : 0;
  };
  let ahead = 0;
  const attest = (...args: string[]) => {
    ahead += 5000;
    const now = () => new Date(Date.now() + ahead);
    return run(["attest", "--key", "a.key", "-y", ...OFFLINE, ...args], { cwd, env, io: { now } });
  };
  return { ...shop, images, attestations, attest, registry };
}

const SBOM = JSON.stringify({
  ...{ spdxVersion: "SPDX-2.3", dataLicense: "CC0-1.0", SPDXID: "SPDXRef-DOCUMENT", name: "app" },
  documentNamespace: "https://example.com/app",
  creationInfo: { created: "2026-01-01T00:00:00Z", creators: ["Tool: none"] },
});

for (const form of [[], [LEGACY], ["--format=both"]]) {
  test(`attest --skip-attested ${form.join()}: a second run attests only what is left`, async (t) => {
    const { images, attestations, attest } = await workshop(t, 3);
    const [first = "", second = ""] = images;
    const perImage = form[0] === "--format=both" ? 2 : 1;
    assert.equal((await attest(...form, ...SPDX, first)).code, 0);
    const rest = await attest(...form, ...SPDX, "--from", "images.txt", "--skip-attested");
    assert.equal(rest.code, 0, rest.stderr);
    assert.match(rest.stderr, /^Already attested: \S+team\/app0@sha256:[0-9a-f]{64}$/m);
    assert.match(rest.stderr, /^2 of 3 images attested, 1 already attested$/m);
    for (const image of images) assert.equal(await attestations(image), perImage, image);
    const again = await attest(...form, ...SPDX, "--skip-attested", "--json", ...images);
    const { result } = jsonAnswer(again, "attest").document;
    assert.deepEqual(Reflect.get(result, "stored"), []);
    assert.deepEqual(
      result.images.map(({ state }) => state),
      Array(3).fill("already attested"),
    );
    // Without the flag each run adds one.
    assert.equal((await attest(...form, ...SPDX, second)).code, 0);
    assert.ok((await attestations(second)) > perImage);
  });
}

test("attest --skip-attested --format both: only the missing form is stored", async (t) => {
  const { images, attest } = await workshop(t, 1);
  const [image = ""] = images;
  assert.equal((await attest(...SPDX, image)).code, 0);
  const both = await attest("--format=both", "--skip-attested", "--json", ...SPDX, image);
  assert.equal(both.code, 0, both.stderr);
  assert.equal(Reflect.get(jsonAnswer(both, "attest").document.result, "stored").length, 1);
  assert.match((await attest("--format=both", "--skip-attested", ...SPDX, image)).stderr, /^Already attested/m);
});

test("attest --skip-attested: what this signing would not produce -> attested", async (t) => {
  const { images, attest, ok, cwd, tsign } = await workshop(t, 1);
  const [image = ""] = images;
  await ok("generate-key-pair", "--output-key-prefix", "b");
  await ok("attest", "--key", "b.key", "-y", ...OFFLINE, ...SPDX, image);
  await ok("sign", "--key", "a.key", "-y", ...OFFLINE, image);
  const skipped = async (...args: string[]) => {
    const { code, stderr } = await attest("--skip-attested", ...args, image);
    assert.equal(code, 0, stderr);
    return /^Already attested/m.test(stderr);
  };
  const twice = async (...args: string[]) => [await skipped(...args), await skipped(...args)];
  const firstTimeOnly = [false, true];
  assert.deepEqual(await twice(...SPDX), firstTimeOnly, "another key, and a signature");
  assert.deepEqual(await twice(...SPDX, LEGACY), firstTimeOnly, "another form");
  writeFileSync(join(cwd, "sbom.json"), SBOM.replace('"app"', '"web"'));
  assert.deepEqual(await twice(...SPDX), firstTimeOnly, "another predicate");
  const numbers = ["--type", "https://example.com/n/v1", "--predicate", "n.json"];
  for (const n of ["9007199254740993", "9007199254740992", "1", "1.0", '"1"']) {
    writeFileSync(join(cwd, "n.json"), `{"n":${n}}`);
    assert.deepEqual(await twice(...numbers), firstTimeOnly, n);
  }
  const otherType = ["--type", "https://example.com/n/v2", "--predicate", "n.json"];
  assert.deepEqual(await twice(...otherType), firstTimeOnly, "another predicate type");
  // The time that tsign writes does not count; one that the user gives does.
  assert.deepEqual(await twice("--predicate", "n.json"), firstTimeOnly);
  const statement = (time: string) => {
    const digest = { sha256: image.split(":").at(-1) };
    const predicate = { Data: "x", Timestamp: time };
    const head = { _type: "https://in-toto.io/Statement/v0.1", subject: [{ name: "app", digest }] };
    const predicateType = "https://cosign.sigstore.dev/attestation/v1";
    writeFileSync(join(cwd, "statement.json"), JSON.stringify({ ...head, predicateType, predicate }));
  };
  for (const time of ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"]) {
    statement(time);
    assert.deepEqual(await twice("--statement", "statement.json"), firstTimeOnly, time);
  }
  const own = ["attest", "--key", "a.key", "-y", ...OFFLINE, "--skip-attested", ...SPDX];
  for (const conflict of ["--replace", "--no-upload", "--bundle=x.json"]) {
    const { code, stderr } = await tsign(...own, conflict, image);
    assert.equal(code, 1, conflict);
    assert.match(stderr, /--skip-attested and --[a-z-]+ cannot be used together/);
  }
});

test("attest --skip-attested, keyless: by identity and log, and nothing is logged twice", async (t) => {
  const sigstore = await testSigstore({});
  const { cwd } = await storageWorkshop(t);
  writeFileSync(join(cwd, "root.json"), sigstore.trustedRoot);
  writeFileSync(join(cwd, "rekor1.json"), sigstore.signingConfig.rekor1);
  writeFileSync(join(cwd, "sbom.json"), SBOM);
  writeKeyPairs(cwd, "a");
  const ref = parseReference(`${sigstore.registry}/app:v1`);
  const store = await openRegistry(testIo({ cwd, io: sigstore.io }), ref, PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "app", content: Buffer.from("app"), tag: "v1" });
  const skipped = async (who: string[], services: readonly string[] = ["--signing-config", "rekor1.json"]) => {
    const line = ["attest", "--yes", "--trusted-root", "root.json", "--skip-attested", ...SPDX, ...services, ...who];
    const { code, stderr } = await run([...line, `${ref.name}@${digest}`], {
      ...{ cwd, io: sigstore.io, env: { COSIGN_PASSWORD: PASSWORD } },
    });
    assert.equal(code, 0, stderr);
    return /^Already attested/m.test(stderr);
  };
  const entries = () => sigstore.requests.filter((each) => each === "POST /api/v1/log/entries").length;
  const as = (email: string) => ["--identity-token", sigstore.mint(email, {}, {})];
  assert.equal(await skipped(as("alice@example.com")), false);
  assert.equal(await skipped(as("alice@example.com")), true);
  assert.equal(entries(), 1);
  assert.equal(await skipped(as("bob@example.com")), false);
  assert.equal(entries(), 2);
  assert.equal(await skipped(["--key", "a.key"], OFFLINE), false);
  assert.equal(await skipped(["--key", "a.key"], OFFLINE), true, "no log is asked for where none is written");
  assert.equal(
    await skipped(["--key", "a.key"]),
    false,
    "an attestation without a log entry is not what this run makes",
  );
  assert.equal(entries(), 3);
});

test("attest --skip-attested --dry-run: only the images that are left", async (t) => {
  const { images, attest } = await workshop(t, 2);
  assert.equal((await attest(...SPDX, images[0] ?? "")).code, 0);
  const { code, stdout, stderr } = await attest(...SPDX, "--skip-attested", "--dry-run", ...images);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^Would sign /gm)?.length, 1);
  assert.match(stderr, /^1 of 2 images to be attested, 1 already attested$/m);
});
