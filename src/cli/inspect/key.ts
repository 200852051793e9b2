import { TsignError, withSubject } from "../../errors.ts";
import { readCertificates } from "../../evidence/legacy/read.ts";
import { keyIdOfHint } from "../../format/key-id.ts";
import { readPem } from "../../format/pem.ts";
import type { Io } from "../../io/io.ts";
import { readPassword } from "../../io/prompt.ts";
import {
  importPrivateKey,
  keyFileFacts,
  keyHint,
  publicKeyFromObject,
  publicKeyFromPem,
  readKeyFile,
} from "../../keys/index.ts";
import { openProvider } from "../../keys/providers/open.ts";
import { withoutPin } from "../../keys/providers/pkcs11-uri.ts";
import type { PublicKey } from "../../keys/types.ts";
import { readBlob } from "../../net/input.ts";

/** What a key reference leads to. */
export interface KeyFacts {
  readonly key: string;
  readonly kind: "private key" | "public key" | "certificate" | "key in a service";
  /** `key file`, or the service's name. */
  readonly provider: string;
  /** Whether the file is encrypted; undefined for a key in a service. */
  readonly encrypted?: boolean;
  /** Key derivation and cipher. */
  readonly encryption?: string;
  /** `ECDSA P-256`; undefined if the password was not used. */
  readonly algorithm?: string;
  /** Default hash of signatures: `sha256`. */
  readonly hash?: string;
  /** SHA-256 of the SubjectPublicKeyInfo, hex. */
  readonly keyId?: string;
  /** The same in base64, as bundles contain it. */
  readonly hint?: string;
  /** What the current credentials may do with a key in a service, if it reports that. */
  readonly permissions?: readonly string[];
  /** What to do before tsign can use it. */
  readonly note?: string;
}

/**
 * Returns what a key is. A key in a service is not used; an encrypted file is decrypted if a password may be asked for.
 *
 * @throws TsignError "input" for a reference without a key; "auth", "network", "timeout" or "service" of the service
 */
export async function inspectKey(io: Io, reference: string, options: { noPassword: boolean }): Promise<KeyFacts> {
  const provider = await openProvider(io, reference);
  if (provider) {
    const facts = await provider.facts();
    const described = describeKey(await provider.publicKey());
    const { permissions } = facts;
    return {
      key: withoutPin(facts.id),
      kind: "key in a service",
      provider: provider.service,
      ...described,
      ...(permissions && permissions.length > 0 ? { permissions } : {}),
    };
  }
  const text = Buffer.from(await readBlob(io, reference)).toString("utf8");
  const facts = await withSubject(reference, () => fileFacts(io, text, options));
  return { key: reference, ...facts };
}

async function fileFacts(io: Io, text: string, options: { noPassword: boolean }): Promise<Omit<KeyFacts, "key">> {
  const provider = "key file";
  const encrypted = keyFileFacts(text);
  if (encrypted) {
    const base = { kind: "private key", provider, encrypted: true, encryption: encrypted.encryption } as const;
    if (options.noPassword) return base;
    const key = await readKeyFile(text, () => readPassword(io, { confirm: false }));
    return { ...base, ...describeKey(publicKeyFromObject(key)) };
  }
  const labels = readPem(text).map(({ label }) => label);
  if (labels.includes("CERTIFICATE")) {
    const { parseCertificate } = await import("../../trust/certificate.ts");
    const [leaf = new Uint8Array()] = readCertificates(text, "certificate");
    return {
      kind: "certificate",
      provider,
      ...describeKey(publicKeyFromObject(parseCertificate(leaf).native.publicKey)),
    };
  }
  if (labels.some((label) => label.endsWith("PRIVATE KEY"))) return plainFacts(text, labels);
  return { kind: "public key", provider, ...describeKey(publicKeyFromPem(text)) };
}

/** The facts of a private key file of another program, which tsign reads only to import it. */
function plainFacts(text: string, labels: readonly string[]): Omit<KeyFacts, "key"> {
  const base = { kind: "private key", provider: "key file" } as const;
  const importing = "import it with `tsign import-key-pair --key FILE` to sign with it";
  if (labels.includes("ENCRYPTED PRIVATE KEY") || text.includes("Proc-Type: 4,ENCRYPTED")) {
    return { ...base, encrypted: true, encryption: "of another program", note: `decrypt it, then ${importing}` };
  }
  return { ...base, encrypted: false, ...describeKey(publicKeyFromObject(importPrivateKey(text))), note: importing };
}

function describeKey(key: PublicKey): Pick<KeyFacts, "algorithm" | "hash" | "keyId" | "hint"> {
  const hint = keyHint(key);
  return { algorithm: algorithmOf(key), hash: hashOf(key), keyId: keyIdOfHint(hint), hint };
}

/** `ECDSA P-256`, `RSA 3072, PKCS#1 v1.5`, `Ed25519`. */
export function algorithmOf({ kind, padding }: PublicKey): string {
  if (kind.type === "ecdsa") return `ECDSA ${kind.curve}`;
  if (kind.type === "rsa") return `RSA ${kind.bits}, ${padding === "pss" ? "PSS" : "PKCS#1 v1.5"}`;
  return "Ed25519";
}

/** The hash that the key signs with. */
export function hashOf({ kind, hash }: PublicKey): string {
  return kind.type === "ed25519" ? "none (pure Ed25519)" : hash;
}

/** Throws for the reference of a missing key. @throws TsignError "usage" */
export function requireReference(reference: string): void {
  if (reference === "") throw new TsignError("usage", "a key reference or --sk is required");
}

/** Writes one line for each value: `algorithm:   ECDSA P-256`. */
export function printFact(io: Pick<Io, "stdout">, name: string, value: string | readonly string[]): void {
  for (const each of typeof value === "string" ? [value] : value) io.stdout.write(`${`${name}:`.padEnd(13)}${each}\n`);
}
