import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { attachmentTag } from "../src/oci/tags.ts";
import { listed, storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run } from "./support/test-io.ts";

const TYPE = "https://ci.example/type";
const INDEX = "application/vnd.oci.image.index.v1+json";
const ABSENT = `sha256:${"0".repeat(64)}`;

/** Two images, and an attestation of the first in a given format. */
async function workshop(t: TestContext, options = { referrers: true }) {
  const made = await storageWorkshop(t, options);
  const { cwd, ok, image } = made;
  const write = (name: string, content: string | Uint8Array) => writeFileSync(join(cwd, name), content);
  write("p", "{}");
  const attest = (...flags: string[]) => {
    const type = flags.includes("--type") ? [] : ["--type", TYPE];
    return ok("attest", "--key", "a.key", ...OFFLINE, ...type, "--predicate", "p", ...flags);
  };
  const attestation = async (...flags: string[]) => {
    await attest(...flags, image);
    return (await ok("download", "attestation", image)).stdout.trim();
  };
  const layers = async () =>
    (await made.store.manifest(attachmentTag(made.digest, "att")))?.manifest.layers.length ?? 0;
  return { ...made, write, attest, attestation, layers };
}

for (const referrers of [true, false]) {
  const where = referrers ? "" : ", without the referrers API";

  test(`bundles and envelopes are attached from files of one or of several, in any layout${where}`, async (t) => {
    const { ok, tsign, image, digest, store, write, attestation, layers } = await workshop(t, { referrers });
    const verify = () => tsign("verify-attestation", "--key", "a.pub", NO_LOG, "--type", TYPE, image);
    const bundle = await attestation();
    const [, envelope = ""] = (await attestation(LEGACY)).split("\n");
    await ok("clean", "-f", image);
    assert.equal((await verify()).code, 1);

    write("bundle", bundle);
    await ok("attach", "attestation", "--attestation", "bundle", image);
    assert.equal((await listed(store, digest)).length, 1);
    assert.equal((await verify()).code, 0);
    await ok("clean", "-f", image);

    const pretty = JSON.stringify(JSON.parse(envelope), undefined, 2);
    write("several", `${envelope}${pretty}\n${bundle}\n`);
    write("one", envelope);
    await ok("attach", "attestation", "--attestation", "several", "--attestation", "one", image);
    assert.equal(await layers(), 2, "the same envelope twice is one");
    assert.equal((await verify()).stdout.trim().split("\n").length, 3);
  });

  test(`an SBOM is attached by tag or as a referrer, found in both places, and removed${where}`, async (t) => {
    const { cwd, env, ok, tsign, image, digest, store, write, registry } = await workshop(t, { referrers });
    const experimental = (...argv: string[]) => run(argv, { cwd, env: { ...env, COSIGN_EXPERIMENTAL: "1" } });
    write("s.json", '{"by":"tag"}\n');
    write("r.spdx", Buffer.from([0xff, 0, 0x0a]));
    const none = await tsign("download", "sbom", image);
    assert.match(none.stderr, /no SBOM is attached to/);
    assert.equal(none.code, 1);
    await ok("attach", "sbom", "--sbom", "s.json", image);
    const tagged = await ok("download", "sbom", image);
    assert.equal(tagged.stdout, '{"by":"tag"}\n');
    assert.match(tagged.stderr, /Found SBOM of media type: text\/spdx\+json/);

    const referrer = ["attach", "sbom", "--registry-referrers-mode", "oci-1-1", "--sbom", "r.spdx", image];
    assert.match((await tsign(...referrer)).stderr, /COSIGN_EXPERIMENTAL/);
    const attached = await experimental(...referrer);
    assert.equal(attached.code, 0, attached.stderr);
    assert.match(attached.stderr, new RegExp(`to \\[${registry}/app@sha256:`));
    assert.equal((await listed(store, digest)).length, 1);
    assert.match((await ok("download", "sbom", image)).stderr, /media type: text\/spdx\n/, "the referrer goes first");
    await ok("clean", "-f", "--type", "signature", image);
    assert.equal((await listed(store, digest)).length, 1, "an SBOM is no signature");
    await ok("clean", "-f", "--type", "sbom", image);
    assert.equal((await tsign("download", "sbom", image)).code, 1);
    assert.deepEqual(await store.tags(), ["v1"]);
  });
}

test("attach attestation: one invalid file -> nothing is attached", async (t) => {
  const { cwd, ok, tsign, env, image, write, attestation, layers, store, digest, sign } = await workshop(t);
  const [envelope = ""] = (await attestation(LEGACY)).split("\n");
  await ok("clean", "-f", image);
  await ok("sign-blob", "--key", "a.key", ...OFFLINE, "--bundle", "blob.bundle", "p");
  write("good", envelope);
  write("text", JSON.stringify({ ...JSON.parse(envelope), payloadType: "text/plain" }));
  write("unsigned", JSON.stringify({ ...JSON.parse(envelope), signatures: [] }));
  write("broken", `${envelope}{"payload`);
  write("empty", "\n");
  write("latin", Buffer.concat([Buffer.from(envelope.slice(0, -1)), Buffer.from(',"x":"\xff"}', "latin1")]));
  const bad: [string, RegExp][] = [
    ["text", /got "text\/plain"/],
    ["unsigned", /expected one signature in unsigned, found 0/],
    ["broken", /not valid JSON/],
    ["empty", /no attestation found/],
    ["latin", /not UTF-8/],
    ["blob.bundle", /signature of a file/],
    ["missing", /missing/],
    ["p", /not a DSSE envelope/],
  ];
  for (const [name, reason] of bad) {
    const refused = await tsign("attach", "attestation", "--attestation", "good", "--attestation", name, image);
    assert.equal(refused.code, 1, name);
    assert.match(refused.stderr, reason, name);
  }
  const large = ["attach", "attestation", "--attestation", "good", image];
  const limited = await run(large, { cwd, env: { ...env, COSIGN_MAX_ATTACHMENT_SIZE: "100" } });
  assert.match(limited.stderr, /good: larger than 100 bytes\nhint: .*COSIGN_MAX_ATTACHMENT_SIZE/);
  assert.deepEqual([await layers(), await listed(store, digest)], [0, []]);
  await sign();
});

test("attach: missing image -> refused; attachments remain after the image is deleted", async (t) => {
  const { ok, tsign, ref, write, attestation, store, digest, image, attest } = await workshop(t);
  const absent = `${ref.name}@${ABSENT}`;
  write("sig", "c2ln");
  write("bundle", await attestation());
  await ok("clean", "-f", image);
  const [envelope = ""] = (await attestation(LEGACY)).split("\n");
  write("envelope", envelope);
  for (const argv of [
    ["attestation", "--attestation", "bundle"],
    ["attestation", "--attestation", "envelope"],
    ["signature", "--signature", "sig", "--payload", "p"],
  ]) {
    const refused = await tsign("attach", ...argv, absent);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, /no such image/);
  }
  for (const what of ["signature", "attestation", "sbom"]) {
    assert.match((await tsign("download", what, `${ref.name}:absent`)).stderr, /no such image/);
  }
  const nothing = await ok("download", "attestation", absent);
  assert.equal(nothing.stdout, "");
  await attest(LEGACY, absent);
  assert.match((await ok("download", "attestation", absent)).stdout, /"payloadType"/);
  await store.delete(digest);
  assert.equal(JSON.parse((await ok("download", "attestation", image)).stdout).payload, JSON.parse(envelope).payload);
});

test("--platform: selects one image of an index in every form; no such platform -> lists the available ones", async (t) => {
  const { ok, tsign, ref, store, digest, image, attest, write } = await workshop(t);
  const child = (await store.resolve(digest)) ?? assert.fail("no image");
  const other = (await store.putManifest(
    Buffer.from(
      JSON.stringify({
        ...JSON.parse(Buffer.from((await store.manifest(digest))?.bytes ?? "").toString()),
        annotations: { n: "2" },
      }),
    ),
    { mediaType: child.mediaType },
  )) as typeof child;
  const platforms = [
    { ...child, platform: { os: "linux", architecture: "amd64" } },
    { ...other, platform: { os: "linux", architecture: "arm", variant: "v7" } },
    { ...other, platform: { os: "linux", architecture: "arm", variant: "v6" } },
    { ...other, platform: { os: "windows", architecture: "amd64", "os.version": "10.0.14393.1066" } },
  ];
  const index = await store.putManifest(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests: platforms })),
    { mediaType: INDEX },
  );
  const named = `${ref.name}@${index.digest}`;
  await attest(image);
  await attest(LEGACY, image);
  write("s", "sbom");
  await ok("attach", "sbom", "--sbom", "s", image);
  for (const platform of ["linux/amd64", "/amd64"]) {
    const found = await tsign("download", "attestation", "--platform", platform, named);
    if (platform === "/amd64") assert.match(found.stderr, /several images for platform \/amd64/);
    else assert.equal(found.stdout.trim().split("\n").length, 2, found.stderr);
  }
  assert.equal((await ok("download", "sbom", "--platform", "linux/amd64", named)).stdout, "sbom");
  assert.equal((await ok("download", "attestation", named)).stdout, "", "the index has none of its own");
  for (const platform of ["linux/arm/v7", "windows", "windows/amd64:10.0.14393", "windows/amd64:10.0.14393.1066"]) {
    assert.equal((await ok("download", "attestation", "--platform", platform, named)).stdout, "", platform);
  }
  const refusals: [string, RegExp][] = [
    [
      "linux/arm",
      /several images for platform linux\/arm\nhint: set --platform to one of linux\/amd64, linux\/arm\/v7, linux\/arm\/v6, windows\/amd64/,
    ],
    ["plan9", /no image for platform plan9/],
    ["windows/amd64:10.0.1", /no image for platform/],
    ["windows/amd64:10.0", /no image for platform/],
  ];
  for (const [platform, reason] of refusals) {
    for (const what of ["attestation", "sbom"]) {
      const refused = await tsign("download", what, "--platform", platform, named);
      assert.equal(refused.code, 1, platform);
      assert.match(refused.stderr, reason);
    }
  }
  assert.match((await tsign("download", "sbom", "--platform", "linux/amd64", image)).stderr, /not a multiarch image/);
  assert.match((await tsign("download", "sbom", named)).stderr, /hint: pass --platform with one of linux\/amd64/);
});

test("download attestation --predicate-type: prints that type only; not found -> fails", async (t) => {
  const { ok, tsign, image, attest } = await workshop(t);
  await attest(image);
  await attest(LEGACY, "--type", "vuln", image);
  for (const type of [TYPE, "vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"]) {
    const { stdout } = await ok("download", "attestation", "--predicate-type", type, image);
    assert.equal(stdout.trim().split("\n").length, 1, type);
  }
  const none = await tsign("download", "attestation", "--predicate-type", "openvex", image);
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  assert.match(
    (await tsign("download", "attestation", "--predicate-type", "x", image)).stderr,
    /invalid predicate type/,
  );
});

test("attach signature: base64 -> attached; raw bytes -> refused with the reason", async (t) => {
  const { ok, tsign, image, write } = await workshop(t);
  write("sig", "c2ln\n");
  write("raw", Buffer.from([0x30, 0x06, 0x02, 0x01, 0x7f, 0x02, 0x01, 0x81]));
  write("text", "no signature!");
  const attach = (name: string) => tsign("attach", "signature", "--signature", name, "--payload", "p", image);
  assert.match(
    (await attach("raw")).stderr,
    /^Error: read raw: invalid base64\nhint: attach the output of `base64 raw`/m,
  );
  assert.match((await attach("text")).stderr, /^Error: read text: invalid base64\n$/m);
  assert.equal((await ok("download", "signature", image).catch(() => ({ stdout: "" }))).stdout, "");
  assert.equal((await attach("sig")).code, 0);
});
