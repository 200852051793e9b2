import { X509Certificate } from "node:crypto";
import type { Bundle } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import { readBundleContent } from "../evidence/bundle/read.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import { type HashName, messageOfDigests } from "../format/digest.ts";
import { wrapPem } from "../format/pem.ts";
import type { Io, TlsOptions } from "../io/io.ts";
import { publicKeyFromObject, publicKeyFromPem } from "../keys/index.ts";
import type { TransportIo } from "../net/retry.ts";
import { readSigningConfig, selectServices } from "../trust/signing-config.ts";
import type { Witness } from "./witness.ts";

/** The I/O that witnesses use. */
export type WitnessIo = TransportIo & Pick<Io, "random">;

/** A transparency log, and the major version of its API: 1 or 2. */
interface LogService {
  readonly url: URL;
  readonly version: number;
}

/** A timestamp authority (RFC 3161), with the complete URL to post to. */
export interface TimestampService {
  readonly url: URL;
  readonly tls?: TlsOptions | undefined;
}

/** The services to sign with. */
export interface SigningServices {
  /** Fulcio; undefined for none. */
  readonly certificateAuthority: URL | undefined;
  /** Why the certificate authorities in the signing config are unusable, if it has any. */
  readonly noCertificateAuthority?: string | undefined;
  /** The issuer to log in at for an identity token; undefined for none. */
  readonly oidcIssuer: URL | undefined;
  readonly logs: readonly LogService[];
  readonly timestampAuthorities: readonly TimestampService[];
}

/**
 * Selects the services of a signing config: for each kind as many as it requires, from those that are valid now.
 *
 * @param bytes JSON of the message, version 0.2 (protobuf-specs, sigstore_trustroot.proto, SigningConfig)
 * @param options.name the name of the config in errors: its path
 * @param options.tls for its timestamp authorities
 * @throws TsignError "input" for an invalid config, or one without enough valid services
 */
export function servicesOfConfig(
  io: Pick<Io, "now" | "random">,
  bytes: Uint8Array,
  { name, tls }: { name: string; tls?: TlsOptions | undefined },
): SigningServices {
  const random = (below: number) => Buffer.from(io.random(4)).readUInt32BE() % below;
  const selected = selectServices(readSigningConfig(bytes, name), { now: io.now(), random });
  return {
    certificateAuthority: selected.certificateAuthority?.url,
    noCertificateAuthority: selected.noCertificateAuthority,
    oidcIssuer: selected.oidcIssuer?.url,
    logs: selected.logs.map(({ url, version }) => ({ url, version })),
    timestampAuthorities: selected.timestampAuthorities.map(({ url }) => ({ url, tls })),
  };
}

/** Returns a witness for each service. Sends no request. */
export function openWitnesses(
  io: WitnessIo,
  { logs, timestampAuthorities }: Pick<SigningServices, "logs" | "timestampAuthorities">,
): Witness[] {
  return [
    ...timestampAuthorities.map((service) => timestampWitness(io, service)),
    ...logs.map(({ url, version }) => (version === 1 ? rekorV1Witness(io, url) : rekorV2Witness(io, url))),
  ];
}

/** Returns a witness for a Rekor v1 log: `dsse` entries for envelopes, `hashedrekord` entries for other signatures. */
export function rekorV1Witness(io: TransportIo, url: URL): Witness {
  return {
    role: "log",
    name: url.host,
    version: 1,
    async testify(signature, publicKey) {
      const { uploadEntry } = await import("../services/rekor-v1.ts");
      const { content, message, hash } = recordOf(signature, publicKey);
      return { tlogEntries: [await uploadEntry(io, url, { content, message, hash, verifier: publicKey })] };
    },
  };
}

/**
 * Returns a witness for a Rekor v2 log: `hashedrekord` entries, for envelopes over their pre-authentication encoding, so that
 * the log does not receive the attestation.
 */
export function rekorV2Witness(io: TransportIo, url: URL): Witness {
  return {
    role: "log",
    name: url.host,
    version: 2,
    async testify(signature, publicKey, details) {
      const { uploadEntryV2 } = await import("../services/rekor-v2.ts");
      const { content, message, hash, key, certificate } = recordOf(signature, publicKey, details?.hash);
      const entry = await uploadEntryV2(io, url, {
        digest: message.digest(hash),
        signature: content.signature,
        verifier: certificate ? { kind: "certificate", der: certificate } : { kind: "public-key", spki: key.spki },
        key: key.kind,
      });
      return { tlogEntries: [entry] };
    },
  };
}

/** Returns a witness for a timestamp authority (RFC 3161), which timestamps the bytes of the signature. */
export function timestampWitness(io: WitnessIo, { url, tls }: TimestampService): Witness {
  return {
    role: "timestamp-authority",
    name: url.host,
    version: 1,
    async testify(signature) {
      const { requestTimestamp } = await import("../services/timestamp.ts");
      const message = readBundleContent(signature).signature;
      const token = await requestTimestamp(io, { url, tls, message, nonce: io.random(16) });
      return { rfc3161Timestamps: [{ signedTimestamp: Buffer.from(token) }] };
    },
  };
}

/** Returns what to record about a signature. @param hash the hash for an envelope; by default that of the key */
function recordOf(signature: Bundle["content"], publicKey: string, hash?: HashName) {
  const content = readBundleContent(signature);
  const { key, certificate } = verifierOf(publicKey);
  if (content.kind === "dsse") {
    const message = ownMessage(content);
    if (!message) throw new TsignError("internal", "the envelope has no message");
    return { content, message, hash: hash ?? key.hash, key, certificate };
  }
  const { stated } = content;
  if (!stated) throw new TsignError("internal", "the signature has no digest");
  const message = messageOfDigests(new Map([[stated.algorithm, stated.digest]]));
  return { content, message, hash: stated.algorithm, key, certificate };
}

/** Returns the key in PEM text, and the certificate (DER) if the text is one. */
function verifierOf(pem: string) {
  if (!pem.includes("-----BEGIN CERTIFICATE")) return { key: publicKeyFromPem(pem), certificate: undefined };
  const certificate = new X509Certificate(wrapPem(pem));
  return { key: publicKeyFromObject(certificate.publicKey), certificate: certificate.raw };
}
