import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { attachmentTag } from "../src/oci/tags.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run } from "./support/test-io.ts";

const TYPE = "https://ci.example/type";
const FORMS = [
  { form: "bundle", flags: [] },
  { form: "legacy", flags: [LEGACY] },
] as const;

/** An image and a key, a way to attest and verify with them, and what is stored: the statements of both forms, in order. */
async function workshop(t: TestContext) {
  const made = await storageWorkshop(t);
  const { cwd, env, ok, tsign, image, digest } = made;
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  const attest = (...flags: string[]) => tsign("attest", "--key", "a.key", ...OFFLINE, ...flags);
  const verify = (...flags: string[]) => tsign("verify-attestation", "--key", "a.pub", NO_LOG, ...flags);
  const stored = async (of = image) => {
    const { stdout } = await ok("download", "attestation", of);
    return stdout.split("\n").flatMap((line) => {
      if (line === "") return [];
      const { payload, dsseEnvelope } = JSON.parse(line);
      return [Buffer.from(payload ?? dsseEnvelope.payload, "base64").toString()];
    });
  };
  const types = async (of = image) => (await stored(of)).map((text) => JSON.parse(text).predicateType as string);
  return { ...made, env, write, attest, verify, stored, types, hex: digest.replace("sha256:", "") };
}

for (const { form, flags } of FORMS) {
  test(`attest: the statement contains image, type and the unchanged predicate, ${form} form`, async (t) => {
    const { write, attest, verify, stored, image, ref, hex } = await workshop(t);
    const predicate = '{ "serial": 9007199254740993,\n "recipe": {"later": 1} }';
    write("p", predicate);
    const attested = await attest(...flags, "--type", "slsaprovenance", "--predicate", "p", image);
    assert.equal(attested.code, 0, attested.stderr);
    const [text = ""] = await stored();
    const subject = `[{"name":"${ref.name}","digest":{"sha256":"${hex}"}}]`;
    assert.equal(
      text,
      `{"_type":"https://in-toto.io/Statement/v0.1","subject":${subject},"predicateType":"https://slsa.dev/provenance/v0.2","predicate":${predicate}}`,
    );
    assert.equal((await verify("--type", "slsaprovenance", image)).code, 0);
    for (const other of ["slsaprovenance1", "custom", TYPE]) {
      const refused = await verify("--type", other, image);
      assert.equal(refused.code, 1);
      assert.equal(refused.stdout, "");
      assert.match(refused.stderr, /found: https:\/\/slsa\.dev\/provenance\/v0\.2/);
    }
  });

  test(`attest --replace: replaces attestations of its type only, ${form} form`, async (t) => {
    const { write, attest, types, image, verify, stored } = await workshop(t);
    write("p", '{"n":1}');
    write("q", '{"n":2}');
    for (const type of [TYPE, TYPE, "https://ci.example/other"]) {
      assert.equal((await attest(...flags, "--type", type, "--predicate", "p", image)).code, 0);
    }
    assert.equal((await types()).length, 3);
    const replaced = await attest(...flags, "--replace", "--type", TYPE, "--predicate", "q", image);
    assert.equal(replaced.code, 0, replaced.stderr);
    assert.deepEqual((await types()).sort(), ["https://ci.example/other", TYPE]);
    assert.ok((await stored()).some((text) => text.includes(`"${TYPE}","predicate":{"n":2}`)));
    for (const type of [TYPE, "https://ci.example/other"]) assert.equal((await verify("--type", type, image)).code, 0);
  });

  test(`--no-upload stores nothing, ${form} form`, async (t) => {
    const { cwd, write, attest, types, image, tsign, hex } = await workshop(t);
    write("p", "{}");
    const about = [...flags, "--no-upload", "--type", TYPE, "--predicate", "p"];
    const made = await attest(...about, "--bundle", "b", image);
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(await types(), []);
    const verify = (digest: string) =>
      tsign(
        ...["verify-blob-attestation", "--key", "a.pub", NO_LOG, "--type", TYPE, "--bundle", "b"],
        ...["--digest", digest, "--digestAlg", "sha256"],
      );
    const good = await verify(hex);
    assert.equal(good.code, 0, good.stderr);
    assert.equal((await verify("0".repeat(64))).code, 1);
    const fields = Object.keys(JSON.parse(readFileSync(join(cwd, "b"), "utf8")));
    assert.deepEqual(
      fields,
      form === "bundle" ? ["mediaType", "verificationMaterial", "dsseEnvelope"] : ["base64Signature"],
    );
    const printed = await attest(...about, image);
    if (form === "bundle") assert.match(printed.stderr, /--bundle/);
    else assert.equal(JSON.parse(printed.stdout).payloadType, "application/vnd.in-toto+json");
    assert.equal(printed.code, form === "bundle" ? 1 : 0);
  });

  test(`--recursive attests an index and all its images, ${form} form`, async (t) => {
    const { write, attest, types, store, image, digest, ref } = await workshop(t);
    write("p", "{}");
    const child = (await store.resolve(digest)) ?? assert.fail("no image");
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const manifests = [{ mediaType: child.mediaType, size: child.size, digest }];
    const index = await store.putManifest(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })), {
      mediaType,
    });
    const named = `${ref.name}@${index.digest}`;
    const about = [...flags, "--type", TYPE, "--predicate", "p"];
    assert.equal((await attest(...about, named)).code, 0);
    assert.deepEqual([await types(named), await types(image)], [[TYPE], []]);
    assert.equal((await attest(...about, "--recursive", named)).code, 0);
    assert.deepEqual([await types(named), await types(image)], [[TYPE, TYPE], [TYPE]]);
    const one = await attest(...about, "-r", "--bundle", "b", named);
    assert.equal(one.code, 1);
    assert.match(one.stderr, /expected one image with --bundle, found 2/);
  });

  test(`attest --statement: signed byte for byte; about another image -> refused, ${form} form`, async (t) => {
    const { write, attest, verify, stored, types, image, hex } = await workshop(t);
    const statement = (sha256: string) =>
      `{ "_type": "https://in-toto.io/Statement/v1", "subject": [{"digest": {"sha1": "00"}}, {"digest": {"sha256": "${sha256}"}}],\n  "predicateType": "${TYPE}" }\n`;
    write("good", statement(hex));
    write("other", statement("0".repeat(64)));
    write("none", '{"predicateType":"x"}');
    const refused = await attest(...flags, "--statement", "other", image);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /other has no subject with the digest sha256:/);
    assert.equal((await attest(...flags, "--statement", "none", image)).code, 1);
    assert.equal((await attest(...flags, "--statement", "good", "--predicate", "good", image)).code, 1);
    assert.deepEqual(await types(), []);
    assert.equal((await attest(...flags, "--statement", "good", image)).code, 0);
    assert.deepEqual(await stored(), [statement(hex)]);
    assert.equal((await verify("--type", TYPE, image)).code, 0);
  });

  test(`attest: statement too large for verifiers -> refused before signing, ${form} form`, async (t) => {
    const { cwd, env, write, types, image } = await workshop(t);
    write("p", JSON.stringify({ text: "x".repeat(4000) }));
    const about = ["attest", "--key", "missing.key", ...OFFLINE, ...flags, "--type", TYPE, "--predicate", "p", image];
    for (const limit of ["4500", "3 kB"]) {
      const { code, stderr } = await run(about, { cwd, env: { ...env, COSIGN_MAX_ATTACHMENT_SIZE: limit } });
      assert.equal(code, 1);
      assert.match(stderr, /more than 4500|limit of 4500|larger than 3000/);
      assert.match(stderr, /COSIGN_MAX_ATTACHMENT_SIZE/);
    }
    assert.deepEqual(await types(), []);
  });
}

test("attest --predicate: file, URL or stdin, read once for several images", async (t) => {
  const { cwd, env, registry, write, stored, image, tsign, attest } = await workshop(t);
  const other = (await tsign("sandbox", "push", "web:v1")).stdout.trim();
  write("p", '{"from":"file"}');
  const flags = ["--type", TYPE, "--predicate"];
  assert.equal((await attest(...flags, "p", image, other)).code, 0);
  const stdin = await run(["attest", "--key", "a.key", ...OFFLINE, ...flags, "-", image, other], {
    cwd,
    env,
    stdin: '{"from":"stdin"}',
  });
  assert.equal(stdin.code, 0, stdin.stderr);
  assert.match(stdin.stderr, /Using payload from: standard input/);
  const manifest = `http://${registry}/v2/web/manifests/v1`; // any JSON at a URL
  const url = await attest(...flags, manifest, image, other);
  assert.equal(url.code, 0, url.stderr);
  for (const each of [image, other]) {
    const predicates = (await stored(each)).map((text) => JSON.parse(text).predicate);
    assert.deepEqual(predicates.slice(0, 2), [{ from: "file" }, { from: "stdin" }]);
    assert.equal(predicates[2].schemaVersion, 2);
  }
  const missing = await attest(...flags, `http://${registry}/v2/web/manifests/absent`, image);
  assert.equal(missing.code, 1);
});

test("attest: predicate that does not match --type -> refused, nothing stored", async (t) => {
  const { write, attest, types, image } = await workshop(t);
  const bad: [string, string, RegExp][] = [
    ["slsaprovenance", "not json", /not valid JSON/],
    ["slsaprovenance", '{"builder":"x"}', /builder: got "x", want an object/],
    ["link", "{}", /missing field _type/],
    ["cyclonedx", "[]", /not a JSON object/],
    ["cyclonedx", "\uFEFF{}", /not valid JSON\nhint: save it as UTF-8 without a byte order mark/],
    ["spdxjson", '{"a":1,"\\u0061":2}', /duplicate key "a"/],
    ["openvex", '{"a":{"__proto__":1}}', /__proto__/],
    ["no-such-type", "{}", /invalid predicate type/],
  ];
  for (const [type, content, reason] of bad) {
    write("p", content);
    const refused = await attest("--type", type, "--predicate", "p", image);
    assert.equal(refused.code, 1, type);
    assert.match(refused.stderr, reason, type);
  }
  assert.deepEqual(await types(), []);
});

test("verify-attestation: unreadable attestation or duplicate key -> reported, others still verified", async (t) => {
  const { write, attest, verify, image, store, digest } = await workshop(t);
  write("p", "{}");
  const attested = await attest(LEGACY, "--type", TYPE, "--predicate", "p", image);
  assert.equal(attested.code, 0);
  const tag = attachmentTag(digest, "att");
  const stored = (await store.manifest(tag)) ?? assert.fail("no attestation");
  const manifest = JSON.parse(Buffer.from(stored.bytes).toString());
  const envelope = (payload: string) =>
    JSON.stringify({
      payloadType: "application/vnd.in-toto+json",
      payload: Buffer.from(payload).toString("base64"),
      signatures: [{ sig: "c2ln" }],
    });
  const statement = `{"_type":"https://in-toto.io/Statement/v1","subject":[],"predicateType":"${TYPE}","predicateType":"x"}`;
  for (const content of ["no envelope", envelope(statement), envelope('{"__proto__":{}}')]) {
    const layer = await store.putBlob(Buffer.from(content));
    manifest.layers.unshift({ ...manifest.layers.at(-1), digest: layer.digest, size: layer.size });
  }
  const { mediaType } = stored.descriptor;
  await store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType, tag });
  const good = await verify("--type", TYPE, image);
  assert.equal(good.code, 0, good.stderr);
  assert.equal(good.stdout.trim().split("\n").length, 1);
  assert.match(good.stderr, /These were also found but did not verify:/);
  for (const layer of [1, 2, 3]) assert.match(good.stderr, new RegExp(`layer ${layer}: `));

  manifest.layers.pop();
  await store.putManifest(Buffer.from(JSON.stringify(manifest)), { mediaType, tag });
  for (const more of [[], ["--check-claims=false"]]) {
    const bad = await verify("--type", TYPE, ...more, image);
    assert.equal(bad.code, 1);
    assert.equal(bad.stdout, "");
  }
});
