import { createPrivateKey, type KeyObject, scrypt as nodeScrypt } from "node:crypto";
import { TsignError } from "../errors.ts";
import { decodeBase64, encodeBase64 } from "../format/base64.ts";
import { textOf } from "../format/json.ts";
import { writePem } from "../format/pem.ts";
import { keyBlock } from "./key-block.ts";

const LABEL = "ENCRYPTED SIGSTORE PRIVATE KEY";
const READ_LABELS = [LABEL, "ENCRYPTED COSIGN PRIVATE KEY"];
/** scrypt cost N of new files; READ_COSTS are go-securesystemslib's presets. */
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

/** The envelope, decoded and checked. */
interface EncryptedKey {
  cost: number;
  salt: Uint8Array;
  nonce: Uint8Array;
  ciphertext: Uint8Array;
}

/**
 * Encrypts a private key as cosign does: PKCS#8 in a NaCl secretbox, with a key derived from the password by scrypt
 * (RFC 7914).
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
 * Decrypts a private key file written by tsign or cosign.
 *
 * @param text PEM
 * @param password called once, after the file was found to be a key file
 * @throws TsignError "input" for another kind of file or a wrong password
 */
export async function readKeyFile(text: string, password: () => Promise<Uint8Array>): Promise<KeyObject> {
  const block = keyBlock(text, "private key", `use a file that begins with -----BEGIN ${LABEL}-----`, {
    beside: ["EC PARAMETERS"],
  });
  if (!READ_LABELS.includes(block.label)) {
    throw new TsignError("input", `unsupported pem type: ${block.label}`, { hint: otherKeyHint(block.label, text) });
  }
  const { cost, salt, nonce, ciphertext } = readEnvelope(block.bytes);
  const secret = await password();
  const box = await secretbox(await deriveKey(secret, salt, cost), nonce);
  let pkcs8: Uint8Array;
  try {
    pkcs8 = box.decrypt(Uint8Array.from(ciphertext));
  } catch (cause) {
    throw new TsignError("input", "decrypt: encrypted: decryption failed", {
      cause,
      hint: wrongPasswordHint(secret),
    });
  }
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
  } catch (cause) {
    throw new TsignError("input", "invalid private key: cannot parse the decrypted PKCS#8", { cause });
  }
}

/** What a private key file shows without its password. */
export interface KeyFileFacts {
  /** The PEM label: `ENCRYPTED SIGSTORE PRIVATE KEY`. */
  readonly label: string;
  /** `scrypt (N 65536, r 8, p 1), nacl/secretbox`. */
  readonly encryption: string;
}

/**
 * Reads what a private key file of tsign or cosign shows without its password; undefined for a file with another PEM label.
 *
 * @throws TsignError "input" for text without one PEM block, and for a damaged key file
 */
export function keyFileFacts(text: string): KeyFileFacts | undefined {
  const block = keyBlock(text, "key", `use a file that begins with -----BEGIN ${LABEL}-----`, {
    beside: ["EC PARAMETERS"],
  });
  if (!READ_LABELS.includes(block.label)) return undefined;
  const { cost } = readEnvelope(block.bytes);
  return {
    label: block.label,
    encryption: `scrypt (N ${cost}, r ${BLOCK_SIZE}, p ${PARALLELISM}), nacl/secretbox`,
  };
}

/** What to do about a password that does not decrypt the key. The password itself is never part of the text. */
function wrongPasswordHint(password: Uint8Array): string {
  if (password.length === 0) return "set COSIGN_PASSWORD to the password of this key; the given password is empty";
  if (password.at(-1) === 0x0a || password.at(-1) === 0x0d) {
    return 'remove the line break at the end of the password, as in `printf %s "$PASSWORD" | tsign …` or COSIGN_PASSWORD="$(cat FILE)"';
  }
  return "check the password: it is read from COSIGN_PASSWORD, else from the terminal, else from stdin";
}

/** What to do with a PEM block that is not a cosign key file. */
function otherKeyHint(label: string, text: string): string {
  if (label.includes("PUBLIC KEY")) return "pass the private key, such as cosign.key; this is a public key";
  if (label === "CERTIFICATE") return "use --certificate for this certificate, and --key for its private key";
  const plain = "import it with `tsign import-key-pair --key FILE`";
  if (label === "ENCRYPTED PRIVATE KEY" || text.includes("Proc-Type: 4,ENCRYPTED")) {
    return `decrypt it with \`openssl pkey -in FILE -out plain.pem\`, then ${plain.replace("FILE", "plain.pem")}`;
  }
  return label.endsWith("PRIVATE KEY") ? plain : `use a file that begins with -----BEGIN ${LABEL}-----`;
}

function readEnvelope(bytes: Uint8Array): EncryptedKey {
  let value: Partial<Envelope> | null;
  try {
    value = JSON.parse(Buffer.from(bytes).toString("utf8")) as Partial<Envelope> | null;
  } catch (cause) {
    throw new TsignError("input", "damaged private key file: its content is not JSON", { cause });
  }
  const { kdf, cipher } = value ?? {};
  if (kdf?.name !== "scrypt") throw new TsignError("input", `encrypted: unknown kdf name "${textOf(kdf?.name)}"`);
  if (cipher?.name !== "nacl/secretbox") {
    throw new TsignError("input", `encrypted: unknown cipher name "${textOf(cipher?.name)}"`);
  }
  const { N, r, p } = kdf.params ?? {};
  if (!READ_COSTS.includes(N) || r !== BLOCK_SIZE || p !== PARALLELISM) {
    throw new TsignError("input", "unsupported scrypt parameters", {
      hint: "use a key with N 32768, 65536 or 131072, r 8 and p 1",
    });
  }
  const salt = decodeBase64(textOf(kdf.salt));
  const nonce = decodeBase64(textOf(cipher.nonce));
  const encrypted = value?.ciphertext;
  const ciphertext = typeof encrypted === "string" ? decodeBase64(encrypted) : undefined;
  if (salt?.length !== 32 || nonce?.length !== 24 || !ciphertext) {
    throw new TsignError("input", "damaged private key file: invalid salt, nonce or ciphertext");
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
