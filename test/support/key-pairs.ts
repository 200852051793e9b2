import { generateKeyPairSync, type KeyObject, scryptSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";
import { writePem } from "../../src/format/pem.ts";

/** Parameters of scrypt. */
export interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** The cheapest cost that tsign and cosign accept: half the time of the one that they write. */
const CHEAPEST: Cost = { N: 32_768, r: 8, p: 1 };
export const PASSWORD = "pw";

/** Returns a private key as a key file of cosign (PEM), encrypted with PASSWORD and the given parameters of scrypt. */
export function encryptedKey(key: KeyObject, params: Cost): string {
  const salt = Buffer.alloc(32, 1);
  const nonce = Buffer.alloc(24, 2);
  const secret = scryptSync(PASSWORD, salt, 32, { ...params, maxmem: 2 ** 30 });
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const ciphertext = xsalsa20poly1305(Uint8Array.from(secret), Uint8Array.from(nonce)).encrypt(Uint8Array.from(pkcs8));
  const envelope = {
    kdf: { name: "scrypt", params, salt: salt.toString("base64") },
    cipher: { name: "nacl/secretbox", nonce: nonce.toString("base64") },
    ciphertext: Buffer.from(ciphertext).toString("base64"),
  };
  return writePem("ENCRYPTED SIGSTORE PRIVATE KEY", Buffer.from(JSON.stringify(envelope)));
}

const made = new Map<string, { readonly key: string; readonly pub: string }>();

/**
 * Writes the files `<name>.key` (ECDSA P-256, encrypted with PASSWORD) and `<name>.pub`, as generate-key-pair does. A name stands
 * for the same key pair in all tests of a file, because key derivation is what costs most in a test.
 */
export function writeKeyPairs(folder: string, ...names: readonly string[]): void {
  for (const name of names) {
    const pair = made.get(name) ?? newKeyPair();
    made.set(name, pair);
    writeFileSync(join(folder, `${name}.key`), pair.key, { mode: 0o600 });
    writeFileSync(join(folder, `${name}.pub`), pair.pub);
  }
}

function newKeyPair() {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { key: encryptedKey(privateKey, CHEAPEST), pub: publicKey.export({ type: "spki", format: "pem" }).toString() };
}
