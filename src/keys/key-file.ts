import { createPrivateKey, type KeyObject, scrypt as nodeScrypt } from "node:crypto";
import { TsignError } from "../errors.ts";
import { decodeBase64, encodeBase64 } from "../format/base64.ts";
import { textOf } from "../format/json.ts";
import { writePem } from "../format/pem.ts";
import { keyBlock } from "./key-block.ts";

const LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY";
const READ_LABELS = [LABEL, "ENCRYPTED COSIGN PRIVATE KEY"];
/** The strength written; the others of go-securesystemslib's presets are read too. */
const WRITTEN_COST = 65_536;
const READ_COSTS = [32_768, 65_536, 131_072];
const BLOCK_SIZE = 8;
const PARALLELISM = 1;
const KEY_BYTES = 32;

/** The JSON inside the PEM block (go-securesystemslib, encrypted.go). */
interface Envelope {
  kdf: { name: string; params: { N: number; r: number; p: number }; salt: string };
  cipher: { name: string; nonce: string };
  ciphertext: string;
}

/** The same, read and checked. */
interface Sealed {
  cost: number;
  salt: Uint8Array;
  nonce: Uint8Array;
  ciphertext: Uint8Array;
}

/**
 * Encrypts a private key as cosign does: PKCS#8 in a NaCl secretbox under a key that scrypt (RFC 7914) makes of the
 * password.
 *
 * @returns PEM text
 */
export async function writeKeyFile(
  io: { random(bytes: number): Uint8Array },
  key: KeyObject,
  password: Uint8Array,
): Promise<string> {
  const salt = io.random(32);
  const nonce = io.random(24);
  const box = await secretbox(await deriveKey(password, salt, WRITTEN_COST), nonce);
  const pkcs8 = key.export({ type: "pkcs8", format: "der" });
  const envelope: Envelope = {
    kdf: {
      name: "scrypt",
      params: { N: WRITTEN_COST, r: BLOCK_SIZE, p: PARALLELISM },
      salt: encodeBase64(salt),
    },
    cipher: { name: "nacl/secretbox", nonce: encodeBase64(nonce) },
    ciphertext: encodeBase64(box.encrypt(Uint8Array.from(pkcs8))),
  };
  return writePem(LABEL, Buffer.from(JSON.stringify(envelope)));
}

/**
 * Opens a private key file written by tsign or cosign.
 *
 * @param text PEM
 * @throws TsignError "input"
 */
export async function readKeyFile(text: string, password: () => Promise<Uint8Array>): Promise<KeyObject> {
  const block = keyBlock(text, "private key", `expected -----BEGIN ${LABEL}-----`, { beside: ["EC PARAMETERS"] });
  if (!READ_LABELS.includes(block.label)) {
    throw new TsignError("input", `unsupported pem type: ${block.label}`, { hint: otherKeyHint(block.label, text) });
  }
  const { cost, salt, nonce, ciphertext } = readEnvelope(block.bytes);
  const box = await secretbox(await deriveKey(await password(), salt, cost), nonce);
  let pkcs8: Uint8Array;
  try {
    pkcs8 = box.decrypt(Uint8Array.from(ciphertext));
  } catch (cause) {
    throw new TsignError("input", "decrypt: encrypted: decryption failed", {
      cause,
      hint: "the password is wrong: COSIGN_PASSWORD, the terminal's prompt or stdin must give the key's own",
    });
  }
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  } catch (cause) {
    throw new TsignError("input", "the decrypted private key cannot be read", { cause });
  }
}

/** What to do with a block that is no key file of cosign's. */
function otherKeyHint(label: string, text: string): string {
  if (label.includes("PUBLIC KEY")) return "this is a public key, which verifies; signing takes the private one";
  if (label === "CERTIFICATE")
    return "this is a certificate; signing takes the private key, and --certificate the certificate";
  const imported = "`tsign import-key-pair --key FILE` makes a usable key of it";
  if (label === "ENCRYPTED PRIVATE KEY" || text.includes("Proc-Type: 4,ENCRYPTED")) {
    return `decrypt it with \`openssl pkey -in FILE -out plain.pem\`, then ${imported.replace("FILE", "plain.pem")}`;
  }
  return label.endsWith("PRIVATE KEY") ? imported : `expected -----BEGIN ${LABEL}-----`;
}

function readEnvelope(bytes: Uint8Array): Sealed {
  let value: Partial<Envelope> | null;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<Envelope> | null;
  } catch (cause) {
    throw new TsignError("input", "the private key file is damaged: its content is not JSON", { cause });
  }
  const { kdf, cipher } = value ?? {};
  if (kdf?.name !== "scrypt") throw new TsignError("input", `encrypted: unknown kdf name "${textOf(kdf?.name)}"`);
  if (cipher?.name !== "nacl/secretbox") {
    throw new TsignError("input", `encrypted: unknown cipher name "${textOf(cipher?.name)}"`);
  }
  const { N, r, p } = kdf.params ?? {};
  if (!READ_COSTS.includes(N) || r !== BLOCK_SIZE || p !== PARALLELISM) {
    throw new TsignError("input", "unsupported scrypt parameters", {
      hint: "N may be 32768, 65536 or 131072, r 8, p 1",
    });
  }
  const salt = decodeBase64(textOf(kdf.salt));
  const nonce = decodeBase64(textOf(cipher.nonce));
  const sealed = value?.ciphertext;
  const ciphertext = typeof sealed === "string" ? decodeBase64(sealed) : undefined;
  if (salt?.length !== 32 || nonce?.length !== 24 || !ciphertext) {
    throw new TsignError(
      "input",
      "the private key file is damaged: its salt, nonce or ciphertext is not what it should be",
    );
  }
  return { cost: N, salt, nonce, ciphertext };
}

async function secretbox(key: Uint8Array, nonce: Uint8Array) {
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js");
  return xsalsa20poly1305(Uint8Array.from(key), Uint8Array.from(nonce));
}

function deriveKey(password: Uint8Array, salt: Uint8Array, cost: number): Promise<Uint8Array> {
  const parameters = { N: cost, r: BLOCK_SIZE, p: PARALLELISM, maxmem: 256 * cost * BLOCK_SIZE };
  return new Promise((done, fail) => {
    nodeScrypt(password, salt, KEY_BYTES, parameters, (error, key) => (error ? fail(error) : done(key)));
  });
}
