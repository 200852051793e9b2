import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS, pemOf, refuses, signDigestDer, signPure } from "../../../test/support/fake-service.ts";
import { testIo } from "../../../test/support/test-io.ts";
import { TsignError } from "../../errors.ts";
import { type HashName, messageOf } from "../../format/digest.ts";
import type { Io } from "../../io/io.ts";
import { verifySignature } from "../verify.ts";
import { openProvider } from "./open.ts";

const HASHES: Record<number, HashName> = { 5: "sha256", 6: "sha384", 7: "sha512" };
const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");

type Call = { program: string; version: string; request: Record<string, unknown>; stdin: unknown };

/** Returns an Io whose programs print what a function returns for the request. */
function pluginIo(answer: (call: Call) => string, more: { code?: number; stderr?: string } = {}) {
  const spawn: Io["spawn"] = async (program, [version = "", text = ""], options) => {
    const stdout = answer({ program, version, request: JSON.parse(text), stdin: options?.stdin });
    return { code: 0, stdout, stderr: "", ...more };
  };
  return testIo({ io: { spawn } });
}

const open = async (io: Io) => (await openProvider(io, "acme://team/key one")) ?? assert.fail("no provider");

for (const kind of ["P-256", "P-384", "Ed25519"]) {
  test(`plugin: signs with ${kind} by Sigstore's protocol`, async () => {
    const key = KINDS[kind]?.() ?? assert.fail();
    const io = pluginIo(({ program, version, request, stdin }) => {
      assert.deepEqual([program, version], ["sigstore-kms-acme", "v1"]);
      const init = request["initOptions"] as { protocolVersion: string; keyResourceID: string; hashFunc: number };
      assert.deepEqual([init.protocolVersion, init.keyResourceID], ["v1", "team/key one"]);
      if (request["methodName"] === "publicKey")
        return JSON.stringify({ publicKey: { publicKeyPEM: base64(pemOf(key)) } });
      const { signOptions } = request["signMessage"] as {
        signOptions: { messageOptions: { digest: string; hashFunc: number } };
      };
      const { digest, hashFunc } = signOptions.messageOptions;
      if (kind === "Ed25519")
        return JSON.stringify({ signMessage: { signature: base64(signPure(key, stdin as Uint8Array)) } });
      assert.equal(hashFunc, init.hashFunc);
      const signature = signDigestDer(key, Buffer.from(digest, "base64"), HASHES[hashFunc] ?? "sha256");
      return JSON.stringify({ signMessage: { signature: base64(signature) } });
    });
    const provider = await open(io);
    const { signature } = await (await provider.signer()).sign(Buffer.from("message"));
    const publicKey = await provider.publicKey();
    const message = messageOf(Buffer.from("message"));
    assert.ok(await verifySignature({ key: publicKey, message, signature, hashes: [publicKey.hash] }));
  });
}

test("plugin: creates a key with its default algorithm", async () => {
  const methods: unknown[] = [];
  const io = pluginIo(({ request }) => {
    methods.push([request["methodName"], request["createKey"]]);
    if (request["methodName"] === "defaultAlgorithm") return '{"defaultAlgorithm":{"defaultAlgorithm":"rsa9"}}';
    return JSON.stringify({ createKey: { publicKeyPEM: base64(pemOf(KINDS["P-256"]?.() ?? assert.fail())) } });
  });
  await (await open(io)).create?.();
  assert.deepEqual(methods, [
    ["defaultAlgorithm", undefined],
    ["createKey", { algorithm: "rsa9" }],
  ]);
});

test("plugin: refusals and invalid output are one clear line, and its stderr is passed on", async () => {
  const refusing = pluginIo(() => '{"errorMessage":"no such key"}', { code: 1, stderr: "details" });
  await refuses((await open(refusing)).publicKey(), {
    code: "input",
    text: /sigstore-kms-acme refused publicKey: no such key/,
  });
  assert.equal(refusing.err(), "sigstore-kms-acme: details\n");
  for (const output of ["", "hello", "[]", '{"publicKey":{}}', '{"publicKey":null}']) {
    await refuses((await open(pluginIo(() => output))).publicKey(), { code: "service", text: /sigstore-kms-acme/ });
  }
});

test("plugin: a scheme without its program is refused as unrecognized", async () => {
  const spawn: Io["spawn"] = async (file) => {
    throw new TsignError("input", `cannot run ${file}`, { cause: Object.assign(new Error(), { code: "ENOENT" }) });
  };
  const text = /unrecognized scheme: acme:\/\/ \(program sigstore-kms-acme not found on the PATH\)/;
  await refuses((await open(testIo({ io: { spawn } }))).publicKey(), { code: "input", text });
});

test("openProvider: returns undefined for files, variables and URLs", async () => {
  const io = testIo();
  for (const blob of [
    "cosign.key",
    "./a:b",
    "C:\\keys\\cosign.key",
    "c:/keys/cosign.key",
    "env://KEY",
    "https://x/y.pub",
    "HTTP://x/y",
    "awskms",
  ]) {
    assert.equal(await openProvider(io, blob), undefined, blob);
  }
});
