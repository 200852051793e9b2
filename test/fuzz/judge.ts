import { createHash, createPublicKey } from "node:crypto";
import { TsignError } from "../../src/errors.ts";
import { readBundle } from "../../src/evidence/bundle/read.ts";
import { readAttestationLayer, readSignatureLayer } from "../../src/evidence/legacy/read.ts";
import type { Evidence } from "../../src/evidence/model.ts";
import { readLegacyBlobBundle } from "../../src/evidence/read-files.ts";
import { type Digest, messageOf } from "../../src/format/digest.ts";
import { defaultHashes, publicKeyFromObject } from "../../src/keys/index.ts";
import type { TrustedMaterial } from "../../src/trust/material.ts";
import { readTrustedRoot } from "../../src/trust/trusted-root.ts";
import type { Policy, Subject } from "../../src/verify/model.ts";
import { exactly } from "../../src/verify/patterns.ts";
import { verifyTimestamp } from "../../src/verify/timestamp.ts";
import { verify } from "../../src/verify/verify.ts";
import { Finding, type Outcome } from "./target.ts";

/** The form in which a signature is stored. */
export type Form = "bundle" | "legacy-bundle" | "sig-layer" | "att-layer";

/** One question of a verifier: which artifact, signed by whom. */
export interface Probe {
  readonly artifact: "A" | "B";
  readonly signer: "alice" | "mallory" | "K" | "M";
  readonly log: "ours" | "another's";
}

/** The input of judging; JSON. */
export interface Setting {
  /** JSON texts of trusted roots: that of all signatures here, and another one. */
  readonly trustedRoot: string;
  readonly otherRoot: string;
  readonly issuer: string;
  readonly now: string;
  /** PEM public keys. */
  readonly keys: Readonly<Record<"K" | "M", string>>;
  /** Base64 of the blobs' bytes, and the images' digests. */
  readonly blobs: Readonly<Record<"A" | "B", string>>;
  readonly images: Readonly<Record<"A" | "B", Digest>>;
  readonly genuine: readonly Genuine[];
}

/** Fingerprints of a genuine document, and the questions whose answer is yes for it. */
export interface Genuine {
  readonly core: string;
  readonly proofs: readonly string[];
  readonly yes: readonly Probe[];
}

export const SIGNERS = { alice: "alice@example.com", mallory: "mallory@example.com" } as const;

const sha = (...parts: readonly (Uint8Array | string)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest("hex").slice(0, 16);
};

/** Fingerprint of the content and its signature. Anything that verifies must have the fingerprint of a genuine document. */
export function coreOf({ content }: Evidence): string {
  const payload = content.kind === "blob" ? "" : content.payload;
  const type = content.kind === "dsse" ? content.payloadType : "";
  return sha(content.kind, type, payload, content.signature);
}

/** Fingerprints of certificate, log entries and timestamps. */
export function proofsOf({ key, log, timestamps }: Evidence): string[] {
  const certificate = key.kind === "certificate" ? [sha("certificate", key.leaf)] : [];
  const entries = log.flatMap((entry) => {
    const { inclusionPromise, inclusionProof, logIndex, logId, integratedTime, canonicalizedBody } = entry;
    const text = (value: unknown) =>
      JSON.stringify(value, (_, item) => (item?.type === "Buffer" ? b64(item.data) : item));
    // Without a signed entry timestamp, index and time come from the inclusion proof.
    const named = inclusionPromise ? text([logIndex, integratedTime]) : "";
    const parts = [sha("entry", canonicalizedBody, text(logId), named)];
    if (inclusionPromise) parts.push(sha("promise", text(inclusionPromise)));
    if (inclusionProof) parts.push(sha("proof", text(bySignature(inclusionProof, logId?.keyId))));
    return parts;
  });
  return [...certificate, ...entries, ...timestamps.map((timestamp) => sha("timestamp", timestamp))];
}

/**
 * Returns an inclusion proof with only the log's own signatures under its checkpoint, each once. Lines of other keys are
 * witnesses', which a verifier without their keys ignores (C2SP signed-note, "Verifying notes").
 */
function bySignature<Proof extends { checkpoint: { envelope: string } | undefined }>(
  proof: Proof,
  keyId: Uint8Array | undefined,
): Proof {
  const [text = "", signatures = ""] = proof.checkpoint?.envelope.split("\n\n") ?? [];
  const hash = keyId?.subarray(0, 4) ?? new Uint8Array();
  const isOwn = (line: string) =>
    Buffer.from(line.split(" ").at(-1) ?? "", "base64")
      .subarray(0, 4)
      .equals(hash);
  const own = [...new Set(signatures.split("\n").filter(isOwn))];
  return { ...proof, checkpoint: { envelope: `${text}\n\n${own.join("\n")}` } };
}

const b64 = (bytes: readonly number[]) => Buffer.from(bytes).toString("base64");

/** Reads a document of a form, as the commands do. */
export function readForm(form: Form, document: Uint8Array): Evidence {
  const origin = { kind: "file", where: "fuzz" } as const;
  switch (form) {
    case "bundle":
      return readBundle(document, origin);
    case "legacy-bundle":
      return readLegacyBlobBundle(document, "fuzz").evidence;
    default: {
      const { payload = "", annotations = {} } = layerOf(document);
      const read = form === "sig-layer" ? readSignatureLayer : readAttestationLayer;
      return read({ payload: Buffer.from(payload, "base64"), annotations, origin });
    }
  }
}

/** A layer as one document: its content in base64 and its annotations. Annotations that are not strings are refused earlier. */
function layerOf(document: Uint8Array): { payload?: string; annotations?: Record<string, string> } {
  try {
    const json = JSON.parse(Buffer.from(document).toString());
    const entries = Object.entries(json.annotations ?? {}).filter(([, value]) => typeof value === "string");
    return { payload: String(json.payload ?? ""), annotations: Object.fromEntries(entries) as Record<string, string> };
  } catch {
    return {};
  }
}

const cached = new Map<string, unknown>();
function once<T>(text: string, make: () => T): T {
  if (!cached.has(text)) cached.set(text, make());
  return cached.get(text) as T;
}

const rootOf = (text: string): TrustedMaterial => once(text, () => readTrustedRoot(Buffer.from(text), "root"));

/** Returns the least strict policy for a question: only log and signer are required. */
export function policyOf(probe: Probe, setting: Setting): Policy {
  const { signer } = probe;
  const policy = {
    claims: { annotations: {}, predicateTypes: undefined },
    timestamp: "optional",
    log: "required",
  } as const;
  if (signer === "K" || signer === "M") {
    const key = once(setting.keys[signer], () => publicKeyFromObject(createPublicKey(setting.keys[signer])));
    return { ...policy, signer: { kind: "key", key, hashes: defaultHashes(key) }, sct: "insecureSkip" };
  }
  const identity = { subject: [exactly(SIGNERS[signer])], issuer: [exactly(setting.issuer)], extensions: new Map() };
  return { ...policy, signer: { kind: "identity", identity }, sct: { detached: undefined } };
}

export function subjectOf(form: Form, probe: Probe, setting: Setting): Subject {
  if (form === "sig-layer" || form === "att-layer") return { kind: "image", digest: setting.images[probe.artifact] };
  const bytes = Buffer.from(setting.blobs[probe.artifact], "base64");
  return { kind: "blob", message: once(setting.blobs[probe.artifact], () => messageOf(bytes)) };
}

export const PROBES: readonly Probe[] = [
  { artifact: "A", signer: "alice", log: "ours" },
  { artifact: "A", signer: "K", log: "ours" },
  { artifact: "B", signer: "alice", log: "ours" },
  { artifact: "B", signer: "K", log: "ours" },
  { artifact: "A", signer: "mallory", log: "ours" },
  { artifact: "A", signer: "M", log: "ours" },
  { artifact: "A", signer: "alice", log: "another's" },
  { artifact: "A", signer: "K", log: "another's" },
];

/** Asks one question about evidence. A defect of tsign is thrown by verify() itself. */
export async function verdictOn(evidence: Evidence, form: Form, probe: Probe, setting: Setting) {
  const trusted = rootOf(probe.log === "ours" ? setting.trustedRoot : setting.otherRoot);
  const trust = { ...trusted, now: new Date(setting.now) };
  const verdict = await verify(evidence, subjectOf(form, probe, setting), trust, policyOf(probe, setting));
  return verdict;
}

/** Reports whether the answer is yes. */
export async function ask(evidence: Evidence, form: Form, probe: Probe, setting: Setting): Promise<boolean> {
  return (await verdictOn(evidence, form, probe, setting)).ok;
}

/** Requires that a failure is a refusal with a message. */
export function refusal(error: unknown): "refused" {
  if (error instanceof TsignError && error.code !== "internal") return "refused";
  throw error;
}

/**
 * Asks every question about a document. A yes is right only if a genuine document has the same signature over the same content,
 * and every certificate, log entry and timestamp of this document.
 */
export async function judgeDocument(
  form: Form,
  document: Uint8Array,
  setting: Setting,
  probes: readonly Probe[] = PROBES,
): Promise<Outcome> {
  let evidence: Evidence;
  try {
    evidence = readForm(form, document);
  } catch (error) {
    return refusal(error);
  }
  let outcome: Outcome = "read";
  const core = coreOf(evidence);
  for (const probe of probes) {
    if (!(await ask(evidence, form, probe, setting))) continue;
    outcome = "yes";
    explain(evidence, core, probe, setting);
  }
  return outcome;
}

function explain(evidence: Evidence, core: string, probe: Probe, setting: Setting): void {
  const asked = `${probe.artifact} by ${probe.signer} in ${probe.log} log`;
  const isAsked = (yes: Probe) => JSON.stringify(yes) === JSON.stringify(probe);
  const sources = setting.genuine.filter((genuine) => genuine.core === core && genuine.yes.some(isAsked));
  if (sources.length === 0) throw new Finding(`a yes for ${asked}, which no genuine document signs`);
  const known = new Set(sources.flatMap(({ proofs }) => proofs));
  const strange = proofsOf(counted(evidence, probe, setting)).filter((proof) => !known.has(proof));
  if (strange.length > 0) {
    throw new Finding(`a yes for ${asked} with ${strange.length} proofs of other documents`);
  }
}

/**
 * Returns evidence without the parts that verification ignores: log entries and timestamps of untrusted services, and a
 * certificate in legacy forms that are verified with a key.
 */
function counted(evidence: Evidence, { signer, log }: Probe, setting: Setting): Evidence {
  const { logs, timestampAuthorities } = rootOf(log === "ours" ? setting.trustedRoot : setting.otherRoot);
  const isKnown = (id: Uint8Array | undefined) =>
    logs.some((each) => Buffer.compare(each.id, id ?? Buffer.alloc(0)) === 0);
  const messages = [evidence.content.signature, ...(evidence.timestamped ? [evidence.timestamped] : [])];
  return {
    ...evidence,
    ...(signer === "K" || signer === "M" ? { key: { kind: "none" } as const } : {}),
    log: evidence.log.filter((entry) => isKnown(entry.logId?.keyId)),
    timestamps: evidence.timestamps.filter(
      (each) => verifyTimestamp(each, messages, timestampAuthorities) !== undefined,
    ),
  };
}
