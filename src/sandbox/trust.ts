/** The URLs of a sandbox's services. */
export interface Addresses {
  readonly base: string;
  readonly issuer: string;
  readonly ciIssuer: string;
  readonly fulcio: string;
  readonly ct: string;
  readonly rekor1: string;
  readonly rekor2: string;
  readonly tsa: string;
  readonly tuf: string;
}

/** Returns the URLs of all services at one address; their paths do not overlap. */
export function addressesOf(base: string): Addresses {
  return {
    base,
    issuer: base,
    ciIssuer: `${base}/ci`,
    fulcio: base,
    ct: base, // the log's paths begin with /ct/v1
    rekor1: base,
    rekor2: base,
    tsa: `${base}/api/v1/timestamp`,
    tuf: `${base}/tuf`,
  };
}

interface Log {
  readonly keyId: Buffer;
  readonly spki: Buffer;
}

/** Builds the sandbox's TrustedRoot (sigstore_trustroot.proto). Chains run from the issuing certificate to the root. */
export function trustedRoot(options: {
  at: Addresses;
  /** Start of the keys' validity, RFC 3339. */
  start: string;
  rekor1: Log;
  rekor2: Log;
  ct: Log;
  fulcioChain: readonly Uint8Array[];
  tsaChain: readonly Uint8Array[];
}): object {
  const { at, start } = options;
  const validFor = { start };
  const log = (baseUrl: string, keyDetails: string, { keyId, spki }: Log) => ({
    baseUrl,
    hashAlgorithm: "SHA2_256",
    publicKey: { rawBytes: spki.toString("base64"), keyDetails, validFor },
    logId: { keyId: keyId.toString("base64") },
  });
  const authority = (uri: string, kind: string, chain: readonly Uint8Array[]) => ({
    subject: { organization: "tsign sandbox (tests only)", commonName: `tsign sandbox ${kind} root` },
    uri,
    certChain: { certificates: chain.map((der) => ({ rawBytes: Buffer.from(der).toString("base64") })) },
    validFor,
  });
  return {
    mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    tlogs: [log(at.rekor1, "PKIX_ECDSA_P256_SHA_256", options.rekor1), log(at.rekor2, "PKIX_ED25519", options.rekor2)],
    certificateAuthorities: [authority(at.fulcio, "fulcio", options.fulcioChain)],
    ctlogs: [log(at.ct, "PKIX_ECDSA_P256_SHA_256", options.ct)],
    timestampAuthorities: [authority(at.tsa, "tsa", options.tsaChain)],
  };
}

/** Builds a SigningConfig version 0.2 (sigstore_trustroot.proto) with one of the logs. */
export function signingConfig(options: { at: Addresses; start: string; rekor: 1 | 2; tsa: boolean }): object {
  const { at, start, rekor, tsa } = options;
  const service = (url: string, majorApiVersion = 1) => ({
    url,
    majorApiVersion,
    validFor: { start },
    operator: "tsign sandbox",
  });
  return {
    mediaType: "application/vnd.dev.sigstore.signingconfig.v0.2+json",
    caUrls: [service(at.fulcio)],
    oidcUrls: [service(at.issuer)],
    rekorTlogUrls: [service(rekor === 1 ? at.rekor1 : at.rekor2, rekor)],
    rekorTlogConfig: { selector: "EXACT", count: 1 },
    ...(tsa ? { tsaUrls: [service(at.tsa)], tsaConfig: { selector: "EXACT", count: 1 } } : {}),
  };
}
