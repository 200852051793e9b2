import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Backend, Kit } from "./backends-kit.ts";

/** One key of the table. */
export interface SuiteKey {
  readonly backend: Backend;
  readonly kind: string;
  readonly reference: string;
  /** The program that made it with `generate-key-pair`, or another one where neither program can. */
  readonly madeBy: "tsign" | "cosign" | "vendor";
  /** Environment variables for this key only. */
  readonly env?: Record<string, string>;
  /** File of the public key, if one was written when the key was made. */
  readonly publicKey?: string;
  /** Hash for verifying with the exported public key, if it is not the usual one of the key. */
  readonly hash?: string;
  /** A key that the reference cannot sign or verify with, but these files can. */
  readonly files?: { readonly privateKey: string; readonly publicKey: string };
}

/** Makes every kind of key that a backend supports: one with each program, the others with the vendor's tools. */
export function makeKeys(kit: Kit, backend: Backend): Promise<SuiteKey[]> {
  return { softhsm, vault, aws, k8s, plugin, gcp, azure, forge }[backend](kit);
}

async function byBoth(kit: Kit, backend: Backend, reference: (name: string) => string): Promise<SuiteKey[]> {
  const keys: SuiteKey[] = [];
  for (const madeBy of ["tsign", "cosign"] as const) {
    const prefix = `${backend}-${madeBy}`;
    const name = reference(`${madeBy}${Date.now()}`);
    const made = await kit.in(backend)(kit[madeBy], "generate-key-pair", "--kms", name, "--output-key-prefix", prefix);
    assert.equal(made.code, 0, made.stderr);
    keys.push({ backend, kind: "p-256", reference: name, madeBy, publicKey: `${prefix}.pub` });
  }
  return keys;
}

async function vault(kit: Kit): Promise<SuiteKey[]> {
  const { BACKENDS_VAULT_ADDR: address, BACKENDS_VAULT_TOKEN: token = "" } = kit.env("vault");
  const call = async (path: string, body: unknown) => {
    const options = { method: "POST", headers: { "x-vault-token": token }, body: JSON.stringify(body) };
    const { status } = await fetch(`${address}/v1/transit/keys/${path}`, options);
    assert.ok(status < 300, `vault answered ${status}`);
  };
  const keys = await byBoth(kit, "vault", (name) => `hashivault://${name}`);
  const types = ["ecdsa-p384", "ecdsa-p521", "ed25519", "rsa-2048", "rsa-3072", "rsa-4096"];
  for (const type of types) {
    const name = `${type}-${Date.now()}`;
    await call(name, { type });
    const kind = type.replace("ecdsa-p", "p-");
    keys.push({ backend: "vault", kind, reference: `openbao://${name}`, madeBy: "vendor" });
  }
  const rotated = `rotated-${Date.now()}`;
  await call(rotated, { type: "ecdsa-p256" });
  await call(`${rotated}/rotate`, {});
  keys.push({ backend: "vault", kind: "p-256 rotated", reference: `hashivault://${rotated}`, madeBy: "vendor" });
  return keys;
}

async function aws(kit: Kit): Promise<SuiteKey[]> {
  const uri = kit.env("aws")["BACKENDS_AWS_URI"] ?? "";
  const keys = await byBoth(kit, "aws", (name) => `${uri}alias/${name}`);
  const specs = {
    "p-384": "ECC_NIST_P384",
    "p-521": "ECC_NIST_P521",
    "rsa-2048": "RSA_2048",
    "rsa-3072": "RSA_3072",
    "rsa-4096": "RSA_4096",
  };
  for (const [kind, spec] of Object.entries(specs)) {
    const answer = await awsCall(kit, "CreateKey", { KeySpec: spec, KeyUsage: "SIGN_VERIFY" });
    keys.push({ backend: "aws", kind, reference: `${uri}${answer.KeyMetadata?.KeyId}`, madeBy: "vendor" });
  }
  return keys;
}

/** moto does not check the signatures of requests. */
export async function awsCall(kit: Kit, action: string, input: unknown): Promise<{ KeyMetadata?: { KeyId: string } }> {
  const { BACKENDS_AWS_ENDPOINT: endpoint = "", BACKENDS_CA, AWS_CA_BUNDLE } = kit.env("aws");
  const credential = "Credential=test/20200101/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=x";
  const headers = {
    "X-Amz-Target": `TrentService.${action}`,
    "Content-Type": "application/x-amz-json-1.1",
    Authorization: `AWS4-HMAC-SHA256 ${credential}`,
  };
  const sent = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const ca = BACKENDS_CA ?? AWS_CA_BUNDLE ?? "";
  const made = await kit.in("aws")(
    "curl",
    "-sSf",
    "--noproxy",
    "*",
    "--cacert",
    ca,
    `${endpoint}/`,
    ...sent,
    "-d",
    JSON.stringify(input),
  );
  assert.equal(made.code, 0, made.stderr);
  return JSON.parse(made.stdout);
}

/** The suite's own token, so that keys of other programs are not touched. */
async function softhsm(kit: Kit): Promise<SuiteKey[]> {
  const module = kit.env("softhsm")["BACKENDS_PKCS11_MODULE"] ?? "";
  const tokens = join(kit.cwd, "tokens");
  mkdirSync(tokens);
  const config = join(kit.cwd, "softhsm2.conf");
  writeFileSync(config, `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { SOFTHSM2_CONF: config, COSIGN_PKCS11_MODULE_PATH: module, COSIGN_PKCS11_PIN: "9753" };
  const vendor = kit.in("softhsm", env);
  const must = async (program: string, ...args: string[]) => {
    const result = await vendor(program, ...args);
    assert.equal(result.code, 0, `${program}: ${result.stderr}`);
  };
  await must("softhsm2-util", "--init-token", "--free", "--label", "suite", "--so-pin", "1234", "--pin", "9753");
  const types = {
    "p-256": "EC:prime256v1",
    "p-384": "EC:secp384r1",
    "p-521": "EC:secp521r1",
    "rsa-2048": "rsa:2048",
    "rsa-3072": "rsa:3072",
    "rsa-4096": "rsa:4096",
    ed25519: "EC:edwards25519",
  };
  const keys: SuiteKey[] = [];
  for (const [index, [kind, type]] of Object.entries(types).entries()) {
    const id = `0${index + 1}`;
    const login = ["--module", module, "--token-label", "suite", "--login", "--pin", "9753"];
    await must(
      "pkcs11-tool",
      ...login,
      "--keypairgen",
      "--key-type",
      type,
      "--usage-sign",
      "--id",
      id,
      "--label",
      kind,
    );
    // cosign reads the PIN of a key for verifying only from here.
    const name = index === 1 ? `id=%${id}` : `object=${kind}`;
    const reference = `pkcs11:token=suite;${name}?pin-value=9753`;
    keys.push({ backend: "softhsm", kind, reference, madeBy: "vendor", env });
  }
  return keys;
}

/** Neither program replaces an existing pair, so each has a name of its own. */
async function k8s(kit: Kit): Promise<SuiteKey[]> {
  return stored(kit, "k8s", (name) => [`${kit.env("k8s")["BACKENDS_K8S_URI"]}${name}`]);
}

async function plugin(kit: Kit): Promise<SuiteKey[]> {
  return byBoth(kit, "plugin", (name) => `suite://${name}`);
}

async function stored(
  kit: Kit,
  backend: Backend,
  references: (name: string) => readonly string[],
): Promise<SuiteKey[]> {
  const keys: SuiteKey[] = [];
  for (const madeBy of ["tsign", "cosign"] as const) {
    for (const reference of references(`${madeBy}${Date.now()}`)) {
      const made = await kit.in(backend)(kit[madeBy], "generate-key-pair", reference);
      assert.equal(made.code, 0, made.stderr);
      const publicKey = `${backend}${keys.length}.pub`;
      writeFileSync(join(kit.cwd, publicKey), readFileSync(join(kit.cwd, "cosign.pub")));
      const kind = backend === "forge" ? (/^\w+:\/\/(?:[^/]+\/)?/.exec(reference)?.[0] ?? "") : "p-256";
      keys.push({ backend, kind, reference, madeBy, publicKey });
    }
  }
  return keys;
}

/** Reads what was stored at GitHub from the fake, as a workflow would get it. */
async function forge(kit: Kit): Promise<SuiteKey[]> {
  const keys = await stored(kit, "forge", (name) => [
    `github://own/${name}`,
    `github://${name}`,
    `gitlab://own/${name}`,
    `gitlab://group${name}`,
  ]);
  type Secrets = Record<string, Record<string, string | { value: string }>>;
  const secrets = (await (await fetch(`${kit.env("forge")["BACKENDS_FORGE"]}/_secrets`)).json()) as Secrets;
  return keys.map((key, index) => {
    if (!key.reference.startsWith("github")) return key;
    const kept = secrets[key.reference.replace("://", ":")] ?? assert.fail(`nothing is kept for ${key.reference}`);
    const text = (name: string) => {
      const value = kept[name] ?? "";
      return typeof value === "string" ? value : value.value;
    };
    assert.equal(text("COSIGN_PASSWORD"), "suite");
    const files = { privateKey: `github${index}.key`, publicKey: `github${index}.pub` };
    writeFileSync(join(kit.cwd, files.privateKey), text("COSIGN_PRIVATE_KEY"));
    writeFileSync(join(kit.cwd, files.publicKey), text("COSIGN_PUBLIC_KEY"));
    return { ...key, files };
  });
}

async function gcp(kit: Kit): Promise<SuiteKey[]> {
  const { BACKENDS_GCP_URI: uri, BACKENDS_GCP_PARENT: parent } = kit.env("gcp");
  const ring = `suite${Date.now()}`;
  const keys = await byBoth(kit, "gcp", (name) => `${uri}${ring}/cryptoKeys/${name}`);
  const rsa = ["2048_SHA256", "3072_SHA256", "4096_SHA256", "4096_SHA512"];
  const algorithms = [
    "EC_SIGN_P384_SHA384",
    "EC_SIGN_ED25519",
    ...["PKCS1", "PSS"].flatMap((kind) => rsa.map((each) => `RSA_SIGN_${kind}_${each}`)),
  ];
  for (const algorithm of algorithms) {
    const cryptoKey = { purpose: "ASYMMETRIC_SIGN", versionTemplate: { algorithm } };
    await gcpCall(kit, "CreateCryptoKey", { parent: `${parent}/keyRings/${ring}`, cryptoKeyId: algorithm, cryptoKey });
    const kind = algorithm
      .replace(/^(EC|RSA)_SIGN_/, "")
      .toLowerCase()
      .replaceAll("_", " ");
    const hash = algorithm.endsWith("4096_SHA512") ? { hash: "sha512" } : {};
    keys.push({ backend: "gcp", kind, reference: `${uri}${ring}/cryptoKeys/${algorithm}`, madeBy: "vendor", ...hash });
  }
  const [first] = keys;
  const name = first?.reference.slice("gcpkms://".length) ?? "";
  for (let version = 2; version <= 11; version++) await gcpCall(kit, "CreateCryptoKeyVersion", { parent: name });
  const pinned = {
    backend: "gcp",
    kind: "p-256 version 1",
    reference: `${first?.reference}/versions/1`,
    madeBy: "vendor",
  } as const;
  return [
    { ...keys[0], kind: "p-256 version 11", publicKey: undefined } as unknown as SuiteKey,
    ...keys.slice(1),
    pinned,
  ];
}

/** Calls a method of the fake without the proxy. */
export async function gcpCall(kit: Kit, method: string, request: unknown): Promise<void> {
  const {
    BACKENDS_GCP_CALL: call = "",
    BACKENDS_GCP_PORT: port = "",
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: ca = "",
  } = kit.env("gcp");
  const made = await kit.in("gcp")("node", call, port, ca, method, JSON.stringify(request));
  assert.equal(made.code, 0, `${method}: ${made.stdout} ${made.stderr}`);
}

async function azure(kit: Kit): Promise<SuiteKey[]> {
  const uri = kit.env("azure")["BACKENDS_AZURE_URI"] ?? "";
  const keys = await byBoth(kit, "azure", (name) => `${uri}${name}`);
  const kinds: Record<string, object> = {
    "p-384": { kty: "EC", crv: "P-384" },
    "p-521": { kty: "EC", crv: "P-521" },
    "p-256 HSM": { kty: "EC-HSM", crv: "P-256" },
    "rsa-2048": { kty: "RSA", key_size: 2048 },
    "rsa-3072": { kty: "RSA", key_size: 3072 },
    "rsa-4096": { kty: "RSA", key_size: 4096 },
    "rsa-2048 HSM": { kty: "RSA-HSM", key_size: 2048 },
  };
  for (const [kind, body] of Object.entries(kinds)) {
    const name = `${kind.replaceAll(" ", "-")}-${Date.now()}`;
    await azureCall(kit, `keys/${name}/create`, { method: "POST", body });
    keys.push({ backend: "azure", kind, reference: `${uri}${name}`, madeBy: "vendor" });
  }
  return keys;
}

/** Calls the vault's API with a token of the suite's client, by curl with the router as its proxy. */
export async function azureCall(kit: Kit, path: string, { method, body }: { method: string; body: object }) {
  const env = kit.env("azure");
  const curl = async (...args: string[]) => {
    const { code, stdout, stderr } = await kit.in("azure")("curl", "-sSf", ...args);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  };
  const form = `grant_type=client_credentials&client_id=${env["AZURE_CLIENT_ID"]}&client_secret=${env["AZURE_CLIENT_SECRET"]}`;
  const login = `https://login.microsoftonline.com/${env["AZURE_TENANT_ID"]}/oauth2/v2.0/token`;
  const { access_token: token } = await curl(login, "-d", `${form}&scope=https://vault.azure.net/.default`);
  const json = ["-H", "content-type: application/json", "-d", JSON.stringify(body)];
  const url = `https://backends.vault.azure.net/${path}?api-version=7.6`;
  return curl("-X", method, "-H", `authorization: Bearer ${token}`, ...json, url);
}
