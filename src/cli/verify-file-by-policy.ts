import { TsignError } from "../errors.ts";
import { looksLikeBundle } from "../evidence/bundle/read.ts";
import { readEnvelope } from "../evidence/envelope.ts";
import type { Evidence } from "../evidence/model.ts";
import { readBlobSignature, readLegacyBlobBundle } from "../evidence/read-files.ts";
import { readStatement } from "../evidence/statement.ts";
import {
  digestFromHex,
  HASHES,
  type HashName,
  type Message,
  messageOfDigests,
  parseDigest,
  readMessage,
} from "../format/digest.ts";
import { printable } from "../format/printable.ts";
import type { Io } from "../io/io.ts";
import { defaultHashes } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { blobName, openBlob, readBlob } from "../net/input.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { type Decided, decideFile, ruleForFile } from "../trust-policy/decide.ts";
import type { TrustPolicy } from "../trust-policy/model.ts";
import { signersOf } from "../trust-policy/read-requirements.ts";
import { readBundles } from "../trust-policy/saved.ts";
import { PolicySources } from "../trust-policy/sources.ts";
import { bytesToKeep, keyToReadWith } from "../verify/claimed-key.ts";
import { loadTrustPolicy, requireCompatible, undemandedType, type WantedType } from "./options/trust-policy.ts";
import type { Report } from "./parser/define.ts";
import { watched } from "./print/progress.ts";
import { printSigners } from "./print/signed-by.ts";
import { decisionLines } from "./print/trust-decision.ts";
import { verifiedRecord } from "./reports/signature-record.ts";

interface Invoked {
  readonly flags: {
    readonly bundle: string;
    readonly signature: string;
    readonly offline: boolean;
    readonly rekorUrl: string;
    readonly json: boolean;
  };
  /** Keys of the flags that were set. */
  readonly given: ReadonlySet<string>;
  /** Path of the trust policy. */
  readonly policyFile: string;
  /** Called once with the result for `--json`, before an error is thrown. */
  readonly answer: Report;
  /** What the command is about: a rule that demands no such attestation is refused. Undefined for all that the rule demands. */
  readonly wanted?: WantedType;
}

/** Largest file of bundles, unless COSIGN_MAX_ATTACHMENT_SIZE allows more. Bytes. */
const MAX_FILE = 128 * 1024 * 1024;

/**
 * Verifies a file by a trust policy with the signatures and attestations in --bundle (one, or one a line) or --signature, and
 * prints who signed and `Verified OK`.
 *
 * @param file a path, a URL, `-`, or with --bundle a digest
 * @throws TsignError "usage" for a flag that the policy replaces; "policy" if the file is refused
 */
export async function verifyFileByPolicy(io: Io, file: string, invoked: Invoked): Promise<void> {
  const { flags, given, policyFile, answer, wanted } = invoked;
  requireCompatible(given, policyFile, new Set(["signature"]));
  if ((flags.bundle === "") === (flags.signature === "")) throw expectedOne(flags);
  const policy = await loadTrustPolicy(io, policyFile);
  const sources = new PolicySources(io, policy, (text) => io.stderr.write(`WARNING: ${text}\n`));
  const evidence = await readEvidence(io, flags, wanted);
  const message = await readSubject(io, file, { policy, sources, evidence, bundle: flags.bundle !== "" });
  const rekorUrl = flags.offline ? undefined : flags.rekorUrl;
  const decided = await decideFile(io, sources, { policy, path: file, message, evidence, rekorUrl });
  const undemanded = wanted && undemandedType(decided.decision, wanted);
  if (flags.json) answer(resultOf(decided, { file, place: flags.bundle || "--signature", undemanded }));
  print(io, decided, { file, undemanded });
  if (decided.decision.allowed && undemanded === undefined) return;
  throw refusal(decided, { file, policyFile, undemanded });
}

function expectedOne({ bundle }: Pick<Invoked["flags"], "bundle">): TsignError {
  return bundle === ""
    ? new TsignError("usage", "--trust-policy requires --bundle or --signature", {
        hint: "pass the file that `tsign sign-blob --bundle FILE` wrote with --bundle",
      })
    : new TsignError("usage", "--bundle and --signature cannot be used together", {
        hint: "with --trust-policy, pass one of them; a bundle contains its signature",
      });
}

/** Reads the signatures. A key that a legacy bundle contains is ignored: only the keys of the policy count. */
async function readEvidence(io: Io, flags: Invoked["flags"], wanted: WantedType | undefined): Promise<Evidence[]> {
  const maxBytes = Math.max(MAX_FILE, maxAttachmentSize(io.env));
  if (flags.bundle === "") {
    if (wanted === undefined) return [await readBlobSignature(io, flags.signature)];
    return [envelopeEvidence(await readBlob(io, flags.signature, { maxBytes }), flags.signature)];
  }
  const bytes = await readBlob(io, flags.bundle, { maxBytes });
  if (looksLikeBundle(firstLine(bytes)) || looksLikeBundle(bytes)) return readBundles(bytes, flags.bundle);
  const { evidence } = readLegacyBlobBundle(bytes, flags.bundle);
  if (wanted === undefined) return [evidence];
  // In this bundle the envelope is in the place of a file's signature.
  const { key, log } = evidence;
  return [{ ...envelopeEvidence(evidence.content.signature, flags.bundle), key, log }];
}

function firstLine(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0x0a);
  return end === -1 ? bytes : bytes.subarray(0, end);
}

function envelopeEvidence(bytes: Uint8Array, path: string): Evidence {
  return {
    origin: { kind: "file", where: path },
    content: readEnvelope(bytes, path),
    key: { kind: "none" },
    log: [],
    timestamps: [],
    timestamped: bytes,
    annotations: {},
  };
}

interface Subject {
  readonly policy: TrustPolicy;
  readonly sources: PolicySources;
  readonly evidence: readonly Evidence[];
  /** Whether `algorithm:hex` is a digest unless a file has that name. */
  readonly bundle: boolean;
}

/** Reads the file once, with the hash of every key and statement that may be compared with it. */
async function readSubject(io: Io, file: string, of: Subject): Promise<Message> {
  const { policy, evidence, bundle } = of;
  const [algorithm = "", hex = "", ...rest] = file.split(":");
  const hash = HASHES.find((each) => each === algorithm);
  const digest = bundle && hash && rest.length === 0 ? digestFromHex(hash, hex) : undefined;
  if (hash && digest && !(await io.files.stat(file))) return messageOfDigests(new Map([[hash, digest]]));
  const keys = await keysFor(file, of);
  const denied = policy.denied.digests.map(({ digest: each }) => parseDigest(each).algorithm);
  const own = keys.flatMap(defaultHashes);
  const hashes = new Set<HashName>(["sha256", ...own, ...denied, ...evidence.flatMap(statedHashes)]);
  const pieces = await watched(io, "verifying", { file, pieces: openBlob(io, file) });
  const keepBytes = Math.max(bytesToKeep(undefined), ...keys.map(bytesToKeep));
  return readMessage(pieces, { hashes: [...hashes], keepBytes });
}

/** The keys of the rule's signers, and those of the certificates, which are not verified yet. */
async function keysFor(file: string, { policy, sources, evidence }: Subject): Promise<PublicKey[]> {
  const names = new Set((ruleForFile(policy, file)?.demands ?? []).flatMap(({ signers }) => signersOf(signers)));
  const keys: PublicKey[] = [];
  for (const name of names) {
    const signer = policy.signers.get(name);
    if (signer?.kind === "key") keys.push(await sources.key(signer.reference));
  }
  const identity = { subject: [], issuer: [], extensions: new Map<string, string>() };
  for (const each of evidence) {
    const key = await keyToReadWith(each, { signer: { kind: "identity", identity } });
    if (key) keys.push(key);
  }
  return keys;
}

/** The hash algorithms that a signature or a statement names. */
function statedHashes({ content }: Evidence): HashName[] {
  if (content.kind === "blob") return content.stated ? [content.stated.algorithm] : [];
  if (content.kind !== "dsse") return [];
  try {
    const { subjects } = readStatement(content);
    return HASHES.filter((name) => subjects.some(({ digest }) => Object.hasOwn(digest, name)));
  } catch (error) {
    if (error instanceof TsignError) return []; // reported by the verification
    throw error;
  }
}

/** The result for `--json`: the first signature that counts, and all of them; or why there is none. */
function resultOf(
  { decision, verified, logs }: Decided,
  of: { file: string; place: string; undemanded: string | undefined },
): unknown {
  const { file, place, undemanded } = of;
  const records = undemanded === undefined ? verified.map((each) => verifiedRecord(each, logs)) : [];
  const reasons = undemanded === undefined ? decision.reasons : [undemanded];
  const none = { verified: false, place, checks: [], unsatisfied: reasons };
  return { file, signature: records[0] ?? none, signatures: records };
}

function print(io: Io, decided: Decided, of: { file: string; undemanded: string | undefined }): void {
  const { decision, verified, logs } = decided;
  const { ok, allowed, effect, reasons, rule, policy } = decision;
  const name = printable(blobName(of.file));
  if (!ok) {
    const outcome = allowed ? "does not satisfy" : "is refused by";
    const level = allowed && effect === "warn" ? "WARNING: " : "";
    io.stderr.write(`${level}${name} ${outcome} ${printable(policy)}: ${printable(reasons.join("; "))}\n`);
    for (const line of decisionLines(decision)) io.stderr.write(`${line}\n`);
    return;
  }
  if (of.undemanded !== undefined) return;
  io.stderr.write(`${name} satisfies ${printable(rule?.name ?? "")} of ${printable(policy)}\n`);
  printSigners(io.stderr, { verified, logs });
  if (verified.length > 0) io.stderr.write("Verified OK\n"); // not for a rule that accepts anything
}

function refusal(
  { decision, missed }: Decided,
  of: { file: string; policyFile: string; undemanded: string | undefined },
): unknown {
  const { file, policyFile, undemanded } = of;
  if (missed !== undefined && undemanded === undefined) return missed;
  const by = decision.rule ? `${decision.rule.name} of ${policyFile}` : policyFile;
  const reasons = undemanded ?? decision.reasons.join("; ");
  return new TsignError("policy", `${blobName(file)} is refused by ${by}: ${reasons}`);
}
