import assert from "node:assert/strict";
import { createPublicKey, type KeyObject } from "node:crypto";
import { test } from "node:test";
import {
  type Asked,
  type FakeReply,
  KINDS,
  pemOf,
  refuses,
  serviceIo,
  signDigestDer,
  signPure,
} from "../../../test/support/fake-service.ts";
import type { HashName } from "../../format/digest.ts";
import { messageOf } from "../../format/digest.ts";
import { defaultHashes, publicKeyFromObject } from "../public-key.ts";
import { verifySignature } from "../verify.ts";
import { openHashivault } from "./hashivault.ts";

const TYPES = {
  "P-256": "ecdsa-p256",
  "P-384": "ecdsa-p384",
  "P-521": "ecdsa-p521",
  "RSA 2048": "rsa-2048",
  Ed25519: "ed25519",
};
const TOKEN = "hvs.very-secret";
const ENV = { VAULT_ADDR: "https://vault.test:8200/", VAULT_TOKEN: TOKEN };

/** A transit engine with one key named `k`, its versions in order. */
function engine(type: string, versions: readonly KeyObject[]) {
  const encoded = (key: KeyObject) =>
    type === "ed25519"
      ? Buffer.from(String(createPublicKey(key).export({ format: "jwk" }).x), "base64url").toString("base64")
      : pemOf(key);
  const keys = Object.fromEntries(versions.map((key, index) => [index + 1, { public_key: encoded(key) }]));
  return ({ path, json }: Asked): FakeReply => {
    if (path === "/v1/transit/keys/k") return { json: { data: { type, keys, latest_version: versions.length } } };
    const [, bits] = /^\/v1\/transit\/sign\/k(?:\/sha2-(\d+))?$/.exec(path) ?? assert.fail(path);
    const version = Number(json["key_version"]);
    const key = versions[version - 1] ?? assert.fail("no such version");
    const input = Buffer.from(String(json["input"]), "base64");
    const signature = bits ? signDigestDer(key, input, `sha${bits}` as HashName) : signPure(key, input);
    return { json: { data: { signature: `vault:v${version}:${Buffer.from(signature).toString("base64")}` } } };
  };
}

for (const [kind, type] of Object.entries(TYPES)) {
  test(`Vault signs with ${type} and its default hash`, async () => {
    const key = KINDS[kind]?.() ?? assert.fail(kind);
    const { io, asked } = serviceIo(engine(type, [key]), { env: ENV });
    const provider = openHashivault(io, "hashivault://k");
    const message = Buffer.from("message");
    const { signature } = await (await provider.signer()).sign(message);
    const own = publicKeyFromObject(key);
    assert.ok(await verifySignature({ key: own, message: messageOf(message), signature, hashes: [own.hash] }));
    assert.equal((await provider.publicKey()).pem, own.pem);
    assert.ok(asked.every(({ headers }) => headers["x-vault-token"] === TOKEN));
  });
}

test("Vault: after a rotation the newest version signs, accepted versions verify, VAULT_KEY_PREFIX selects one", async () => {
  const versions = [KINDS["P-256"], KINDS["P-256"]].map((make) => make?.() ?? assert.fail());
  const verifies = async (env: Record<string, string>, signer: number) => {
    const { io } = serviceIo(engine("ecdsa-p256", versions), { env: { ...ENV, ...env } });
    const key = await openHashivault(io, "openbao://k").publicKey();
    const message = messageOf(Buffer.from("x"));
    const signature = signDigestDer(versions[signer] ?? assert.fail(), message.digest("sha256"), "sha256");
    return verifySignature({ key, message, signature, hashes: defaultHashes(key) });
  };
  assert.deepEqual([await verifies({}, 0), await verifies({}, 1)], [true, true]);
  assert.equal(await verifies({ VAULT_KEY_PREFIX: "vault:v1:" }, 0), true);
  assert.equal(await verifies({ VAULT_KEY_PREFIX: "vault:v1:" }, 1), false);
  const { io } = serviceIo(engine("ecdsa-p256", versions), { env: { ...ENV, VAULT_KEY_PREFIX: "vault:v9:" } });
  await refuses(openHashivault(io, "hashivault://k").publicKey(), { code: "input", text: /no version 9/ });
});

const SAID: [string, FakeReply | undefined, string, RegExp][] = [
  ["no such key", { status: 404, json: { errors: [] } }, "input", /key not found: transit\/keys\/k in Vault/],
  [
    "no such engine",
    { status: 404, json: { errors: ['no handler for route "transit/keys/k"'] } },
    "input",
    /secrets engine not found: transit\//,
  ],
  [
    "no permission",
    { status: 403, json: { errors: ["1 error occurred:\n\t* permission denied\n\n"] } },
    "auth",
    /denied permission for "read" on transit\/keys\/k.*\n.*capabilities = \["read"\]/,
  ],
  [
    "a bad token",
    { status: 403, json: { errors: ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"] } },
    "auth",
    /refused the token/,
  ],
  [
    "a sealed Vault",
    { status: 503, json: { errors: ["Vault is sealed"] } },
    "service",
    /sealed or not ready .*: Vault is sealed/,
  ],
  [
    "throttling",
    { status: 429, json: { errors: ["request path rate limit quota exceeded"] } },
    "service",
    /still limits the request rate/,
  ],
  ["a response that is not JSON", { text: "<html>" }, "service", /returned invalid JSON/],
  ["nothing there", undefined, "network", /connect to https:\/\/vault.test:8200: connection refused/],
  [
    "a key that encrypts",
    { json: { data: { type: "aes256-gcm96", keys: { 1: 1_700_000_000 } } } },
    "input",
    /cannot sign: its type is aes256-gcm96/,
  ],
];
for (const [what, reply, code, text] of SAID) {
  test(`Vault: ${what} -> one clear line`, async () => {
    const { io } = serviceIo(() => reply, { env: ENV });
    await refuses(openHashivault(io, "hashivault://k").publicKey(), { code, text, secrets: [TOKEN] });
  });
}

test("Vault: retries after status 429", async () => {
  const answer = engine("ecdsa-p256", [KINDS["P-256"]?.() ?? assert.fail()]);
  let tries = 0;
  const { io } = serviceIo((asked) => (++tries < 3 ? { status: 429 } : answer(asked)), { env: ENV });
  assert.ok(await openHashivault(io, "hashivault://k").publicKey());
  assert.equal(tries, 3);
});

test("Vault: without permission to sign the error names the path and the capability", async () => {
  const answer = engine("ecdsa-p256", [KINDS["P-256"]?.() ?? assert.fail()]);
  const { io } = serviceIo((asked) => (asked.method === "POST" ? { status: 403 } : answer(asked)), { env: ENV });
  const signer = await openHashivault(io, "hashivault://k").signer();
  const text = /denied permission for "update" on transit\/sign\/k\/sha2-256/;
  await refuses(signer.sign(Buffer.from("x")), { code: "auth", text, secrets: [TOKEN] });
});

test("Vault: a signature by another key is refused", async () => {
  const [one, two] = [KINDS["P-256"]?.() ?? assert.fail(), KINDS["P-256"]?.() ?? assert.fail()];
  const { io } = serviceIo(
    (asked) => (asked.method === "POST" ? engine("ecdsa-p256", [two])(asked) : engine("ecdsa-p256", [one])(asked)),
    { env: ENV },
  );
  const signer = await openHashivault(io, "hashivault://k").signer();
  await refuses(signer.sign(Buffer.from("x")), {
    code: "service",
    text: /does not verify with its public key/,
  });
});

test("Vault: finds the token in the order of Vault's client, and the error lists the places", async () => {
  const { VAULT_ADDR } = ENV;
  const answer = engine("ecdsa-p256", [KINDS["P-256"]?.() ?? assert.fail()]);
  const none = serviceIo(answer, { env: { VAULT_ADDR, HOME: "/nonexistent" } });
  const text = /missing token for Vault\nset VAULT_TOKEN, or run `vault login` .*BAO_TOKEN/;
  await refuses(openHashivault(none.io, "hashivault://k").publicKey(), { code: "auth", text });
  const bao = serviceIo(answer, { env: { BAO_ADDR: VAULT_ADDR, BAO_TOKEN: "s.bao" } });
  await openHashivault(bao.io, "openbao://k").publicKey();
  assert.equal(bao.asked[0]?.headers["x-vault-token"], "s.bao");
  const address = serviceIo(answer, { env: { VAULT_TOKEN: TOKEN } });
  await refuses(openHashivault(address.io, "hashivault://k").publicKey(), {
    code: "usage",
    text: /VAULT_ADDR is not set/,
  });
});

test("Vault: generate-key-pair creates a key only if it does not exist", async () => {
  const answer = engine("ecdsa-p256", [KINDS["P-256"]?.() ?? assert.fail()]);
  let there = false;
  const { io, asked } = serviceIo(
    (each) => {
      if (each.method === "POST") there = true;
      if (each.method === "POST") return { status: 204 };
      return there ? answer(each) : { status: 404, json: { errors: [] } };
    },
    { env: ENV },
  );
  const create = async () => (await openHashivault(io, "hashivault://k").create?.())?.pem;
  assert.equal(await create(), await create());
  assert.deepEqual(
    asked.filter(({ method }) => method === "POST").map(({ json }) => json),
    [{ type: "ecdsa-p256" }],
  );
});

test("Vault: invalid references are refused", async () => {
  for (const reference of ["hashivault://", "hashivault://a/b", "hashivault://-x", "openbao://x?y"]) {
    await refuses(() => openHashivault(serviceIo(() => ({})).io, reference), {
      code: "input",
      text: /invalid Vault reference/,
    });
  }
});

test("Vault: warns about VAULT_SKIP_VERIFY only when it is set", async () => {
  const key = KINDS["P-256"]?.() ?? assert.fail();
  for (const [value, warned] of [
    ["true", true],
    ["false", false],
    ["", false],
  ] as const) {
    const { io } = serviceIo(engine("ecdsa-p256", [key]), { env: { ...ENV, VAULT_SKIP_VERIFY: value } });
    const written: string[] = [];
    const recording = { ...io, stderr: { write: (text: string) => written.push(text) } };
    await openHashivault(recording, "hashivault://k").publicKey();
    assert.equal(/^WARNING: VAULT_SKIP_VERIFY is set/m.test(written.join("")), warned, value);
  }
});
