import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Io } from "../src/io/io.ts";
import { DAY, MONDAY, policyWorkshop } from "./support/policy-workshop.ts";

const SUMMARY = "https://slsa.dev/verification_summary/v1";
const VERIFIER = "https://ci.example/promotion";
const POLICY = "https://git.example/policies/staging.yaml";
const HEAD = "version: 1\ntrust: {default: {trustedRoot: root.json}}\n";
const KEYS = "signers: {a: {key: a.pub}, b: {key: b.pub}}\n";

/** A workshop with a staging policy that demands key a, and flags that attest with key b. */
async function stages(t: TestContext) {
  const shop = await policyWorkshop(t);
  const { write, registry, attempt, key, services } = shop;
  const rule = (demand: string, more = "") =>
    write(
      "staging.yaml",
      `${HEAD}${KEYS}rules: [{name: staging, images: "${registry}/staging/**"${more}, ${demand}}]\n`,
    );
  rule("signatures: {signers: a}");
  const names = ["--verifier-id", VERIFIER, "--policy-uri", POLICY];
  const attesting = ["--attest-decision", ...names, ...key("b"), ...services];
  const copy = (...more: string[]) => attempt("copy", "--trust-policy", "staging.yaml", ...more);
  const isThere = async (image: string) => (await attempt("tree", image)).code === 0;
  /** Runs the next stage's policy on an image. */
  const next = (image: string, demand: string) => {
    const vsa = `{type: "${SUMMARY}", ${demand}}`;
    write("prod.yaml", `${HEAD}${KEYS}rules: [{name: prod, images: "${registry}/prod/**", attestations: [${vsa}]}]\n`);
    return attempt("verify-attestation", "--trust-policy", "prod.yaml", image);
  };
  /** The statement of each verification summary of an image. */
  const summaries = async (image: string) => {
    const { stdout } = await attempt("download", "attestation", "--predicate-type", SUMMARY, image);
    const lines = stdout.split("\n").filter(Boolean);
    return lines.map((line) => {
      const { dsseEnvelope = JSON.parse(line) } = JSON.parse(line);
      return JSON.parse(Buffer.from(dsseEnvelope.payload, "base64").toString());
    });
  };
  return { ...shop, rule, names, attesting, copy, isThere, next, summaries };
}

test("copy --trust-policy: what satisfies the policy is copied with its signatures; the rest is refused, and others go on", async (t) => {
  const { push, sign, key, copy, isThere, attempt, write, rule, registry } = await stages(t);
  const [good, unsigned, other] = [
    await push("staging/good:v1"),
    await push("staging/bare:v1"),
    await push("x/app:v1"),
  ];
  await sign(key("a"), good);
  await sign(key("a"), other);
  const done = await copy(good, `${registry}/prod/good:v1`);
  assert.equal(done.code, 0, done.stderr);
  assert.match(
    done.stderr,
    /satisfies staging of staging\.yaml\nSigned by key [0-9a-f]+[\s\S]*^Copied to .* with 1 attachment$/m,
  );
  assert.equal(done.stdout, "");
  write("p.yaml", `${HEAD}${KEYS}rules: [{images: "${registry}/prod/*", signatures: {signers: a}}]\n`);
  assert.equal((await attempt("verify", "--trust-policy", "p.yaml", `${registry}/prod/good:v1`)).code, 0);
  const refused = await copy(unsigned, `${registry}/prod/bare:v1`);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is refused by staging of staging\.yaml: signatures: expected a/);
  assert.match(refused.stderr, /hint: run `tsign policy explain staging\.yaml /);
  assert.ok(!(await isThere(`${registry}/prod/bare:v1`)));
  write("list", [good, unsigned, other].join("\n"));
  const several = await copy("--from", "list", "--to", `${registry}/all`);
  assert.equal(several.code, 1);
  assert.match(several.stderr, /^1 of 3 images copied, 2 failed$/m);
  const digest = (image: string) => image.replace(/.*@/, "");
  assert.ok(await isThere(`${registry}/all/staging/good@${digest(good)}`));
  assert.ok(!(await isThere(`${registry}/all/staging/bare@${digest(unsigned)}`)));
  assert.ok(!(await isThere(`${registry}/all/x/app@${digest(other)}`)), "no rule matches");
  rule("signatures: {signers: b}", ", effect: warn");
  const warned = await copy(good, `${registry}/warned/good:v1`);
  assert.equal(warned.code, 0);
  assert.match(warned.stderr, /^WARNING: .*good.* does not satisfy staging\.yaml: signatures: expected b/m);
  assert.ok(await isThere(`${registry}/warned/good:v1`));
});

test("copy --trust-policy: a tag that moves after it was judged -> the digest that verified is copied", async (t) => {
  const { push, sign, key, attemptOn, tsign, write, registry, io } = await stages(t);
  const good = await push("staging/app:v1");
  await sign(key("a"), good);
  write("evil", "evil");
  let moved = false;
  const http: Io["http"] = async (request) => {
    const answer = await io.http?.(request);
    if (!moved && request.url.pathname.endsWith("/staging/app/manifests/v1")) {
      moved = true;
      await tsign("sandbox", "push", "staging/app:v1", "evil");
    }
    return answer ?? assert.fail();
  };
  const tagged = `${registry}/staging/app:v1`;
  const argv = ["copy", "--trust-policy", "staging.yaml", tagged, `${registry}/prod/app:v1`];
  const done = await attemptOn({ http }, ...argv);
  assert.ok(moved);
  assert.equal(done.code, 0, done.stderr);
  const verify = (image: string) => attemptOn({}, "verify", "--key", "a.pub", "--trusted-root", "root.json", image);
  assert.equal((await verify(`${registry}/prod/app:v1`)).code, 0);
  assert.equal((await verify(tagged)).code, 10, "the tag is another image now");
  const again = await attemptOn({}, ...argv);
  assert.equal(again.code, 1, "which is not copied");
});

test("copy --attest-decision: a summary that the next stage demands; every part of it missed -> refused", async (t) => {
  const { push, sign, key, copy, next, attesting, summaries, read, registry, setTime, write, tsign, services } =
    await stages(t);
  const image = await push("staging/app:v1");
  await sign(key("a"), image);
  const prod = `${registry}/prod/app:v1`;
  const done = await copy(...attesting, "--json", image, prod);
  assert.equal(done.code, 0, done.stderr);
  assert.deepEqual(
    JSON.parse(done.stdout).result.stored.map(({ kind }: { kind: string }) => kind),
    ["image", "verification summary"],
  );
  const [statement, ...others] = await summaries(prod);
  assert.deepEqual(others, []);
  const sha256 = image.replace(/.*@sha256:/, "");
  const { createHash } = await import("node:crypto");
  const content = createHash("sha256").update(read("staging.yaml")).digest("hex");
  assert.deepEqual(statement.subject, [{ name: `${registry}/prod/app`, digest: { sha256 } }]);
  const { inputAttestations, verifier, ...predicate } = statement.predicate;
  assert.deepEqual(predicate, {
    timeVerified: "2026-03-02T12:00:00Z",
    resourceUri: `oci://${registry}/prod/app`,
    policy: { uri: POLICY, digest: { sha256: content } },
    verificationResult: "PASSED",
    verifiedLevels: ["SLSA_BUILD_LEVEL_UNEVALUATED"],
    slsaVersion: "1.1",
  });
  assert.equal(verifier.id, VERIFIER);
  assert.equal(inputAttestations.length, 1);
  const [{ uri, digest }] = inputAttestations;
  assert.equal(uri, `oci://${registry}/staging/app@sha256:${digest.sha256}`);

  const whole = `verifier: "${VERIFIER}", policy: "${POLICY}", policyDigest: "sha256:${content}"`;
  const place = `resource: {glob: "oci://${registry}/prod/**"}`;
  const accepted = await next(prod, `signers: b, maxAge: 1d, vsa: {${whole}, ${place}}`);
  assert.equal(accepted.code, 0, accepted.stderr);
  for (const [demand, reason] of [
    [`signers: a, vsa: {verifier: "${VERIFIER}"}`, /expected a, found no signature that counts/],
    ['signers: b, vsa: {verifier: "https://other.example"}', /verifier\.id mismatch/],
    [`signers: b, vsa: {verifier: "${VERIFIER}", policyDigest: "sha256:${"0".repeat(64)}"}`, /policy\.digest mismatch/],
    [`signers: b, vsa: {verifier: "${VERIFIER}", policy: "https://git.example/other"}`, /policy\.uri mismatch/],
    [
      `signers: b, vsa: {verifier: "${VERIFIER}", resource: {glob: "oci://${registry}/dev/**"}}`,
      /resourceUri mismatch/,
    ],
    [`signers: b, vsa: {verifier: "${VERIFIER}", level: 1}`, /verifiedLevels mismatch: got SLSA build level 0/],
  ] as const) {
    const refused = await next(prod, demand);
    assert.deepEqual([refused.code, refused.stdout], [1, ""], demand);
    assert.match(refused.stderr, reason);
  }
  write("failed.json", JSON.stringify({ ...statement.predicate, verificationResult: "FAILED" }));
  write("other", "other");
  const other = (await tsign("sandbox", "push", "prod/other:v1", "other")).stdout.trim();
  await tsign("attest", ...key("b"), ...services, "--type", SUMMARY, "--predicate", "failed.json", other);
  assert.match((await next(other, `signers: b, vsa: {${whole}}`)).stderr, /verificationResult mismatch: got FAILED/);
  const bundle = await tsign("download", "attestation", prod);
  write("bundle.json", bundle.stdout);
  await tsign("attach", "attestation", "--attestation", "bundle.json", other);
  assert.equal((await next(other, `signers: b, vsa: {${whole}}`)).code, 1, "the summary of another image");
  setTime(MONDAY + 2 * DAY);
  assert.match((await next(prod, `signers: b, maxAge: 1d, vsa: {${whole}}`)).stderr, /signature is too old/);
});

test("vsa.resource {own: true}: a summary counts in the repository that it is about, and not in another of the same policy", async (t) => {
  const { push, sign, key, copy, next, attesting, registry, tsign } = await stages(t);
  const image = await push("staging/app:v1");
  await sign(key("a"), image);
  const [prod, elsewhere] = [`${registry}/prod/app:v1`, `${registry}/prod/elsewhere:v1`];
  assert.equal((await copy(...attesting, image, prod)).code, 0);
  await tsign("copy", prod, elsewhere);
  const anywhere = `signers: b, vsa: {verifier: "${VERIFIER}", resource: {glob: "oci://${registry}/prod/**"}}`;
  for (const each of [prod, elsewhere]) assert.equal((await next(each, anywhere)).code, 0);
  const own = `signers: b, vsa: {verifier: "${VERIFIER}", resource: {own: true}}`;
  assert.equal((await next(prod, own)).code, 0);
  const refused = await next(elsewhere, own);
  assert.deepEqual([refused.code, refused.stdout], [1, ""]);
  assert.match(refused.stderr, /resourceUri mismatch: got oci:\/\/.*\/prod\/app, want oci:\/\/.*\/prod\/elsewhere/);
});

test("copy --attest-decision: an image that is refused, or accepted without being verified -> neither copied nor attested", async (t) => {
  const { push, sign, key, copy, rule, attesting, isThere, registry, attempt, names, services, summaries } =
    await stages(t);
  const image = await push("staging/app:v1");
  await sign(key("a"), image);
  const prod = `${registry}/prod/app:v1`;
  for (const [demand, more, reason] of [
    ["signatures: {signers: b}", "", /is refused by staging/],
    ["signatures: {signers: b}", ", effect: warn", /attest the decision on .*: it is accepted without being verified/],
    ["signatures: {signers: b}", ", effect: audit", /it is accepted without being verified/],
    ["insecureAcceptAnything: true", "", /it is accepted without being verified/],
  ] as const) {
    rule(demand, more);
    const refused = await copy(...attesting, image, prod);
    assert.equal(refused.code, 1, demand);
    assert.match(refused.stderr, reason);
    assert.ok(!(await isThere(prod)), `${demand} ${more}`);
  }
  rule(`signatures: {signers: a}, attestations: [{type: slsaprovenance1, signers: a}]`);
  assert.equal((await copy(...attesting, image, prod)).code, 1, "every demand counts");
  assert.ok(!(await isThere(prod)));
  rule("signatures: {signers: a}");
  const to = [image, prod];
  for (const [argv, reason] of [
    [["copy", "--attest-decision", ...to], /--attest-decision requires --trust-policy/],
    [["copy", "--trust-policy", "staging.yaml", "--attest-decision", ...to], /requires --verifier-id/],
    [["copy", "--trust-policy", "staging.yaml", "--attest-decision", "--verifier-id", VERIFIER, ...to], /--policy-uri/],
    [
      ["copy", "--trust-policy", "staging.yaml", "--attest-decision", "--verifier-id", "me", ...to],
      /"me" is not a URI/,
    ],
    [["copy", "--trust-policy", "staging.yaml", "--platform", "linux/amd64", ...to], /--platform and --trust-policy/],
    [["copy", "--trust-policy", "staging.yaml", "--only", "sig", ...to], /--only and --trust-policy/],
    [["copy", "--trust-policy", "staging.yaml", "./layout", prod], /requires an image in a registry/],
    [
      [
        "copy",
        "--trust-policy",
        "staging.yaml",
        "--attest-decision",
        ...names,
        "--key",
        "none.key",
        ...services,
        ...to,
      ],
      /none\.key/,
    ],
  ] as const) {
    const refused = await attempt(...argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, reason);
    assert.ok(!(await isThere(prod)), argv.join(" "));
  }
  const unused = await copy("--key", "b.key", ...to);
  assert.equal(unused.code, 0, unused.stderr);
  assert.match(unused.stderr, /--key is ignored without --attest-decision/);
  assert.deepEqual(await summaries(prod), []);
});

test("copy --attest-decision: the log fails after the copy -> an error, the others are not attested; the second run completes", async (t) => {
  const { push, sign, key, write, attemptOn, copy, next, attesting, isThere, summaries, registry, io } =
    await stages(t);
  const images = [await push("staging/one:v1"), await push("staging/two:v1")];
  for (const image of images) await sign(key("a"), image);
  write("list", images.map((image) => image.replace(/@.*/, ":v1")).join("\n"));
  const argv = ["--trust-policy", "staging.yaml", ...attesting, "--from", "list", "--to", `${registry}/prod`];
  let posts = 0;
  const http: Io["http"] = async (request) => {
    if (request.url.pathname.endsWith("/api/v2/log/entries")) {
      posts++;
      return { ...(await io.http?.({ ...request, url: new URL("/nothing", request.url) })) } as never;
    }
    return (await io.http?.(request)) ?? assert.fail();
  };
  const failed = await attemptOn({ http }, "copy", ...argv);
  assert.equal(failed.code, 1);
  assert.ok(posts > 0);
  assert.match(failed.stderr, /2 failed/);
  const [prod, other] = ["one", "two"].map((name) => `${registry}/prod/staging/${name}:v1`) as [string, string];
  const demand = `signers: b, vsa: {verifier: "${VERIFIER}"}`;
  assert.deepEqual(await summaries(prod), []);
  assert.equal((await next(prod, demand)).code, 1);
  const again = await copy(...argv.slice(2));
  assert.equal(again.code, 0, again.stderr);
  for (const image of [prod, other]) {
    assert.ok(await isThere(image));
    assert.equal((await summaries(image)).length, 1);
    assert.equal((await next(image, demand)).code, 0);
  }
});

test("copy --attest-decision again: an equal summary by the same signer is not repeated; anything else is", async (t) => {
  const {
    push,
    sign,
    key,
    person,
    copy,
    attesting,
    summaries,
    registry,
    tsign,
    write,
    read,
    setTime,
    services,
    names,
  } = await stages(t);
  const [image, other] = [await push("staging/app:v1"), await push("staging/other:v1", "other")];
  for (const each of [image, other]) await sign(key("a"), each);
  const prod = `${registry}/prod/app:v1`;
  let count = 0;
  /** Promotes; `added` is the number of summaries that this run stores. */
  const promote = async (added: number, what: string, argv: readonly string[] = attesting) => {
    const done = await copy("--force", ...argv, image, prod);
    assert.equal(done.code, 0, `${what}: ${done.stderr}`);
    assert.match(
      done.stderr,
      added > 0 ? /^Stored verification summary: /m : /^Already attested: .*prod\/app@sha256:/m,
    );
    count += added;
    assert.equal((await summaries(prod)).length, count, what);
  };
  await promote(1, "the first");
  await promote(0, "the second");
  setTime(MONDAY + DAY);
  await promote(0, "a day later");
  await promote(1, "--attest-again", [...attesting, "--attest-again"]);
  const keyless = (email: string) => ["--attest-decision", ...names, ...person(email), ...services];
  await promote(1, "another signer", keyless("alice@example.com"));
  await promote(0, "the same person", keyless("alice@example.com"));
  await promote(1, "another person", keyless("bob@example.com"));
  await promote(1, "another verifier", [...attesting, "--verifier-id", "https://ci.example/other"]);
  await promote(1, "another name of the policy", [...attesting, "--policy-uri", "https://git.example/other.yaml"]);
  const staging = read("staging.yaml");
  write("staging.yaml", `${staging}# changed\n`);
  await promote(1, "another content of the policy");
  write("staging.yaml", staging);
  await promote(0, "the content of before");
  await sign(key("a"), image);
  await promote(1, "a signature more");

  // What another key signs, or states about another image, is not the decision that is to be attested.
  const elsewhere = `${registry}/prod/other:v1`;
  const [statement] = await summaries(prod);
  write("predicate.json", JSON.stringify({ ...statement.predicate, resourceUri: `oci://${registry}/prod/other` }));
  await copy(other, elsewhere);
  const forged = elsewhere.replace(/:v1$/, other.replace(/.*@/, "@"));
  await tsign("attest", ...key("a"), ...services, "--type", SUMMARY, "--predicate", "predicate.json", forged);
  write(
    "summary.json",
    (await tsign("download", "attestation", "--predicate-type", SUMMARY, prod)).stdout.split("\n")[0] ?? "",
  );
  await tsign("attach", "attestation", "--attestation", "summary.json", forged);
  const before = (await summaries(elsewhere)).length;
  const attested = await copy(...attesting, other, elsewhere);
  assert.match(attested.stderr, /^Stored verification summary: /m);
  assert.equal((await summaries(elsewhere)).length, before + 1);
});
