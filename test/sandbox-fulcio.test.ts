import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { oidText, readAll, readOne } from "../src/sandbox/pki/der.ts";
import { type TestSigstore, testSigstore } from "./support/sandbox.ts";
import { ALICE, ask, certify, keyOf, leafOf } from "./support/sandbox-client.ts";

const FULCIO = "1.3.6.1.4.1.57264.1.";
const SUBJECT = "repo:acme/widget:ref:refs/heads/main";

/** Returns the extensions of a certificate: content of their octet strings by OID. */
function extensionsOf(certificate: X509Certificate): Map<string, Buffer> {
  const [tbs] = readAll(readOne(certificate.raw).content);
  const list = readAll(tbs?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === 0xa3);
  return new Map(
    readAll(readOne(list?.content ?? Buffer.alloc(0)).content).map(({ content }) => {
      const parts = readAll(content);
      return [oidText(parts[0]?.content ?? Buffer.alloc(0)), parts.at(-1)?.content ?? Buffer.alloc(0)];
    }),
  );
}

const utf8 = (der: Buffer | undefined) => readOne(der ?? Buffer.alloc(0)).content.toString();

test("Fulcio: certificate has the key and the identity of the token, and a path to the root", async () => {
  const sandbox = await testSigstore();
  const pair = keyOf("P-256");
  const leaf = leafOf(await certify(sandbox, pair));
  const [intermediate, root] = sandbox.files["fulcio_chain.pem"]
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .map((pem) => new X509Certificate(pem));
  assert.ok(intermediate && root);
  assert.ok(leaf.verify(intermediate.publicKey) && leaf.checkIssued(intermediate));
  assert.ok(intermediate.verify(root.publicKey) && intermediate.checkIssued(root));
  assert.ok(root.verify(root.publicKey) && root.ca && intermediate.ca && !leaf.ca);
  assert.ok(leaf.checkPrivateKey(pair.privateKey) && leaf.publicKey.equals(pair.publicKey));
  for (const { subject } of [intermediate, root]) assert.match(subject, /sandbox/);
  assert.equal(leaf.subjectAltName, `email:${ALICE}`);
  assert.equal(leaf.subject, undefined);
  assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.3"]);
  assert.equal(leaf.validToDate.getTime() - leaf.validFromDate.getTime(), 600_000);
  const extensions = extensionsOf(leaf);
  assert.equal(extensions.get(`${FULCIO}1`)?.toString(), sandbox.at.issuer);
  assert.equal(utf8(extensions.get(`${FULCIO}8`)), sandbox.at.issuer);
  assert.equal(utf8(extensions.get(`${FULCIO}24`)), ALICE);
  const other = leafOf(await certify(sandbox, pair));
  assert.notEqual(other.serialNumber, leaf.serialNumber);
});

test("Fulcio: CI job token -> certificate with every extension", async () => {
  const sandbox = await testSigstore();
  const token = sandbox.mintJob({ environment: "production" });
  const leaf = leafOf(await certify(sandbox, keyOf("P-256"), { token, subject: SUBJECT }));
  const extensions = extensionsOf(leaf);
  const workflow = "https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main";
  assert.equal(leaf.subjectAltName, `URI:${workflow}`);
  const bare = ["push", "a".repeat(40), "release", "acme/widget", "refs/heads/main"];
  for (const [index, value] of bare.entries()) assert.equal(extensions.get(FULCIO + (index + 2))?.toString(), value);
  const encoded = Array.from({ length: 17 }, (_, index) => utf8(extensions.get(FULCIO + (index + 8))));
  assert.deepEqual(encoded, [
    sandbox.at.ciIssuer,
    workflow,
    "a".repeat(40),
    "github-hosted",
    "https://github.com/acme/widget",
    "a".repeat(40),
    "refs/heads/main",
    "1001",
    "https://github.com/acme",
    "2002",
    workflow,
    "a".repeat(40),
    "push",
    "https://github.com/acme/widget/actions/runs/3003/attempts/1",
    "public",
    "production",
    SUBJECT,
  ]);
});

test("Fulcio: CI job token of an enterprise's issuer -> the same identity with that issuer", async () => {
  const sandbox = await testSigstore();
  const iss = `${sandbox.at.ciIssuer}/acme`;
  const leaf = leafOf(await certify(sandbox, keyOf("P-256"), { token: sandbox.mintJob({ iss }), subject: SUBJECT }));
  assert.equal(leaf.subjectAltName, "URI:https://github.com/acme/widget/.github/workflows/release.yml@refs/heads/main");
  assert.equal(utf8(extensionsOf(leaf).get(`${FULCIO}8`)), iss);
});

test("Fulcio: token without an e-mail address -> URI or user name in the certificate", async () => {
  const sandbox = await testSigstore();
  const kind = async (sub: string) => {
    const token = sandbox.mint("", { sub, email: undefined });
    return leafOf(await certify(sandbox, keyOf("P-256"), { token, subject: sub })).subjectAltName;
  };
  assert.equal(await kind("spiffe://sandbox.test/job"), "URI:spiffe://sandbox.test/job");
  assert.match((await kind("carol")) ?? "", /othername/i);
});

test("Fulcio: supported keys -> certificate; other keys -> refused", async () => {
  const sandbox = await testSigstore();
  const hashes = { "P-256": "sha256", "P-384": "sha384", "P-521": "sha512", RSA: "sha256", Ed25519: null } as const;
  for (const [kind, hash] of Object.entries(hashes)) {
    const pair = keyOf(kind as keyof typeof hashes);
    assert.ok(leafOf(await certify(sandbox, pair, { hash })).publicKey.equals(pair.publicKey), kind);
  }
  const weak = [
    generateKeyPairSync("rsa", { modulusLength: 1024 }),
    generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  ];
  for (const pair of weak) assert.equal((await certify(sandbox, pair)).status, 400);
});

async function refusal(sandbox: TestSigstore, options: Parameters<typeof certify>[2], pair = keyOf("P-256")) {
  const { status, bytes } = await certify(sandbox, pair, options);
  assert.equal(status, 400);
  return bytes.toString();
}

test("Fulcio: invalid token or proof of possession -> refused", async () => {
  const sandbox = await testSigstore();
  const stranger = await testSigstore();
  const token = sandbox.mint(ALICE);
  const [header = "", payload = "", signature = ""] = token.split(".");
  const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`;
  const hmac = `${Buffer.from('{"alg":"HS256"}').toString("base64url")}.${payload}`;
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, email: "eve@example.com" })).toString("base64url");
  const tokens = {
    "another issuer's key": stranger.mint(ALICE),
    expired: sandbox.mint(ALICE, {}, { ttl: -60 }),
    "not yet": sandbox.mint(ALICE, { nbf: Date.now() / 1000 + 3600 }),
    "another audience": sandbox.mint(ALICE, {}, { aud: "other" }),
    "another issuer": sandbox.mint(ALICE, { iss: "https://example.com" }),
    "an issuer whose name begins like CI's": sandbox.mintJob({ iss: `${sandbox.at.ciIssuer}x` }),
    "a path below CI's issuer": sandbox.mintJob({ iss: `${sandbox.at.ciIssuer}/acme/x` }),
    "not verified": sandbox.mint(ALICE, { email_verified: false }),
    "no signature": unsigned,
    HS256: `${hmac}.${createHash("sha256").update(hmac).digest("base64url")}`,
    forged: `${header}.${forged}.${signature}`,
    garbage: "garbage",
  };
  for (const [name, bad] of Object.entries(tokens)) {
    const text = await refusal(sandbox, { token: bad, subject: name === "forged" ? "eve@example.com" : ALICE });
    assert.match(text, /error processing the identity token/, name);
  }
  assert.match(
    await refusal(sandbox, { subject: "mallory@example.com" }),
    /signature supplied .* could not be verified/,
  );
  const swapped = { publicKey: keyOf("P-256").publicKey, privateKey: keyOf("P-256").privateKey };
  assert.match(await refusal(sandbox, {}, swapped), /could not be verified/);
  assert.equal((await ask(sandbox, "POST", "/api/v2/signingCert", { body: {} })).status, 400);
  assert.equal((await ask(sandbox, "POST", "/api/v2/signingCert", { body: Buffer.from("no JSON") })).status, 400);
});

test("Fulcio: token in the request body overrides the header", async () => {
  const sandbox = await testSigstore();
  const pair = keyOf("P-256");
  const send = (oidcIdentityToken: unknown, headers: Record<string, string> = {}) =>
    ask(sandbox, "POST", "/api/v2/signingCert", {
      headers,
      body: {
        credentials: { oidcIdentityToken },
        publicKeyRequest: {
          publicKey: { algorithm: "ECDSA", content: pair.publicKey.export({ type: "spki", format: "pem" }) },
          proofOfPossession: sign("sha256", Buffer.from(ALICE), pair.privateKey).toString("base64"),
        },
      },
    });
  const good = { authorization: `Bearer ${sandbox.mint(ALICE)}` };
  assert.equal(leafOf(await send(sandbox.mint(ALICE))).subjectAltName, `email:${ALICE}`);
  assert.equal(leafOf(await send("", good)).subjectAltName, `email:${ALICE}`);
  const eve = { authorization: `Bearer ${sandbox.mint("eve@example.com")}` };
  assert.equal(leafOf(await send(sandbox.mint(ALICE), eve)).subjectAltName, `email:${ALICE}`);
  const stranger = await testSigstore();
  const bad = ["garbage", stranger.mint(ALICE), sandbox.mint(ALICE, {}, { ttl: -60 }), "", 5, { token: "x" }, [""]];
  for (const token of bad) assert.equal((await send(token)).status, 400, JSON.stringify(token));
  assert.equal((await send("garbage", good)).status, 400);
  assert.equal((await send(sandbox.mint("eve@example.com"), good)).status, 400);
});

test("Fulcio v1: 201 with a PEM chain; the trust bundle is the same chain", async () => {
  const sandbox = await testSigstore();
  const pair = keyOf("P-256");
  const content = Buffer.from(pair.publicKey.export({ type: "spki", format: "pem" })).toString("base64");
  const signedEmailAddress = sign("sha256", Buffer.from(ALICE), pair.privateKey).toString("base64");
  const body = { publicKey: { content }, signedEmailAddress, certificateSigningRequest: null };
  const headers = { authorization: `Bearer ${sandbox.mint(ALICE)}` };
  const answered = await ask(sandbox, "POST", "/api/v1/signingCert", { body, headers });
  assert.equal(answered.status, 201);
  const certificates = answered.bytes
    .toString()
    .split(/(?<=-----END CERTIFICATE-----\n)/)
    .filter(Boolean);
  assert.equal(certificates.length, 3);
  assert.equal(certificates.slice(1).join(""), sandbox.files["fulcio_chain.pem"]);
  const bundle = (await ask(sandbox, "GET", "/api/v2/trustBundle")).json() as unknown as {
    chains: { certificates: string[] }[];
  };
  assert.deepEqual(bundle.chains[0]?.certificates, certificates.slice(1));
});

test("CT log: every certificate is included, with a proof", async () => {
  const sandbox = await testSigstore();
  for (let count = 0; count < 3; count++) await certify(sandbox, keyOf("P-256"));
  const head = (await ask(sandbox, "GET", "/ct/v1/get-sth")).json() as unknown as { tree_size: number };
  assert.equal(head.tree_size, 3);
  const { entries } = (await ask(sandbox, "GET", "/ct/v1/get-entries?start=0&end=9")).json() as unknown as {
    entries: { leaf_input: string }[];
  };
  assert.equal(entries.length, 3);
  const hash = createHash("sha256")
    .update(Buffer.from([0]))
    .update(Buffer.from(entries[1]?.leaf_input ?? "", "base64"));
  const query = new URLSearchParams({ hash: hash.digest("base64"), tree_size: "3" });
  const proof = (await ask(sandbox, "GET", `/ct/v1/get-proof-by-hash?${query}`)).json() as unknown as {
    leaf_index: number;
  };
  assert.equal(proof.leaf_index, 1);
  query.set("hash", Buffer.alloc(32).toString("base64"));
  assert.equal((await ask(sandbox, "GET", `/ct/v1/get-proof-by-hash?${query}`)).status, 404);
});
