import assert from "node:assert/strict";
import { createHash, type KeyObject, sign } from "node:crypto";
import { preAuthEncoding } from "../../src/format/dsse.ts";
import { writePem } from "../../src/format/pem.ts";
import type { TestSigstore } from "./sandbox.ts";
import {
  ALICE,
  type Answered,
  ask,
  b64,
  certify,
  hashedRekord,
  keyOf,
  leafOf,
  timestamp,
  v1Entry,
} from "./sandbox-client.ts";

/** The artifact of every bundle. */
export const ARTIFACT = Buffer.from("hello, artifact");
const IN_TOTO = "application/vnd.in-toto+json";
export const PREDICATE_TYPE = "https://example.com/predicate/v1";

/** A kind of bundle: version, log, entry and signer. */
export interface BundleKind {
  readonly version: "0.1" | "0.2" | "0.3";
  readonly entry: "hashedrekord 0.0.1" | "dsse 0.0.1" | "intoto 0.0.2" | "hashedrekord 0.0.2" | "dsse 0.0.2";
  readonly dsse: boolean;
  readonly signer: "certificate" | "key";
  /** Whether it contains the signed entry timestamp (SET), which only Rekor v1 issues. */
  readonly promise: boolean;
  readonly timestamp: boolean;
}

/** A bundle as in a file. */
export interface SignedBundle {
  // biome-ignore lint/suspicious/noExplicitAny: documents are changed in ways their types forbid
  readonly json: any;
  readonly publicKey: KeyObject;
}

const MEDIA_TYPE = {
  "0.1": "application/vnd.dev.sigstore.bundle+json;version=0.1",
  "0.2": "application/vnd.dev.sigstore.bundle+json;version=0.2",
  "0.3": "application/vnd.dev.sigstore.bundle.v0.3+json",
} as const;

/** The statement about the artifact in DSSE bundles. */
export function statementOf(artifact: Uint8Array): Buffer {
  const digest = { sha256: createHash("sha256").update(artifact).digest("hex") };
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "artifact", digest }],
    predicateType: PREDICATE_TYPE,
    predicate: { answer: 42 },
  };
  return Buffer.from(JSON.stringify(statement));
}

interface Signed {
  readonly message: Buffer;
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly digest: Buffer;
  /** PEM and DER of the certificate or key. */
  readonly verifier: { readonly pem: string; readonly der: Buffer; readonly certificate: boolean };
}

/**
 * Signs the artifact or a statement about it, gets a log entry and a timestamp, and returns the bundle.
 *
 * @param options content, signer and key; by default ARTIFACT, ALICE and a new key
 */
export async function signedBundle(
  sandbox: TestSigstore,
  kind: BundleKind,
  options: { artifact?: Uint8Array; email?: string; pair?: ReturnType<typeof keyOf> } = {},
): Promise<SignedBundle> {
  const { artifact = ARTIFACT, email = ALICE, pair = keyOf("P-256") } = options;
  const signer = { token: sandbox.mint(email), subject: email };
  const certified = kind.signer === "certificate" ? await certify(sandbox, pair, signer) : undefined;
  const der = certified ? leafOf(certified).raw : pair.publicKey.export({ type: "spki", format: "der" });
  const pem = writePem(certified ? "CERTIFICATE" : "PUBLIC KEY", der);
  const payload = statementOf(artifact);
  const message = kind.dsse ? Buffer.from(preAuthEncoding(IN_TOTO, payload)) : Buffer.from(artifact);
  const signed: Signed = {
    message,
    payload,
    signature: sign("sha256", message, pair.privateKey),
    digest: createHash("sha256").update(message).digest(),
    verifier: { pem, der, certificate: certified !== undefined },
  };
  const chain = certified ? chainOf(certified) : [];
  const material = certified
    ? kind.version === "0.3"
      ? { certificate: { rawBytes: b64(der) } }
      : { x509CertificateChain: { certificates: chain.map((rawBytes) => ({ rawBytes })) } }
    : { publicKey: { hint: createHash("sha256").update(der).digest("base64") } };
  const stamps = kind.timestamp ? [{ signedTimestamp: b64(await timestamp(sandbox, signed.signature)) }] : [];
  const json = {
    mediaType: MEDIA_TYPE[kind.version],
    verificationMaterial: {
      ...material,
      tlogEntries: [await logEntry(sandbox, kind, signed)],
      ...(kind.timestamp ? { timestampVerificationData: { rfc3161Timestamps: stamps } } : {}),
    },
    ...contentOf(kind, signed),
  };
  return { json: JSON.parse(JSON.stringify(json)), publicKey: pair.publicKey };
}

function chainOf(certified: Answered): string[] {
  const { chain } = certified.json()["signedCertificateEmbeddedSct"] as unknown as {
    chain: { certificates: string[] };
  };
  return chain.certificates.map((pem) => pem.replace(/-----[^-]+-----|\s/g, ""));
}

function envelopeOf({ payload, signature }: Signed) {
  return { payload: b64(payload), payloadType: IN_TOTO, signatures: [{ sig: b64(signature) }] };
}

function contentOf(kind: BundleKind, signed: Signed) {
  if (kind.dsse) return { dsseEnvelope: envelopeOf(signed) };
  const messageDigest = { algorithm: "SHA2_256", digest: b64(signed.digest) };
  return { messageSignature: { messageDigest, signature: b64(signed.signature) } };
}

async function logEntry(sandbox: TestSigstore, kind: BundleKind, signed: Signed): Promise<object> {
  const isV2 = kind.entry.endsWith("0.0.2") && !kind.entry.startsWith("intoto");
  const body = isV2 ? requestV2(kind, signed) : requestV1(kind, signed);
  const answered = await ask(sandbox, "POST", `/api/v${isV2 ? 2 : 1}/log/entries`, { body });
  assert.equal(answered.status, 201, answered.bytes.toString());
  if (isV2) return answered.json();
  const { inclusionPromise, ...entry } = v1Entry(answered);
  return kind.promise ? { ...entry, inclusionPromise } : { ...entry, integratedTime: undefined };
}

function requestV2(kind: BundleKind, signed: Signed): object {
  const { der, certificate } = signed.verifier;
  const verifier = {
    [certificate ? "x509Certificate" : "publicKey"]: { rawBytes: b64(der) },
    keyDetails: "PKIX_ECDSA_P256_SHA_256",
  };
  if (kind.entry === "dsse 0.0.2") {
    return { dsseRequestV002: { envelope: envelopeOf(signed), verifiers: [verifier] } };
  }
  const signature = { content: b64(signed.signature), verifier };
  return { hashedRekordRequestV002: { digest: b64(signed.digest), signature } };
}

function requestV1(kind: BundleKind, signed: Signed): object {
  const envelope = JSON.stringify(envelopeOf(signed));
  const { pem } = signed.verifier;
  switch (kind.entry) {
    case "dsse 0.0.1":
      return { apiVersion: "0.0.1", kind: "dsse", spec: { proposedContent: { envelope, verifiers: [b64(pem)] } } };
    case "intoto 0.0.2": {
      const twice = (bytes: Uint8Array) => b64(b64(bytes));
      const signatures = [{ sig: twice(signed.signature), publicKey: b64(pem) }];
      const value = createHash("sha256").update(envelope).digest("hex");
      const content = {
        envelope: { payload: twice(signed.payload), payloadType: IN_TOTO, signatures },
        hash: { algorithm: "sha256", value },
      };
      return { apiVersion: "0.0.2", kind: "intoto", spec: { content } };
    }
    default:
      return hashedRekord(signed.digest.toString("hex"), signed.signature, pem);
  }
}
