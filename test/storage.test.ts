import assert from "node:assert/strict";
import { test } from "node:test";
import type { Io } from "../src/io/io.ts";
import { attachmentTag, fallbackTag } from "../src/oci/tags.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { attachReferrer, descriptorOf, listed, storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run, testIo } from "./support/test-io.ts";

const SIGN = "https://sigstore.dev/cosign/sign/v1";

for (const referrers of [true, false]) {
  const where = referrers ? "" : ", without the referrers API";

  test(`tree: legacy tag and referrers -> branches by what they are, in the same order every time${where}`, async (t) => {
    const { ok, image, ref, digest, sign, store } = await storageWorkshop(t, { referrers });
    await sign(LEGACY);
    await sign();
    await attachReferrer(store, await descriptorOf(store, digest), {
      layer: "packages",
      layerType: "text/plain",
      more: { artifactType: "application/vnd.example.sbom" },
    });
    const first = await ok("tree", image);
    assert.equal((await ok("tree", image)).stdout, first.stdout);
    const lines = first.stdout.trimEnd().split("\n");
    assert.equal(lines[0], `📦 Supply Chain Security Related artifacts for an image: ${image}`);
    const tag = `${ref.name}:${attachmentTag(digest, "sig")}`;
    assert.equal(lines[1], "├── Signatures");
    assert.equal(lines[2], `│   ├── 🔐 Signatures for an image tag: ${tag}`);
    assert.match(lines[3] ?? "", /^│ {3}│ {3}└── 🍒 sha256:[0-9a-f]{64}$/);
    assert.ok(lines[4]?.startsWith(`│   └── 🔗 ${SIGN} artifacts via OCI referrer: ${ref.name}@sha256:`));
    assert.equal(lines[6], "└── SBOMs");
    assert.ok(
      lines[7]?.startsWith(`    └── 🔗 application/vnd.example.sbom artifacts via OCI referrer: ${ref.name}@sha256:`),
    );
    assert.equal(lines.length, 9);

    const tagsOnly = await ok("tree", "--experimental-oci11=false", image);
    assert.doesNotMatch(tagsOnly.stdout, /referrer/);
    assert.match(tagsOnly.stderr, /^Flag --experimental-oci11 has been deprecated/);
  });

  test(`clean removes what sign stored, its listing too, and nothing else${where}`, async (t) => {
    const { ok, tsign, image, digest, sign, store } = await storageWorkshop(t, { referrers });
    await sign(LEGACY);
    await sign();
    const other = await attachReferrer(store, await descriptorOf(store, digest), {
      layer: "packages",
      layerType: "text/plain",
    });
    const cleaned = await ok("clean", "--force", image);
    assert.equal(cleaned.stdout, "");
    assert.equal(cleaned.stderr.match(/^Removed /gm)?.length, 2);
    const left = await listed(store, digest);
    assert.deepEqual(
      left.map((each) => each.digest),
      [other.digest],
    );
    assert.equal((await tsign("verify", "--key", "a.pub", "--insecure-ignore-tlog", image)).code, 10);
    assert.ok(await store.resolve(digest), "the image stays");
    assert.deepEqual(await store.tags(), referrers ? ["v1"] : [fallbackTag(digest), "v1"]);
    assert.match((await ok("clean", "--force", image)).stderr, /^Nothing to remove from /);
  });

  test(`clean: last bundle removed -> fallback index removed${where}`, async (t) => {
    const { ok, image, sign, store } = await storageWorkshop(t, { referrers });
    await sign();
    await ok("clean", "--force", "--type", "referrer", image);
    assert.deepEqual(await store.tags(), ["v1"]);
  });

  test(`download signature prints bundles before legacy signatures, which it prints when there are none${where}`, async (t) => {
    const { ok, tsign, image, sign, cwd } = await storageWorkshop(t, { referrers });
    const none = await tsign("download", "signature", image);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /^Error: .*: no signatures associated\n$/);
    assert.equal(none.stdout, "");

    await sign(LEGACY, "-a", "env=prod");
    const legacy = JSON.parse((await ok("download", "signature", image)).stdout);
    assert.deepEqual(Object.keys(legacy), [
      "Base64Signature",
      "Payload",
      "Cert",
      "Chain",
      "Bundle",
      "RFC3161Timestamp",
    ]);
    assert.equal(JSON.parse(Buffer.from(legacy.Payload, "base64").toString()).optional.env, "prod");

    await sign("--bundle", "b.json");
    const bundles = await ok("download", "signature", image);
    const written = Buffer.from(await testIo({ cwd }).files.read("b.json", { maxBytes: 1e6 })).toString();
    assert.equal(bundles.stdout, `${written.trimEnd()}\n`);
  });
}

test("tree: nothing attached -> message; missing image -> fails", async (t) => {
  const { ok, tsign, image, ref } = await storageWorkshop(t);
  assert.match((await ok("tree", image)).stdout, /^📦 .*\nNo Supply Chain Security Related Artifacts found for image /);
  const absent = await tsign("tree", `${ref.name}:absent`);
  assert.equal(absent.code, 1);
  assert.equal(absent.stdout, "", "nothing is printed before all is known");
  assert.match(absent.stderr, /no such image/);
});

test("clean: a bundle that another client adds while the fallback index is written -> kept, and verifies", async (t) => {
  for (const others of [0, 1]) {
    const { cwd, env, ok, image, digest, sign, store } = await storageWorkshop(t, { referrers: false });
    writeKeyPairs(cwd, "b");
    await sign();
    const subject = await descriptorOf(store, digest);
    for (let count = 0; count < others; count++) {
      await attachReferrer(store, subject, { layer: "packages", layerType: "text/plain" });
    }
    const { http, sleep } = testIo();
    let added = 0;
    let deleted = false;
    const io: Partial<Io> = {
      sleep: (ms, signal) => sleep(ms >= 10_000 ? ms : ms / 50, signal),
      http: async (request) => {
        const isLookUp = request.method === "GET" && request.url.pathname.includes("/manifests/sha256-");
        const response = await http(request);
        if (isLookUp && deleted && added++ === 0) await ok("sign", "--key", "b.key", ...OFFLINE, image);
        if (request.method === "DELETE") deleted = true;
        return response;
      },
    };
    const done = await run(["clean", "--force", "--type", "referrer", image], { cwd, env, io });
    assert.equal(done.code, 0, done.stderr);
    assert.ok(added > 0);
    await ok("verify", "--key", "b.pub", NO_LOG, image);
    assert.equal((await listed(store, digest)).length, others + 1);
  }
});

test("clean --type: removes that type only", async (t) => {
  const { ok, digest, image, sign, store } = await storageWorkshop(t);
  const tags = (["sig", "att", "sbom"] as const).map((kind) => attachmentTag(digest, kind));
  await sign(LEGACY);
  await sign();
  const stored = (await store.manifest(tags[0] ?? "")) ?? assert.fail("no signature");
  for (const tag of tags) await store.putManifest(stored.bytes, { mediaType: stored.descriptor.mediaType, tag });
  for (const [type, gone] of [
    ["attestation", "att"],
    ["sbom", "sbom"],
    ["signature", "sig"],
  ] as const) {
    const cleaned = await ok("clean", "-f", "--type", type, image);
    assert.match(cleaned.stderr, new RegExp(`^Removed .*\\.${gone} from .*\n`));
  }
  assert.deepEqual(await store.tags(), ["v1"]);
  assert.equal((await listed(store, digest)).length, 1);
  await ok("clean", "-f", "--type", "referrer", image);
  assert.equal((await listed(store, digest)).length, 0);
});

test("clean: continues only after y", async (t) => {
  const { cwd, env, image, digest, sign, store } = await storageWorkshop(t);
  await sign(LEGACY);
  const tag = attachmentTag(digest, "sig");
  for (const stdin of ["", "n\n", "\n", "yes\n"]) {
    const refused = await run(["clean", image], { cwd, env, stdin });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /WARNING: .*\nAre you sure you would like to continue\? \[y\/N\] /);
    assert.ok(await store.resolve(tag), `kept after ${JSON.stringify(stdin)}`);
  }
  assert.equal((await run(["clean", image], { cwd, env, stdin: "y\n" })).code, 0);
  assert.equal(await store.resolve(tag), undefined);
});

test("clean: unknown --type or --registry-referrers-mode -> refused before the question", async (t) => {
  const { tsign, digest, image, sign, store } = await storageWorkshop(t);
  await sign(LEGACY);
  const cases: [string[], RegExp][] = [
    [["clean", "-f", "--type", "everything", image], /invalid argument "everything" for "--type" flag/],
    [["tree", "--registry-referrers-mode", "new", image], /must be one of "legacy", "oci-1-1"/],
    [["triangulate", "--type", "picture", image], /invalid argument "picture" for "--type" flag/],
    [["clean", "-f"], /requires at least 1 arg/],
    [["tree"], /requires at least 1 arg/],
  ];
  for (const [argv, reason] of cases) {
    const refused = await tsign(...argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, reason);
    assert.equal(refused.stdout, "");
  }
  assert.ok(await store.resolve(attachmentTag(digest, "sig")));
});

test("COSIGN_REPOSITORY, tag prefix: used by every command, clean included", async (t) => {
  const { cwd, env, registry, image, digest, store } = await storageWorkshop(t);
  const moved = { ...env, COSIGN_REPOSITORY: `${registry}/kept/elsewhere` };
  const prefix = ["--attachment-tag-prefix", "pre-"];
  const there = async (...argv: string[]) => {
    const outcome = await run(argv, { cwd, env: moved });
    assert.equal(outcome.code, 0, outcome.stderr);
    return outcome.stdout;
  };
  await there("sign", "--key", "a.key", ...OFFLINE, LEGACY, ...prefix, image);
  await there("sign", "--key", "a.key", ...OFFLINE, image);
  assert.deepEqual(await store.tags(), ["v1"], "nothing is stored with the image");

  const tag = `${registry}/kept/elsewhere:pre-${attachmentTag(digest, "sig")}`;
  assert.equal(await there("triangulate", ...prefix, image), `${tag}\n`);
  const tree = await there("tree", ...prefix, image);
  assert.ok(tree.includes(`Signatures for an image tag: ${tag}\n`));
  assert.ok(tree.includes(`OCI referrer: ${registry}/kept/elsewhere@sha256:`));
  assert.match(await there("download", "signature", ...prefix, image), /"mediaType":/);
  await there("clean", "-f", ...prefix, image);
  assert.match(await there("tree", ...prefix, image), /No Supply Chain/);

  const bad = await run(["tree", image], { cwd, env: { ...env, COSIGN_REPOSITORY: "not a repository" } });
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /parsing \$COSIGN_REPOSITORY/);
});

test("triangulate: prints tag or digest, whether or not it exists", async (t) => {
  const { ok, tsign, image, ref, digest } = await storageWorkshop(t);
  const byTag = `${ref.name}:v1`;
  const expected = {
    signature: `${ref.name}:${attachmentTag(digest, "sig")}`,
    attestation: `${ref.name}:${attachmentTag(digest, "att")}`,
    sbom: `${ref.name}:${attachmentTag(digest, "sbom")}`,
    digest: image,
  };
  for (const [type, where] of Object.entries(expected)) {
    for (const text of [image, byTag]) {
      assert.equal((await ok("triangulate", "--type", type, text)).stdout, `${where}\n`);
    }
  }
  assert.match((await ok("triangulate", image)).stderr, /^Command "triangulate" is deprecated, /);
  assert.match((await ok("triangulate", "--type", "sbom", image)).stderr, /WARNING: an attached SBOM is not signed/);
  const absent = await tsign("triangulate", `${ref.name}:absent`);
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /no such image/);
});
