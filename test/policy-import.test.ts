import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { writePem } from "../src/format/pem.ts";
import { readPolicyDocument } from "../src/trust-policy/document.ts";
import { writePolicy } from "../src/trust-policy/format.ts";
import { importPolicy } from "../src/trust-policy/import/index.ts";
import { readTrustPolicy } from "../src/trust-policy/read.ts";
import { LEGACY, OFFLINE, run, temporaryFolder, testRegistry } from "./support/test-io.ts";

const pem = () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return publicKey.export({ type: "spki", format: "pem" }).toString();
};
const [KEY, OTHER] = [pem(), pem()];
const DEV = { issuer: "https://i.example", subject: "dev@example.com" };

type Rule = Record<string, unknown> & {
  signatures?: Record<string, unknown>;
  attestations?: Record<string, unknown>[];
};

/** The imported policy, which can be read, and its notes without those that change no verdict. */
async function imported(documents: unknown, options = { anyRepository: false }) {
  const text =
    typeof documents === "string"
      ? documents
      : [documents]
          .flat()
          .map((each) => stringify(each))
          .join("---\n");
  const { form, policy, notes } = importPolicy(text, "f.yaml", options);
  await readTrustPolicy(await writePolicy(policy, []), "p.yaml");
  const named = (kind: string) =>
    notes.filter((note) => note.kind === kind).map((note) => `${note.place} ${note.text}`);
  const rules = policy.rules as Rule[];
  return {
    form,
    policy,
    rules,
    notes,
    refused: named("refused"),
    stricter: named("stricter"),
    forms: named("forms"),
    files: named("file"),
  };
}

const cip = (spec: Record<string, unknown>, version = "v1beta1", name = "p") => ({
  apiVersion: `policy.sigstore.dev/${version}`,
  kind: "ClusterImagePolicy",
  metadata: { name },
  spec: { images: [{ glob: "r.example/**" }], ...spec },
});
const byKey = (more = {}) => cip({ authorities: [{ name: "a", key: { data: KEY }, ...more }] });
const keyless = (more = {}, beside = {}) =>
  cip({ authorities: [{ name: "a", keyless: { identities: [DEV], ...more }, ...beside }] });

test("ClusterImagePolicy: keys, logs and timestamps, in both versions -> the same demands", async () => {
  for (const version of ["v1alpha1", "v1beta1"]) {
    const { policy, form, rules, refused, stricter, forms } = await imported({
      ...byKey(),
      apiVersion: `policy.sigstore.dev/${version}`,
    });
    assert.equal(form, "ClusterImagePolicy");
    assert.deepEqual(policy.signers, { a: { key: KEY } });
    assert.deepEqual(rules, [
      { name: "p", images: "r.example/**", signatures: { signers: "a", log: "insecure-skip" } },
    ]);
    assert.deepEqual([refused, stricter], [[], []]);
    assert.match(forms.join(), /f\.yaml:\d+:\d+ policy-controller reads image signatures in the legacy form only/);
  }
  const logged = await imported(byKey({ ctlog: { url: "https://rekor.sigstore.dev" } }));
  assert.deepEqual(logged.rules[0]?.signatures, { signers: "a" });
  const stamped = await imported(byKey({ rfc3161timestamp: { trustRootRef: "own" } }));
  assert.deepEqual(stamped.rules[0]?.signatures, { signers: "a-2", log: "insecure-skip", timestamp: "required" });
  assert.deepEqual(stamped.policy.trust, { own: { trustedRoot: "own.trusted-root.json" } });
  const unnamed = await imported(byKey({ ctlog: { url: "https://rekor.sigstore.dev" }, rfc3161timestamp: {} }));
  assert.deepEqual(
    unnamed.rules[0]?.signatures,
    { signers: "a" },
    "policy-controller demands no timestamp without trustRootRef",
  );
  assert.equal((await imported(byKey({ signatureFormat: "bundle" }))).rules[0]?.signatures?.["form"], "bundle");
  const several = await imported(byKey({ key: { data: KEY + OTHER } }));
  assert.deepEqual(several.rules[0]?.signatures?.["signers"], { any: ["a", "a-2"] });
  const kms = await imported(byKey({ key: { kms: "awskms:///alias/k" } }));
  assert.deepEqual(kms.policy.signers, { a: { key: "awskms:///alias/k" } });
  const secret = await imported(byKey({ key: { secretRef: { name: "s" } } }));
  assert.deepEqual(secret.policy.signers, { a: { key: "k8s://cosign-system/s" } });
  assert.match((await imported(byKey({ key: { data: KEY, hashAlgorithm: "sha512" } }))).stricter.join(), /sha512/);
});

test("ClusterImagePolicy: identities, trusted roots and regular expressions", async () => {
  const plain = await imported(keyless());
  assert.deepEqual(plain.policy.signers, { dev: { identity: DEV.subject, issuer: DEV.issuer } });
  assert.deepEqual(plain.rules[0]?.signatures, { signers: "dev" }, "the log is demanded");
  const pattern = async (regexp: string) => {
    const { policy } = await imported(keyless({ identities: [{ issuer: DEV.issuer, subjectRegExp: regexp }] }));
    const { signers } = await readTrustPolicy(JSON.stringify(policy), "p");
    const [signer] = signers.values();
    return (text: string) => (signer?.kind === "identity" ? signer.identity.matches(text) : undefined);
  };
  const inside = await pattern("dev@");
  assert.deepEqual([inside("a dev@example.com"), inside("dev")], [true, false], "found anywhere, as in Go");
  const whole = await pattern("^dev@example\\.com$");
  assert.deepEqual(
    [whole("dev@example.com"), whole("dev@example.com.evil"), whole("a dev@example.com")],
    [true, false, false],
  );
  const either = await pattern("^a$|b");
  assert.deepEqual([either("a"), either("xbx"), either("ax")], [true, true, false]);
  const insensitive = await pattern("(?i)^DEV$");
  assert.deepEqual([insensitive("dev"), insensitive("devs")], [true, false]);
  const escaped = await pattern("^a\\$");
  assert.deepEqual([escaped("a$b"), escaped("a")], [true, false]);
  const rooted = await imported(
    keyless({ trustRootRef: "own", insecureIgnoreSCT: true }, { ctlog: { trustRootRef: "own" } }),
  );
  assert.deepEqual(rooted.policy.trust, {
    "own-without-sct": { trustedRoot: "own.trusted-root.json", insecureIgnoreSct: true },
  });
  assert.match(rooted.files.join(), /write the trusted root own\.trusted-root\.json/);
  const two = await imported(keyless({ trustRootRef: "own" }, { ctlog: { trustRootRef: "another" } }));
  assert.match(String(two.rules[0]?.["refuse"]), /no authority can be met/);
});

test("ClusterImagePolicy: what has no equal refuses its images, and is named with its place", async () => {
  const refuses = async (document: unknown, pattern: RegExp) => {
    const { rules, refused } = await imported(document);
    assert.equal(typeof rules[0]?.["refuse"], "string", JSON.stringify(rules));
    assert.match(refused.join("\n"), pattern);
    assert.match(refused.join("\n"), /^f\.yaml:\d+:\d+ /);
  };
  await refuses(
    cip({ authorities: [{ key: { data: KEY } }], policy: { type: "cue", data: "true" } }),
    /policy on all authorities/,
  );
  await refuses(keyless({ "ca-cert": { data: KEY } }), /ca-cert/);
  await refuses(keyless({ identities: [{ issuer: "https://i.example" }] }), /missing subject/);
  await refuses(byKey({ future: 1 }), /future has no equal/);
  await refuses(cip({ authorities: [{ key: { data: KEY } }], future: 1 }), /future has no equal/);
  await refuses(cip({}), /no authority/);
  const attested = { name: "t", predicateType: "https://t.example" };
  const other = { ...attested, predicateType: "https://o.example" };
  const alternatives = [[attested], [other]].map((attestations) => ({ key: { data: KEY }, attestations }));
  await refuses(cip({ authorities: alternatives }), /alternatives that demand different attestations/);
  await refuses(cip({ authorities: [...alternatives.slice(1), { key: { data: OTHER } }] }), /alternatives/);
  const fails = await imported(cip({ authorities: [{ static: { action: "fail", message: "not here" } }] }));
  assert.deepEqual([fails.rules[0]?.["refuse"], fails.refused], ["not here", []]);
  const passes = await imported(cip({ authorities: [{ static: { action: "pass" } }, { key: { data: KEY } }] }));
  assert.equal(passes.rules[0]?.["insecureAcceptAnything"], true);
  const dropped = await imported(
    cip({ authorities: [{ key: { data: KEY } }, { keyless: { "ca-cert": { data: KEY }, identities: [DEV] } }] }),
  );
  assert.deepEqual(dropped.rules[0]?.signatures?.["signers"], "p-authority-0", "one alternative less");
  const moved = await imported(byKey({ source: [{ oci: "r.example/sigs", tagPrefix: "x" }] }));
  assert.equal(moved.stricter.length, 2);
  const matched = await imported(
    cip({ authorities: [{ key: { data: KEY } }], match: [{ resource: "pods" }], mode: "warn" }),
  );
  assert.deepEqual([matched.rules[0]?.["effect"], matched.stricter.length], ["warn", 1]);
  const mixed = await imported(cip({ authorities: [{ key: { data: KEY } }, { keyless: { identities: [DEV] } }] }));
  assert.deepEqual([mixed.rules[0]?.signatures?.["log"], mixed.stricter.length], [undefined, 1], "the strictest log");
});

test("ClusterImagePolicy: attestations with policies", async () => {
  const attestations = [
    { name: "t", predicateType: "https://t.example", policy: { type: "cue", data: "predicate: x: 1" } },
  ];
  const { rules } = await imported(byKey({ attestations }));
  const [attestation] = rules[0]?.attestations ?? [];
  assert.deepEqual(attestation, {
    type: "https://t.example",
    signers: "a",
    log: "insecure-skip",
    policy: [{ cue: "predicate: x: 1" }],
  });
  assert.equal(rules[0]?.signatures, undefined, "policy-controller checks no signature then");
  const remote = [
    { ...attestations[0], policy: { type: "rego", remote: { url: "https://p.example", sha256sum: "0" } } },
  ];
  const elsewhere = await imported(byKey({ attestations: remote }));
  assert.deepEqual(elsewhere.rules[0]?.attestations?.[0]?.["policy"], [{ file: "t.rego" }]);
  assert.match(elsewhere.files.join(), /write the policy into t\.rego/);
});

test("ClusterImagePolicy: globs", async () => {
  const globs = async (...texts: string[]) => {
    const { rules, refused } = await imported(
      cip({ images: texts.map((glob) => ({ glob })), authorities: [{ key: { data: KEY } }] }),
    );
    return refused.length > 0 ? undefined : rules[0]?.["images"];
  };
  assert.equal(await globs("*"), "index.docker.io/library/*");
  assert.equal(await globs("*/*"), "index.docker.io/*/*");
  assert.equal(await globs("r.example/a/*"), "r.example/a/*");
  assert.equal(await globs("r.example/a:*", "r.example/a@*"), "r.example/a");
  assert.equal(await globs("r.example/a:**", "r.example/a@sha256:*"), "r.example/a");
  assert.equal(await globs("r.example/a:**"), "r.example/a:*");
  assert.equal(await globs("r.example/a:v*"), "r.example/a:v*");
  assert.equal(await globs("r.example/a"), "r.example/a:latest");
  assert.equal(await globs("r.example:5000/a*"), "r.example:5000/a*");
  for (const glob of [
    "**demo**",
    "r.example/a*b",
    `r.example/a@sha256:${"0".repeat(64)}`,
    "us-*.r.example/**",
    "index.docker.io/team**",
    "image",
  ]) {
    assert.equal(await globs(glob), undefined, glob);
  }
});

test("several policies that match an image must all be met", async () => {
  const one = cip({ images: [{ glob: "r.example/**" }], authorities: [{ key: { data: KEY } }] }, "v1beta1", "wide");
  const two = (glob: string, more = {}) =>
    cip({ images: [{ glob }], authorities: [{ key: { data: OTHER } }], ...more }, "v1beta1", "narrow");
  const both = await imported([one, two("r.example/prod/**")]);
  assert.deepEqual(
    both.rules.map(({ images, signatures }) => [images, signatures?.["signers"]]),
    [
      ["r.example/prod/**", { all: ["wide-authority-0", "narrow-authority-0"] }],
      ["r.example/**", "wide-authority-0"],
    ],
  );
  const apart = await imported([one, two("s.example/**")]);
  assert.deepEqual(
    apart.rules.map(({ name }) => name),
    ["wide", "narrow"],
  );
  const partly = await imported([
    two("r.example/*/x"),
    cip({ images: [{ glob: "r.example/y/*" }], authorities: [{ key: { data: KEY } }] }),
  ]);
  assert.deepEqual(partly.rules[0]?.signatures?.["signers"], { all: ["narrow-authority-0", "p-authority-0"] });
  const tagged = await imported([one, two("r.example/app:v*")]);
  assert.deepEqual(
    tagged.rules.map(({ images }) => images),
    ["r.example/app:v*", "r.example/app", "r.example/**"],
  );
  assert.deepEqual(
    tagged.rules[1]?.signatures?.["signers"],
    { all: ["wide-authority-0", "narrow-authority-0"] },
    "also by digest",
  );
  const anywhere = await imported([one, two("**demo**")]);
  assert.deepEqual(anywhere.rules[0]?.signatures?.["signers"], { all: ["wide-authority-0", "narrow-authority-0"] });
  const refusing = await imported([
    one,
    two("r.example/prod/**", { authorities: [{ static: { action: "fail", message: "no" } }] }),
  ]);
  assert.equal(refusing.rules[0]?.["refuse"], "no");
  const warned = await imported([one, two("r.example/prod/**", { mode: "warn" })]);
  assert.deepEqual(
    [warned.rules[0]?.["effect"], warned.stricter.some((text) => text.includes("effect warn"))],
    [undefined, true],
  );
});

const kyverno = (entry: Record<string, unknown>, more = {}, rule = {}) => ({
  apiVersion: "kyverno.io/v1",
  kind: "ClusterPolicy",
  metadata: { name: "p" },
  spec: {
    validationFailureAction: "Enforce",
    rules: [
      {
        name: "r",
        match: { any: [{ resources: { kinds: ["Pod"] } }] },
        verifyImages: [{ imageReferences: ["r.example/app*"], ...entry }],
        ...rule,
      },
    ],
    ...more,
  },
});
const keys = (publicKeys: string, more = {}) => ({ keys: { publicKeys, ...more } });
const IGNORED = { rekor: { ignoreTlog: true }, ctlog: { ignoreSCT: true } };

test("ClusterPolicy: attestor sets, counts and evidence", async () => {
  const signed = async (...attestors: unknown[]) => (await imported(kyverno({ attestors }))).rules[0]?.signatures;
  assert.deepEqual(await signed({ entries: [keys(KEY, IGNORED)] }), { signers: "r", log: "insecure-skip" });
  assert.deepEqual(await signed({ entries: [keys(KEY)] }), { signers: "r" });
  assert.deepEqual(await signed({ entries: [keys(KEY + OTHER)] }), { signers: { all: ["r", "r-2"] } });
  assert.deepEqual(await signed({ count: 1, entries: [keys(KEY + OTHER)] }), { signers: { any: ["r", "r-2"] } });
  const three = [keys(KEY), keys(OTHER), { keyless: DEV }];
  assert.deepEqual(await signed({ count: 2, entries: three }), { signers: { atLeast: 2, of: ["r", "r-2", "dev"] } });
  assert.deepEqual(await signed({ entries: [keys(KEY)] }, { entries: [keys(OTHER)] }), {
    signers: { all: ["r", "r-2"] },
  });
  const nested = { entries: [{ attestor: { count: 1, entries: [keys(KEY), keys(OTHER)] } }, { keyless: DEV }] };
  assert.deepEqual(await signed(nested), { signers: { all: [{ any: ["r", "r-2"] }, "dev"] } });
  const mixed = await imported(kyverno({ attestors: [{ count: 1, entries: [keys(KEY, IGNORED), keys(OTHER)] }] }));
  assert.deepEqual(mixed.rules[0]?.signatures, { signers: { any: ["r", "r-2"] } }, "the log is demanded of both");
  assert.match(mixed.stricter.join(), /log differs/);
  const secret = await imported(
    kyverno({ attestors: [{ entries: [{ keys: { secret: { name: "s", namespace: "n" } } }] }] }),
  );
  assert.deepEqual(secret.policy.signers, { r: { key: "k8s://n/s" } });
  const own = await imported(
    kyverno({
      attestors: [{ entries: [{ keyless: { ...DEV, roots: KEY, rekor: { url: "https://l.example", pubkey: KEY } } }] }],
    }),
  );
  assert.match(own.files.join(), /rekor\.pubkey, roots/);
  assert.deepEqual(own.policy.trust, { r: { trustedRoot: "r.trusted-root.json" } });
  const wild = await imported(
    kyverno({ attestors: [{ entries: [{ keyless: { ...DEV, subject: "https://github.com/acme/*@refs/tags/v?" } }] }] }),
  );
  const [signer] = (await readTrustPolicy(JSON.stringify(wild.policy), "p")).signers.values();
  assert.ok(signer?.kind === "identity" && signer.identity.matches("https://github.com/acme/a/b@refs/tags/v1"));
  assert.ok(!signer.identity.matches("https://github.com/acme/a@refs/tags/v12"));
});

test("ClusterPolicy: form, action, digests and scope", async () => {
  const attestors = [{ entries: [keys(KEY)] }];
  const bundle = await imported(kyverno({ attestors, type: "SigstoreBundle" }));
  assert.deepEqual([bundle.rules[0]?.signatures?.["form"], bundle.forms], ["bundle", []]);
  const legacy = await imported(kyverno({ attestors }));
  assert.equal(legacy.rules[0]?.signatures?.["form"], undefined);
  assert.match(legacy.forms.join(), /type Cosign reads the legacy form only/);
  assert.equal(legacy.rules[0]?.["images"], "r.example/app**");
  const effect = async (entry: object, more = {}) =>
    (await imported(kyverno({ attestors, ...entry }, more))).rules[0]?.["effect"];
  assert.equal(await effect({}), undefined);
  assert.equal(await effect({ failureAction: "Audit" }), "audit");
  assert.equal(await effect({}, { validationFailureAction: "Audit" }), "audit");
  assert.equal(await effect({}, { validationFailureAction: undefined }), "audit", "the default of Kyverno");
  const overrides = {
    validationFailureAction: "Audit",
    validationFailureActionOverrides: [{ action: "Enforce", namespaces: ["n"] }],
  };
  assert.equal(await effect({}, overrides), undefined, "the strictest action");
  for (const [failurePolicy, count] of [
    ["Ignore", 1],
    ["Fail", 0],
  ] as const) {
    const documents = [
      kyverno({ attestors }, { failurePolicy }),
      ivp({ failurePolicy, validations: [call("attestors.a")] }),
    ];
    for (const document of documents) {
      const { stricter } = await imported(document);
      assert.equal(stricter.filter((text) => text.includes("an error keeps it from verifying")).length, count);
    }
  }
  const users = await imported(kyverno({ attestors, imageReferences: ["docker.io/team*"] }));
  assert.match(users.refused.join(), /pattern "docker\.io\/team\*" has no equal/, "all images of several users");
  const pinned = async (entry: object) => (await imported(kyverno({ attestors, ...entry }))).rules[0]?.["digest"];
  assert.equal(await pinned({ mutateDigest: false }), "required");
  assert.equal(await pinned({ mutateDigest: false, verifyDigest: false }), undefined);
  assert.equal(await pinned({}), undefined);
  const narrow = await imported(
    kyverno(
      { attestors, skipImageReferences: ["r.example/app/x*"] },
      {},
      { exclude: {}, match: { any: [{ resources: { kinds: ["Pod"], namespaces: ["n"] } }] } },
    ),
  );
  for (const part of [/skipImageReferences/, /exclude/, /match has no equal/])
    assert.match(narrow.stricter.join("\n"), part);
});

test("ClusterPolicy: what has no equal refuses its images", async () => {
  const refuses = async (entry: Record<string, unknown>, pattern: RegExp, rule = {}) => {
    const { rules, refused } = await imported(kyverno(entry, {}, rule));
    assert.equal(typeof rules[0]?.["refuse"], "string", JSON.stringify(rules));
    assert.match(refused.join("\n"), pattern);
  };
  const attestors = [{ entries: [keys(KEY)] }];
  await refuses({ attestors, type: "Notary" }, /type Notary/);
  await refuses({ attestors, validate: { deny: {} } }, /validate/);
  await refuses({ key: KEY }, /key of an entry/);
  await refuses({}, /no attestor/);
  await refuses({ attestors, future: 1 }, /future has no equal/);
  await refuses({ attestors: [{ entries: [keys("{{ keys.data.k }}")] }] }, /variables/);
  await refuses({ attestors: [{ entries: [{ certificates: { cert: KEY } }] }] }, /certificates/);
  await refuses({ attestors: [{ entries: [{ ...keys(KEY), annotations: { a: "b" } }] }] }, /annotations/);
  await refuses({ attestors: [{ entries: [{ keyless: { issuer: DEV.issuer } }] }] }, /missing subject/);
  await refuses({ attestors }, /future has no equal/, { future: 1 });
  const type = "https://t.example";
  await refuses({ attestations: [{ type, attestors, conditions: [{ all: [] }] }] }, /conditions/);
  await refuses({ attestations: [{ type }] }, /without attestors/);
  const attested = await imported(
    kyverno({ attestors, attestations: [{ predicateType: type, attestors: [{ entries: [keys(OTHER)] }] }] }),
  );
  assert.deepEqual(attested.rules[0]?.attestations, [{ type, signers: "r-2" }]);
  assert.deepEqual(attested.rules[0]?.signatures, { signers: "r" });
});

const ivp = (spec: Record<string, unknown>, version = "v1") => ({
  apiVersion: `policies.kyverno.io/${version}`,
  kind: "ImageValidatingPolicy",
  metadata: { name: "p" },
  spec: {
    matchConstraints: {
      resourceRules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] }],
    },
    matchImageReferences: [{ glob: "r.example/app*" }],
    attestors: [
      { name: "a", cosign: { key: { data: KEY } } },
      { name: "b", cosign: { keyless: { identities: [DEV] }, ctlog: { insecureIgnoreSCT: true } } },
    ],
    ...spec,
  },
});
const call = (names: string, check = "e > 0") => ({
  expression: `images.containers.map(image, verifyImageSignatures(image, [${names}])).all(e, ${check})`,
});

test("ImageValidatingPolicy: validations that count attestors, and others", async () => {
  const signers = async (validation: unknown) =>
    (await imported(ivp({ validations: [validation] }))).rules[0]?.signatures?.["signers"];
  assert.equal(await signers(call("attestors.a")), "a");
  assert.deepEqual(await signers(call("attestors.a, attestors.b")), { any: ["a", "dev"] });
  assert.deepEqual(await signers(call("attestors.a, attestors.b", "e >= 2")), { all: ["a", "dev"] });
  assert.deepEqual(await signers(call("attestors.a, attestors.b", "e > 1")), { all: ["a", "dev"] });
  assert.equal(await signers(call("attestors.a", "e == 1")), "a");
  assert.equal(
    await signers({ expression: "images.containers.all(image, verifyImageSignatures(image, [attestors.a]) > 0)" }),
    "a",
  );
  for (const wrong of [
    call("attestors.a", "e >= 0"),
    call("attestors.a, attestors.b", "e == 1"),
    call("attestors.c"),
    call("attestors.a", "e < 1"),
    { expression: `${call("attestors.a").expression} || true` },
    { expression: "object.x == 1" },
    { expression: "false" },
  ]) {
    const { rules, refused } = await imported(ivp({ validations: [wrong] }));
    assert.equal(typeof rules[0]?.["refuse"], "string", JSON.stringify(wrong));
    assert.ok(refused.length > 0);
  }
  const attested = await imported(
    ivp({
      attestations: [{ name: "t", intoto: { type: "https://t.example" } }],
      validations: [
        call("attestors.a"),
        {
          expression:
            "images.containers.map(image, verifyAttestationSignatures(image, attestations.t ,[attestors.b])).all(e, e > 0)",
        },
      ],
    }),
  );
  assert.deepEqual(attested.rules[0]?.attestations, [{ type: "https://t.example", signers: "dev" }]);
  assert.deepEqual(attested.policy.trust, { "without-sct": { insecureIgnoreSct: true } });
  const actions = async (...validationActions: string[]) =>
    (await imported(ivp({ validationActions, validations: [call("attestors.a")] }, "v1beta1"))).rules[0]?.["effect"];
  assert.deepEqual(
    [await actions("Deny", "Audit"), await actions("Warn"), await actions("Audit")],
    [undefined, "warn", "audit"],
  );
  for (const cosign of [
    { certificate: { cert: { value: KEY } } },
    { key: { data: KEY }, annotations: { a: "b" } },
    { key: { expression: "x" } },
  ]) {
    const { rules } = await imported(ivp({ attestors: [{ name: "a", cosign }], validations: [call("attestors.a")] }));
    assert.equal(typeof rules[0]?.["refuse"], "string");
  }
});

const signedBy = (more: Record<string, unknown> = {}) => ({
  type: "sigstoreSigned",
  keyPath: "/k.pub",
  signedIdentity: { type: "matchRepository" },
  ...more,
});

test("policy.json: scopes from the longest, requirements, and the signed repository", async () => {
  const policy = (docker: Record<string, unknown[]>, byDefault: unknown[] = [{ type: "reject" }]) =>
    JSON.stringify({ default: byDefault, transports: { docker, dir: { "": [{ type: "insecureAcceptAnything" }] } } });
  const loose = { anyRepository: true };
  const scopes = await imported(
    policy({
      "r.example": [signedBy()],
      "r.example/team": [{ type: "insecureAcceptAnything" }],
      "r.example/team/app:v1": [{ type: "reject" }],
    }),
    loose,
  );
  assert.equal(scopes.form, "policy.json");
  assert.deepEqual(
    scopes.rules.map(({ images }) => images),
    ["r.example/team/app:v1", ["r.example/team", "r.example/team/**"], "r.example/**", "**"],
  );
  assert.deepEqual(scopes.rules[2]?.signatures, { signers: "key", log: "insecure-skip" });
  assert.equal(typeof scopes.rules[3]?.["refuse"], "string");
  const user = await imported(policy({ "docker.io/team": [{ type: "insecureAcceptAnything" }] }));
  assert.equal(user.rules[0]?.["images"], "docker.io/team/**", "not the official image of that name");
  const strict = await imported(policy({ "r.example": [signedBy()] }));
  assert.match(String(strict.rules[0]?.["refuse"]), /--any-signed-repository/);
  for (const requirement of [
    { type: "signedBy", keyType: "GPGKeys", keyPath: "/k" },
    signedBy({ signedIdentity: undefined }),
    signedBy({ signedIdentity: { type: "matchExact" } }),
    signedBy({ future: 1 }),
  ]) {
    const { rules, refused } = await imported(policy({ "r.example": [requirement] }), loose);
    assert.equal(typeof rules[0]?.["refuse"], "string", JSON.stringify(requirement));
    assert.ok(refused.length > 0);
  }
  const logged = await imported(
    policy({
      "r.example": [
        signedBy({
          keyPath: undefined,
          keyDatas: [KEY, OTHER].map((key) => Buffer.from(key).toString("base64")),
          rekorPublicKeyPath: "/rekor.pub",
        }),
      ],
    }),
    loose,
  );
  assert.deepEqual(logged.rules[0]?.signatures, { signers: { any: ["key-3", "key-2-2"] } });
  assert.match(logged.files.join(), /the log keys \/rekor\.pub/);
  const pki = { caRootsPath: "/ca.pem", subjectEmail: "dev@example.com" };
  const own = await imported(policy({ "r.example": [signedBy({ keyPath: undefined, pki })] }), loose);
  assert.deepEqual(own.policy.trust, { pki: { authorities: "/ca.pem", insecureIgnoreSct: true } });
  const digest = `sha256:${"0".repeat(64)}`;
  const denied = await imported(
    policy({ [`r.example/a@${digest}`]: [{ type: "reject" }], "r.example": [signedBy()] }),
    loose,
  );
  assert.equal(denied.policy.denied?.digests?.[0]?.digest, digest);
  const hosts = await imported(policy({ "*.example.com": [signedBy()] }, [{ type: "insecureAcceptAnything" }]), loose);
  assert.equal(typeof hosts.rules.at(-1)?.["refuse"], "string", "a host with a port is not matched by the pattern");
});

test("Connaisseur: the most specific pattern, trust roots, thresholds", async () => {
  const roots = [
    { name: "default", key: KEY },
    { name: "b", key: OTHER },
    { name: "c", keyless: DEV },
  ];
  const values = (policy: unknown[], more = {}) => ({
    application: {
      validators: [
        { name: "default", type: "cosign", trustRoots: roots, ...more },
        { name: "deny", type: "static", approve: false },
        { name: "n", type: "notaryv1" },
      ],
      policy,
    },
  });
  const rules = async (policy: unknown[], more = {}) => (await imported(values(policy, more))).rules;
  const ordered = await rules([
    { pattern: "*:*", validator: "deny" },
    { pattern: "r.example/*:*" },
    { pattern: "r.example/team/*:*" },
  ]);
  assert.deepEqual(
    ordered.map(({ images }) => images),
    ["r.example/team/**", "r.example/**", "**"],
  );
  const signers = async (options: object) =>
    (await rules([{ pattern: "r.example/*:*", with: options }]))[0]?.signatures?.["signers"];
  assert.equal(await signers({}), "default");
  assert.equal(await signers({ trustRoot: "b" }), "b");
  assert.deepEqual(await signers({ trustRoot: "*" }), { all: ["default", "b", "dev"] });
  assert.deepEqual(await signers({ trustRoot: "*", threshold: 2 }), { atLeast: 2, of: ["default", "b", "dev"] });
  assert.deepEqual(await signers({ trustRoot: "*", threshold: 2, required: ["b"] }), {
    all: ["b", { any: ["default", "dev"] }],
  });
  assert.deepEqual(await signers({ trustRoot: "*", required: ["b"] }), "b");
  const [skipped] = await rules([{ pattern: "r.example/*:*", with: { verifyInTransparencyLog: false } }]);
  assert.equal(skipped?.signatures?.["log"], "insecure-skip");
  for (const rule of [
    { validator: "n" },
    { validator: "absent" },
    { with: { trustRoot: "absent" } },
    { with: { trustRoot: "*", threshold: 4 } },
    { with: { future: 1 } },
  ]) {
    const [refusing] = await rules([{ pattern: "r.example/*:*", ...rule }]);
    assert.equal(typeof refusing?.["refuse"], "string", JSON.stringify(rule));
  }
  const exact = await rules([{ pattern: "r.example/app:v1" }, { pattern: "*:*", validator: "deny" }]);
  assert.deepEqual(
    exact.map(({ images }) => images),
    ["r.example/app:v1*", "r.example/app", "**"],
  );
  assert.equal(typeof exact[1]?.["refuse"], "string");
});

test("cosign command lines: flags, continued lines, and what has no equal", async () => {
  const rules = async (text: string) => (await imported(text)).rules;
  const script =
    "#!/bin/sh\nset -e\ncosign verify --key k.pub --insecure-ignore-tlog \\\n  r.example/app:v1 r.example/web | jq .\n";
  const { form, policy, rules: read } = await imported(script);
  assert.equal(form, "cosign command line");
  assert.deepEqual(policy.signers, { k: { key: "k.pub" } });
  assert.deepEqual(
    read.map(({ images, signatures }) => [images, signatures]),
    [
      ["r.example/app", { signers: "k", log: "insecure-skip" }],
      ["r.example/web", { signers: "k", log: "insecure-skip" }],
    ],
  );
  const [attested] = await rules(
    "tsign verify-attestation --type vuln --policy p.rego --certificate-identity=dev@example.com --certificate-oidc-issuer https://i.example r.example/app",
  );
  assert.deepEqual(attested?.attestations, [{ type: "vuln", signers: "dev", policy: [{ file: "p.rego" }] }]);
  const [file] = await rules("cosign verify-blob --key k.pub --bundle b.json out/app.tar.gz");
  assert.deepEqual([file?.["files"], file?.signatures], ["app.tar.gz", { signers: "k" }]);
  assert.equal((await rules("cosign verify --key k.pub $IMAGE"))[0]?.["images"], "**");
  for (const flags of [
    "-a env=prod --key k.pub",
    "--sk",
    "--certificate-identity dev@example.com",
    "--key k.pub --check-claims=false",
    "--key k.pub --future x",
    "",
  ]) {
    const [rule] = await rules(`cosign verify ${flags} r.example/app`);
    assert.equal(typeof rule?.["refuse"], "string", flags);
  }
});

test("policy import: unknown and broken files -> one line; --strict fails for what has no equal", async (t) => {
  const cwd = temporaryFolder(t);
  const attempt = (text: string, ...flags: string[]) => {
    writeFileSync(join(cwd, "f.yaml"), text);
    return run(["policy", "import", ...flags, "f.yaml"], { cwd });
  };
  for (const text of ["kind: Pod\napiVersion: v1\n", "", "[]", "a: [", "a: 1\na: 2\n", "x: *y\n", "spec: !!binary x"]) {
    const { code, stdout, stderr } = await attempt(text);
    assert.deepEqual([code, stdout], [1, ""], text);
    assert.match(stderr, /^Error: (?:import|read) f\.yaml: [^\n]+\n/, text);
  }
  const whole = stringify(byKey());
  assert.equal((await attempt(whole, "--strict")).code, 0);
  const strict = await attempt(stringify(byKey({ future: 1 })), "--strict");
  assert.deepEqual([strict.code, strict.stdout], [1, ""]);
  assert.match(strict.stderr, /refused: f\.yaml:\d+:\d+: future has no equal/);
});

/** A registry with images: signed in each form, by another key, and unsigned. */
async function images(t: TestContext) {
  const cwd = temporaryFolder(t);
  const registry = await testRegistry(t);
  const env = { COSIGN_PASSWORD: "pw", TSIGN_SANDBOX: registry };
  const tsign = (...argv: string[]) => run(argv, { cwd, env });
  for (const name of ["a", "b"]) await tsign("generate-key-pair", "--output-key-prefix", name);
  const push = async (name: string) => (await tsign("sandbox", "push", `${name}:v1`)).stdout.trim();
  const named = {
    bundle: await push("bundle"),
    legacy: await push("legacy"),
    other: await push("other"),
    unsigned: await push("unsigned"),
  };
  await tsign("sign", "-y", "--key", "a.key", ...OFFLINE, named.bundle);
  await tsign("sign", "-y", "--key", "a.key", ...OFFLINE, LEGACY, named.legacy);
  await tsign("sign", "-y", "--key", "b.key", ...OFFLINE, named.other);
  return { cwd, registry, tsign, named };
}

test("imported policies decide as the programs do: signed by the key, by another key, and not signed", async (t) => {
  const { cwd, registry, tsign, named } = await images(t);
  const { readFileSync } = await import("node:fs");
  const key = readFileSync(join(cwd, "a.pub"), "utf8");
  const documents: Record<string, string> = {
    "cip.yaml": stringify(cip({ images: [{ glob: `${registry}/**` }], authorities: [{ key: { data: key } }] })),
    "bundle.yaml": stringify(
      kyverno({
        imageReferences: [`${registry}/*`],
        type: "SigstoreBundle",
        attestors: [{ entries: [keys(key, IGNORED)] }],
      }),
    ),
    "kyverno.yaml": stringify(
      kyverno({ imageReferences: [`${registry}/*`], attestors: [{ entries: [keys(key, IGNORED)] }] }),
    ),
    "ivp.yaml": stringify(
      ivp({
        matchImageReferences: [{ glob: `${registry}/*` }],
        attestors: [{ name: "a", cosign: { key: { data: key }, ctlog: { insecureIgnoreTlog: true } } }],
        validations: [call("attestors.a")],
      }),
    ),
    "policy.json": JSON.stringify({
      default: [{ type: "reject" }],
      transports: { docker: { [registry]: [signedBy({ keyPath: join(cwd, "a.pub") })] } },
    }),
    "verify.sh": `cosign verify --key a.pub --insecure-ignore-tlog ${Object.values(named).join(" ")}\n`,
    "values.yaml": stringify({
      application: {
        validators: [{ name: "default", type: "cosign", trustRoots: [{ name: "default", key }] }],
        policy: [{ pattern: `${registry}/*:*`, with: { verifyInTransparencyLog: false } }],
      },
    }),
  };
  for (const [name, text] of Object.entries(documents)) {
    writeFileSync(join(cwd, name), text);
    const read = await tsign("policy", "import", "--any-signed-repository", "--output-file", "p.yaml", name);
    assert.equal(read.code, 0, `${name}: ${read.stderr}`);
    const verdicts = await Promise.all(
      Object.values(named).map(async (image) => (await tsign("verify", "--trust-policy", "p.yaml", image)).code === 0),
    );
    assert.deepEqual(
      verdicts,
      [true, name !== "bundle.yaml", false, false],
      `${name}: bundle, legacy, other key, unsigned`,
    );
  }
});

test("policy export: import, export and import again -> the same policy", async (t) => {
  const cwd = temporaryFolder(t);
  const tsign = async (...argv: string[]) => {
    const ended = await run(argv, { cwd });
    assert.equal(ended.code, 0, ended.stderr);
    return ended.stdout;
  };
  const again = async (document: unknown, format: string) => {
    writeFileSync(
      join(cwd, "f.yaml"),
      format === "policy.json"
        ? JSON.stringify(document)
        : [document]
            .flat()
            .map((each) => stringify(each))
            .join("---\n"),
    );
    const loose = format === "policy.json" ? ["--any-signed-repository"] : [];
    const values = (text: string) => {
      const { rules, ...policy } = readPolicyDocument(text, "p").value as { rules: Rule[] };
      return shape({ ...policy, rules: rules.map(({ name: _, ...rule }) => rule) });
    };
    const first = await tsign("policy", "import", ...loose, "f.yaml");
    writeFileSync(join(cwd, "p.yaml"), first);
    writeFileSync(join(cwd, "g.yaml"), await tsign("policy", "export", "--strict=false", "--format", format, "p.yaml"));
    assert.deepEqual(values(await tsign("policy", "import", ...loose, "g.yaml")), values(first), format);
  };
  const log = { ctlog: { url: "https://rekor.sigstore.dev" } };
  await again(byKey(), "cip");
  await again(
    cip({
      authorities: [
        { name: "a", key: { data: KEY }, ...log },
        { keyless: { identities: [{ ...DEV, subject: undefined, subjectRegExp: "dev@|ops@" }] } },
      ],
    }),
    "cip",
  );
  await again(keyless({ trustRootRef: "own", insecureIgnoreSCT: true }, { ctlog: { trustRootRef: "own" } }), "cip");
  await again(
    byKey({
      attestations: [{ name: "t", predicateType: "https://t.example", policy: { type: "rego", data: "package x" } }],
    }),
    "cip",
  );
  await again(
    [
      byKey(),
      cip({ images: [{ glob: "r.example/x/**" }], authorities: [{ static: { action: "fail", message: "no" } }] }),
    ],
    "cip",
  );
  await again(cip({ mode: "warn", authorities: [{ static: { action: "pass" } }] }), "cip");
  await again(ivp({ validations: [call("attestors.a, attestors.b")] }), "ivp");
  await again(
    ivp({
      validationActions: ["Warn"],
      validationConfigurations: { mutateDigest: false },
      validations: [call("attestors.a, attestors.b", "e >= 2")],
    }),
    "ivp",
  );
  await again(
    {
      default: [{ type: "reject" }],
      transports: {
        docker: {
          "r.example/a": [
            signedBy({ keyPath: undefined, keyDatas: [KEY, OTHER].map((key) => Buffer.from(key).toString("base64")) }),
          ],
          "r.example": [{ type: "insecureAcceptAnything" }],
        },
      },
    },
    "policy.json",
  );
});

test("policy export: Kyverno takes no policy without attestors, and asks for signatures unless told otherwise", async (t) => {
  const cwd = temporaryFolder(t);
  const rules = `version: 1
rules:
  - {images: r.example/no/*, refuse: not here}
  - {images: r.example/open/*, insecureAcceptAnything: true}
  - {images: r.example/named/*, digest: required, insecureAcceptAnything: true}
`;
  writeFileSync(join(cwd, "p.yaml"), rules);
  const { code, stdout, stderr } = await run(["policy", "export", "--format", "ivp", "p.yaml"], { cwd });
  assert.equal(code, 0, stderr);
  const specs = parseAllDocuments(stdout).map((each) => each.toJS().spec);
  assert.equal(specs.length, 4);
  for (const { attestors, images, matchConstraints, validations } of specs) {
    assert.equal(attestors.length, 1);
    // Every place of an image: Kyverno is asked about ephemeral containers, and told where image volumes are.
    assert.deepEqual(matchConstraints.resourceRules[0].resources, ["pods", "pods/ephemeralcontainers"]);
    assert.match(images[0].expression, /^object\.spec\.\?volumes\b.*\bimage\.reference\b/);
    if (validations[0].expression === "true") continue;
    for (const list of ["containers", "initContainers", "ephemeralContainers", "volumes"]) {
      assert.match(validations[0].expression, new RegExp(`images\\.${list}\\.all\\(`));
    }
  }
  assert.deepEqual(
    specs.map(({ validationConfigurations }) => validationConfigurations),
    [
      undefined,
      { required: false, mutateDigest: false, verifyDigest: false },
      { required: false, mutateDigest: false, verifyDigest: true },
      undefined,
    ],
  );
  writeFileSync(join(cwd, "g.yaml"), stdout);
  const again = await run(["policy", "import", "g.yaml"], { cwd });
  assert.equal(again.code, 0, again.stderr);
  assert.doesNotMatch(again.stdout, /nobody/);
});

/** Values without the names of signers, in place of which they are written. */
function shape(policy: Record<string, unknown>): unknown {
  const {
    signers = {},
    trust = {},
    ...rest
  } = policy as { signers?: Record<string, Record<string, unknown>>; trust?: Record<string, unknown> };
  const replace = (value: unknown): unknown => {
    if (typeof value === "string")
      return signers[value] ? { ...signers[value], trust: trust[String(signers[value]?.["trust"])] } : value;
    if (Array.isArray(value)) return value.map(replace);
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, replace(member)]));
    return value;
  };
  return replace(rest);
}

test("policy export: what the other program cannot demand is refused there, and named", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "k.pub"), KEY);
  const SIGNERS =
    "signers: {a: {key: k.pub}, b: {identity: b@example.com, issuer: 'https://i.example'}, c: {identity: {glob: '*@example.com'}, issuer: 'https://i.example'}}";
  const exported = async (format: string, rule: string, more = "") => {
    writeFileSync(
      join(cwd, "p.yaml"),
      `version: 1\n${more}${SIGNERS}\nrules:\n  - {images: [r.example/app, r.example/app/**], ${rule}}\n`,
    );
    return run(["policy", "export", "--format", format, "p.yaml"], { cwd });
  };
  const refusal = {
    cip: /action: fail/,
    ivp: /all\(image, false\) && images/,
    "policy.json": /"r\.example\/app": \[\s*\{\s*"type": "reject"/,
  };
  const rules: [string, string[]][] = [
    ["signatures: {signers: a, maxAge: 1d}", ["cip", "ivp", "policy.json"]],
    ["signatures: {signers: a, timestamp: required}", ["cip", "ivp", "policy.json"]],
    ["signatures: {signers: a, form: bundle, log: insecure-skip}", ["ivp", "policy.json"]],
    ["signatures: {signers: {all: [b, c]}}", ["cip", "ivp", "policy.json"]],
    ["signatures: {signers: {atLeast: 2, of: c}}", ["cip", "ivp", "policy.json"]],
    ["signatures: {signers: b}", ["policy.json"]],
    ["digest: required, signatures: {signers: a}", ["cip", "policy.json"]],
    ["attestations: [{type: vuln, signers: a, vulnerabilities: {worst: low}}]", ["cip", "ivp", "policy.json"]],
    ["attestations: [{type: slsaprovenance1, signers: a, slsa: {source: s}}]", ["cip", "ivp", "policy.json"]],
  ];
  for (const [rule, formats] of rules) {
    for (const format of ["cip", "ivp", "policy.json"] as const) {
      if (!formats.includes(format) && format === "policy.json") continue;
      const { code, stdout, stderr } = await exported(format, rule);
      assert.equal(code, 0, `${format} ${rule}: ${stderr}`);
      assert.equal(
        /^refused: p\.yaml:\d+:\d+: /m.test(stderr),
        formats.includes(format),
        `${format} ${rule}: ${stderr}`,
      );
      if (formats.includes(format)) assert.match(stdout, refusal[format], `${format} ${rule}`);
    }
  }
  const body = KEY.replace(/-----.*-----|\n/g, "");
  writeFileSync(join(cwd, "same.pub"), writePem("PUBLIC KEY", Buffer.from(body, "base64")).replaceAll("\n", "\r\n"));
  writeFileSync(join(cwd, "other.pub"), OTHER);
  for (const [key, refused] of [
    ["same.pub", true],
    ["other.pub", false],
  ] as const) {
    const rule = "signatures: {signers: {all: [a, d]}, log: insecure-skip}";
    writeFileSync(
      join(cwd, "p.yaml"),
      `version: 1\nsigners: {a: {key: k.pub}, d: {key: ${key}}}\nrules: [{images: r.example/app, ${rule}}]\n`,
    );
    const { stderr } = await run(["policy", "export", "--format", "cip", "p.yaml"], { cwd });
    assert.equal(/could be the same key/.test(stderr), refused, key);
  }
  for (const format of ["cip", "ivp"]) {
    // policy-controller refuses a policy with a name that it does not know.
    const { stdout } = await exported(
      format,
      "attestations: [{type: slsaprovenance1, signers: a, log: insecure-skip}]",
    );
    assert.match(stdout, /(?:predicateType|type): https:\/\/slsa\.dev\/provenance\/v1$/m, format);
  }
  const denied = await exported("ivp", "signatures: {signers: a}", "denied: {keys: [{key: k.pub}]}\n");
  assert.deepEqual([denied.code, denied.stdout], [1, ""]);
  assert.match(denied.stderr, /denied\.keys has no equal/);
  const wrong = await exported("toml", "signatures: {signers: a}");
  assert.equal(wrong.code, 1);
  const json = await exported("policy.json", "signatures: {signers: a, log: insecure-skip}");
  assert.match(json.stdout, /keyDatas/);
  assert.doesNotMatch(json.stderr, /refused/);
});

test("policy export to policy.json: a scope without what is below it, and rules that an earlier one shadows, are rejected", async (t) => {
  const cwd = temporaryFolder(t);
  writeFileSync(join(cwd, "k.pub"), KEY);
  const docker = async (...patterns: string[]) => {
    const rules = patterns.map(
      (images, index) =>
        `  - {images: ${images}, ${index === 0 ? "signatures: {signers: a, log: insecure-skip}" : "insecureAcceptAnything: true"}}\n`,
    );
    writeFileSync(join(cwd, "p.yaml"), `version: 1\nsigners: {a: {key: k.pub}}\nrules:\n${rules.join("")}`);
    const { code, stdout, stderr } = await run(["policy", "export", "--format", "policy.json", "p.yaml"], { cwd });
    assert.equal(code, 0, stderr);
    const scopes = JSON.parse(stdout).transports.docker as Record<string, { type: string }[]>;
    return Object.fromEntries(Object.entries(scopes).map(([scope, [first]]) => [scope, first?.type]));
  };
  assert.deepEqual(await docker("r.example/a"), { "r.example/a": "reject" });
  assert.deepEqual(await docker("r.example/a/**"), { "r.example/a": "reject" });
  assert.deepEqual(await docker("[r.example/a, r.example/a/**]"), { "r.example/a": "sigstoreSigned" });
  assert.deepEqual(await docker("r.example/**", '"r.example/a:v1"'), {
    "r.example": "sigstoreSigned",
    "r.example/a:v1": "reject",
  });
  assert.deepEqual(await docker("r.example/*/x", "r.example/**"), { "r.example": "reject" });
  assert.deepEqual(await docker('"**"', "r.example/**"), { "": "sigstoreSigned", "r.example": "reject" });
});
