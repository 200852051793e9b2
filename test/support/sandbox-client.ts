import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign, X509Certificate } from "node:crypto";
import { type Bundle, bundleFromJSON } from "@sigstore/bundle";
import { preAuthEncoding } from "../../src/format/dsse.ts";
import { writePem } from "../../src/format/pem.ts";
import { integer, NULL, octetString, oid, sequence } from "../../src/sandbox/pki/der.ts";
import type { TestSigstore } from "./sandbox.ts";
import { testIo } from "./test-io.ts";

export const ALICE = "alice@example.com";
const STATEMENT = "application/vnd.in-toto+json";

export interface Answered {
  status: number;
  headers: Record<string, string>;
  bytes: Buffer;
  json: () => Record<string, never>;
}

export async function ask(
  { io, at }: TestSigstore,
  method: string,
  path: string,
  { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answered> {
  const sent = body === undefined || body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
  const url = new URL(path, at.base);
  const { signal } = testIo();
  const response = await io.http({ url, method, headers, ...(sent ? { body: sent } : {}), signal });
  const pieces: Uint8Array[] = [];
  for await (const piece of response.body) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  return { status: response.status, headers: response.headers, bytes, json: () => JSON.parse(bytes.toString()) };
}

export function keyOf(kind: "P-256" | "P-384" | "P-521" | "RSA" | "Ed25519") {
  if (kind === "RSA") return generateKeyPairSync("rsa", { modulusLength: 2048 });
  return kind === "Ed25519" ? generateKeyPairSync("ed25519") : generateKeyPairSync("ec", { namedCurve: kind });
}

/** Requests a certificate from Fulcio for a key. */
export async function certify(
  sandbox: TestSigstore,
  pair: { publicKey: KeyObject; privateKey: KeyObject },
  { token = sandbox.mint(ALICE), subject = ALICE, hash = "sha256" as string | null } = {},
) {
  const proof = sign(hash, Buffer.from(subject), pair.privateKey);
  const content = pair.publicKey.export({ type: "spki", format: "pem" });
  return ask(sandbox, "POST", "/api/v2/signingCert", {
    headers: { authorization: `Bearer ${token}` },
    body: { publicKeyRequest: { publicKey: { algorithm: "", content }, proofOfPossession: proof.toString("base64") } },
  });
}

export function leafOf(answered: Answered): X509Certificate {
  const chain = answered.json()["signedCertificateEmbeddedSct"] as unknown as { chain: { certificates: string[] } };
  return new X509Certificate(chain.chain.certificates[0] ?? "");
}

/** Builds a timestamp request of cosign 3 or, with nonce and certReq, of cosign 2. */
export function timestampRequest(
  signature: Uint8Array,
  { full = false, hash = "2.16.840.1.101.3.4.2.1" } = {},
): Buffer {
  const digest = createHash("sha256").update(signature).digest();
  const more = full ? [integer(123456789), Buffer.from([0x01, 0x01, 0xff])] : [];
  return sequence(integer(1), sequence(sequence(oid(hash), NULL), octetString(digest)), ...more);
}

export async function timestamp(sandbox: TestSigstore, signature: Uint8Array, options = {}): Promise<Buffer> {
  const headers = { "content-type": "application/timestamp-query" };
  const body = timestampRequest(signature, options);
  return (await ask(sandbox, "POST", "/api/v1/timestamp", { body, headers })).bytes;
}

/** Converts an entry of Rekor v1 to its form in bundles. */
export function v1Entry(answered: Answered) {
  const { etag = "" } = answered.headers;
  const entry = answered.json()[etag] as unknown as {
    body: string;
    integratedTime: number;
    logID: string;
    logIndex: number;
    verification: {
      signedEntryTimestamp: string;
      inclusionProof: { checkpoint: string; hashes: string[]; logIndex: number; rootHash: string; treeSize: number };
    };
  };
  const hex = (text: string) => Buffer.from(text, "hex").toString("base64");
  const { inclusionProof: proof, signedEntryTimestamp } = entry.verification;
  const { kind, apiVersion } = JSON.parse(Buffer.from(entry.body, "base64").toString());
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: hex(entry.logID) },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(entry.integratedTime),
    inclusionPromise: { signedEntryTimestamp },
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: hex(proof.rootHash),
      treeSize: String(proof.treeSize),
      hashes: proof.hashes.map(hex),
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: entry.body,
  };
}

export const b64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString("base64");
export const pemOf = (certificate: X509Certificate) => writePem("CERTIFICATE", certificate.raw);
const verifierOf = ({ raw }: X509Certificate) => ({
  x509Certificate: { rawBytes: b64(raw) },
  keyDetails: "PKIX_ECDSA_P256_SHA_256",
});

type Rekor = "rekor1" | "rekor2";

/** Signs a message or a statement and returns the bundle. */
export async function bundleOf(
  sandbox: TestSigstore,
  {
    rekor,
    dsse,
    tsa,
    token,
    subject = "repo:acme/widget:ref:refs/heads/main",
  }: { rekor: Rekor; dsse: boolean; tsa: boolean; token?: string; subject?: string },
): Promise<Bundle> {
  const pair = keyOf("P-256");
  const leaf = leafOf(await certify(sandbox, pair, token ? { token, subject } : {}));
  const content = Buffer.from(dsse ? '{"_type":"https://in-toto.io/Statement/v1"}' : "hello");
  const message = dsse ? preAuthEncoding(STATEMENT, content) : content;
  const signature = sign("sha256", message, pair.privateKey);
  const digest = createHash("sha256").update(message).digest();
  const envelope = { payload: b64(content), payloadType: STATEMENT, signatures: [{ sig: b64(signature) }] };
  const v1Body = dsse
    ? {
        kind: "dsse",
        apiVersion: "0.0.1",
        spec: { proposedContent: { envelope: JSON.stringify(envelope), verifiers: [b64(pemOf(leaf))] } },
      }
    : hashedRekord(digest.toString("hex"), signature, pemOf(leaf));
  const v2Body = dsse
    ? { dsseRequestV002: { envelope, verifiers: [verifierOf(leaf)] } }
    : {
        hashedRekordRequestV002: {
          digest: b64(digest),
          signature: { content: b64(signature), verifier: verifierOf(leaf) },
        },
      };
  const path = `/api/v${rekor === "rekor1" ? 1 : 2}/log/entries`;
  const answered = await ask(sandbox, "POST", path, { body: rekor === "rekor1" ? v1Body : v2Body });
  assert.equal(answered.status, 201, answered.bytes.toString());
  const stamps = tsa ? [{ signedTimestamp: b64(await timestamp(sandbox, signature)) }] : [];
  return bundleFromJSON({
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: {
      certificate: { rawBytes: b64(leaf.raw) },
      tlogEntries: [rekor === "rekor1" ? v1Entry(answered) : answered.json()],
      timestampVerificationData: { rfc3161Timestamps: stamps },
    },
    ...(dsse
      ? { dsseEnvelope: envelope }
      : {
          messageSignature: {
            messageDigest: { algorithm: "SHA2_256", digest: b64(digest) },
            signature: b64(signature),
          },
        }),
  });
}

export function hashedRekord(value: string, signature: Uint8Array, pem: string, algorithm = "sha256") {
  return {
    kind: "hashedrekord",
    apiVersion: "0.0.1",
    spec: {
      data: { hash: { algorithm, value } },
      signature: { content: b64(signature), publicKey: { content: b64(pem) } },
    },
  };
}
