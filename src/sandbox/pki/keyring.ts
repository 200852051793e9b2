import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { TsignError } from "../../errors.ts";
import type { Io } from "../../io/io.ts";

const generate = promisify(generateKeyPair);
const MAX_BYTES = 1024 * 1024;

type KeyKind = "rsa" | "p256" | "p384" | "ed25519";

export interface SigningKey {
  readonly key: KeyObject;
  /** SubjectPublicKeyInfo, DER. */
  readonly spki: Buffer;
}

/** The keys and certificates of a sandbox, created on first use and stored in a folder if there is one. */
export interface Keyring {
  key(name: string, kind: KeyKind): Promise<SigningKey>;
  /** Returns a document that must stay the same over restarts, such as a certificate. */
  document(name: string, make: () => Uint8Array): Promise<Buffer>;
}

/** Opens a keyring in a folder that only its owner can read (0700, files 0600), or in memory without one. */
export function openKeyring(io: Pick<Io, "files">, folder: string | undefined): Keyring {
  const kept = async (name: string, make: () => Promise<Uint8Array>): Promise<Buffer> => {
    if (folder === undefined) return Buffer.from(await make());
    const path = `${folder}/${name}`;
    if (await io.files.stat(path)) return Buffer.from(await io.files.read(path, { maxBytes: MAX_BYTES }));
    const made = Buffer.from(await make());
    await io.files.makeDirectory(folder, { mode: 0o700 });
    await io.files.replace(path, made, { mode: 0o600 });
    return made;
  };
  return {
    async key(name, kind) {
      const pem = await kept(`${name}.key`, async () => Buffer.from(await newKey(kind)));
      const key = readKey(pem, `${folder}/${name}.key`);
      return { key, spki: createPublicKey(key).export({ type: "spki", format: "der" }) };
    },
    document: (name, make) => kept(name, async () => make()),
  };
}

function readKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw new TsignError("input", `read ${path}: invalid private key`, { cause });
  }
}

async function newKey(kind: KeyKind): Promise<string> {
  const { privateKey } = await pairOf(kind);
  return privateKey.export({ type: "pkcs8", format: "pem" }) as string;
}

function pairOf(kind: KeyKind): Promise<{ privateKey: KeyObject }> {
  if (kind === "ed25519") return generate("ed25519");
  if (kind === "rsa") return generate("rsa", { modulusLength: 2048 });
  return generate("ec", { namedCurve: kind === "p256" ? "P-256" : "P-384" });
}
