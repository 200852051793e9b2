import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { testSigstore } from "./support/sandbox.ts";
import { run, temporaryFolder } from "./support/test-io.ts";

const ALICE = "alice@example.com";
const START = "start-time=2020-01-01T00:00:00Z";

async function workshop(t: TestContext) {
  const sigstore = await testSigstore();
  const cwd = temporaryFolder(t);
  for (const [name, text] of Object.entries(sigstore.files)) writeFileSync(join(cwd, name), text);
  writeFileSync(join(cwd, "blob"), "content");
  const tsign = (...argv: string[]) => run(argv, { cwd, io: sigstore.io });
  return { sigstore, cwd, tsign };
}

test("trusted-root create, signing-config create: written files work like the given ones", async (t) => {
  const { sigstore, cwd, tsign } = await workshop(t);
  const { at } = sigstore;
  const root = await tsign(
    ...["trusted-root", "create", "--out", "made.json"],
    ...["--fulcio", `url=${at.fulcio},certificate-chain=fulcio_chain.pem`],
    ...["--ctfe", `url=${at.fulcio},public-key=ct_log.pub,${START}`],
    ...["--rekor", `url=${at.rekor1},public-key=rekor1.pub,${START}`],
    ...["--rekor", `url=${at.rekor1},public-key=rekor2.pub,${START},origin=127.0.0.1`],
    ...["--tsa", `url=${at.tsa},certificate-chain=tsa_chain.pem`],
  );
  assert.equal(root.code, 0, root.stderr);
  assert.equal(statSync(join(cwd, "made.json")).mode & 0o777, 0o600);
  for (const [version, more] of [
    [1, []],
    [2, ["--tsa", `url=${at.tsa},api-version=1,${START},operator=o`, "--tsa-config", "ALL"]],
  ] as const) {
    const service = `api-version=1,${START},operator=o`;
    const config = await tsign(
      ...["signing-config", "create", "--fulcio", `url=${at.fulcio},${service}`],
      ...["--oidc-provider", `url=${at.issuer},${service}`, "--rekor-config", "EXACT:1"],
      ...["--rekor", `url=${at.rekor1},api-version=${version},${START},operator=o`, ...more],
    );
    assert.equal(config.code, 0, config.stderr);
    writeFileSync(join(cwd, "config.json"), config.stdout);
    const trusted = ["--trusted-root", "made.json", "--bundle", "b.json"];
    const token = ["--yes", "--identity-token", sigstore.mint(ALICE), "--signing-config", "config.json"];
    const signed = await tsign("sign-blob", ...token, ...trusted, "blob");
    assert.equal(signed.code, 0, signed.stderr);
    const who = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", at.issuer];
    assert.equal((await tsign("verify-blob", ...who, ...trusted, "blob")).code, 0);
  }
});

test("trusted-root create, signing-config create: invalid flags -> refused before writing", async (t) => {
  const { cwd, tsign } = await workshop(t);
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(join(cwd, "private.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  const service = `url=https://r,api-version=1,${START},operator=o`;
  const refusals: [string[], RegExp][] = [
    [["trusted-root", "create", "--fulcio", ""], /parsing fulcio spec: "" is not key=value/],
    [["signing-config", "create", "--oidc-provider", ""], /parsing oidc-provider spec: "" is not key=value/],
    [["trusted-root", "create", "--rekor", "url=https://r"], /missing required key 'public-key'|missing or empty/],
    [["trusted-root", "create", "--rekor", `url=https://r,public-key=private.pem,${START}`], /public key/],
    [["trusted-root", "create", "--rekor", `url=https://r,public-key=rekor1.pub,start-time=yesterday`], /RFC 3339/],
    [["trusted-root", "create", "--fulcio", "url=https://f,certificate-chain=rekor1.pub"], /no certificate/],
    [["trusted-root", "create", "--fulcio", "url=https://f,certificate-chain=absent.pem"], /absent\.pem/],
    [
      [
        "trusted-root",
        "create",
        "--certificate-chain",
        "fulcio_chain.pem",
        "--fulcio",
        "url=https://f,certificate-chain=fulcio_chain.pem",
      ],
      /old fulcio flags at the same time/,
    ],
    [["signing-config", "create", "--rekor", service], /--rekor-config must be provided/],
    [["signing-config", "create", "--rekor", service, "--rekor-config", "SOME"], /invalid service config mode/],
    [["signing-config", "create", "--fulcio", `${service},colour=red`], /unknown key 'colour'/],
    [["signing-config", "create", "--fulcio", service.replace("api-version=1", "api-version=x")], /api-version/],
  ];
  for (const [argv, reason] of refusals) {
    const refused = await tsign(...argv, "--out", "out.json");
    assert.equal(refused.code, 1, argv.join(" "));
    assert.match(refused.stderr, reason);
    assert.throws(() => readFileSync(join(cwd, "out.json")));
  }
});
