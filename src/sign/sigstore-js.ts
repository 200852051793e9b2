/**
 * Between tsign's pipeline and programs that sign by @sigstore/sign. That library gives its field the interfaces `Signer`
 * and `Witness`; here is one of each over ours, and the other way round. Its types are all that is imported: its code is
 * loaded by whoever calls it, with its own network client.
 *
 * What does not fit, and why:
 * - `Artifact.data` is a Buffer: files of any size are signed by `Session.sign`, in constant memory.
 * - `Signer.sign` names no hash. A key of ours signs with its own (SHA-384 for P-384): its DSSE bundles hold and Rekor v2
 *   takes them, Rekor v1 takes envelopes over SHA-256 alone, hence `hash` below. `MessageSignatureBundleBuilder` states SHA-256
 *   whatever was signed: its bundles of keys with another hash do not verify.
 * - A log that knows a message by its digest takes Ed25519ph, and envelopes in Rekor v1 pure Ed25519 (RFC 8032 §5.1): hence
 *   `prehash` below.
 * - `Signer` says its key with the signature, after the fact; a session has to know it before (what becomes public, which hash a
 *   log takes). So a foreign signer comes with its public key.
 * - `FulcioSigner` gets a certificate for every signature. In a session the key alone is its part: give the session the
 *   signer of the key, and have the session ask Fulcio (`CertificateSource`), once for all it signs.
 * - `DSSEBundleBuilder` writes a key's hint into the envelope too, as `keyid`, and Go's DSSE library, cosign's, takes a `keyid` for
 *   nothing but a fingerprint of its own kind. Hence keys of ours name no hint, unless asked to.
 * - The legacy form dates the whole envelope, which is no bundle's content: `Session.legacyForm` gives witnesses that have the
 *   role "timestamp-authority" a message signature whose signature is the envelope.
 */
import type { Bundle } from "@sigstore/bundle";
import type {
  BundleBuilder,
  IdentityProvider,
  Signature,
  Signer as SigstoreSigner,
  Witness as SigstoreWitness,
} from "@sigstore/sign";
import { TsignError } from "../errors.ts";
import { bundleOf } from "../evidence/bundle/write.ts";
import { certificatePem } from "../evidence/legacy/write.ts";
import { IN_TOTO_PAYLOAD_TYPE } from "../evidence/media-types.ts";
import { hash as digestOf, type HashName } from "../format/digest.ts";
import { MAX_ED25519_MESSAGE, publicKeyFromPem, sameKey } from "../keys/index.ts";
import type { PublicKey, Signer } from "../keys/types.ts";
import type { TransportIo } from "../net/retry.ts";
import type { TrustedMaterial } from "../trust/material.ts";
import { type CertificateSource, certify, type IdentitySource, type SigningWarning } from "./certify.ts";
import type { Session } from "./session.ts";
import type { SigningCertificate } from "./sign.ts";
import type { Witness } from "./witness.ts";

/** How a key of ours signs in a program of others, which cannot ask for it. */
export interface SignerOptions {
  /** "sha256": P-384 and P-521 sign over SHA-256, for envelopes in Rekor v1. By default the key's own hash. */
  readonly hash?: "sha256";
  /** Ed25519 signs pre-hashed (Ed25519ph), for messages in a log. */
  readonly prehash?: boolean;
  /** Bundles hold this certificate of the key instead of its hint. */
  readonly certificate?: SigningCertificate;
  /** What bundles name the key by; empty by default. Those of tsign's have `keyHint`. */
  readonly hint?: string;
}

/**
 * A key of tsign's, wherever it is kept, as a `Signer`.
 *
 * @param key as `loadSigner` opens it: a file, Vault, a KMS, Kubernetes, PKCS#11
 * @returns a signer whose key is PEM: of the public key (SubjectPublicKeyInfo), or of the certificate
 * @throws TsignError "unsupported" for a key that cannot sign as the options ask
 */
export function toSigstoreSigner(key: Signer, options: SignerOptions = {}): SigstoreSigner {
  const signer = variantOf(key, options);
  return {
    async sign(data: Buffer): Promise<Signature> {
      const { signature } = await signer.sign(data);
      return { signature: Buffer.from(signature), key: keyMaterial(key.publicKey, options) };
    },
  };
}

/**
 * A key of tsign's with certificates of Fulcio's, as a `Signer`. One certificate serves all signatures made while it is
 * valid; a new one is asked for, with a new identity token, a minute before its end.
 *
 * @param options.trust checks each certificate before it is used
 * @throws TsignError when signing, as `certify`
 */
export function fulcioSigner(
  io: TransportIo,
  options: {
    key: Signer;
    source: CertificateSource;
    trust?: TrustedMaterial;
    onWarning?: (warning: SigningWarning) => void;
  } & Pick<SignerOptions, "hash" | "prehash">,
): SigstoreSigner {
  const { key, source, trust, onWarning = () => {} } = options;
  let current: Promise<{ certificate: SigningCertificate; until: Date }> | undefined;
  const issue = async () => {
    const certificate = await certify(io, source, { signer: key, trust, onIssue: () => {}, onWarning });
    const { parseCertificate } = await import("../trust/certificate.ts");
    return { certificate, until: new Date(parseCertificate(certificate.leaf).native.validToDate.getTime() - 60_000) };
  };
  return {
    async sign(data: Buffer): Promise<Signature> {
      // Signatures asked for at the same time wait for one certificate.
      current = current ? current.then((known) => (io.now() < known.until ? known : issue()), issue) : issue();
      const { certificate } = await current;
      return toSigstoreSigner(key, { ...options, certificate }).sign(data);
    },
  };
}

/**
 * A `Signer` of others as a key for our pipeline.
 *
 * @param options.publicKey PEM (PUBLIC KEY): every signature must be said to be of this key
 * @param options.hash the signer hashes with; by default what is usual for the key: SHA-256 for RSA and P-256, SHA-384 for
 * P-384, SHA-512 for P-521. An Ed25519 signer makes pure signatures
 * @returns a key that holds what it signs in memory: at most 128 MiB, else TsignError "limit"; "unsupported" for a signer that
 * answers with a certificate or another key
 * @throws TsignError "input" for a public key that cannot be read
 */
export function fromSigstoreSigner(signer: SigstoreSigner, options: { publicKey: string; hash?: HashName }): Signer {
  const usual = publicKeyFromPem(options.publicKey);
  const publicKey = options.hash === undefined ? usual : { ...usual, hash: options.hash };
  const algorithm = publicKey.kind.type === "ed25519" ? "sha256" : publicKey.hash;
  return {
    publicKey,
    async sign(message) {
      const data = await collect(message);
      const { signature, key } = await signer.sign(data);
      requireKey(key, publicKey);
      return { signature, digest: { algorithm, value: digestOf(algorithm, data) } };
    },
  };
}

/**
 * A `Witness` of others for our pipeline.
 *
 * @param options.role what it is
 * @param options.name how it is called before a signature becomes public there, such as its host
 * @param options.version of a log's API, which says what signatures it can check; 1 by default
 */
export function witnessOf(
  witness: SigstoreWitness,
  { role, name, version = 1 }: { role: Witness["role"]; name: string; version?: number },
): Witness {
  return {
    role,
    name,
    version,
    testify: (signature: Bundle["content"], publicKey: string) => witness.testify(signature, publicKey),
  };
}

/**
 * A session as a `BundleBuilder`: `type` application/vnd.in-toto+json makes the bundle of an attestation, no type that of a file.
 *
 * @throws TsignError when building, as `Session.sign`; "unsupported" for another type
 */
export function bundleBuilder(session: Session): BundleBuilder {
  return {
    async create({ data, type }) {
      if (type === undefined) return bundleOf(await session.sign({ kind: "blob", blob: once(data) }));
      if (type === IN_TOTO_PAYLOAD_TYPE) return bundleOf(await session.sign({ kind: "statement", statement: data }));
      throw new TsignError("unsupported", `envelopes of type ${type} are not signed`, { hint: IN_TOTO_PAYLOAD_TYPE });
    },
  };
}

/** Where our identity tokens come from, as an `IdentityProvider`; the other way round it is `identityOf`. */
export function toIdentityProvider({ token }: IdentitySource): IdentityProvider {
  return { getToken: async () => (await token()).raw };
}

async function* once(data: Uint8Array): AsyncIterable<Uint8Array> {
  yield Uint8Array.from(data); // a piece belongs to its reader
}

function variantOf(key: Signer, { hash, prehash = false }: SignerOptions): Signer {
  const isOwn = hash === undefined || key.publicKey.hash === hash;
  const variant = prehash ? key.prehashed : isOwn ? key : key.sha256;
  if (variant) return variant;
  const form = prehash ? "pre-hashed" : `over ${hash}`;
  throw new TsignError("unsupported", `the key cannot sign ${form}`, { hint: "leave the option out" });
}

function keyMaterial(key: PublicKey, { certificate, hint }: SignerOptions): Signature["key"] {
  return certificate
    ? { $case: "x509Certificate", certificate: certificatePem(certificate.leaf) }
    : { $case: "publicKey", publicKey: key.pem, ...(hint === undefined ? {} : { hint }) };
}

/** A signature by another key would be refused by every verifier, after it is public. */
function requireKey(key: Signature["key"], expected: PublicKey): void {
  if (key.$case === "x509Certificate") {
    throw new TsignError("unsupported", "the signer answers with a certificate of its own", {
      hint: "give the session the key's signer, and Fulcio as its certificate source",
    });
  }
  if (sameKey(publicKeyFromPem(key.publicKey).object, expected.object)) return;
  throw new TsignError("unsupported", "the signer signed with another key than the one it was given with");
}

async function collect(message: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  if (message instanceof Uint8Array) return Buffer.from(message);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of message) {
    size += piece.length;
    if (size > MAX_ED25519_MESSAGE) {
      throw new TsignError("limit", `a foreign signer signs at most ${MAX_ED25519_MESSAGE} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
