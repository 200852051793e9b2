import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { createReadStream, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readBundle } from "../src/evidence/bundle/read.ts";
import { writeBundle } from "../src/evidence/bundle/write.ts";
import { putBundleReferrer } from "../src/evidence/write-referrer.ts";
import { digestOf, readMessage } from "../src/format/digest.ts";
import { type ImageTarget, imageTarget, openImage } from "../src/images/open.ts";
import { signerFromKey } from "../src/keys/index.ts";
import { openRegistry, PLAIN_REGISTRY } from "../src/oci/open.ts";
import { parseReference } from "../src/oci/ref.ts";
import { pushImage } from "../src/sandbox/registry/push.ts";
import { signInTotoStatement } from "../src/sign/sign.ts";
import { type Decided, decideByName, decideFile, decideImage } from "../src/trust-policy/decide.ts";
import type { Decision } from "../src/trust-policy/decision.ts";
import { readTrustPolicy } from "../src/trust-policy/read.ts";
import { PolicySources } from "../src/trust-policy/sources.ts";
import { isVerified } from "../src/verify/verify.ts";
import { writeKeyPairs } from "./support/key-pairs.ts";
import { fakePolicyEngine } from "./support/policy-engine.ts";
import { testSigstore } from "./support/sandbox.ts";
import { LEGACY, run, temporaryFolder, testIo } from "./support/test-io.ts";

const [ALICE, BOB] = ["alice@example.com", "bob@example.com"];
const MONDAY = Date.parse("2026-03-02T12:00:00Z");
const DAY = 86_400_000;

/** A sandbox whose clock the test sets, an image in it, key pairs a and b, and functions that sign and decide. */
async function world(t: TestContext) {
  let now = MONDAY;
  const sigstore = await testSigstore({ clock: () => new Date(now) });
  const { io, registry, at } = sigstore;
  const cwd = temporaryFolder(t);
  const write = (name: string, text: string) => writeFileSync(join(cwd, name), text);
  write("root.json", sigstore.trustedRoot);
  write("rekor1.json", sigstore.signingConfig.rekor1);
  write("rekor2.json", sigstore.signingConfig.rekor2);
  const tsign = async (...argv: string[]) => {
    const ended = await run(argv, { cwd, io, env: { COSIGN_PASSWORD: "pw" } });
    assert.equal(ended.code, 0, ended.stderr);
  };
  writeKeyPairs(cwd, "a", "b");
  const store = await openRegistry(testIo({ io }), parseReference(`${registry}/app:v1`), PLAIN_REGISTRY);
  const { digest } = await pushImage(store, { file: "hello", content: Buffer.from("hello"), tag: "v1" });
  const image = `${registry}/app@${digest}`;
  const services = (config: string) => ["--yes", "--signing-config", config, "--trusted-root", "root.json"];
  const sign = (who: readonly string[], config = "rekor2.json") => tsign("sign", ...who, ...services(config), image);
  const attest = (who: readonly string[], type: string, predicate: unknown) => {
    write("predicate.json", JSON.stringify(predicate));
    return tsign("attest", ...who, "--type", type, "--predicate", "predicate.json", ...services("rekor2.json"), image);
  };
  const decideAll = async (
    policy: string,
    { name = image, versions = {} }: { name?: string; versions?: Record<string, string[]> } = {},
  ): Promise<Decided> => {
    const testing = testIo({ io: { ...io, ...fakePolicyEngine(cwd) }, cwd });
    const read = await readTrustPolicy(`version: 1\ntrust: {default: {trustedRoot: root.json}}\n${policy}`, "p.yaml");
    const sources = new PolicySources(testing, read, assert.fail);
    const one = sources.key.bind(sources);
    sources.key = async (reference) => {
      const earlier = await Promise.all((versions[reference] ?? []).map(one));
      return { ...(await one(reference)), ...(earlier.length > 0 ? { earlier } : {}) };
    };
    const opened = await openImage(testing, name, { registry: PLAIN_REGISTRY, mustExist: false });
    const target = await imageTarget(testing, opened, PLAIN_REGISTRY);
    const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
    const decided = await decideImage(testing, sources, { policy: read, ref: opened.ref, target }, options);
    assert.ok(decided.verified.every(isVerified));
    if (!decided.decision.ok) assert.deepEqual(decided.verified, []);
    assert.deepEqual(JSON.parse(JSON.stringify(decided.decision)), decided.decision, "plain data");
    return decided;
  };
  const decide = async (...asked: Parameters<typeof decideAll>) => (await decideAll(...asked)).decision;
  const verifiedOf = async (policy: string) => (await decideAll(policy)).verified;
  const decideBlob = async (policy: string, file: string, bundle: string): Promise<Decision> => {
    const testing = testIo({ io, cwd });
    const read = await readTrustPolicy(`version: 1\ntrust: {default: {trustedRoot: root.json}}\n${policy}`, "p.yaml");
    const message = await readMessage(createReadStream(join(cwd, file)), { hashes: ["sha256"], keepBytes: 1e6 });
    const evidence = [readBundle(readFileSync(join(cwd, bundle)), { kind: "file", where: bundle })];
    const sources = new PolicySources(testing, read, assert.fail);
    return (await decideFile(testing, sources, { policy: read, path: file, message, evidence })).decision;
  };
  return {
    decideBlob,
    ...{
      registry,
      at,
      image,
      digest,
      write,
      read: (name: string) => readFileSync(join(cwd, name), "utf8"),
      tsign,
      sign,
      attest,
      decide,
      verifiedOf,
      store,
    },
    setTime: (time: number) => {
      now = time;
    },
    key: (name: string) => ["--key", `${name}.key`],
    person: (email: string) => ["--identity-token", sigstore.mint(email)],
    job: (claims = {}) => ["--identity-token", sigstore.mintJob(claims)],
  };
}

/** What is exchanged between the bundles of two signatures. */
interface Bundle {
  readonly verificationMaterial: {
    readonly tlogEntries: unknown[];
    readonly timestampVerificationData: { readonly rfc3161Timestamps: unknown[] };
  };
}

type World = Awaited<ReturnType<typeof world>>;

const SIGNERS = (at: World["at"]) => `signers:
  a: {key: a.pub}
  b: {key: ./b.pub}
  alice: {identity: ${ALICE}, issuer: "${at.issuer}"}
  team: {identity: {glob: "*@example.com"}, issuer: "${at.issuer}"}
`;

const rule = (registry: string, demand: string, more = "") =>
  `rules:\n  - images: "${registry}/*"\n${more === "" ? "" : `    ${more}\n`}    signatures: {${demand}}\n`;

/** All reasons in a decision, also those for single signatures. */
function reasons({ reasons: own, demands }: Decision): string {
  const below = demands.flatMap(({ found }) =>
    found.flatMap(({ notCounted, nearest }) => [...notCounted, ...(nearest ? [nearest] : [])]),
  );
  return [...own, ...below.flatMap((each) => each.reasons)].join("\n");
}

test("decideImage: who must have signed, met and missed", async (t) => {
  const { decide, sign, key, person, registry, at } = await world(t);
  const policy = (signers: string) => `${SIGNERS(at)}${rule(registry, `signers: ${signers}`)}`;
  const unsigned = await decide(policy("a"));
  assert.deepEqual([unsigned.ok, unsigned.allowed, unsigned.effect], [false, false, "enforce"]);
  await sign(key("a"));
  await sign(person(ALICE));
  for (const met of ["a", "alice", "team", "{any: [b, a]}", "{all: [a, alice]}", "{atLeast: 2, of: [a, b, alice]}"]) {
    const decision = await decide(policy(met));
    assert.ok(decision.ok && decision.allowed, `${met}: ${reasons(decision)}`);
  }
  for (const missed of [
    "b",
    "{all: [a, b]}",
    "{all: [alice, team]}",
    "{atLeast: 2, of: [b, alice, team]}",
    "{atLeast: 2, of: team}",
  ]) {
    const decision = await decide(policy(missed));
    assert.ok(!decision.ok && !decision.allowed, missed);
  }
  await sign(person(BOB));
  assert.ok((await decide(policy("{atLeast: 2, of: team}"))).ok, "two people");
  assert.ok((await decide(policy("{all: [alice, team]}"))).ok);
});

test("decideImage: the same key under two names does not meet a threshold of two", async (t) => {
  const { decide, sign, key, registry } = await world(t);
  await sign(key("a"));
  await sign(key("a"), "rekor1.json");
  const policy = `signers: {one: {key: a.pub}, two: {key: ./a.pub}}\n${rule(registry, "signers: {atLeast: 2, of: [one, two]}")}`;
  assert.ok(!(await decide(policy)).ok);
  assert.ok((await decide(policy.replace("atLeast: 2", "atLeast: 1"))).ok);
});

test("decideImage: two versions of one key, or two spellings of one person, do not meet a threshold of two", async (t) => {
  const { decide, sign, key, person, registry, at } = await world(t);
  const two = (who: string) => `${SIGNERS(at)}${rule(registry, `signers: {atLeast: 2, of: ${who}}`)}`;
  await sign(key("a"));
  await sign(key("b"));
  const versions = { "./b.pub": ["a.pub"] };
  assert.ok(!(await decide(two("[a, b]"), { versions })).ok, "a is an earlier version of b");
  assert.ok((await decide(two("[a, b]"))).ok);
  const unlogged = two("[a, b]").replace("signatures: {", "signatures: {log: insecure-skip, ");
  assert.ok(!(await decide(unlogged, { versions })).ok);
  assert.ok((await decide(unlogged)).ok);
  await sign(person(ALICE));
  assert.ok((await decide(two("[b, alice]"), { versions })).ok);
  await sign(person("Alice@example.com"));
  assert.ok(!(await decide(two("team"))).ok);
  await sign(person(BOB));
  assert.ok((await decide(two("team"))).ok);
});

test("decideImage: the first rule that matches decides; nothing matches -> refused unless the file says otherwise", async (t) => {
  const { decide, sign, key, registry, at, image } = await world(t);
  await sign(key("a"));
  const demand = (pattern: string, who: string, effect = "enforce") =>
    `  - {images: "${pattern}", effect: ${effect}, signatures: {signers: ${who}}}\n`;
  const rules = (...list: string[]) => `${SIGNERS(at)}rules:\n${list.join("")}`;
  const own = `${registry}/*`;
  assert.ok((await decide(rules(demand(own, "a"), demand("**", "b")))).ok);
  assert.ok(!(await decide(rules(demand(own, "b"), demand("**", "a")))).allowed, "a later rule does not help");
  assert.ok((await decide(rules(demand(`${registry}/other`, "b"), demand("**", "a")))).ok);
  const none = await decide(rules(demand("r.example/*", "a")));
  assert.deepEqual([none.rule, none.ok, none.allowed, none.reasons], [undefined, false, false, ["no rule matches"]]);
  for (const unmatched of ["warn", "audit"]) {
    const decision = await decide(`unmatched: ${unmatched}\n${rules(demand("r.example/*", "a"))}`);
    assert.deepEqual([decision.ok, decision.allowed, decision.effect], [false, true, unmatched]);
  }
  for (const effect of ["warn", "audit"]) {
    const decision = await decide(rules(demand(own, "b", effect)));
    assert.deepEqual([decision.ok, decision.allowed, decision.effect], [false, true, effect]);
  }
  assert.ok((await decide(`${SIGNERS(at)}rules: [{images: "${own}", insecureAcceptAnything: true}]\n`)).ok);
  const pinned = `${SIGNERS(at)}${rule(registry, "signers: a", "digest: required")}`;
  assert.ok((await decide(pinned)).ok);
  assert.match(reasons(await decide(pinned, { name: image.replace(/@.*/, ":v1") })), /not named by its digest/);
});

test("decideImage: a retired signer counts only with a trusted time before its end", async (t) => {
  const { decide, sign, key, person, registry, at, setTime, tsign, image } = await world(t);
  const policy = (until: string, log = "required") =>
    `signers:\n  a: {key: a.pub, until: ${until}}\n  alice: {identity: ${ALICE}, issuer: "${at.issuer}", until: ${until}}\n` +
    rule(registry, `signers: a, log: ${log}`);
  await tsign("sign", ...key("a"), "--use-signing-config=false", "--tlog-upload=false", image);
  assert.match(reasons(await decide(policy("2030-01-01", "insecure-skip"))), /no trusted time/);
  await sign(key("a"));
  await sign(person(ALICE));
  setTime(MONDAY + 30 * DAY);
  for (const who of ["a", "alice"]) {
    const of = (until: string) => policy(until).replace("signers: a,", `signers: ${who},`);
    assert.ok((await decide(of("2026-03-03"))).ok, who);
    assert.match(reasons(await decide(of("2026-03-02"))), /retired since 2026-03-02/, "signed after it");
    assert.match(reasons(await decide(of("2026-03-02T12:00:00Z"))), /retired/, "signed at that moment");
  }
});

test("decideImage: a late signature of a retired key does not count, an early one does", async (t) => {
  const { decide, sign, key, registry, setTime } = await world(t);
  const policy = `signers: {a: {key: a.pub, until: 2026-03-03}}\n${rule(registry, "signers: a")}`;
  setTime(MONDAY + 3 * DAY);
  await sign(key("a"));
  assert.ok(!(await decide(policy)).ok);
  setTime(MONDAY);
  await sign(key("a"), "rekor1.json");
  setTime(MONDAY + 3 * DAY);
  assert.ok((await decide(policy)).ok);
});

test("decideImage: denied keys, identities, log entries and digests outvote every rule, and the reason is shown", async (t) => {
  const { decide, verifiedOf, sign, key, person, registry, at, digest } = await world(t);
  await sign(key("a"));
  await sign(person(ALICE), "rekor1.json");
  const policy = (who: string, denied: string, effect = "enforce") =>
    `${SIGNERS(at)}denied: {${denied}}\n${rule(registry, `signers: ${who}`, `effect: ${effect}`)}`;
  assert.ok((await decide(policy("a", "keys: [{key: b.pub, reason: stolen}]"))).ok);
  assert.match(reasons(await decide(policy("a", "keys: [{key: a.pub, reason: stolen}]"))), /denied key: stolen/);
  assert.ok((await decide(policy("alice", "keys: [{key: a.pub}]"))).ok, "another signature still counts");
  assert.ok((await decide(policy("{any: [a, alice]}", `identities: [{identity: ${ALICE}}]`))).ok);
  for (const identity of [ALICE, "{glob: 'alice@*'}", "{regexp: 'a.*'}"]) {
    const decision = await decide(policy("alice", `identities: [{identity: ${identity}, reason: left}]`));
    assert.match(reasons(decision), /denied identity alice@example.com: left/);
    assert.ok(!decision.allowed);
  }
  assert.ok((await decide(policy("alice", `identities: [{identity: ${ALICE}, issuer: https://other.example}]`))).ok);
  assert.ok((await decide(policy("alice", `identities: [{identity: ${BOB}}]`))).ok);
  const [entry = assert.fail()] = (await verifiedOf(policy("alice", "keys: []")))[0]?.entries ?? [];
  const at_ = (index: number) => `logEntries: [{log: "${entry.logId}", index: ${index}, reason: test}]`;
  assert.match(reasons(await decide(policy("alice", at_(Number(entry.logIndex))))), /denied log entry \d+: test/);
  assert.ok((await decide(policy("alice", at_(Number(entry.logIndex) + 1)))).ok);
  const other = `sha256:${"0".repeat(64)}`;
  assert.ok((await decide(policy("a", `digests: [{digest: "${other}"}]`))).ok);
  for (const effect of ["enforce", "warn", "audit"]) {
    const decision = await decide(policy("a", `digests: [{digest: "${digest}", reason: malware}]`, effect));
    assert.deepEqual([decision.ok, decision.allowed, decision.reasons], [false, false, ["denied digest: malware"]]);
  }
  const anything = `denied: {digests: [{digest: "${digest}"}]}\nrules: [{images: "**", insecureAcceptAnything: true}]\n`;
  assert.ok(!(await decide(anything)).allowed);
  assert.ok(!(await decide(`unmatched: audit\n${anything.replace("**", "r.example/*")}`)).allowed);
});

test("decideImage: a denied image in an index -> the index is refused, whatever the rule says", async () => {
  const INDEX = "application/vnd.oci.image.index.v1+json";
  const IMAGE = "application/vnd.oci.image.manifest.v1+json";
  const stored = new Map<string, { bytes: Buffer; manifest: unknown }>();
  const keep = (manifests: readonly { digest: string; mediaType: string }[], more = "") => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, more, manifests }));
    stored.set(digestOf(bytes), { bytes, manifest: { manifests } });
    stored.set(digestOf(bytes, "sha512"), { bytes, manifest: { manifests } });
    return { bytes, digest: digestOf(bytes), mediaType: INDEX };
  };
  const [bad, good] = [keep([], "bad"), keep([], "good")].map((each) => ({ ...each, mediaType: IMAGE })) as [
    ReturnType<typeof keep>,
    ReturnType<typeof keep>,
  ];
  const inner = keep([good, bad]);
  const outer = keep([good, inner]);
  const clean = keep([good]);
  const unlabelled = keep([{ ...inner, mediaType: "application/x" }]);
  const twice = keep([{ ...inner, mediaType: IMAGE }, inner]);
  const absent = { digest: `sha256:${"5".repeat(64)}`, mediaType: IMAGE };
  const partial = keep([absent, good]);
  const decide = async (digest: string, denied: string, rule = "insecureAcceptAnything: true") => {
    const text = `version: 1\nsigners: {k: {key: k.pub}}\ndenied: {digests: [{digest: "${denied}"}]}\nrules: [{images: "**", ${rule}}]\n`;
    const policy = await readTrustPolicy(text, "p.yaml");
    const ref = parseReference(`r.example/app@${digest}`);
    assert.equal(decideByName(policy, ref)?.allowed ?? false, false, "not by its name alone");
    const store = { name: "r.example/app", manifest: async (each: string) => stored.get(each) };
    const target = { name: ref.name, digest, store } as unknown as ImageTarget;
    const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
    const sources = new PolicySources(testIo(), policy, assert.fail);
    return (await decideImage(testIo(), sources, { policy, ref, target }, options)).decision;
  };
  for (const { digest } of [bad, inner, outer, unlabelled, twice]) {
    for (const rule of [
      "insecureAcceptAnything: true",
      "effect: warn, refuse: never",
      "effect: audit, signatures: {signers: k}",
    ]) {
      const decision = await decide(digest, bad.digest, rule);
      assert.deepEqual([decision.allowed, decision.reasons[0]], [false, "denied digest: denied by the policy"], rule);
    }
    assert.ok(!(await decide(digest, digestOf(bad.bytes, "sha512"))).allowed, "by its other hash");
  }
  for (const { digest } of [clean, good]) {
    assert.ok((await decide(digest, bad.digest)).allowed);
    assert.ok((await decide(digest, digestOf(bad.bytes, "sha512"))).allowed);
  }
  assert.ok((await decide(partial.digest, bad.digest)).allowed, "the digest of an absent image is known");
  await assert.rejects(decide(partial.digest, digestOf(bad.bytes, "sha512")), { code: "image-not-found" });
  stored.delete(inner.digest);
  await assert.rejects(decide(outer.digest, bad.digest), { code: "image-not-found" });
});

test("decideImage: a denied person in another spelling, and a denied image named by another hash, stay denied", async (t) => {
  const { decide, sign, person, registry, at } = await world(t);
  await sign(person("Alice@example.com"));
  const policy = (denied: string) =>
    `${SIGNERS(at)}denied: {identities: [{${denied}}]}\n${rule(registry, "signers: team")}`;
  assert.match(reasons(await decide(policy(`identity: ${ALICE}`))), /denied identity Alice@example\.com/);
  assert.match(reasons(await decide(policy(`identity: Alice@example.com, issuer: "${at.issuer}"`))), /denied identity/);
  for (const spelled of ["ALICE@Example.com", "{glob: A*@EXAMPLE.com}", "{regexp: 'AL[A-Z]+@EXAMPLE\\.COM'}"]) {
    assert.match(reasons(await decide(policy(`identity: ${spelled}`))), /denied identity Alice@example\.com/, spelled);
  }
  for (const other of [BOB, "{glob: B*@EXAMPLE.com}", "{regexp: 'B[A-Z]+@EXAMPLE\\.COM'}"]) {
    assert.ok((await decide(policy(`identity: ${other}`))).ok, other);
  }
  const bytes = Buffer.from('{"schemaVersion":2}');
  const [sha256, sha512] = [digestOf(bytes), digestOf(bytes, "sha512")];
  const manifest = async () => ({ bytes, manifest: {} }) as never;
  for (const [digest, denied, allowed] of [
    [sha512, sha256, false],
    [sha256, sha512, false],
    [sha512, digestOf(Buffer.from("other")), true],
  ] as const) {
    const text = `version: 1\ndenied: {digests: [{digest: "${denied}"}]}\nrules: [{images: "**", insecureAcceptAnything: true}]\n`;
    const read = await readTrustPolicy(text, "p.yaml");
    const ref = parseReference(`r.example/app@${digest}`);
    const target = { name: ref.name, digest, store: { manifest } } as unknown as ImageTarget;
    const options = { maxBytes: 1e7, workers: 2, tagPrefix: "", rekorUrl: undefined };
    const sources = new PolicySources(testIo(), read, assert.fail);
    const { decision } = await decideImage(testIo(), sources, { policy: read, ref, target }, options);
    assert.equal(decision.allowed, allowed, digest);
  }
});

test("decideImage: demanded log, timestamp, form and age, met and missed", async (t) => {
  const { decide, sign, key, registry, at, setTime, tsign, image } = await world(t);
  const policy = (demand: string) => `signers: {a: {key: a.pub}}\n${rule(registry, `signers: a, ${demand}`)}`;
  await tsign("sign", ...key("a"), "--use-signing-config=false", "--tlog-upload=false", image);
  assert.ok(!(await decide(policy("form: any"))).ok, "a log is demanded by default");
  assert.ok((await decide(policy("log: insecure-skip"))).ok);
  assert.match(reasons(await decide(policy("log: insecure-skip, maxAge: 1d"))), /age is unknown/);
  await sign(key("a"), "rekor1.json");
  assert.ok((await decide(policy("form: bundle"))).ok);
  assert.match(reasons(await decide(policy("form: legacy"))), /form mismatch: got bundle, want legacy/);
  assert.match(reasons(await decide(policy("timestamp: required"))), /no signed timestamp found/);
  assert.ok((await decide(policy(`logs: ["${at.rekor1}"]`))).ok);
  assert.ok((await decide(policy(`logs: ["${at.rekor1}/", "https://other.example"]`))).ok);
  for (const logs of [`"${at.rekor1}x"`, `"https://other.example"`, `"${"0".repeat(64)}"`]) {
    assert.match(reasons(await decide(policy(`logs: [${logs}]`))), /log mismatch/, logs);
  }
  await sign(key("a"), "rekor2.json");
  assert.ok((await decide(policy("timestamp: required"))).ok);
  assert.ok((await decide(policy(`logs: ["${at.rekor2}"]`))).ok);
  setTime(MONDAY + 10 * DAY);
  assert.ok((await decide(policy("maxAge: 10d"))).ok, "exactly as old");
  setTime(MONDAY + 10 * DAY + 1000);
  assert.match(reasons(await decide(policy("maxAge: 10d"))), /too old: got 2026-03-02/);
  assert.ok((await decide(policy("maxAge: 2w"))).ok);
  const legacy = ["--use-signing-config=false", "--rekor-url", at.rekor1, "--yes", "--trusted-root", "root.json"];
  await tsign("sign", ...key("a"), LEGACY, ...legacy, image);
  assert.ok((await decide(policy("form: legacy"))).ok);
});

test("decideImage: extensions of the certificate, exact and by pattern", async (t) => {
  const { decide, sign, job, registry, at } = await world(t);
  await sign(job());
  const policy = (extensions: string, identity = "{glob: '**'}") =>
    `signers: {ci: {identity: ${identity}, issuer: "${at.ciIssuer}", extensions: {${extensions}}}}\n${rule(registry, "signers: ci")}`;
  for (const extensions of [
    "runnerEnvironment: github-hosted",
    "sourceRepositoryURI: https://github.com/acme/widget, sourceRepositoryRef: {glob: refs/heads/*}",
    "1.3.6.1.4.1.57264.1.14: refs/heads/main, githubWorkflowName: {regexp: 'rel.*'}",
  ]) {
    const decision = await decide(policy(extensions));
    assert.ok(decision.ok, `${extensions}: ${reasons(decision)}`);
  }
  for (const extensions of [
    "runnerEnvironment: self-hosted",
    "sourceRepositoryURI: https://github.com/acme/widge",
    "sourceRepositoryRef: {glob: refs/tags/*}",
    "sourceRepositoryRef: {glob: refs/*}",
    "deploymentEnvironment: {glob: '**'}",
    "githubWorkflowName: {regexp: 'rel'}",
  ]) {
    assert.match(reasons(await decide(policy(extensions))), /identity: certificate .* mismatch/, extensions);
  }
  assert.ok(!(await decide(policy("", "{glob: '*'}"))).ok, "* stops at a slash");
});

const SLSA = {
  buildDefinition: {
    buildType: "https://actions.github.io/buildtypes/workflow/v1",
    externalParameters: { workflow: { ref: "refs/tags/v1", repository: "https://github.com/acme/app", path: "r.yml" } },
    resolvedDependencies: [
      { uri: "git+https://github.com/acme/app@refs/tags/v1", digest: { gitCommit: "c".repeat(40) } },
      { uri: "git+https://github.com/acme/library@refs/tags/v9", digest: { gitCommit: "d".repeat(40) } },
    ],
  },
  runDetails: { builder: { id: "https://github.com/acme/builder@v2" } },
};

test("decideImage: attestations with their own signers, and SLSA provenance, each part met and missed", async (t) => {
  const { decide, attest, sign, key, registry } = await world(t);
  const policy = (slsa: string, who = "a") =>
    "signers: {a: {key: a.pub}, b: {key: b.pub}}\nbuilders: [{builder: {glob: 'https://github.com/acme/builder@*'}, level: 3}]\n" +
    `rules:\n  - images: "${registry}/*"\n    attestations: [{type: slsaprovenance1, signers: ${who}, slsa: {${slsa}}}]\n`;
  const builder = "builder: {glob: 'https://github.com/acme/**'}";
  await sign(key("a"));
  assert.ok(!(await decide(policy(builder))).ok, "a signature is not an attestation");
  await attest(key("b"), "slsaprovenance1", SLSA);
  assert.ok(!(await decide(policy(builder))).ok, "attested by another signer");
  await attest(key("a"), "slsaprovenance1", SLSA);
  assert.ok((await decide(policy(builder, "{all: [a, b]}"))).ok);
  for (const met of [
    builder,
    "source: https://github.com/acme/app, ref: {glob: refs/tags/*}",
    `commit: ${"c".repeat(40)}, level: 3`,
    "buildType: https://actions.github.io/buildtypes/workflow/v1",
  ]) {
    const decision = await decide(policy(met));
    assert.ok(decision.ok, `${met}: ${reasons(decision)}`);
  }
  for (const [missed, expected] of [
    ["builder: https://github.com/acme/builder", /builder mismatch/],
    ["source: https://github.com/acme/library", /source mismatch: got https:\/\/github.com\/acme\/app/],
    ["source: {glob: 'https://github.com/acme'}", /source mismatch/],
    ["ref: refs/heads/main", /ref mismatch/],
    [`commit: ${"d".repeat(40)}`, /commit mismatch/],
    ["buildType: https://other.example", /buildType mismatch/],
    ["level: 4", /level mismatch: got 3/],
  ] as const) {
    assert.match(reasons(await decide(policy(missed))), expected);
  }
  const signatures = `signers: {a: {key: a.pub}, b: {key: b.pub}}\n${rule(registry, "signers: b")}`;
  assert.ok(!(await decide(signatures)).ok, "an attestation is not a signature");
});

test("decideImage: attestation of another image or type, attached to this one -> does not count", async (t) => {
  const { decide, store, image, registry, write } = await world(t);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  write("c.pub", String(publicKey.export({ type: "spki", format: "pem" })));
  const subject = (await store.resolve(image.replace(/.*@/, ""))) ?? assert.fail();
  const predicateType = "https://slsa.dev/provenance/v1";
  const attach = async (hex: string) => {
    const statement = {
      _type: "https://in-toto.io/Statement/v1",
      subject: [{ digest: { sha256: hex } }],
      predicateType,
      predicate: {},
    };
    const signer = signerFromKey(privateKey);
    const evidence = await signInTotoStatement({ signer }, Buffer.from(JSON.stringify(statement)));
    await putBundleReferrer({
      store,
      subject,
      bundle: writeBundle(evidence),
      predicateType,
      created: new Date(MONDAY),
    });
  };
  const policy = (type: string) =>
    `signers: {c: {key: c.pub}}\nrules: [{images: "${registry}/*", attestations: [{type: ${type}, signers: c, log: insecure-skip}]}]\n`;
  await attach("0".repeat(64));
  assert.match(reasons(await decide(policy(predicateType))), /no subject of the statement has the image's digest/);
  await attach(image.replace(/.*:/, ""));
  assert.ok((await decide(policy(predicateType))).ok);
  assert.ok(!(await decide(policy("slsaprovenance02"))).ok);
});

const scan = (time: string, severities: readonly string[]) => ({
  invocation: {},
  scanner: {
    uri: "trivy",
    result: {
      SchemaVersion: 2,
      Results: [
        { Vulnerabilities: severities.map((Severity, index) => ({ VulnerabilityID: `CVE-${index}`, Severity })) },
      ],
    },
  },
  metadata: { scanStartedOn: time, scanFinishedOn: time },
});

test("decideImage: vulnerability scans by age and severity; an older scan does not outvote a newer one", async (t) => {
  const { decide, attest, person, registry, at, setTime } = await world(t);
  const policy = (demand: string) =>
    `${SIGNERS(at)}rules: [{images: "${registry}/*", attestations: [{type: vuln, signers: alice, vulnerabilities: {${demand}}}]}]\n`;
  await attest(person(ALICE), "vuln", scan("2026-03-01T12:00:00Z", ["LOW", "MEDIUM"]));
  assert.ok((await decide(policy("worst: medium, maxAge: 1d"))).ok);
  assert.match(reasons(await decide(policy("worst: low"))), /found CVE-1 \(medium\), want at worst low/);
  assert.ok((await decide(policy("worst: low, ignore: [CVE-1]"))).ok);
  assert.match(reasons(await decide(policy("worst: low, ignore: [CVE-0]"))), /CVE-1/);
  assert.match(reasons(await decide(policy("maxAge: 23h"))), /scan is too old/);
  setTime(MONDAY + DAY);
  await attest(person(ALICE), "vuln", scan("2026-03-03T12:00:00Z", ["CRITICAL"]));
  assert.match(
    reasons(await decide(policy("worst: medium"))),
    /CVE-0 \(critical\)[\s\S]*newer scan|newer scan[\s\S]*CVE-0 \(critical\)/,
  );
  assert.ok((await decide(policy("worst: critical, maxAge: 1d"))).ok);
});

test("decideImage: a scan by an earlier version of a key does not outvote a newer one by the key", async (t) => {
  const { decide, attest, key, registry } = await world(t);
  const policy = `signers: {b: {key: b.pub}}\nrules: [{images: "${registry}/*", attestations: [{type: vuln, signers: b, log: insecure-skip, vulnerabilities: {worst: low}}]}]\n`;
  const versions = { "b.pub": ["a.pub"] };
  await attest(key("a"), "vuln", scan("2026-03-01T12:00:00Z", ["LOW"]));
  assert.ok((await decide(policy, { versions })).ok);
  assert.ok(!(await decide(policy)).ok);
  await attest(key("b"), "vuln", scan("2026-03-02T12:00:00Z", ["CRITICAL"]));
  assert.match(reasons(await decide(policy, { versions })), /newer scan/);
});

test("decideImage: policies inline and in files see the statement, and their refusal is the reason", async (t) => {
  const { decide, attest, key, registry, write } = await world(t);
  await attest(key("a"), "https://example.com/t", { tests: "passed" });
  const policy = (text: string) =>
    `signers: {a: {key: a.pub}}\nrules:\n  - images: "${registry}/*"\n    attestations:\n      - type: https://example.com/t\n        signers: a\n        policy:\n${text}`;
  const cue = (value: string) => policy(`          - cue: |\n              predicate: tests: "${value}"\n`);
  write("p.cue", 'predicate: tests: "failed"');
  assert.ok((await decide(cue("passed"))).ok);
  assert.ok(!(await decide(cue("failed"))).ok);
  assert.ok(!(await decide(policy("          - file: p.cue\n"))).ok);
});

test("decideFile: the rule for the file's name, and a signature of this file only", async (t) => {
  const { decideBlob, tsign, write, key, at } = await world(t);
  write("app-1.tar.gz", "content");
  write("other.tar.gz", "other");
  for (const [file, who] of [
    ["app-1.tar.gz", "a"],
    ["other.tar.gz", "a"],
  ] as const) {
    const to = ["--bundle", `${file}.json`, "--signing-config", "rekor2.json", "--trusted-root", "root.json", "--yes"];
    await tsign("sign-blob", ...key(who), ...to, file);
  }
  const policy = (files: string, who = "a") =>
    `${SIGNERS(at)}rules: [{files: "${files}", signatures: {signers: ${who}}}]\n`;
  assert.ok((await decideBlob(policy("app-*.tar.gz"), "app-1.tar.gz", "app-1.tar.gz.json")).ok);
  const other = await decideBlob(policy("app-*.tar.gz"), "app-1.tar.gz", "other.tar.gz.json");
  assert.ok(!other.ok && !other.allowed, "a signature of another file");
  assert.ok(!(await decideBlob(policy("app-*.tar.gz", "b"), "app-1.tar.gz", "app-1.tar.gz.json")).ok);
  const none = await decideBlob(policy("app-*.zip"), "app-1.tar.gz", "app-1.tar.gz.json");
  assert.deepEqual([none.ok, none.allowed, none.reasons], [false, false, ["no rule matches"]]);
  const images = `${SIGNERS(at)}rules: [{images: "**", signatures: {signers: a}}]\n`;
  assert.ok(
    !(await decideBlob(images, "app-1.tar.gz", "app-1.tar.gz.json")).ok,
    "a pattern for images matches no file",
  );
});

test("decideFile: times and log entries of another signature make a signature neither older nor newer", async (t) => {
  const { decideBlob, tsign, read, write, key, setTime } = await world(t);
  write("app.tar.gz", "content");
  const sign = async (name: string): Promise<Bundle> => {
    const to = ["--bundle", `${name}.json`, "--signing-config", "rekor2.json", "--trusted-root", "root.json", "--yes"];
    await tsign("sign-blob", ...key("a"), ...to, "app.tar.gz");
    return JSON.parse(read(`${name}.json`));
  };
  const early = await sign("early");
  setTime(MONDAY + 10 * DAY);
  const late = await sign("late");
  const rules = 'rules: [{files: "*", signatures: {signers: a MORE}}]\n';
  const retired = `signers: {a: {key: a.pub, until: 2026-03-05}}\n${rules.replace(" MORE", "")}`;
  const recent = `signers: {a: {key: a.pub}}\n${rules.replace(" MORE", ", maxAge: 5d")}`;
  const accepts = async (policy: string, bundle: Bundle) => {
    write("mixed.json", JSON.stringify(bundle));
    return (await decideBlob(policy, "app.tar.gz", "mixed.json")).ok;
  };
  assert.deepEqual([await accepts(retired, early), await accepts(retired, late)], [true, false]);
  assert.deepEqual([await accepts(recent, early), await accepts(recent, late)], [false, true]);
  for (const field of ["tlogEntries", "timestampVerificationData"] as const) {
    for (const [policy, own, other] of [
      [retired, late, early],
      [recent, early, late],
    ] as const) {
      const { verificationMaterial: material } = own;
      const replaced = { ...material, [field]: other.verificationMaterial[field] };
      assert.ok(!(await accepts(policy, { ...own, verificationMaterial: replaced })), `replaced ${field}`);
    }
  }
  const { verificationMaterial: material } = late;
  const rfc3161Timestamps = [late, early].flatMap(
    ({ verificationMaterial: { timestampVerificationData: data } }) => data.rfc3161Timestamps,
  );
  const both = { ...material, timestampVerificationData: { rfc3161Timestamps } };
  assert.ok(!(await accepts(retired, { ...late, verificationMaterial: both })), "a timestamp of both signatures");
});
