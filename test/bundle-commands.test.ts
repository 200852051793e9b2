import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSigstore } from "./support/sandbox.ts";
import { LEGACY, NO_LOG, OFFLINE, type Outcome, run, temporaryFolder } from "./support/test-io.ts";

const ALICE = "alice@example.com";
const OLD = "application/vnd.dev.sigstore.bundle+json;version=";
const NEW = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** A file signed by alice in the sandbox, with an entry in its first log, in the bundle and the legacy format. */
async function signedFile(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  const write = (name: string, content: string) => writeFileSync(join(cwd, name), content);
  write("blob", "content");
  write("root.json", sigstore.trustedRoot);
  write("config.json", sigstore.signingConfig.rekor1Tsa);
  const tsign = (...argv: string[]): Promise<Outcome> => run(argv, { cwd, io: sigstore.io });
  const ok = async (...argv: string[]) => {
    const outcome = await tsign(...argv);
    assert.equal(outcome.code, 0, `${argv.join(" ")}: ${outcome.stderr}`);
    return outcome;
  };
  const sign = (...more: string[]) =>
    ok(
      ...["sign-blob", "--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", "config.json"],
      ...["--trusted-root", "root.json", ...more, "blob"],
    );
  const verify = (bundle: string, ...more: string[]) =>
    tsign(
      ...["verify-blob", "--certificate-identity", ALICE, "--certificate-oidc-issuer", sigstore.at.issuer],
      ...["--trusted-root", "root.json", "--bundle", bundle, ...more, "blob"],
    );
  const json = (name: string) => JSON.parse(readFileSync(join(cwd, name), "utf8"));
  return { cwd, sigstore, write, tsign, ok, sign, verify, json };
}

test("bundle inspect shows identity, log entry, timestamp and content, on stdout", async (t) => {
  const { ok, sign, sigstore, json } = await signedFile(t);
  await sign("--bundle", "b.json");
  const { stdout, stderr } = await ok("bundle", "inspect", "b.json");
  assert.match(stderr, /^WARNING: This command only shows/);
  assert.doesNotMatch(stderr, /^hint:/m);
  const { logIndex = "0" } = json("b.json").verificationMaterial.tlogEntries[0];
  for (const line of [
    `- Bundle Media Type: ${NEW}`,
    "  - Content: X.509 Certificate",
    "      - Curve: P-256",
    `        - Email: ${ALICE}`,
    "      - Key Usage: Digital Signature",
    "      - Extended Key Usage: Code Signing",
    `      - Issuer (V2): ${sigstore.at.issuer}`,
    "      - Signed Certificate Timestamps: 1",
    "  - Transparency Log Entries: 1",
    `      - Log Index: ${logIndex}`,
    "      - Kind: hashedrekord",
    "        - Checkpoint:",
    "    - RFC3161 Timestamps: 1",
    "      - Hash Algorithm: SHA-256",
    "  - Type: Message Signature",
    "    - Algorithm: SHA2_256",
  ]) {
    assert.ok(`\n${stdout}`.includes(`\n${line}\n`), line);
  }
  assert.doesNotMatch(stdout, /WARNING/);
});

test("bundle inspect: invalid parts -> warnings, exit code 0", async (t) => {
  const { ok, sign, write, json } = await signedFile(t);
  await sign("--bundle", "b.json");
  const spoilt: [reason: RegExp, spoil: (bundle: ReturnType<typeof json>) => void][] = [
    [/Missing Bundle Media Type/, (bundle) => delete bundle.mediaType],
    [/Unrecognized Media Type/, (bundle) => Object.assign(bundle, { mediaType: `${OLD}9` })],
    [/Missing Verification Material\n/, (bundle) => delete bundle.verificationMaterial],
    [/Missing Verification Material Content/, (bundle) => delete bundle.verificationMaterial.certificate],
    [/should use certificate chain/, (bundle) => Object.assign(bundle, { mediaType: `${OLD}0.1` })],
    [/Missing Content/, (bundle) => delete bundle.messageSignature],
    [/MUST contain an inclusion proof/, (bundle) => delete bundle.verificationMaterial.tlogEntries[0].inclusionProof],
    [
      /Certificate raw_bytes is empty/,
      (bundle) => Object.assign(bundle.verificationMaterial.certificate, { rawBytes: "" }),
    ],
    [
      /the certificate cannot be read/,
      (bundle) => Object.assign(bundle.verificationMaterial.certificate, { rawBytes: "AAAA" }),
    ],
    [
      /Timestamp \[0\]:\n +- \[!\] WARNING: it cannot be read/,
      (bundle) => {
        bundle.verificationMaterial.timestampVerificationData.rfc3161Timestamps[0].signedTimestamp = "AAAA";
      },
    ],
  ];
  for (const [reason, spoil] of spoilt) {
    const bundle = json("b.json");
    spoil(bundle);
    write("spoilt.json", JSON.stringify(bundle));
    assert.match((await ok("bundle", "inspect", "spoilt.json")).stdout, reason);
  }
});

test("bundle inspect: shows attestations and keys, without control characters", async (t) => {
  const { ok, tsign, write } = await signedFile(t);
  const statement = { predicateType: "https://example.com/\u001b[31m", subject: [{ name: "one" }, {}] };
  const payload = Buffer.from(JSON.stringify(statement)).toString("base64");
  const signatures = [{ sig: "AAAA", keyid: "id" }, {}];
  const dsseEnvelope = { payload, payloadType: "application/vnd.in-toto+json", signatures };
  const verificationMaterial = { publicKey: { hint: "qrs=" } };
  write("att.json", JSON.stringify({ mediaType: NEW, verificationMaterial, dsseEnvelope }));
  const { stdout, stderr } = await ok("bundle", "inspect", "att.json");
  assert.match(stderr, /^hint: do not require a name that is shown with escapes such as \\u001b/m);
  const plain = { ...statement, predicateType: "https://example.com/\\u001b" };
  const plainPayload = Buffer.from(JSON.stringify(plain)).toString("base64");
  write(
    "plain.json",
    JSON.stringify({ mediaType: NEW, verificationMaterial, dsseEnvelope: { ...dsseEnvelope, payload: plainPayload } }),
  );
  assert.doesNotMatch((await ok("bundle", "inspect", "plain.json")).stderr, /hint/, "a backslash is printable");
  assert.match(stdout, /Hint: aabb\n/);
  assert.match(stdout, /Predicate Type: https:\/\/example\.com\/\\u001b\[31m\n {4}- Subjects: 2\n {6}- Name: one\n/);
  assert.match(
    stdout,
    /Signatures: 2\n {4}- Signature \[0\]:\n {6}- Signature: Present \(3 bytes\)\n {6}- Key Hint: id\n/,
  );
  assert.match(stdout, /DSSE envelope MUST contain only one signature/);
  write("old.json", JSON.stringify({ base64Signature: "AAAA", cert: "" }));
  for (const [content, reason] of [
    ["{", /not valid JSON/],
    ["[]", /not a JSON object/],
    [JSON.stringify({ base64Signature: "AAAA" }), /not a Sigstore bundle.*\nhint: .*bundle create/],
    [JSON.stringify({ mediaType: NEW, messageSignature: { signature: "?" } }), /signature is not base64/],
  ] as const) {
    write("no.json", content);
    const refused = await tsign("bundle", "inspect", "no.json");
    assert.equal(refused.code, 1);
    assert.equal(refused.stdout, "");
    assert.match(refused.stderr, reason);
  }
});

test("bundle create: detached signature -> bundle that verifies", async (t) => {
  const { cwd, ok, tsign, write } = await signedFile(t);
  const env = { COSIGN_PASSWORD: "pw" };
  const local = (...argv: string[]) => run(argv, { cwd, env });
  for (const key of ["a", "b"]) await local("generate-key-pair", "--output-key-prefix", key);
  await local("sign-blob", "--key", "a.key", ...OFFLINE, LEGACY, "--output-signature", "s.b64", "blob");
  const create = ["bundle", "create", "--artifact", "blob", "--ignore-tlog"];
  const made = await ok(...create, "--signature", "s.b64", "--key", "a.pub", "--out", "b.json");
  assert.equal(made.stdout, "");
  assert.equal(statSync(join(cwd, "b.json")).mode & 0o777, 0o600);
  const verify = (key: string) => local("verify-blob", "--key", key, NO_LOG, "--bundle", "b.json", "blob");
  assert.equal((await verify("a.pub")).code, 0);
  assert.equal((await verify("b.pub")).code, 1);
  const printed = await ok(...create, "--signature", "s.b64", "--key", "a.pub");
  assert.equal(printed.stdout, `${readFileSync(join(cwd, "b.json"), "utf8")}\n`);
  write("other", "other content");
  for (const [argv, reason] of [
    [["bundle", "create"], /must supply --artifact/],
    [[...create, "--key", "a.pub"], /must at least supply signature/],
    [[...create, "--signature", "s.b64"], /missing the key or certificate/],
    [[...create, "--signature", "s.b64", "--key", "b.pub"], /the signature of blob does not verify/],
    [
      ["bundle", "create", "--ignore-tlog", "--artifact", "other", "--signature", "s.b64", "--key", "a.pub"],
      /signature of other does not verify/,
    ],
    [["bundle", "create", "--artifact", "absent", "--signature", "s.b64", "--key", "a.pub"], /absent: no such file/],
    [[...create, "--signature", "absent", "--key", "a.pub"], /read absent: no such file/],
    [[...create, "--signature", "s.b64", "--sk"], /PKCS#11|pkcs11js/],
    [[...create, "--signature", "s.b64", "--key", "a.pub", "--sk"], /--key and --sk cannot be used together/],
    [[...create, "--signature", "s.b64", "--key", "a.pub", "--rfc3161-timestamp", "blob"], /invalid timestamp "blob"/],
    [[...create, "--signature", "s.b64", "--bundle", "b.json"], /group \[bundle signature\]/],
    [[...create, "--certificate", "c.pem", "--bundle", "b.json"], /group \[bundle certificate\]/],
  ] as const) {
    const refused = await tsign(...argv);
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, reason);
    assert.equal(refused.stdout, "");
  }
});

test("bundle create: attestation of the artifact -> bundle; of another artifact -> refused", async (t) => {
  const { cwd, ok, tsign, write } = await signedFile(t);
  const local = (...argv: string[]) => run(argv, { cwd, env: { COSIGN_PASSWORD: "pw" } });
  await local("generate-key-pair");
  write("predicate.json", "{}");
  write("other", "other content");
  const attest = ["attest-blob", "--key", "cosign.key", ...OFFLINE, LEGACY, "--predicate", "predicate.json"];
  await local(...attest, "--output-signature", "att.json", "blob");
  const create = (artifact: string) => [
    ...["bundle", "create", "--ignore-tlog", "--key", "cosign.pub", "--out", "made.json"],
    ...["--attestation", "att.json", "--artifact", artifact],
  ];
  await ok(...create("blob"));
  const verify = ["verify-blob-attestation", "--key", "cosign.pub", NO_LOG, "--bundle", "made.json"];
  assert.equal((await local(...verify, "blob")).code, 0);
  const refused = await tsign(...create("other"));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the attestation is not about other: no subject of the statement/);
});

test("bundle create: legacy bundle -> new bundle, with the inclusion proof fetched from the log", async (t) => {
  const { ok, tsign, sign, verify, sigstore, json } = await signedFile(t);
  await sign(LEGACY, "--bundle", "old.json", "--rfc3161-timestamp", "ts.json");
  assert.ok(json("old.json").rekorBundle);
  const create = ["bundle", "create", "--artifact", "blob", "--rekor-url", sigstore.at.rekor1, "--out", "new.json"];
  const parts = ["--bundle", "old.json", "--rfc3161-timestamp", "ts.json"];
  await ok(...create, ...parts);
  const made = json("new.json");
  assert.equal(made.mediaType, NEW);
  assert.ok(made.verificationMaterial.tlogEntries[0].inclusionProof.checkpoint);
  assert.equal(made.verificationMaterial.timestampVerificationData.rfc3161Timestamps.length, 1);
  const verified = await verify("new.json");
  assert.equal(verified.code, 0, verified.stderr);
  const lost = await tsign(...create, "--ignore-tlog", ...parts);
  assert.equal(lost.code, 1);
  assert.match(lost.stderr, /--ignore-tlog would drop the log entry of old\.json/);
  const nowhere = create.map((word) => (word === sigstore.at.rekor1 ? "nowhere" : word));
  const refused = await tsign(...nowhere, ...parts);
  assert.match(refused.stderr, /--rekor-url is not an http\(s\) URL/);
});

test("bundle create: signature without a log entry -> entry fetched from the log", async (t) => {
  const { ok, tsign, sign, verify, sigstore, write, cwd, json } = await signedFile(t);
  await sign(LEGACY, "--bundle", "old.json");
  write("s.b64", json("old.json").base64Signature);
  write("c.b64", json("old.json").cert);
  const create = ["bundle", "create", "--artifact", "blob", "--rekor-url", sigstore.at.rekor1, "--out", "new.json"];
  await ok(...create, "--signature", "s.b64", "--certificate", "c.b64");
  assert.equal((await verify("new.json")).code, 0);
  const env = { COSIGN_PASSWORD: "pw" };
  await run(["generate-key-pair"], { cwd, env });
  await run(["sign-blob", "--key", "cosign.key", ...OFFLINE, LEGACY, "--output-signature", "k.b64", "blob"], {
    cwd,
    env,
  });
  const none = await tsign(...create, "--signature", "k.b64", "--key", "cosign.pub");
  assert.equal(none.code, 1);
  assert.match(none.stderr, /has no entry for the signature\nhint: .*--ignore-tlog/);
  write("c.b64", "no certificate");
  assert.equal((await tsign(...create, "--signature", "s.b64", "--certificate", "c.b64")).code, 1);
});

test("bundle upgrade: older bundle -> version 0.3 with an inclusion proof", async (t) => {
  const { ok, tsign, sign, verify, sigstore, write, json } = await signedFile(t);
  await sign("--bundle", "b.json");
  const same = await ok("bundle", "upgrade", "b.json");
  assert.equal(same.stdout.trimEnd(), JSON.stringify(json("b.json")));
  assert.equal(same.stderr, "Bundle is already at v0.3, no upgrade needed.\n");
  const older = (version: string, change: (bundle: ReturnType<typeof json>) => void) => {
    const bundle = json("b.json");
    const { certificate } = bundle.verificationMaterial;
    delete bundle.verificationMaterial.certificate;
    bundle.verificationMaterial.x509CertificateChain = { certificates: [certificate, certificate] };
    bundle.mediaType = `${OLD}${version}`;
    change(bundle);
    write("old.json", JSON.stringify(bundle));
  };
  const upgrade = ["bundle", "upgrade", "--rekor-url", sigstore.at.rekor1, "--out", "new.json", "old.json"];
  older("0.2", () => {});
  const upgraded = await ok(...upgrade);
  assert.match(upgraded.stderr, /Truncating certificate chain/);
  assert.match(upgraded.stderr, /Successfully upgraded bundle written to new\.json\n$/);
  assert.deepEqual(json("new.json"), json("b.json"));
  older("0.1", (bundle) => delete bundle.verificationMaterial.tlogEntries[0].inclusionProof);
  assert.match((await ok(...upgrade)).stderr, /Fetching missing inclusion proof/);
  assert.equal((await verify("new.json")).code, 0);

  older("0.1", ({ verificationMaterial: { tlogEntries } }) => {
    delete tlogEntries[0].inclusionProof;
    tlogEntries[0].canonicalizedBody = Buffer.from("another").toString("base64");
  });
  assert.match((await tsign(...upgrade)).stderr, /log entry \d+ differs from the one in/);
  for (const [reason, change] of [
    [/is not a Sigstore bundle of version 0\.1 to 0\.3/, (bundle) => Object.assign(bundle, { mediaType: `${OLD}0.4` })],
    [
      /old\.json has an empty certificate chain/,
      (bundle) => Object.assign(bundle.verificationMaterial.x509CertificateChain, { certificates: [] }),
    ],
    [/has no verification material/, (bundle) => delete bundle.verificationMaterial],
    [/invalid bundle/, (bundle) => delete bundle.messageSignature],
  ] as [RegExp, (bundle: ReturnType<typeof json>) => void][]) {
    older("0.1", change);
    const refused = await tsign(...upgrade);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, reason);
  }
});
