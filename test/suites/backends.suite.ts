import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CANNOT } from "./backends-expected.ts";
import { makeKeys, type SuiteKey } from "./backends-keys.ts";
import { chosenBackends, type Kit, startKit } from "./backends-kit.ts";
import { LEGACY, NO_LOG, OFFLINE, pushImage, registries, run, TSIGN } from "./support.ts";

/** The operations on every key, in the order of the table's columns. */
const COLUMNS = ["test", "tsign by key", "tsign by pub", "cosign by key", "cosign by pub", "cosign signs"] as const;
type Column = (typeof COLUMNS)[number];

/** Digest that cosign needs for an exported key; without it cosign uses SHA-256 for every key. */
const DIGEST: Readonly<Record<string, string>> = { "p-384": "sha384", "p384 sha384": "sha384", "p-521": "sha512" };

const backends = chosenBackends();
const table: string[] = [];

test("every kind of key in every service, between tsign and cosign", async (context) => {
  const kit = await startKit(context, backends);
  for (const backend of backends) {
    const keys = await makeKeys(kit, backend);
    for (const [index, key] of keys.entries()) {
      await context.test(`${backend}: ${key.kind}, made by ${key.madeBy}`, async () => {
        const outcomes = await tryKey(kit, key, `${backend}${index}`);
        const cells = COLUMNS.map((column) => (outcomes.get(column)?.ok ? "ok" : "-").padEnd(column.length));
        table.push(`${backend.padEnd(8)} ${key.kind.padEnd(18)} ${key.madeBy.padEnd(7)} ${cells.join("  ")}`);
        const cannot = CANNOT[`${backend} ${key.kind}`] ?? [];
        for (const [column, { ok, why }] of outcomes) {
          if (cannot.includes(column)) assert.ok(!ok, `${column} works by now: take it off the list`);
          else if (!cannot.includes(`${column}?`)) assert.ok(ok, `${column}: ${why}`);
        }
      });
    }
    await context.test(`${backend}: images`, () => imagesToo(context, kit, keys[0] ?? assert.fail("no key")));
  }
  const head = `${"service".padEnd(8)} ${"key".padEnd(18)} ${"made by".padEnd(7)} ${COLUMNS.join("  ")}`;
  console.log([head, ...table, "- where cosign 3.1.2 cannot, as test/suites/backends-expected.ts tells"].join("\n"));
});

interface Outcome {
  readonly ok: boolean;
  readonly why: string;
}

async function tryKey(kit: Kit, key: SuiteKey, name: string): Promise<Map<Column, Outcome>> {
  const outcomes = new Map<Column, Outcome>();
  const runner = kit.in(key.backend, key.env);
  const signKey = key.files?.privateKey ?? key.reference;
  const verifyKey = key.files?.publicKey ?? key.reference;
  const publicKey = key.publicKey ?? key.files?.publicKey ?? `${name}.pub`;
  if (!key.publicKey && !key.files) {
    const shown = await runner(kit.tsign, "public-key", "--key", key.reference, "--outfile", publicKey);
    assert.equal(shown.code, 0, shown.stderr);
  }
  const sign = (program: string, bundle: string) =>
    runner(program, "sign-blob", "--key", signKey, ...OFFLINE, "--bundle", bundle, name);
  const verify = async (program: string, by: string, bundle: string, ...flags: string[]): Promise<Outcome> => {
    const args = ["verify-blob", "--key", by, NO_LOG, "--bundle", bundle, ...flags];
    const good = await runner(program, ...args, name);
    const other = await runner(program, ...args, "other");
    if (good.code === 0 && other.code === 0) assert.fail(`${program} accepts other content`);
    return { ok: good.code === 0, why: good.stderr };
  };
  const digest = key.hash ?? DIGEST[key.kind];
  const told = digest ? ["--signature-digest-algorithm", digest] : [];
  writeFileSync(join(kit.cwd, name), `content of ${name}`);
  writeFileSync(join(kit.cwd, "other"), "other content");
  const tried = await runner(kit.tsign, "key", "test", signKey);
  outcomes.set("test", { ok: tried.code === 0, why: tried.stderr });
  const own = await sign(kit.tsign, `${name}.json`);
  assert.equal(own.code, 0, own.stderr);
  outcomes.set("tsign by key", await verify(kit.tsign, verifyKey, `${name}.json`));
  outcomes.set("tsign by pub", await verify(kit.tsign, publicKey, `${name}.json`, ...(key.hash ? told : [])));
  outcomes.set("cosign by key", await verify(kit.cosign, verifyKey, `${name}.json`));
  outcomes.set("cosign by pub", await verify(kit.cosign, publicKey, `${name}.json`, ...told));
  const theirs = await sign(kit.cosign, `${name}.cosign.json`);
  if (theirs.code !== 0) return outcomes.set("cosign signs", { ok: false, why: theirs.stderr });
  const byKey = await verify(kit.tsign, verifyKey, `${name}.cosign.json`);
  const byPub = await verify(kit.tsign, publicKey, `${name}.cosign.json`, ...(key.hash ? told : []));
  return outcomes.set("cosign signs", byKey.ok ? byPub : byKey);
}

/** Both programs sign an image with the first key, in both forms, and both verify it. */
async function imagesToo(context: Parameters<typeof registries>[0], kit: Kit, key: SuiteKey): Promise<void> {
  const { ref } = await registries(context);
  const runner = kit.in(key.backend, key.env);
  const { privateKey, publicKey } = key.files ?? { privateKey: key.reference, publicKey: key.reference };
  for (const form of [[], [LEGACY]]) {
    for (const signer of [kit.tsign, kit.cosign]) {
      const image = await pushImage(ref, `${key.backend}/image`, kit.cwd);
      const signed = await runner(signer, "sign", "--key", privateKey, ...OFFLINE, ...form, image);
      assert.equal(signed.code, 0, signed.stderr);
      for (const verifier of [kit.tsign, kit.cosign]) {
        const verified = await runner(verifier, "verify", "--key", publicKey, NO_LOG, ...form, image);
        assert.equal(verified.code, 0, `${signer} then ${verifier}: ${verified.stderr}`);
      }
    }
  }
}

/** A reference or environment that must fail, its message, and what no output may contain. */
interface Refusal {
  readonly what: string;
  readonly reference: string;
  readonly env?: Record<string, string>;
  readonly message: RegExp;
  readonly secret?: string;
}

const CLOSED = "http://127.0.0.1:1";

const REFUSALS: Partial<Record<string, readonly Refusal[]>> = {
  softhsm: [
    {
      what: "a wrong PIN",
      reference: "pkcs11:token=backends;object=p256?pin-value=0000",
      message: /wrong PIN/,
      secret: "0000",
    },
    {
      what: "no PIN",
      reference: "pkcs11:token=backends;object=p256",
      env: { COSIGN_PKCS11_PIN: "" },
      message: /requires a PIN\nhint: set COSIGN_PKCS11_PIN/,
    },
    {
      what: "no such key",
      reference: "pkcs11:token=backends;object=none",
      message: /key not found: pkcs11:token=backends;object=none/,
    },
    {
      what: "no such token",
      reference: "pkcs11:token=none;object=p256",
      message: /token "none" not found in the PKCS#11 module .*\nhint: .*backends/,
    },
    {
      what: "a file that is no module",
      reference: "pkcs11:token=t;object=o?module-path=/etc/passwd",
      message: /load PKCS#11 module \/etc\/passwd/,
    },
  ],
  vault: [
    {
      what: "a wrong token",
      reference: "hashivault://one",
      env: { VAULT_TOKEN: "hvs.wrong" },
      message: /refused the token/,
      secret: "hvs.wrong",
    },
    {
      what: "no token",
      reference: "hashivault://one",
      env: { VAULT_TOKEN: "" },
      message: /missing token for Vault\nhint: set VAULT_TOKEN/,
    },
    { what: "no such key", reference: "hashivault://none", message: /key not found: transit\/keys\/none/ },
    {
      what: "no such mount",
      reference: "hashivault://one",
      env: { TRANSIT_SECRET_ENGINE_PATH: "none" },
      message: /secrets engine not found: none\//,
    },
    {
      what: "nothing there",
      reference: "hashivault://one",
      env: { VAULT_ADDR: CLOSED },
      message: /connect to http:\/\/127.0.0.1:1: connection refused/,
    },
  ],
  aws: [
    { what: "no such key", reference: "awskms://HOST/alias/none", message: /key not found in AWS KMS: alias\/none/ },
    {
      what: "no credentials",
      reference: "awskms://HOST/alias/none",
      env: { AWS_ACCESS_KEY_ID: "", AWS_SECRET_ACCESS_KEY: "" },
      message: /missing credentials for AWS KMS\nhint: .*AWS_ACCESS_KEY_ID/,
    },
    {
      what: "no region",
      reference: "awskms://HOST/alias/none",
      env: { AWS_REGION: "", AWS_DEFAULT_REGION: "" },
      message: /missing AWS region/,
    },
    {
      what: "nothing there",
      reference: "awskms://127.0.0.1:1/alias/none",
      message: /connect to https:\/\/127.0.0.1:1: connection refused/,
    },
  ],
  k8s: [
    {
      what: "no such secret",
      reference: "k8s://default/none",
      message: /secret none in namespace default not found/,
    },
    {
      what: "no configuration",
      reference: "k8s://default/none",
      env: { KUBECONFIG: "" },
      message: /missing credentials for Kubernetes\nhint: set KUBECONFIG/,
    },
  ],
  plugin: [
    { what: "no such key", reference: "suite://none", message: /sigstore-kms-suite refused publicKey: no key none/ },
  ],
  gcp: [
    {
      what: "no such key",
      reference: "gcpkms://projects/backends/locations/global/keyRings/none/cryptoKeys/none/versions/1",
      message: /key not found in Google Cloud KMS/,
    },
    {
      what: "no credentials",
      reference: "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k",
      env: { GOOGLE_APPLICATION_CREDENTIALS: "/none" },
      message: /credentials/,
    },
  ],
  azure: [
    {
      what: "no such key",
      reference: "azurekms://backends.vault.azure.net/none",
      message: /key not found in Azure Key Vault: none/,
    },
    {
      what: "a wrong secret",
      reference: "azurekms://backends.vault.azure.net/none",
      env: { AZURE_CLIENT_SECRET: "swordfish" },
      message: /Microsoft Entra refused the credentials.*AADSTS7000215/,
      secret: "swordfish",
    },
  ],
  forge: [
    {
      what: "a wrong token",
      reference: "gitlab://own/none",
      env: { GITLAB_TOKEN: "glpat-wrong" },
      message: /refused GITLAB_TOKEN/,
      secret: "glpat-wrong",
    },
    { what: "no such project", reference: "gitlab://missing", message: /project or group not found/ },
    { what: "GitHub to sign with", reference: "github://own/x", message: /does not return secrets/ },
  ],
};

test("failures of real key services -> one line each", async (context) => {
  const kit = await startKit(context, backends);
  for (const backend of backends) {
    for (const { what, reference, env, message, secret } of REFUSALS[backend] ?? []) {
      await context.test(`${backend}: ${what}`, async () => {
        const host = (kit.env("aws")["BACKENDS_AWS_ENDPOINT"] ?? "").replace("https://", "");
        const { code, stdout, stderr } = await kit.in(backend, env)(
          kit.tsign,
          "key",
          "test",
          reference.replace("HOST", host),
        );
        assert.equal(code, 1);
        assert.equal(stdout, "");
        assert.match(stderr, message);
        assert.ok(stderr.trimEnd().split("\n").length <= 2, stderr);
        if (secret) assert.ok(!stderr.includes(secret), stderr);
      });
    }
  }
});

test("--sk: key of a PIV slot through PKCS#11; part missing -> error names it", {
  skip: !backends.includes("softhsm"),
}, async (context) => {
  const kit = await startKit(context, ["softhsm"]);
  const { BACKENDS_PKCS11_MODULE: module = "" } = kit.env("softhsm");
  const sk = (env: Record<string, string>) =>
    kit.in("softhsm", env)(kit.tsign, "key", "test", "--sk", "--slot", "signature");
  const found = await sk({ COSIGN_PKCS11_MODULE_PATH: module });
  assert.equal(found.code, 0, found.stderr);
  const empty = join(kit.cwd, "empty.conf");
  writeFileSync(empty, `directories.tokendir = ${kit.cwd}\nslots.removable = true\n`);
  const absent = await sk({ COSIGN_PKCS11_MODULE_PATH: module, SOFTHSM2_CONF: empty });
  assert.equal(absent.code, 1);
  assert.match(absent.stderr, /security key not found|key not found: slot signature/);
});

test("key schemes without their package -> error names the package to install", async () => {
  const cases = {
    "awskms:///alias/x": "@aws-sdk/client-kms",
    "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k": "@google-cloud/kms",
    "azurekms://v.vault.azure.net/k": "@azure/keyvault-keys",
    "k8s://default/x": "@kubernetes/client-node",
    "pkcs11:token=t;object=o?module-path=/bin/sh": "pkcs11js",
  };
  for (const [reference, name] of Object.entries(cases)) {
    const { code, stderr } = await run(TSIGN, ["public-key", "--key", reference], { cwd: "/" });
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(`requires a package that is not installed: ${name}[\\s\\S]*npm install ${name}@\\d`),
    );
  }
});
