#!/usr/bin/env node
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { p256, p384 } from "@noble/curves/nist.js";

/**
 * A plugin for `suite://NAME`, which both programs of the suite call: keys are files below SUITE_KEYS. The protocol is that
 * of sigstore's pkg/signature/kms/cliplugin: the arguments are a version and a JSON object, the message comes on stdin, and
 * one JSON object goes to stdout.
 */
const HASHES: Readonly<Record<number, string>> = { 5: "sha256", 6: "sha384", 7: "sha512" };
const CURVES: Readonly<Record<string, string>> = { p256: "P-256", p384: "P-384" };

interface Request {
  initOptions: { keyResourceID: string; hashFunc: number };
  methodName: string;
  createKey?: { algorithm: string };
  verifySignature?: { signature: string; verifyOptions: { messageOptions: { digest?: string | null } } };
  signMessage?: { signOptions: { messageOptions: { digest?: string | null } } };
}

const request = JSON.parse(process.argv[3] ?? "") as Request;
const file = join(process.env["SUITE_KEYS"] ?? ".", `${request.initOptions.keyResourceID}.pem`);

try {
  process.stdout.write(JSON.stringify({ [request.methodName]: answer() }));
} catch (error) {
  process.stdout.write(JSON.stringify({ errorMessage: (error as Error).message }));
  process.exitCode = 1;
}

function answer(): unknown {
  switch (request.methodName) {
    case "defaultAlgorithm":
      return { defaultAlgorithm: "p256" };
    case "supportedAlgorithms":
      return { supportedAlgorithms: Object.keys(CURVES) };
    case "createKey": {
      const namedCurve = CURVES[request.createKey?.algorithm ?? ""] ?? "P-256";
      const { privateKey } = generateKeyPairSync("ec", { namedCurve });
      writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }));
      return { publicKeyPEM: publicPem(privateKey) };
    }
    case "publicKey":
      return { publicKeyPEM: publicPem(readKey()) };
    case "signMessage":
      return { signature: Buffer.from(signMessage()).toString("base64") };
    case "verifySignature":
      verifySignature();
      return {};
    default:
      throw new Error(`unsupported method: ${request.methodName}`);
  }
}

function readKey(): KeyObject {
  if (!existsSync(file)) throw new Error(`no key ${request.initOptions.keyResourceID}`);
  return createPrivateKey(readFileSync(file));
}

function publicPem(key: KeyObject): string {
  return Buffer.from(createPublicKey(key).export({ type: "spki", format: "pem" })).toString("base64");
}

/** node:crypto signs only what it hashes itself. */
function signMessage(): Uint8Array {
  const { curve, secret } = curveOf(readKey());
  const hashed = digestOf(request.signMessage?.signOptions.messageOptions);
  return curve.sign(hashed, secret, { prehash: false, lowS: false, format: "der" });
}

function verifySignature(): void {
  const { curve, secret } = curveOf(readKey());
  const { signature = "", verifyOptions } = request.verifySignature ?? {};
  const hashed = digestOf(verifyOptions?.messageOptions);
  const bytes = Uint8Array.from(Buffer.from(signature, "base64"));
  const options = { prehash: false, lowS: false, format: "der" } as const;
  if (!curve.verify(bytes, hashed, curve.getPublicKey(secret), options)) throw new Error("the signature is not valid");
}

function curveOf(key: KeyObject) {
  const { crv, d = "" } = key.export({ format: "jwk" });
  return { curve: crv === "P-384" ? p384 : p256, secret: Uint8Array.from(Buffer.from(d, "base64url")) };
}

/** The digest that was sent, or that of the message on stdin. */
function digestOf({ digest }: { digest?: string | null } = {}) {
  const name = HASHES[request.initOptions.hashFunc] ?? "sha256";
  const sent = digest ? Buffer.from(digest, "base64") : createHash(name).update(readFileSync(0)).digest();
  return Uint8Array.from(sent);
}
