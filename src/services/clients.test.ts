import assert from "node:assert/strict";
import { test } from "node:test";
import { foundry } from "../../test/support/authorities.ts";
import { type Asked, type FakeReply, KINDS, refuses, serviceIo } from "../../test/support/fake-service.ts";
import { messageOf } from "../format/digest.ts";
import { writePem } from "../format/pem.ts";
import { signerFromKey } from "../keys/signer.ts";
import type { KeyKind } from "../keys/types.ts";
import { requestCertificate } from "./fulcio.ts";
import { entryAtIndex, type LogRequest, oldestEntry, searchEntries, uploadEntry } from "./rekor-v1.ts";
import { uploadEntryV2 } from "./rekor-v2.ts";
import { requestTimestamp } from "./timestamp.ts";

const FULCIO = new URL("https://fulcio.example/");
const REKOR = new URL("https://rekor.example/base/");
const TSA = new URL("https://tsa.example/api/v1/timestamp");
const TOKEN = "secret.identity.token";
const base64 = (text: string) => Buffer.from(text).toString("base64");

/** Returns the value at a path in the JSON body of a request. */
// biome-ignore lint/suspicious/noExplicitAny: what was sent is compared, whatever its shape
const sentIn = (asked: readonly Asked[], index = 0): any => asked[index]?.json ?? assert.fail("nothing was sent");

/** Refusals that any service may return, with the expected errors. */
const REFUSALS: readonly [FakeReply, { code: string; text: RegExp }][] = [
  [
    { status: 401, json: { code: 16, message: "token\nexpired" } },
    { code: "auth", text: /returned 401: token\\nexpired/ },
  ],
  [
    { status: 403, text: "not  for\nyou" },
    { code: "auth", text: /returned 403: not for you/ },
  ],
  [
    { status: 400, json: { message: 7 } },
    { code: "service", text: /example\) returned 400: 7$/m },
  ],
  [
    { status: 404, text: "" },
    { code: "service", text: /example\) returned 404$/m },
  ],
  [
    { status: 418, json: ["x"] },
    { code: "service", text: /returned 418: \["x"\]/ },
  ],
  [
    { status: 422, text: "x".repeat(5000) },
    { code: "service", text: /returned 422: x{300}$/m },
  ],
];

async function refusesAll(attempt: (reply: FakeReply) => Promise<unknown>): Promise<void> {
  for (const [reply, told] of REFUSALS) await refuses(attempt(reply), { ...told, secrets: [TOKEN] });
}

test("requestCertificate: sends proof of possession, and returns the chain with either form of SCT", async () => {
  const { newKey, make } = foundry();
  const [ca, pair] = [newKey(), newKey()];
  const leaf = make({ name: undefined, key: pair, issuer: "ca", issuerKey: ca });
  const issuer = make({ name: "ca", key: ca, issuer: "ca", issuerKey: ca });
  const chain = { certificates: [leaf, issuer].map((der) => writePem("CERTIFICATE", der)) };
  const signer = signerFromKey(pair.privateKey);
  const ask = (reply: FakeReply) => {
    const { io, asked } = serviceIo(() => reply);
    return { asked, issued: requestCertificate(io, { url: FULCIO, token: TOKEN, subject: "a@b.example", signer }) };
  };
  for (const member of ["signedCertificateEmbeddedSct", "signedCertificateDetachedSct"]) {
    for (const status of [200, 201]) {
      const { asked, issued } = ask({ status, json: { [member]: { chain } } });
      const { leaf: got, chain: above } = await issued;
      assert.deepEqual([Buffer.from(got), Buffer.from(above[0] ?? "")], [leaf, issuer]);
      assert.equal(asked[0]?.path, "/api/v2/signingCert");
      assert.equal(asked[0]?.headers["authorization"], `Bearer ${TOKEN}`);
      assert.equal(sentIn(asked).publicKeyRequest.publicKey.algorithm, "ECDSA");
    }
  }
  const other = make({ name: undefined, key: newKey(), issuer: "ca", issuerKey: ca });
  const wrong: [unknown, RegExp][] = [
    [
      { signedCertificateEmbeddedSct: { chain: { certificates: [writePem("CERTIFICATE", other)] } } },
      /for a different key/,
    ],
    [{ signedCertificateEmbeddedSct: { chain: { certificates: [] } } }, /for a different key/],
    [{ signedCertificateEmbeddedSct: { chain: { certificates: ["none"] } } }, /returned no certificate/],
    [{ signedCertificateEmbeddedSct: { chain: { certificates: "none" } } }, /returned no certificate/],
    [{ signedCertificateEmbeddedSct: { chain: [] } }, /returned no certificate/],
    [{ signedCertificateEmbeddedSct: 1 }, /returned no certificate/],
    [{}, /returned no certificate/],
    [[], /returned no certificate/],
  ];
  for (const [json, text] of wrong) await refuses(ask({ json }).issued, { code: "service", text, secrets: [TOKEN] });
  await refusesAll((reply) => ask(reply).issued);
  for (const [name, algorithm] of [
    ["RSA 2048", "RSA"],
    ["Ed25519", "ED25519"],
  ] as const) {
    const { io, asked } = serviceIo(() => ({ status: 400 }));
    const make = KINDS[name] ?? assert.fail(name);
    await assert.rejects(
      requestCertificate(io, { url: FULCIO, token: TOKEN, subject: "x", signer: signerFromKey(make()) }),
    );
    assert.equal(sentIn(asked).publicKeyRequest.publicKey.algorithm, algorithm);
  }
});

const BODY = base64('{"kind":"hashedrekord","apiVersion":"0.0.1"}');
const UUID = "ab".repeat(40);
const PROOF = { logIndex: 3, treeSize: 9, rootHash: "aa", hashes: ["bb"], checkpoint: "note" };
const logged = (more: object = {}, verification: object = {}) => ({
  body: BODY,
  logID: "cc",
  logIndex: 7,
  integratedTime: 1_700_000_000,
  verification: { signedEntryTimestamp: base64("set"), inclusionProof: PROOF, ...verification },
  ...more,
});
const REQUEST: LogRequest = {
  content: { kind: "blob", signature: Buffer.from("sig") },
  message: messageOf(Buffer.from("message")),
  hash: "sha256",
  verifier: "-----BEGIN PUBLIC KEY-----",
};
const ENVELOPE: LogRequest = {
  ...REQUEST,
  content: { kind: "dsse", payloadType: "text/plain", payload: Buffer.from("p"), signature: Buffer.from("sig") },
};

test("uploadEntry: proposes an entry for the content, and reads entry, promise and proof", async () => {
  const { io, asked } = serviceIo(() => ({ status: 201, json: { [UUID]: logged() } }));
  const entry = await uploadEntry(io, REKOR, REQUEST);
  assert.equal(asked[0]?.path, "/base/api/v1/log/entries");
  assert.equal(asked[0]?.json["kind"], "hashedrekord");
  assert.deepEqual(
    [entry.logIndex, entry.integratedTime, entry.kindVersion.kind, entry.inclusionProof?.checkpoint?.envelope],
    ["7", "1700000000", "hashedrekord", "note"],
  );
  assert.equal(entry.inclusionPromise?.signedEntryTimestamp.toString(), "set");
  await uploadEntry(io, REKOR, ENVELOPE);
  assert.equal(JSON.parse(sentIn(asked, 1).spec.proposedContent.envelope).payload, base64("p"));
  await uploadEntry(io, REKOR, { ...ENVELOPE, envelope: "{ as stored }" });
  assert.deepEqual(
    [sentIn(asked, 2).kind, sentIn(asked, 2).spec.proposedContent],
    ["dsse", { envelope: "{ as stored }", verifiers: [base64(REQUEST.verifier)] }],
  );
});

test("uploadEntry: absent or malformed promise and proof -> left out, so that verification fails", async () => {
  const read = async (verification: object) => {
    const { io } = serviceIo(() => ({ json: { [UUID]: logged({}, verification) } }));
    const { inclusionPromise, inclusionProof } = await uploadEntry(io, REKOR, REQUEST);
    return [inclusionPromise !== undefined, inclusionProof !== undefined];
  };
  assert.deepEqual(await read({}), [true, true]);
  assert.deepEqual(await read({ signedEntryTimestamp: undefined }), [false, true]);
  assert.deepEqual(await read({ signedEntryTimestamp: "%" }), [false, true]);
  for (const change of [{ logIndex: -1 }, { treeSize: "9" }, { hashes: "bb" }])
    assert.deepEqual(await read({ inclusionProof: { ...PROOF, ...change } }), [true, false], JSON.stringify(change));
  assert.deepEqual(await read({ inclusionProof: [] }), [true, false]);
});

test("Rekor v1: invalid log entry -> refused by every request", async () => {
  const wrong = [
    {},
    [],
    "text",
    { [UUID]: 1 },
    { [UUID]: logged({ body: 7 }) },
    { [UUID]: logged({ body: "%" }) },
    { [UUID]: logged({ logID: 7 }) },
    { [UUID]: logged({ logIndex: "7" }) },
    { [UUID]: logged({ logIndex: -1 }) },
    { [UUID]: logged({ integratedTime: 1.5 }) },
  ];
  const told = { code: "service", text: /Rekor \(rekor\.example\) returned an invalid log entry/ };
  for (const json of wrong) {
    const { io } = serviceIo(() => ({ json }));
    await refuses(uploadEntry(io, REKOR, REQUEST), told);
    await refuses(entryAtIndex(io, REKOR, "7"), told);
    const among = serviceIo(() => ({ json: [{ [UUID]: logged() }, json] })).io;
    if (JSON.stringify(json) !== "{}") await refuses(searchEntries(among, REKOR, REQUEST), told);
  }
  for (const json of [{}, "text", Array.from({ length: 101 }, () => ({}))])
    await refuses(searchEntries(serviceIo(() => ({ json })).io, REKOR, REQUEST), told);
  for (const ask of [uploadEntry, searchEntries]) {
    await refuses(ask(serviceIo(() => ({ text: "<html>" })).io, REKOR, REQUEST), {
      code: "service",
      text: /response of Rekor \(rekor\.example\)/,
    });
    await refusesAll((reply) => ask(serviceIo(() => reply).io, REKOR, REQUEST));
  }
  await refusesAll((reply) => entryAtIndex(serviceIo(() => reply).io, REKOR, "7"));
});

test("uploadEntry: existing entry -> fetched from the location in the response, and from no other host", async () => {
  const conflict = (location: string, second: FakeReply) => {
    const { io, asked } = serviceIo(({ method }) =>
      method === "POST" ? { status: 409, headers: { location }, text: "exists" } : second,
    );
    return { asked, entry: uploadEntry(io, REKOR, REQUEST) };
  };
  const good = conflict(`https://evil.example/api/v1/log/entries/${UUID}`, { json: { [UUID]: logged() } });
  assert.equal((await good.entry).logIndex, "7");
  assert.equal(good.asked[1]?.request.url.href, `https://rekor.example/base/api/v1/log/entries/${UUID}`);
  for (const location of ["", "/api/v1/log/entries/xyz", `/api/v1/log/entries/${UUID}/more`, `/other/${UUID}`])
    await refuses(conflict(location, {}).entry, { code: "service", text: /invalid log entry/ });
  await refuses(conflict(`/api/v1/log/entries/${UUID}`, { json: {} }).entry, {
    code: "service",
    text: /invalid log entry/,
  });
  await refusesAll((reply) => conflict(`/api/v1/log/entries/${UUID}`, reply).entry);
});

test("searchEntries: searches both kinds of entries for an envelope; oldestEntry returns the oldest", async () => {
  const { io, asked } = serviceIo(() => ({
    json: [
      { [UUID]: logged({ integratedTime: 30 }), b: logged({ integratedTime: 10 }) },
      { c: logged({ integratedTime: 20 }) },
    ],
  }));
  const found = await searchEntries(io, REKOR, ENVELOPE);
  assert.equal(oldestEntry(found)?.integratedTime, "10");
  assert.equal(oldestEntry([]), undefined);
  const kinds = (index: number) => sentIn(asked, index).entries.map(({ kind }: { kind: string }) => kind);
  assert.deepEqual(kinds(0), ["dsse", "intoto"]);
  await searchEntries(io, REKOR, { ...ENVELOPE, envelope: "{}" });
  await searchEntries(io, REKOR, REQUEST);
  assert.deepEqual(kinds(2), ["hashedrekord"]);
  const one = serviceIo(() => ({ json: { [UUID]: logged() } }));
  assert.equal((await entryAtIndex(one.io, REKOR, "7")).logIndex, "7");
  assert.equal(one.asked[0]?.path, "/base/api/v1/log/entries?logIndex=7");
});

const TILE = {
  logIndex: "7",
  logId: { keyId: base64("log") },
  kindVersion: { kind: "hashedrekord", version: "0.0.2" },
  inclusionProof: {
    logIndex: "7",
    treeSize: "9",
    rootHash: base64("root"),
    hashes: [],
    checkpoint: { envelope: "note" },
  },
  canonicalizedBody: BODY,
};

test("uploadEntryV2: sends the details of the key, and requires body, log and checkpoint in the entry", async () => {
  const certificate = { kind: "certificate", der: Buffer.from("der") } as const;
  const key = { kind: "public-key", spki: Buffer.from("spki") } as const;
  const upload = (kind: KeyKind, reply: FakeReply, verifier: typeof certificate | typeof key = key) => {
    const { io, asked } = serviceIo(() => reply);
    const request = { digest: Buffer.from("d"), signature: Buffer.from("s"), verifier, key: kind };
    return { asked, entry: uploadEntryV2(io, REKOR, request) };
  };
  const kinds: [KeyKind, string][] = [
    [{ type: "ecdsa", curve: "P-256" }, "PKIX_ECDSA_P256_SHA_256"],
    [{ type: "ecdsa", curve: "P-384" }, "PKIX_ECDSA_P384_SHA_384"],
    [{ type: "ecdsa", curve: "P-521" }, "PKIX_ECDSA_P521_SHA_512"],
    [{ type: "rsa", bits: 3072 }, "PKIX_RSA_PKCS1V15_3072_SHA256"],
    [{ type: "ed25519" }, "PKIX_ED25519_PH"],
  ];
  for (const [kind, details] of kinds) {
    for (const verifier of [certificate, key]) {
      const { asked, entry } = upload(kind, { status: 201, json: TILE }, verifier);
      assert.equal((await entry).inclusionProof?.checkpoint?.envelope, "note");
      const material = sentIn(asked).hashedRekordRequestV002.signature.verifier;
      assert.equal(material.keyDetails, details);
      assert.equal("x509Certificate" in material, verifier === certificate);
    }
  }
  const { logId, kindVersion, inclusionProof, canonicalizedBody, ...rest } = TILE;
  const wrong = [
    { ...rest, kindVersion, inclusionProof, canonicalizedBody },
    { ...rest, logId, inclusionProof, canonicalizedBody },
    { ...rest, logId, kindVersion, canonicalizedBody },
    { ...rest, logId, kindVersion, inclusionProof: { ...inclusionProof, checkpoint: undefined }, canonicalizedBody },
    { ...rest, logId, kindVersion, inclusionProof },
    {},
  ];
  const kind: KeyKind = { type: "ed25519" };
  for (const json of wrong) await refuses(upload(kind, { json }).entry, { code: "service", text: /invalid log entry/ });
  await refuses(upload(kind, { text: "{" }).entry, {
    code: "service",
    text: /response of Rekor \(rekor\.example\)/,
  });
  await refusesAll((reply) => upload(kind, reply).entry);
});

test("requestTimestamp: requires DER with its nonce, a positive INTEGER of full length", async () => {
  const nonce = Buffer.from("\u0000123456789abcdef");
  const ask = (reply: FakeReply) => {
    const { io, asked } = serviceIo(() => reply);
    return { asked, answer: requestTimestamp(io, { url: TSA, message: Buffer.from("m"), nonce }) };
  };
  const sent = "@123456789abcdef"; // its first byte is made one of 40 to 7f
  const { asked, answer } = ask({ status: 201, text: `0${sent}` });
  assert.equal(Buffer.from(await answer).toString(), `0${sent}`);
  assert.ok(Buffer.from(asked[0]?.request.body as Uint8Array).includes(sent));
  assert.equal(asked[0]?.request.url.href, TSA.href);
  for (const text of ["", "1", `1${sent}`])
    await refuses(ask({ text }).answer, { code: "service", text: /returned an invalid response/ });
  for (const text of ["0", "0\u0000123456789abcdef"])
    await refuses(ask({ text }).answer, { code: "service", text: /nonce does not match the request/ });
  // PKIStatus rejection with the failure badDataFormat, waiting without one, and granted without a token.
  for (const [status, text] of [
    ["\u0030\u0009\u0030\u0007\u0002\u0001\u0002\u0003\u0002\u0002\u0004", /rejected the request/],
    ["\u0030\u0005\u0030\u0003\u0002\u0001\u0003", /rejected the request/],
    ["\u0030\u0005\u0030\u0003\u0002\u0001\u0000", /nonce does not match the request/],
  ] as const) {
    await refuses(ask({ text: status }).answer, { code: "service", text });
  }
  await refusesAll((reply) => ask(reply).answer);
});
