import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Io } from "../src/io/io.ts";
import { systemIo } from "../src/io/system.ts";
import { assertSchema, jsonAnswer } from "./support/json-answer.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { storageWorkshop } from "./support/storage.ts";
import { LEGACY, NO_LOG, OFFLINE, run } from "./support/test-io.ts";

const { http, usesTls } = systemIo();
type Http = Io["http"];

/** Images in every state: verified, refused, unsigned and missing, and one in a registry that cannot be reached. */
async function workshop(t: TestContext) {
  const shop = await storageWorkshop(t);
  const { ok, cwd, env, registry } = shop;
  writeKeyPairs(cwd, "b");
  const push = async (name: string) => {
    writeFileSync(join(cwd, "content"), name);
    return (await ok("sandbox", "push", `${name}:v1`, "content")).stdout.trim();
  };
  const sign = (key: string, image: string, ...flags: string[]) =>
    ok("sign", "--key", `${key}.key`, "-y", ...OFFLINE, ...flags, image);
  const images = {
    good: await push("good"),
    other: await push("other"),
    refused: await push("refused"),
    legacy: await push("legacy"),
    unsigned: await push("unsigned"),
    missing: `${registry}/missing:v1`,
    dead: "localhost:9/dead:v1",
  };
  await sign("a", images.good);
  await sign("a", images.other);
  await sign("b", images.other);
  await sign("b", images.refused);
  await sign("b", images.legacy, LEGACY);
  const verify = (argv: string[], send: Http = http, io: Partial<Io> = {}) =>
    run(["verify", "--key", "a.pub", NO_LOG, ...argv], { cwd, env, io: { http: send, ...io } });
  return { ...shop, images, verify };
}

test("verify: many images in parallel -> output and exit code as one after the other", async (t) => {
  const { images, verify } = await workshop(t);
  const all = [...Object.values(images), images.good];
  // The first images answer last.
  const late: Http = async (request) => {
    const place = all.findIndex((image) => request.url.pathname.includes(image.replace(/^.*\/|[:@].*$/g, "")));
    await sleep(5 * (all.length - place));
    return http(request);
  };
  const alone = await verify(["--max-workers=1", ...all]);
  const together = await verify(all, late);
  assert.deepEqual(together, alone);
  assert.equal(alone.code, 12);
  assert.match(alone.stderr, /^3 of 8 images verified$/m);
  const lines = alone.stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "");
  assert.equal(lines.length, 3);
  const single = await verify([images.good]);
  assert.equal(single.code, 0);
  assert.ok(alone.stdout.startsWith(single.stdout));
});

test("verify: exit code -> the gravest of the images, in any order; strict tells each kind apart in every form", async (t) => {
  const { images, verify, tsign, ok } = await workshop(t);
  const { good, refused, legacy, unsigned, missing, dead } = images;
  const code = async (...argv: string[]) => (await verify(argv)).code;
  const ordered: [string[], number, number][] = [
    [[good], 0, 0],
    [[refused], 1, 12],
    [[legacy], 12, 12],
    [[unsigned], 10, 10],
    [[missing], 11, 11],
    [[dead], 1, 13],
    [[good, unsigned], 10, 10],
    [[missing, unsigned], 10, 10],
    [[dead, missing], 11, 11],
    [[unsigned, refused, dead], 1, 12],
    [[refused, legacy, unsigned], 12, 12],
  ];
  for (const [list, cosign, strict] of ordered) {
    for (const each of [list, list.toReversed()]) {
      assert.equal(await code(...each), cosign, each.join(" "));
      assert.equal(await code("--exit-codes=strict", ...each), strict, each.join(" "));
    }
  }
  assert.equal(await code("--exit-codes=strict", "--trusted-root", "missing.json", good), 13);
  const attested = (...argv: string[]) => tsign("verify-attestation", "--key", "a.pub", NO_LOG, ...argv, good);
  assert.equal((await attested()).code, 1);
  assert.equal((await attested("--exit-codes=strict")).code, 10);
  await ok("save", "--dir", "saved", refused);
  assert.equal(await code("--local-image", "saved"), 1);
  assert.equal(await code("--local-image", "--exit-codes=strict", "saved"), 12);
  assert.equal(await code("--exit-codes=strict", "--no-such-flag", good), 1);
});

test("verify: one probe for each registry, and each digest is fetched once whatever its names", async (t) => {
  const { images, verify, registry } = await workshop(t);
  const { good, other } = images;
  const seen: string[] = [];
  const counting: Http = (request) => {
    seen.push(`${request.method} ${request.url.protocol}${request.url.pathname}`);
    return http(request);
  };
  let probes = 0;
  const probing: Io["usesTls"] = (server, signal) => {
    probes++;
    assert.ok(usesTls);
    return usesTls(server, signal);
  };
  const verdict = await verify([good, `${registry}/good:v1`, other, good], counting, { usesTls: probing });
  assert.equal(verdict.code, 0);
  assert.equal(probes, 1);
  assert.deepEqual(
    seen.filter((each) => each.endsWith("/v2/")),
    [],
  );
  assert.equal(new Set(seen).size, seen.length, seen.join("\n"));
});

test("verify: --timeout -> what is finished is printed, the rest is named, the exit code is the gravest", async (t) => {
  const { images, verify, cwd } = await workshop(t);
  const { good, other, legacy } = images;
  const hanging: Http = (request) =>
    request.url.pathname.includes("/other/") && !request.signal.aborted
      ? new Promise((_, fail) => request.signal.addEventListener("abort", () => fail(request.signal.reason)))
      : http(request);
  const text = await verify(["--timeout=4s", "--report=out.json", good, other, legacy], hanging);
  assert.equal(text.code, 12, text.stderr);
  assert.match(text.stdout, /docker-reference/);
  assert.match(text.stderr, new RegExp(`^${other}: not verified before the command ended$`, "m"));
  assert.match(text.stderr, /^1 of 3 images verified, 1 not finished$/m);
  assert.match(text.stderr, /^Error: .*--timeout 4s.*: 1 of 3 images not finished$/m);
  const report = JSON.parse(readFileSync(join(cwd, "out.json"), "utf8"));
  assertSchema(report, "images.json#/$defs/result");
  assert.deepEqual(report.summary, { total: 3, verified: 1, refused: 1, unsigned: 0, "not-found": 0, unchecked: 1 });
  const { document } = jsonAnswer(await verify(["--json", "--timeout=4s", good, other], hanging), "verify");
  assert.deepEqual(
    document.result.images.map(({ state }) => state),
    ["verified", "unchecked"],
  );
  assert.equal(document.error?.code, "timeout");
});

test("verify --json: one document on stdout for success, every failure and a wrong command line", async (t) => {
  const { images, verify, cwd, env } = await workshop(t);
  const { good, refused, unsigned } = images;
  const answer = async (...argv: string[]) => jsonAnswer(await verify(["--json", ...argv]), "verify");
  const success = await answer(good);
  assert.equal(success.code, 0);
  const [image] = success.document.result.images;
  assert.equal(image?.pinned, good);
  const [signature] = image?.signatures ?? [];
  assert.equal(signature?.form, "bundle");
  assert.equal(signature?.signer?.kind, "key");
  assert.deepEqual(
    signature?.checks.map(({ name, outcome }) => [name, outcome]),
    [
      ["log", "skipped"],
      ["signature", "passed"],
      ["key", "passed"],
      ["claims", "passed"],
    ],
  );
  const failures = await answer(...Object.values(images));
  assert.equal(failures.code, 12);
  assert.deepEqual(failures.document.result.summary, {
    total: 7,
    verified: 2,
    refused: 2,
    unsigned: 1,
    "not-found": 1,
    unchecked: 1,
  });
  const denied = await answer(refused);
  assert.equal(denied.document.error?.code, "no-match-bundle");
  assert.equal(denied.document.result.images[0]?.signatures[0]?.failure?.check, denied.document.error?.fields.check);
  assert.equal(denied.document.result.images[0]?.signatures[0]?.signer, undefined);
  assert.match((await answer(unsigned)).document.error?.hint ?? "", /tsign tree/);
  for (const argv of [
    ["--no-such-flag"],
    ["--key", "missing.pub", good],
    ["--trusted-root", "missing.json", good],
    ["--output", "text", good],
    [],
  ]) {
    const { code, document } = await answer(...argv);
    assert.equal(code, 1);
    assert.ok(document.error && document.result === undefined, argv.join(" "));
  }
  const attested = await run(["verify-attestation", "--key", "a.pub", NO_LOG, "--json", good], { cwd, env });
  assert.equal(jsonAnswer(attested, "verify-attestation").document.result.images[0]?.state, "unsigned");
  const file = await verify(["--json", "--output-file", "out.json", good]);
  assert.equal(file.stdout, "");
  assert.deepEqual(JSON.parse(readFileSync(join(cwd, "out.json"), "utf8")), success.document);
});

test("verify --json: a secret of the command line is masked", async (t) => {
  const { images, verify } = await workshop(t);
  const secret = "s3cr3t-t0k3n-of-mine";
  const leaking: Http = async () => {
    throw new Error(`refused ${secret}`);
  };
  const { stdout } = await verify(["--json", "--registry-token", secret, images.good], leaking);
  assert.ok(stdout.length > 0 && !stdout.includes(secret));
});

test("verify --explain: every check of every candidate, the nearest match first", async (t) => {
  const { images, verify } = await workshop(t);
  const { stderr, code } = await verify(["--explain", images.other, images.refused]);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`^${images.other}: 2 candidates\n.*-- ok .*\n(?:\\|   .*\n)+\`-- x `, "m"));
  assert.match(stderr, /^ {4}`-- x \w+: /m);
  assert.doesNotMatch((await verify([images.other])).stderr, /candidates/);
});
