import { createHash } from "node:crypto";
import { signedBytes } from "../../pki/dsse.ts";
import { type Hash, type Verifier, verifierOf, verifyDigest, verifyMessage } from "../../pki/signature.ts";
import { bytesOf, listAt, Refused, textAt, valueAt } from "../../server/service.ts";
import { canonicalJson } from "../canonical.ts";

/** An entry as Rekor v1 stores it. */
export interface CanonicalEntry {
  /** Canonical JSON, the leaf of the log. */
  readonly body: Buffer;
  /** Search keys: digests as `sha256:<hex>`, e-mail addresses, digests of keys. */
  readonly index: readonly string[];
  /** The attestation stored with an intoto entry. */
  readonly attestation?: Buffer;
}

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const LENGTHS: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Checks a proposed entry and its signatures, and converts it to its canonical form (Rekor's pkg/types).
 *
 * @throws Refused 400
 */
export async function canonicalEntry(proposed: unknown): Promise<CanonicalEntry> {
  const type = `${textAt(proposed, "kind")} ${textAt(proposed, "apiVersion")}`;
  const spec = valueAt(proposed, "spec");
  switch (type) {
    case "hashedrekord 0.0.1":
      return hashedRekord(spec);
    case "dsse 0.0.1":
      return dsse(spec);
    case "intoto 0.0.1":
      return intoto1(spec);
    case "intoto 0.0.2":
      return intoto2(spec);
    default:
      throw new Refused(400, `unsupported entry type ${type}`);
  }
}

function entryBody(kind: string, apiVersion: string, spec: unknown): Buffer {
  return Buffer.from(canonicalJson({ apiVersion, kind, spec }));
}

function pemVerifier(spec: unknown, path: string): Verifier {
  return verifierOf(bytesOf(textAt(spec, path), path).toString("latin1"));
}

const encodedPem = (verifier: Verifier) => Buffer.from(verifier.pem).toString("base64");

async function hashedRekord(spec: unknown): Promise<CanonicalEntry> {
  const algorithm = textAt(spec, "data.hash.algorithm");
  const value = textAt(spec, "data.hash.value").toLowerCase();
  if (value.length !== LENGTHS[algorithm] || !/^[0-9a-f]+$/.test(value)) {
    throw new Refused(400, "data.hash: invalid digest");
  }
  const verifier = pemVerifier(spec, "signature.publicKey.content");
  const signature = bytesOf(textAt(spec, "signature.content"), "signature.content");
  const digest = Buffer.from(value, "hex");
  if (!(await verifyDigest(verifier.key, { digest, hash: algorithm as Hash, signature }))) {
    throw new Refused(400, "verifying signature: invalid signature");
  }
  const body = entryBody("hashedrekord", "0.0.1", {
    data: { hash: { algorithm, value } },
    signature: { content: signature.toString("base64"), publicKey: { content: encodedPem(verifier) } },
  });
  return { body, index: [`${algorithm}:${value}`, ...ownerKeys(verifier)] };
}

/** Returns the search keys of a verifier: its digest and, for a certificate, its e-mail addresses and URIs. */
function ownerKeys(verifier: Verifier): string[] {
  const names = (verifier.certificate?.subjectAltName ?? "").matchAll(/(?:email|URI):([^,\s]+)/g);
  return [sha256(verifier.pem), ...[...names].map(([, name = ""]) => name)];
}

/** The same for an envelope, where Rekor indexes the verifier's digest like that of an artifact. */
function envelopeOwnerKeys(verifier: Verifier): string[] {
  const [digest = "", ...names] = ownerKeys(verifier);
  return [`sha256:${digest}`, ...names];
}

interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly { sig: Buffer; keyid: string }[];
}

function parseEnvelope(text: string): Envelope {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refused(400, "parse envelope: invalid JSON");
  }
  const signatures = listAt(value, "signatures").map((each) => ({
    sig: bytesOf(textAt(each, "sig"), "sig"),
    keyid: String(valueAt(each, "keyid") ?? ""),
  }));
  const payload = bytesOf(textAt(value, "payload"), "payload");
  return { payloadType: textAt(value, "payloadType"), payload, signatures };
}

/** Returns the verifier that accepts each signature. For envelopes Rekor v1 uses SHA-256 with every key. */
function matchSignatures(envelope: Envelope, verifiers: readonly Verifier[]): { sig: Buffer; verifier: Verifier }[] {
  if (envelope.signatures.length === 0) throw new Refused(400, "the envelope has no signatures");
  const message = signedBytes(envelope.payloadType, envelope.payload);
  return envelope.signatures.map(({ sig }) => {
    const verifier = verifiers.find(({ key }) => verifyMessage(key, message, { signature: sig, hash: "sha256" }));
    if (!verifier) throw new Refused(400, "could not verify envelope: a signature does not match any verifier");
    return { sig, verifier };
  });
}

/** Returns the digests of an in-toto statement's subjects. */
function subjectKeys(payload: Buffer): string[] {
  try {
    const statement: unknown = JSON.parse(payload.toString("utf8"));
    return listAt(statement, "subject").map((each) => `sha256:${textAt(each, "digest.sha256")}`);
  } catch {
    return [];
  }
}

function dsse(spec: unknown): CanonicalEntry {
  const text = textAt(spec, "proposedContent.envelope");
  const envelope = parseEnvelope(text);
  const verifiers = listAt(spec, "proposedContent.verifiers").map((each) => pemVerifier({ each }, "each"));
  const signatures = matchSignatures(envelope, verifiers)
    .map(({ sig, verifier }) => ({ signature: sig.toString("base64"), verifier: encodedPem(verifier) }))
    .sort((a, b) => (a.signature < b.signature ? -1 : 1));
  const envelopeHash = { algorithm: "sha256", value: sha256(text) };
  const payloadHash = { algorithm: "sha256", value: sha256(envelope.payload) };
  const body = entryBody("dsse", "0.0.1", { envelopeHash, payloadHash, signatures });
  const digests = [envelopeHash, payloadHash].map(({ value }) => `sha256:${value}`);
  return { body, index: [...digests, ...subjectKeys(envelope.payload), ...verifiers.flatMap(envelopeOwnerKeys)] };
}

function intoto1(spec: unknown): CanonicalEntry {
  const text = textAt(spec, "content.envelope");
  const envelope = parseEnvelope(text);
  const verifier = pemVerifier(spec, "publicKey");
  matchSignatures(envelope, [verifier]);
  const hash = { algorithm: "sha256", value: sha256(text) };
  const payloadHash = { algorithm: "sha256", value: sha256(envelope.payload) };
  const body = entryBody("intoto", "0.0.1", { content: { hash, payloadHash }, publicKey: encodedPem(verifier) });
  const digests = [hash, payloadHash].map(({ value }) => `sha256:${value}`);
  const index = [...digests, ...subjectKeys(envelope.payload), ...envelopeOwnerKeys(verifier)];
  return { body, index, attestation: envelope.payload };
}

/** Payload and signatures are encoded in base64 twice: by DSSE and by Rekor's schema. */
function intoto2(spec: unknown): CanonicalEntry {
  const twice = (value: unknown, path: string) => bytesOf(textAt(value, path), path).toString("latin1");
  const payloadType = textAt(spec, "content.envelope.payloadType");
  const payload = bytesOf(twice(spec, "content.envelope.payload"), "payload");
  const proposed = listAt(spec, "content.envelope.signatures").map((each) => ({
    sig: bytesOf(twice(each, "sig"), "sig"),
    publicKey: textAt(each, "publicKey"),
    verifier: pemVerifier(each, "publicKey"),
    keyid: String(valueAt(each, "keyid") ?? ""),
  }));
  const verifiers = proposed.map(({ verifier }) => verifier);
  matchSignatures({ payloadType, payload, signatures: proposed }, verifiers);
  const signatures = proposed.map(({ sig, publicKey, keyid }) => ({
    sig: Buffer.from(sig.toString("base64")).toString("base64"),
    publicKey,
    keyid: keyid === "" ? undefined : keyid,
  }));
  // Rekor stores the envelope's digest as proposed.
  const hash = { algorithm: textAt(spec, "content.hash.algorithm"), value: textAt(spec, "content.hash.value") };
  const payloadHash = { algorithm: "sha256", value: sha256(payload) };
  const body = entryBody("intoto", "0.0.2", { content: { envelope: { payloadType, signatures }, hash, payloadHash } });
  const index = [`sha256:${payloadHash.value}`, ...subjectKeys(payload), ...verifiers.flatMap(envelopeOwnerKeys)];
  return { body, index, attestation: payload };
}
