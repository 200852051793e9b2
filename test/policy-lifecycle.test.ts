import assert from "node:assert/strict";
import { test } from "node:test";
import { readPolicyDocument } from "../src/trust-policy/document.ts";
import { DAY, MONDAY, policyWorkshop as workshop } from "./support/policy-workshop.ts";

const [ALICE, BOB] = ["alice@example.com", "bob@example.com"];
test("policy init: one rule a repository, demands who has signed, and says what it accepts", async (t) => {
  const { attempt, tsign, push, sign, key, person, job, services, write, registry } = await workshop(t);
  const [app, api, bare] = [await push("app:v1"), await push("api:v1"), await push("bare:v1")];
  await sign(key("a"), app);
  await sign(person(ALICE), app);
  await sign(job(), api);
  write("predicate.json", "{}");
  await tsign("attest", ...job(), "--type", "slsaprovenance1", "--predicate", "predicate.json", ...services, api);
  const init = (...more: string[]) => attempt("policy", "init", "--trusted-root", "root.json", ...more);
  const born = await init("--key", "a.pub", "--key", "b.pub", app, api, bare);
  assert.equal(born.code, 0, born.stderr);
  write("p.yaml", born.stdout);
  const value = readPolicyDocument(born.stdout, "p.yaml").value as { rules: unknown[]; signers: object };
  assert.deepEqual(Object.keys(value.signers), ["a", "alice", "acme-widget-release"], "b has not signed");
  assert.deepEqual(value.rules, [
    { name: `${registry}/app`, images: `${registry}/app`, signatures: { signers: { all: ["a", "alice"] } } },
    {
      name: `${registry}/api`,
      images: `${registry}/api`,
      signatures: { signers: "acme-widget-release" },
      attestations: [{ type: "https://slsa.dev/provenance/v1", signers: "acme-widget-release" }],
    },
  ]);
  assert.match(born.stderr, /app: accepts images with signatures by all of \(a, alice\); in a trusted log/);
  assert.match(born.stderr, /bare: no signature that verifies/);
  for (const image of [app, api]) await tsign("verify", "--trust-policy", "p.yaml", image);
  assert.equal((await attempt("verify", "--trust-policy", "p.yaml", bare)).code, 1);
  const unnamed = await init(app);
  assert.deepEqual(
    Object.keys((readPolicyDocument(unnamed.stdout, "p").value as { signers: object }).signers),
    ["alice"],
    "a key that is not named cannot be found",
  );
  const none = await init(bare);
  assert.deepEqual([none.code, none.stdout], [1, ""]);
  await tsign("sign", ...key("b"), "--use-signing-config=false", "--tlog-upload=false", bare);
  assert.equal((await init("--key", "b.pub", bare)).code, 1, "not logged");
  const lowered = await init("--key", "b.pub", "--insecure-ignore-tlog", bare);
  assert.match(lowered.stdout, /# --insecure-ignore-tlog: no transparency log is demanded/);
  assert.match(lowered.stdout, /log: insecure-skip/);
});

test("policy init: a key and an identity that would have the same name are two signers", async (t) => {
  const { tsign, push, sign, key, person, read, write, at } = await workshop(t);
  const app = await push("app:v1");
  write("given.pub", read("a.pub"));
  await sign(key("a"), app);
  await sign(person(ALICE), app);
  const identity = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", at.issuer];
  const born = await tsign("policy", "init", "--trusted-root", "root.json", "--key", "given.pub", ...identity, app);
  const value = readPolicyDocument(born.stdout, "p").value as { rules: { signatures: unknown }[] };
  assert.deepEqual(value.rules[0]?.signatures, { signers: { all: ["given", "given-2"] } });
});

test("policy fmt: fields in the usual order, comments kept, the meaning unchanged; --check and --write", async (t) => {
  const { attempt, tsign, write, read } = await workshop(t);
  const text = `# Ours
rules:
    # The first rule
    - signatures: {log: insecure-skip, signers: a}
      images: "r.example/**"   # all of them
signers:
    a: {key: a.pub}
    "1.0": {until: 2026-01-01, key: b.pub}
version: 1
`;
  write("p.yaml", text);
  const formatted = await tsign("policy", "fmt", "p.yaml");
  assert.deepEqual(
    readPolicyDocument(formatted.stdout, "p").value,
    readPolicyDocument(text, "p").value,
    "the same policy",
  );
  assert.deepEqual(formatted.stdout.match(/^\w+/gm), ["version", "signers", "rules"]);
  for (const comment of ["# Ours", "# The first rule", "# all of them"]) assert.ok(formatted.stdout.includes(comment));
  assert.equal((await attempt("policy", "fmt", "--check", "p.yaml")).code, 1);
  assert.equal(read("p.yaml"), text);
  await tsign("policy", "fmt", "--write", "p.yaml");
  assert.equal(read("p.yaml"), formatted.stdout);
  assert.deepEqual((await tsign("policy", "fmt", "--check", "p.yaml")).stdout, "");
  write("bad.yaml", "version: 1\n");
  assert.equal((await attempt("policy", "fmt", "--write", "bad.yaml")).code, 1);
  assert.equal(read("bad.yaml"), "version: 1\n");
  for (const place of ["-", "https://r.example/p.yaml", "env://POLICY"]) {
    const refused = await attempt("policy", "fmt", "--write", place);
    assert.deepEqual([refused.code, refused.stdout], [1, ""]);
    assert.match(refused.stderr, /format .*: not a file\nhint: leave out --write/);
  }
});

test("policy test: cases in the policy and beside it, without the network; a looser policy -> fails", async (t) => {
  const { attempt, tsign, push, sign, key, write, registry } = await workshop(t);
  const app = await push("app:v1");
  await sign(key("a"), app);
  await tsign("save", "--dir", "layout", app);
  write("file.txt", "hello");
  await tsign(
    "sign-blob",
    ...key("b"),
    "--yes",
    "--signing-config",
    "services.json",
    "--trusted-root",
    "root.json",
    "--bundle",
    "file.json",
    "file.txt",
  );
  const digest = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const policy = (timestamp: string) => `version: 1
trust: {default: {trustedRoot: root.json}}
signers: {a: {key: a.pub}, b: {key: b.pub}}
rules:
  - {name: images, images: "${registry}/*", signatures: {signers: a${timestamp}}}
  - {name: files, files: "*.txt", signatures: {signers: b}}
tests:
  - {name: signed, image: "${app}", layout: layout, at: 2026-03-03, expect: accept, rule: images}
  - {name: file, file: x/file.txt, digest: "${digest}", bundles: [file.json], at: 2026-03-03, expect: accept}
`;
  write("p.yaml", policy(""));
  const passed = await tsign("policy", "test", "p.yaml");
  assert.equal(passed.stdout, "pass  signed\npass  file\np.yaml: 2 of 2 cases passed\n");
  const incomplete = await attempt("policy", "test", "--complete", "p.yaml");
  assert.match(incomplete.stdout, /no case fails without rules\[0\]\.signatures\n/);
  write(
    "p.test.yaml",
    `version: 1
tests:
  - {name: unsigned, image: "${app}", at: 2026-03-03, expect: refuse, reason: expected a}
  - {name: another key, image: "${app}", bundles: [file.json], at: 2026-03-03, expect: refuse}
`,
  );
  assert.match((await tsign("policy", "test", "p.yaml")).stdout, /4 of 4 cases passed/);
  write("loose.yaml", policy("").replace("signatures: {signers: a}", "insecureAcceptAnything: true"));
  const loose = await attempt("policy", "test", "--cases", "p.test.yaml", "--json", "loose.yaml");
  assert.equal(loose.code, 1);
  const { cases } = JSON.parse(loose.stdout).result;
  assert.deepEqual(
    cases.map(({ faults }: { faults: string[] }) => faults.length),
    [0, 0, 2, 1],
  );
  for (const [change, expected] of [
    [`expect: accept, rule: images`, /decision mismatch: got accept, want refuse/],
    [`expect: accept, rule: images`, /rule mismatch: got images, want files/],
  ] as const) {
    const other = expected.source.startsWith("rule") ? "expect: accept, rule: files" : "expect: refuse";
    write("q.yaml", policy("").replace(change, other));
    assert.match((await attempt("policy", "test", "q.yaml")).stdout, expected);
  }
  write("online.yaml", policy("").replace("trust: {default: {trustedRoot: root.json}}\n", ""));
  const online = await attempt("policy", "test", "online.yaml");
  assert.match(online.stdout, /a policy is tested without the network/);
  assert.equal(online.code, 1);
  write("none.yaml", policy("").replace(/tests:[\s\S]*/, ""));
  assert.match((await attempt("policy", "test", "none.yaml")).stderr, /no cases found/);
});

test("a day's work: rotation, the old key retired, a stolen one denied; then tightened with diff", async (t) => {
  const { attempt, tsign, push, sign, key, person, write, registry, at, setTime } = await workshop(t);
  const [old, both, fresh] = [await push("app:old"), await push("app:both"), await push("api:fresh")];
  await sign(key("a"), old);
  const file = (signers: string, more = "") => `version: 1
trust: {default: {trustedRoot: root.json}}
signers:
  old: {key: a.pub}
  new: {key: b.pub}
  people: {identity: {glob: "*@example.com"}, issuer: "${at.issuer}"}
${more}rules:
  - {name: app, images: "${registry}/*", signatures: {signers: ${signers}}}
`;
  const accepts = async (policy: string, image: string) =>
    (await attempt("verify", "--trust-policy", policy, image)).code === 0;
  write("rotation.yaml", file("{any: [old, new]}"));
  assert.ok(await accepts("rotation.yaml", old));
  setTime(MONDAY + 2 * DAY);
  await sign(key("b"), both);
  await sign(key("a"), fresh);
  const retired = file("{any: [old, new]}").replace("key: a.pub", "key: a.pub, until: 2026-03-03");
  write("retired.yaml", retired);
  assert.ok(await accepts("retired.yaml", old), "signed before the end");
  assert.ok(!(await accepts("retired.yaml", fresh)), "signed after the end");
  write("stolen.yaml", file("{any: [old, new]}", 'denied: {keys: [{key: a.pub, reason: "stolen on 3 March"}]}\n'));
  const stolen = await attempt("verify", "--trust-policy", "stolen.yaml", fresh);
  assert.equal(stolen.code, 1);
  assert.match(stolen.stderr, /denied key: stolen on 3 March/);
  const [changed, strict] = ["stolen.yaml", "--exit-code"];
  const diff = await attempt("policy", "diff", strict, "retired.yaml", changed, fresh, both);
  assert.equal(diff.code, 0, diff.stdout);
  await sign(person(BOB), both);
  write("tight.yaml", retired.replace("{any: [old, new]}", "{all: [new, people]}"));
  const tightened = await attempt("policy", "diff", strict, "rotation.yaml", "tight.yaml", fresh, both);
  assert.equal(tightened.code, 1);
  assert.match(tightened.stdout, /^changed .*api.*: accept by app -> refuse by app/m);
  assert.match(tightened.stdout, /^ +signatures: expected all of \(new, people\), found no signature that counts/m);
  assert.match(tightened.stdout, /1 of 2 verdicts change/);
  assert.match(
    JSON.stringify(JSON.parse((await tsign("policy", "diff", "--json", "rotation.yaml", "tight.yaml", both)).stdout)),
    /"changed":0/,
  );
});

test("a policy born by init: a key is added in a rotation, then the old one is left out; diff names whose verdict changes", async (t) => {
  const { attempt, tsign, push, sign, key, read, write, registry } = await workshop(t);
  const [old, both, fresh] = [
    await push("app:old", "old"),
    await push("app:both", "both"),
    await push("app:new", "new"),
  ];
  for (const image of [old, both]) await sign(key("a"), image);
  await tsign(
    "policy",
    "init",
    "--trusted-root",
    "root.json",
    "--key",
    "a.pub",
    "--output-file",
    "born.yaml",
    old,
    both,
  );
  for (const image of [both, fresh]) await sign(key("b"), image);
  const born = readPolicyDocument(read("born.yaml"), "born.yaml").value as {
    signers: Record<string, unknown>;
    rules: { images: string; signatures: { signers: unknown } }[];
  };
  const [rule] = born.rules;
  assert.deepEqual(rule, { name: rule && `${registry}/app`, images: `${registry}/app`, signatures: { signers: "a" } });
  const change = (file: string, signers: unknown) =>
    write(
      file,
      JSON.stringify({
        ...born,
        signers: { ...born.signers, new: { key: "b.pub" } },
        rules: [{ ...rule, signatures: { signers } }],
      }),
    );
  change("rotation.yaml", { any: ["a", "new"] });
  change("tight.yaml", "new");
  const diff = async (from: string, to: string) => {
    const ended = await attempt("policy", "diff", "--exit-code", from, to, old, both, fresh);
    return [ended.code, ...[...ended.stdout.matchAll(/^changed .*@(\S+): (.*)$/gm)].map(([, digest]) => digest)];
  };
  const digest = (image: string) => image.replace(/.*@/, "");
  assert.deepEqual(await diff("born.yaml", "rotation.yaml"), [1, digest(fresh)]);
  assert.deepEqual(await diff("rotation.yaml", "tight.yaml"), [1, digest(old)]);
  await sign(key("b"), old);
  assert.deepEqual(await diff("rotation.yaml", "tight.yaml"), [0], "everything that runs is signed by the new key");
});
