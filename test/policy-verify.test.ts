import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY, MONDAY, policyWorkshop } from "./support/policy-workshop.ts";

const TESTS = "https://example.com/tests";
const KEYS = "version: 1\ntrust: {default: {trustedRoot: root.json}}\nsigners: {a: {key: a.pub}, b: {key: b.pub}}\n";

test("verify-attestation --trust-policy: what the rule demands is printed; a rule without attestations never says yes", async (t) => {
  const { write, attempt, attemptWith, push, sign, key, services, tsign, registry } = await policyWorkshop(t);
  const image = await push("app:v1");
  await sign(key("a"), image);
  write("predicate.json", '{"result":"passed"}');
  const rule = (demand: string, more = "") =>
    write("p.yaml", `${KEYS}rules: [{name: own, images: "${registry}/*"${more}, ${demand}}]\n`);
  const attested = (who: string) => `attestations: [{type: "${TESTS}", signers: ${who}}]`;
  const verify = (...more: string[]) => attempt("verify-attestation", "--trust-policy", "p.yaml", ...more, image);
  rule(attested("a"));
  const missing = await verify();
  assert.deepEqual([missing.code, missing.stdout], [1, ""], "a signature is not an attestation");
  await tsign("attest", ...key("a"), "--type", TESTS, "--predicate", "predicate.json", ...services, image);
  const good = await verify();
  assert.equal(good.code, 0, good.stderr);
  const statement = JSON.parse(Buffer.from(JSON.parse(good.stdout).payload, "base64").toString("utf8"));
  assert.deepEqual(statement.predicate, { result: "passed" });
  assert.equal((await verify("--type", TESTS)).code, 0);
  const other = await verify("--type", "slsaprovenance1");
  assert.deepEqual([other.code, other.stdout], [1, ""]);
  assert.match(other.stderr, /demands no attestation of type https:\/\/slsa.dev\/provenance\/v1/);
  rule(attested("b"));
  assert.deepEqual([(await verify()).code, (await verify()).stdout], [1, ""]);
  const undemanding = ["signatures: {signers: a}", "insecureAcceptAnything: true"];
  for (const effect of ["enforce", "warn", "audit"]) {
    for (const demand of [...undemanding, "signatures: {signers: b}"]) {
      rule(demand, `, effect: ${effect}`);
      const ended = await verify();
      assert.deepEqual([ended.code, ended.stdout], [1, ""], `${demand} ${effect}`);
      if (effect !== "enforce") assert.match(ended.stderr, /the rule own demands no attestation/);
    }
  }
  rule(`signatures: {signers: a}, ${attested("a")}`);
  assert.equal((await attemptWith({ TSIGN_TRUST_POLICY: "p.yaml" }, "verify-attestation", image)).code, 0);
  rule(`signatures: {signers: b}, ${attested("a")}`);
  assert.deepEqual([(await verify()).code, (await verify()).stdout], [1, ""], "every demand of the rule counts");
  write("x.cue", "predicate: {}");
  for (const more of [
    ["--key", "a.pub"],
    ["--policy", "x.cue"],
    ["--check-claims=false"],
    ["--certificate-identity", "x"],
  ]) {
    assert.match((await verify(...more)).stderr, /and --trust-policy cannot be used together/);
  }
});

test("verify-blob --trust-policy: the rule for the file's name, with a bundle, several, a legacy bundle and a signature", async (t) => {
  const { write, read, attempt, attemptWith, tsign, key, services, at, setTime } = await policyWorkshop(t);
  write("app-1.tar.gz", "content");
  write("other.tar.gz", "other");
  const file = "app-1.tar.gz";
  await tsign("sign-blob", ...key("a"), ...services, "--bundle", "a.json", file);
  await tsign("sign-blob", ...key("b"), ...services, "--bundle", "b.json", file);
  await tsign("sign-blob", ...key("a"), ...services, "--bundle", "other.json", "other.tar.gz");
  const rule = (demand: string, more = "") =>
    write("p.yaml", `${KEYS}${more}rules: [{name: files, files: "app-*.tar.gz", ${demand}}]\n`);
  const verify = (bundle: string, ...more: string[]) =>
    attempt("verify-blob", "--trust-policy", "p.yaml", "--bundle", bundle, ...more, file);
  const isRefused = async (bundle: string, reason: RegExp) => {
    const ended = await verify(bundle);
    assert.equal(ended.code, 1, ended.stderr);
    assert.doesNotMatch(ended.stderr, /Verified OK/);
    assert.match(ended.stderr, reason);
  };
  rule("signatures: {signers: a}");
  const good = await verify("a.json", "--json");
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stderr, /^app-1\.tar\.gz satisfies files of p\.yaml\nSigned by key [0-9a-f]+.*\nVerified OK\n$/);
  assert.equal(JSON.parse(good.stdout).result.signature.verified, true);
  assert.equal(
    (await attemptWith({ TSIGN_TRUST_POLICY: "p.yaml" }, "verify-blob", "--bundle", "a.json", file)).code,
    0,
  );
  await isRefused("b.json", /signatures: expected a, found no signature that counts/);
  await isRefused("other.json", /refused/);
  const refused = JSON.parse((await verify("b.json", "--json")).stdout).result;
  assert.deepEqual([refused.signature.verified, refused.signatures], [false, []]);
  const unmatched = await attempt("verify-blob", "--trust-policy", "p.yaml", "--bundle", "other.json", "other.tar.gz");
  assert.equal(unmatched.code, 1);
  assert.match(unmatched.stderr, /no rule matches/);
  rule("signatures: {signers: {all: [a, b]}}");
  write("both.jsonl", [read("a.json"), read("b.json")].map((each) => JSON.stringify(JSON.parse(each))).join("\n"));
  assert.equal((await verify("both.jsonl")).code, 0);
  await isRefused("a.json", /expected all of \(a, b\), found a/);
  for (const effect of ["warn", "audit"]) {
    rule("signatures: {signers: b}", "");
    write("p.yaml", read("p.yaml").replace("name: files", `name: files, effect: ${effect}`));
    const passed = await verify("a.json");
    assert.equal(passed.code, 0);
    assert.match(passed.stderr, /does not satisfy/);
    assert.doesNotMatch(passed.stderr, /Verified OK/);
  }
  const sha256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"; // of "content"
  rule("signatures: {signers: a}", `denied: {digests: [{digest: "sha256:${sha256}", reason: malware}]}\n`);
  await isRefused("a.json", /denied digest: malware/);
  rule("signatures: {signers: a, log: insecure-skip}");
  await tsign(
    "sign-blob",
    ...key("a"),
    "--use-signing-config=false",
    "--tlog-upload=false",
    "--yes",
    "--new-bundle-format=false",
    "--output-signature",
    "a.sig",
    file,
  );
  const detached = (signature: string) =>
    attempt("verify-blob", "--trust-policy", "p.yaml", "--signature", signature, "--offline", file);
  assert.equal((await detached("a.sig")).code, 0);
  await tsign(
    "sign-blob",
    ...key("b"),
    "--use-signing-config=false",
    "--tlog-upload=false",
    "--yes",
    "--new-bundle-format=false",
    "--output-signature",
    "b.sig",
    file,
  );
  assert.equal((await detached("b.sig")).code, 1);
  rule("signatures: {signers: a}");
  assert.match((await detached("a.sig")).stderr, /log/, "a log entry is demanded");
  setTime(MONDAY + DAY);
  const legacy = [
    "--use-signing-config=false",
    "--rekor-url",
    at.rekor1,
    "--trusted-root",
    "root.json",
    "--yes",
    "--new-bundle-format=false",
  ];
  await tsign("sign-blob", ...key("a"), ...legacy, "--bundle", "legacy.json", file);
  assert.equal((await verify("legacy.json")).code, 0);
  await tsign("sign-blob", ...key("b"), ...legacy, "--bundle", "legacy-b.json", file);
  await isRefused("legacy-b.json", /expected a/);
  for (const more of [["--key", "a.pub"], ["--insecure-ignore-tlog"], ["--certificate", "x.pem"]]) {
    assert.match((await verify("a.json", ...more)).stderr, /and --trust-policy cannot be used together/);
  }
  const neither = await attempt("verify-blob", "--trust-policy", "p.yaml", file);
  assert.match(neither.stderr, /--trust-policy requires --bundle or --signature/);
  write("broken.json", "{}");
  assert.equal((await verify("broken.json")).code, 1);
});

test("verify-blob-attestation --trust-policy: an attestation of the file that the rule demands, and nothing else", async (t) => {
  const { write, attempt, tsign, key, services } = await policyWorkshop(t);
  const file = "app-1.tar.gz";
  write(file, "content");
  write("other.tar.gz", "other");
  write("predicate.json", "{}");
  const attest = (who: string, of: string, bundle: string) =>
    tsign(
      "attest-blob",
      ...key(who),
      ...services,
      "--type",
      TESTS,
      "--predicate",
      "predicate.json",
      "--bundle",
      bundle,
      of,
    );
  await attest("a", file, "a.json");
  await attest("b", file, "b.json");
  await attest("a", "other.tar.gz", "other.json");
  await tsign("sign-blob", ...key("a"), ...services, "--bundle", "signature.json", file);
  const rule = (demand: string, effect = "enforce") =>
    write("p.yaml", `${KEYS}rules: [{name: files, files: "app-*.tar.gz", effect: ${effect}, ${demand}}]\n`);
  const verify = (bundle: string, ...more: string[]) =>
    attempt("verify-blob-attestation", "--trust-policy", "p.yaml", "--bundle", bundle, ...more, file);
  rule(`attestations: [{type: "${TESTS}", signers: a}]`);
  const good = await verify("a.json");
  assert.equal(good.code, 0, good.stderr);
  assert.match(good.stderr, /Verified OK/);
  assert.equal((await verify("a.json", "--type", TESTS)).code, 0);
  for (const [bundle, ...more] of [
    ["b.json"],
    ["other.json"],
    ["signature.json"],
    ["a.json", "--type", "vuln"],
  ] as const) {
    const ended = await verify(bundle, ...more);
    assert.equal(ended.code, 1, bundle);
    assert.doesNotMatch(ended.stderr, /Verified OK/);
  }
  for (const effect of ["enforce", "warn", "audit"]) {
    for (const demand of ["signatures: {signers: a}", "insecureAcceptAnything: true", "signatures: {signers: b}"]) {
      rule(demand, effect);
      for (const bundle of ["a.json", "signature.json"]) {
        const ended = await verify(bundle);
        assert.equal(ended.code, 1, `${demand} ${effect} ${bundle}`);
        assert.doesNotMatch(ended.stderr, /Verified OK|satisfies/);
      }
    }
  }
  const unnamed = await attempt("verify-blob-attestation", "--trust-policy", "p.yaml", "--bundle", "a.json");
  assert.match(unnamed.stderr, /--trust-policy requires a file/);
  assert.match(
    (await verify("a.json", "--digest", "00")).stderr,
    /--digest and --trust-policy cannot be used together/,
  );
});

test("verify --trust-policy: images in input order, with --json, --report, --exit-codes, --from and --pin", async (t) => {
  const { write, read, attempt, push, sign, key, registry, tsign } = await policyWorkshop(t);
  const names = ["a1", "bare", "b1", "a2"];
  const [one = "", bare = "", other = "", two = ""] = await Promise.all(names.map((name) => push(`${name}:v1`)));
  await sign(key("a"), one);
  await sign(key("b"), other);
  await sign(key("a"), two);
  const absent = `${registry}/absent:v1`;
  const policy = (effect = "enforce") =>
    write(
      "p.yaml",
      `${KEYS}rules: [{name: own, images: "${registry}/*", effect: ${effect}, signatures: {signers: a}}]\n`,
    );
  const verify = (...more: string[]) => attempt("verify", "--trust-policy", "p.yaml", ...more);
  policy();
  const images = [one, bare, other, two, absent, one];
  const all = await verify("--json", "--report", "out.json", "--report", "out.xml", "--report", "out.html", ...images);
  assert.equal(all.code, 1);
  const { result } = JSON.parse(all.stdout);
  const states = ["verified", "unsigned", "refused", "verified", "not-found", "verified"];
  assert.deepEqual(
    result.images.map(({ image }: { image: string }) => image),
    images,
  );
  assert.deepEqual(
    result.images.map(({ state }: { state: string }) => state),
    states,
  );
  assert.deepEqual([result.summary.total, result.summary.verified], [6, 3]);
  assert.deepEqual(JSON.parse(read("out.json")).images, result.images);
  assert.match(read("out.xml"), /<testsuites[^>]*tests="6"/);
  assert.match(read("out.html"), /is refused by own/);
  assert.match(all.stderr, /3 of 6 images verified/);
  const places = [one, bare, other, two].map((image) => all.stderr.indexOf(`${image} `));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
    all.stderr,
  );
  const strict = async (...of: string[]) => (await verify("--exit-codes=strict", ...of)).code;
  assert.deepEqual(
    [await strict(one, two), await strict(bare), await strict(other), await strict(absent)],
    [0, 10, 12, 11],
  );
  assert.equal(await strict(one, absent, bare, other, two), 12, "the gravest decides, not the first");
  assert.equal(await strict("registry.invalid/app:v1"), 13);
  const pod = (...of: string[]) =>
    write(
      "pod.yaml",
      `apiVersion: v1\nkind: Pod\nspec:\n  containers:\n${of.map((each) => `  - image: ${each}\n`).join("")}`,
    );
  const tagged = (image: string) => image.replace(/@.*/, ":v1");
  pod(tagged(one), tagged(two));
  const pinned = await verify("--from", "pod.yaml", "--pin", "pinned.yaml");
  assert.equal(pinned.code, 0, pinned.stderr);
  for (const image of [one, two])
    assert.ok(read("pinned.yaml").includes(image.replace(/.*@/, "@")), read("pinned.yaml"));
  pod(tagged(one), tagged(other));
  assert.equal((await verify("--from", "pod.yaml", "--pin", "none.yaml")).code, 1);
  assert.throws(() => read("none.yaml"), "nothing is pinned that did not verify");
  policy("warn");
  const warned = await verify("--exit-codes=strict", "--json", one, bare, other);
  assert.equal(warned.code, 0, warned.stderr);
  const record = JSON.parse(warned.stdout).result;
  assert.deepEqual(
    record.images.map(({ state }: { state: string }) => state),
    ["verified", "unsigned", "refused"],
  );
  assert.match(warned.stderr, /1 of 3 images verified/);
  const pinnedByWarning = await verify("--from", "pod.yaml", "--pin", "warned.yaml");
  const isPinned = pinnedByWarning.code === 0 && read("warned.yaml").includes(other.replace(/.*@/, "@"));
  assert.ok(!isPinned, "what is only let through is not pinned");
  assert.equal((await verify("--report", "out.unknown", one)).code, 1);
  await tsign("verify", "--trust-policy", "p.yaml", "--output", "text", one);
});

test("verify --trust-policy: a verification summary counts by the right signer, about this image, if it passed", async (t) => {
  const { write, attempt, push, key, services, tsign, registry } = await policyWorkshop(t);
  const [image, failed, foreign] = [await push("app:v1"), await push("failed:v1"), await push("foreign:v1")];
  const type = "https://slsa.dev/verification_summary/v1";
  const attest = (who: string, verificationResult: string, of: string) => {
    const verifier = { id: "https://r.example/verifier" };
    write("vsa.json", JSON.stringify({ verifier, verificationResult, verifiedLevels: ["SLSA_BUILD_LEVEL_3"] }));
    return tsign("attest", ...key(who), "--type", type, "--predicate", "vsa.json", ...services, of);
  };
  await attest("a", "PASSED", image);
  await attest("a", "FAILED", failed);
  await attest("b", "PASSED", foreign);
  const policy = (vsa: string) =>
    write(
      "p.yaml",
      `${KEYS}rules: [{images: "${registry}/*", attestations: [{type: "${type}", signers: a, vsa: {${vsa}}}]}]\n`,
    );
  const verifier = "verifier: https://r.example/verifier";
  const verify = (of: string) => attempt("verify", "--trust-policy", "p.yaml", of);
  policy(`${verifier}, level: 3`);
  assert.equal((await verify(image)).code, 0);
  assert.match((await verify(failed)).stderr, /verificationResult mismatch: got FAILED/);
  const other = await verify(foreign);
  assert.deepEqual([other.code, other.stdout], [1, ""], "attested by another key");
  policy(`${verifier}, level: 4`);
  assert.match((await verify(image)).stderr, /verifiedLevels mismatch: got SLSA build level 3, want at least 4/);
  policy("verifier: https://r.example/other");
  assert.match((await verify(image)).stderr, /verifier\.id mismatch/);
});
