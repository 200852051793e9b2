import { createPrivateKey, type KeyObject } from "node:crypto";
import { TsignError } from "../errors.ts";
import type { PemBlock } from "../format/pem.ts";
import { keyBlock } from "./key-block.ts";
import { weaknessOf } from "./weakness.ts";

const PARSERS: Readonly<Record<string, "pkcs1" | "sec1" | "pkcs8">> = {
  "RSA PRIVATE KEY": "pkcs1",
  "EC PRIVATE KEY": "sec1",
  "PRIVATE KEY": "pkcs8",
};

/**
 * Reads an unencrypted private key from another program: PKCS#1, PKCS#8 or SEC 1 (with or without the EC PARAMETERS block
 * that openssl writes before it).
 *
 * @throws TsignError "input"; for a weak key the message says why it is weak
 */
export function importPrivateKey(text: string): KeyObject {
  const block = keyBlock(text, "key to import", "use a file that begins with -----BEGIN PRIVATE KEY-----", {
    beside: ["EC PARAMETERS"],
  });
  if (text.includes("Proc-Type: 4,ENCRYPTED") || block.label === "ENCRYPTED PRIVATE KEY") {
    throw new TsignError("input", "the key to import is encrypted", {
      hint: "decrypt it first: openssl pkey -in FILE -out plain.pem",
    });
  }
  const key = parsePrivateKey(block);
  const weakness = weaknessOf(key);
  if (weakness) throw new TsignError("input", weakness);
  return key;
}

function otherBlockHint(label: string): string | undefined {
  return label.endsWith("PUBLIC KEY") ? "import the private key; this is a public key" : undefined;
}

function parsePrivateKey(block: PemBlock): KeyObject {
  const type = PARSERS[block.label];
  if (/^ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY$/.test(block.label)) {
    throw new TsignError("input", `unsupported private key: ${block.label}`, {
      hint: "use this key directly with --key; it is already in cosign's format",
    });
  }
  if (!type)
    throw new TsignError("input", `unsupported private key: ${block.label}`, { hint: otherBlockHint(block.label) });
  try {
    return createPrivateKey({ key: Buffer.from(block.bytes), format: "der", type });
  } catch (cause) {
    throw new TsignError("input", `error parsing the ${block.label.toLowerCase()}`, { cause });
  }
}
