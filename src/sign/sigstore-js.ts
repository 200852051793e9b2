/**
 * Adapters between tsign's pipeline and @sigstore/sign, in both directions: one for its `Signer` and one for its `Witness`. Only
 * types are imported from that library; its code and network client are loaded by its callers.
 *
 * Limits of that library's interfaces:
 * - `Artifact.data` is a Buffer. `Session.sign` signs files of any size in constant memory.
 * - `Signer.sign` has no hash. tsign's keys use their default (SHA-384 for P-384). Rekor v2 accepts such DSSE bundles, but Rekor
 *   v1 requires SHA-256 for envelopes, hence `hash` below. `MessageSignatureBundleBuilder` always writes SHA-256, so its bundles
 *   of keys with another hash do not verify.
 * - A log that only knows the digest of a message requires Ed25519ph, and Rekor v1 requires pure Ed25519 for envelopes (RFC 8032
 *   §5.1), hence `prehash` below.
 * - `Signer` returns its key together with the signature. A session needs the key before, to announce what becomes public and to
 *   choose the hash. So a signer must be given with its public key.
 * - `FulcioSigner` requests a certificate for every signature. In a session use the signer of the key, and let the session request
 *   one certificate for all signatures (`CertificateSource`).
 * - `DSSEBundleBuilder` also writes the hint of a key into the envelope as `keyid`, which cosign's DSSE library only accepts as its
 *   own kind of fingerprint. So keys have no hint by default.
 * - In the legacy form a timestamp covers the whole envelope, which is not the content of a bundle. `Session.legacyForm` passes
 *   witnesses with the role "timestamp-authority" a message signature that contains the envelope.
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

/** How a key signs for a program that cannot choose hash and form itself. */
export interface SignerOptions {
  /** "sha256" to sign with SHA-256 also with P-384 and P-521 keys, for envelopes in Rekor v1; by default the key's hash. */
  readonly hash?: "sha256";
  /** Whether an Ed25519 key signs pre-hashed (Ed25519ph), for messages in a log. */
  readonly prehash?: boolean;
  /** The certificate for the key, which bundles contain instead of a hint. */
  readonly certificate?: SigningCertificate;
  /** The hint of the key in bundles; empty by default. tsign's own bundles use `keyHint`. */
  readonly hint?: string;
}

/**
 * Converts a key to a `Signer` of @sigstore/sign.
 *
 * @param key from `loadSigner`: in a file or a key service
 * @returns a signer whose key is PEM of the public key (SubjectPublicKeyInfo) or the certificate
 * @throws TsignError "unsupported" for a key that cannot sign with these options
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
 * Converts a key with certificates from Fulcio to a `Signer` of @sigstore/sign. A certificate is used for all signatures until
 * one minute before it expires; then a new one is requested with a new identity token.
 *
 * @param options.trust verifies each certificate before it is used
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
      // Concurrent signatures wait for the same certificate.
      current = current ? current.then((last) => (io.now() < last.until ? last : issue()), issue) : issue();
      const { certificate } = await current;
      return toSigstoreSigner(key, { ...options, certificate }).sign(data);
    },
  };
}

/**
 * Converts a `Signer` of @sigstore/sign to a key for the pipeline.
 *
 * @param options.publicKey PEM (PUBLIC KEY): the signer must return this key with every signature
 * @param options.hash the hash of the signer; by default SHA-256 for RSA and P-256, SHA-384 for P-384, SHA-512 for P-521. An
 * Ed25519 signer makes pure signatures
 * @returns a key that keeps each message in memory. Its `sign` throws TsignError "limit" above 128 MiB, and "unsupported" for a
 * signer that returns a certificate or another key
 * @throws TsignError "input" for an invalid public key
 */
export function fromSigstoreSigner(signer: SigstoreSigner, options: { publicKey: string; hash?: HashName }): Signer {
  const key = publicKeyFromPem(options.publicKey);
  const publicKey = options.hash === undefined ? key : { ...key, hash: options.hash };
  const algorithm = publicKey.kind.type === "ed25519" ? "sha256" : publicKey.hash;
  return {
    publicKey,
    async sign(message) {
      const data = await collect(message);
      const { signature, key: used } = await signer.sign(data);
      requireKey(used, publicKey);
      return { signature, digest: { algorithm, value: digestOf(algorithm, data) } };
    },
  };
}

/**
 * Converts a `Witness` of @sigstore/sign to one for the pipeline.
 *
 * @param options.role whether it is a log or a timestamp authority
 * @param options.name its name for messages, such as its host
 * @param options.version of a log's API, which determines the signatures that it can check; 1 by default
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
 * Converts a session to a `BundleBuilder` of @sigstore/sign. With the type application/vnd.in-toto+json it builds the bundle of
 * an attestation, without a type that of a file. Its `create` throws as `Session.sign`, and TsignError "unsupported" for
 * another type.
 */
export function bundleBuilder(session: Session): BundleBuilder {
  return {
    async create({ data, type }) {
      if (type === undefined) return bundleOf(await session.sign({ kind: "blob", blob: once(data) }));
      if (type === IN_TOTO_PAYLOAD_TYPE) return bundleOf(await session.sign({ kind: "statement", statement: data }));
      throw new TsignError("unsupported", `unsupported envelope type: ${type}`, {
        hint: `use ${IN_TOTO_PAYLOAD_TYPE}`,
      });
    },
  };
}

/** Converts an identity source to an `IdentityProvider` of @sigstore/sign; `identityOf` does the reverse. */
export function toIdentityProvider({ token }: IdentitySource): IdentityProvider {
  return { getToken: async () => (await token()).raw };
}

async function* once(data: Uint8Array): AsyncIterable<Uint8Array> {
  yield Uint8Array.from(data); // the reader may change or transfer the piece
}

function variantOf(key: Signer, { hash, prehash = false }: SignerOptions): Signer {
  const isDefault = hash === undefined || key.publicKey.hash === hash;
  const variant = prehash ? key.prehashed : isDefault ? key : key.sha256;
  if (variant) return variant;
  const form = prehash ? "pre-hashed" : `with ${hash}`;
  throw new TsignError("unsupported", `the key cannot sign ${form}`, {
    hint: `remove the option ${prehash ? "prehash" : "hash"}`,
  });
}

function keyMaterial(key: PublicKey, { certificate, hint }: SignerOptions): Signature["key"] {
  return certificate
    ? { $case: "x509Certificate", certificate: certificatePem(certificate.leaf) }
    : { $case: "publicKey", publicKey: key.pem, ...(hint === undefined ? {} : { hint }) };
}

/** Checks the key of a signature before it is recorded. Verifiers would refuse one by another key. */
function requireKey(key: Signature["key"], expected: PublicKey): void {
  if (key.$case === "x509Certificate") {
    throw new TsignError("unsupported", "the signer returned a certificate instead of its key", {
      hint: "use the signer of the key, and let the session request the certificate",
    });
  }
  if (sameKey(publicKeyFromPem(key.publicKey).object, expected.object)) return;
  throw new TsignError("unsupported", "public key mismatch: the signer used another key than its publicKey");
}

async function collect(message: Uint8Array | AsyncIterable<Uint8Array>): Promise<Buffer> {
  if (message instanceof Uint8Array) return Buffer.from(message);
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of message) {
    size += piece.length;
    if (size > MAX_ED25519_MESSAGE) {
      throw new TsignError("limit", `message too large for this signer: the limit is ${MAX_ED25519_MESSAGE} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
