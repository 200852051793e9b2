import { X509Certificate } from "node:crypto";
import type { Bundle } from "@sigstore/bundle";
import { TsignError } from "../errors.ts";
import { readBundleContent } from "../evidence/bundle/read.ts";
import { ownMessage } from "../evidence/signed-message.ts";
import { type HashName, messageOfDigests } from "../format/digest.ts";
import type { Io, TlsOptions } from "../io/io.ts";
import { publicKeyFromObject, publicKeyFromPem } from "../keys/index.ts";
import type { TransportIo } from "../net/retry.ts";
import { readSigningConfig, selectServices } from "../trust/signing-config.ts";
import type { Witness } from "./witness.ts";

/** What witnesses need of the world. */
export type WitnessIo = TransportIo & Pick<Io, "random">;

/** A transparency log, and the major version of its API: 1 or 2. */
interface LogService {
  readonly url: URL;
  readonly version: number;
}

/** A timestamp authority (RFC 3161), by the whole URL to post to. */
export interface TimestampService {
  readonly url: URL;
  readonly tls?: TlsOptions | undefined;
}

/** The services to sign with. */
export interface SigningServices {
  /** Fulcio; undefined for none. */
  readonly certificateAuthority: URL | undefined;
  /** Why the signing config's certificate authorities cannot be used, where it names some. */
  readonly noCertificateAuthority?: string | undefined;
  /** Where one logs in for an identity token; undefined for nowhere. */
  readonly oidcIssuer: URL | undefined;
  readonly logs: readonly LogService[];
  readonly timestampAuthorities: readonly TimestampService[];
}

/**
 * The services that a signing config says to sign with: of each kind as many as it asks for, of those that are valid now.
 *
 * @param bytes JSON of the message, version 0.2 (protobuf-specs, sigstore_trustroot.proto, SigningConfig)
 * @param options.name how the config is called in errors: its path
 * @param options.tls for its timestamp authorities
 * @throws TsignError "input"
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

/** The witnesses at the services: a client for each. Nothing is asked of them yet. */
export function openWitnesses(
  io: WitnessIo,
  { logs, timestampAuthorities }: Pick<SigningServices, "logs" | "timestampAuthorities">,
): Witness[] {
  return [
    ...timestampAuthorities.map((service) => timestampWitness(io, service)),
    ...logs.map(({ url, version }) => (version === 1 ? rekorV1Witness(io, url) : rekorV2Witness(io, url))),
  ];
}

/** A log of Rekor's API v1: `dsse` entries of envelopes, `hashedrekord` entries of other signatures. */
export function rekorV1Witness(io: TransportIo, url: URL): Witness {
  return {
    role: "log",
    name: url.host,
    version: 1,
    async testify(signature, publicKey) {
      const { uploadEntry } = await import("../services/rekor-v1.ts");
      const { content, message, hash } = signed(signature, publicKey);
      return { tlogEntries: [await uploadEntry(io, url, { content, message, hash, verifier: publicKey })] };
    },
  };
}

/**
 * A log of Rekor's API v2: `hashedrekord` entries, of envelopes too (over their pre-authentication encoding), so that a log
 * sees nothing of what is attested.
 */
export function rekorV2Witness(io: TransportIo, url: URL): Witness {
  return {
    role: "log",
    name: url.host,
    version: 2,
    async testify(signature, publicKey, details) {
      const { uploadEntryV2 } = await import("../services/rekor-v2.ts");
      const { content, message, hash, key, certificate } = signed(signature, publicKey, details?.hash);
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

/** A timestamp authority (RFC 3161), asked for a token over the signature's bytes. */
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

/** What a log is told of a signature: what it covers, and by whom it is. @param hash of an envelope; by default the key's */
function signed(signature: Bundle["content"], publicKey: string, hash?: HashName) {
  const content = readBundleContent(signature);
  const { key, certificate } = verifierOf(publicKey);
  if (content.kind === "dsse") {
    const message = ownMessage(content);
    if (!message) throw new TsignError("internal", "an envelope without a message");
    return { content, message, hash: hash ?? key.hash, key, certificate };
  }
  const { stated } = content;
  if (!stated) throw new TsignError("internal", "the signature states no digest");
  const message = messageOfDigests(new Map([[stated.algorithm, stated.digest]]));
  return { content, message, hash: stated.algorithm, key, certificate };
}

/** The key of a PEM text, and the certificate (DER) that states it, where it is one. */
function verifierOf(pem: string) {
  if (!pem.includes("-----BEGIN CERTIFICATE")) return { key: publicKeyFromPem(pem), certificate: undefined };
  const certificate = new X509Certificate(pem);
  return { key: publicKeyFromObject(certificate.publicKey), certificate: certificate.raw };
}
