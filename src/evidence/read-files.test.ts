import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { badBundle, base64, certificateOf, jsonBytes, logEntry, refused } from "../../test/support/evidence-parts.ts";
import { temporaryFolder, testIo } from "../../test/support/test-io.ts";
import { writePem } from "../format/pem.ts";
import type { Io } from "../io/io.ts";
import { toLegacyLogEntry } from "./legacy/proofs.ts";
import { readBlobSignature, readLegacyBlobBundle, readSignatureFile, readSignatureFiles } from "./read-files.ts";

const given = async (io: Io, reference: string) => text((await readBlobSignature(io, reference)).content.signature);
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

test("readBlobSignature: the name of a file -> the signature in it; otherwise -> the text is the base64", async (context) => {
  const cwd = temporaryFolder(context);
  const io = testIo({ cwd, env: { SIGNATURE: base64("of the environment") } });
  assert.equal(await given(io, base64("signature")), "signature");
  writeFileSync(join(cwd, "file"), base64("in a file"));
  assert.equal(await given(io, "file"), "in a file", "file is base64 too");
  assert.equal(await given(io, "env://SIGNATURE"), "of the environment");
  assert.equal(await given(testIo({ cwd, stdin: base64("piped") }), "-"), "piped");
  for (const nothing of ["", "absent.sig"]) await assert.rejects(given(io, nothing), refused("input"));
});

test("readSignatureFile: base64 with white space around it -> decoded; anything else -> the raw signature", async (context) => {
  const cwd = temporaryFolder(context);
  const io = testIo({ cwd });
  for (const [content, expected] of [
    [`\n ${base64("signature")}\n`, "signature"],
    ["\x30\x01\xff", "\x30\x01\xff"],
    ["***", "***"],
    ["", ""],
    [" \n", " \n"],
  ] as const) {
    writeFileSync(join(cwd, "f.sig"), Buffer.from(content, "latin1"));
    assert.equal(text(await readSignatureFile(io, "f.sig")), expected, JSON.stringify(content));
  }
});

test("readSignatureFiles, readBlobSignature: evidence with the signature only", async () => {
  const io = testIo();
  const [payload, signature] = [Buffer.from("payload"), Buffer.from("signature")];
  const rest = {
    origin: { kind: "file", where: "--signature" },
    key: { kind: "none" },
    log: [],
    timestamps: [],
    annotations: {},
  };
  assert.deepEqual(await readSignatureFiles(io, { signature: base64(signature), payload }), {
    ...rest,
    content: { kind: "simple-signing", payload, signature },
  });
  assert.deepEqual(await readBlobSignature(io, base64(signature)), { ...rest, content: { kind: "blob", signature } });
});

const GOOD = { base64Signature: base64("signature") };
const read = (value: unknown) => readLegacyBlobBundle(jsonBytes(value), "f");
const pem = (label: string, der: Uint8Array) => base64(writePem(label, der));

test("readLegacyBlobBundle: a valid bundle -> the signature, its certificate and its log entry", () => {
  const bare = {
    origin: { kind: "file", where: "f" },
    content: { kind: "blob", signature: Buffer.from("signature") },
    key: { kind: "none" },
    log: [],
    timestamps: [],
    annotations: {},
  };
  for (const cert of [undefined, null, ""]) {
    assert.deepEqual(read({ ...GOOD, cert }), { evidence: bare, statedKey: undefined });
  }
  const entry = logEntry({ inclusionProof: undefined as never });
  assert.deepEqual(read({ ...GOOD, rekorBundle: toLegacyLogEntry(entry) }).evidence.log, [entry]);
  for (const none of [null, ""]) assert.deepEqual(read({ ...GOOD, rekorBundle: none }).evidence.log, []);
  const [leaf, root] = [certificateOf([]), certificateOf([])];
  const both = base64(writePem("CERTIFICATE", leaf) + writePem("CERTIFICATE", root));
  const certified = read({ ...GOOD, cert: both });
  assert.deepEqual(certified.evidence.key, { kind: "certificate", leaf, chain: [root], binding: false });
  assert.equal(certified.statedKey, undefined);
});

test("readLegacyBlobBundle: a public key -> returned as statedKey, never as the key of the evidence", () => {
  const spki = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "der" });
  const { evidence, statedKey } = read({ ...GOOD, cert: pem("PUBLIC KEY", spki) });
  assert.deepEqual(evidence.key, { kind: "none" });
  assert.deepEqual(Buffer.from(statedKey?.spki ?? []), spki);
});

test("readLegacyBlobBundle: an invalid bundle -> refused", () => {
  const wrong: unknown[] = [
    null,
    [],
    {},
    { base64Signature: 5 },
    { base64Signature: "***" },
    { ...GOOD, Base64Signature: "" },
    { ...GOOD, Cert: "" },
    { ...GOOD, rekor_bundle: {} },
    { ...GOOD, cert: 5 },
    { ...GOOD, cert: "***" },
    { ...GOOD, cert: base64("neither") },
    { ...GOOD, cert: pem("CERTIFICATE", Buffer.from("none")) },
    { ...GOOD, cert: pem("PUBLIC KEY", Buffer.from("none")) },
    { ...GOOD, rekorBundle: {} },
    { ...GOOD, rekorBundle: 5 },
  ];
  for (const value of wrong) assert.throws(() => read(value), badBundle, JSON.stringify(value));
  assert.throws(() => readLegacyBlobBundle(Buffer.from("{"), "f.json"), refused("bad-bundle", "f.json"));
});

test("readBlobSignature: one byte in base64 -> a signature of one byte", async (context) => {
  assert.equal(await given(testIo({ cwd: temporaryFolder(context) }), base64("s")), "s");
});

test("readLegacyBlobBundle: an invalid log entry -> the error names the member and the file", () => {
  const bytes = jsonBytes({ base64Signature: base64("signature"), rekorBundle: "x" });
  assert.throws(() => readLegacyBlobBundle(bytes, "a.json"), /rekorBundle.*a\.json|a\.json.*rekorBundle/);
});
