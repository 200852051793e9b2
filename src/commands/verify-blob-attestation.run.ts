import { trustPolicyFile } from "../cli/flags/trust-policy.ts";
import { blobRefusalHint, bundleHint } from "../cli/options/refusal-hints.ts";
import {
  readVerification,
  refuseKeyAndCertificate,
  rejectFlagsUnusedWithBundle,
  type Verification,
} from "../cli/options/verification.ts";
import type { FlagValues, Run } from "../cli/parser/define.ts";
import { watched } from "../cli/print/progress.ts";
import { printVerifiedBlob } from "../cli/print/signed-by.ts";
import { TsignError } from "../errors.ts";
import { looksLikeBundle, readBundle } from "../evidence/bundle/read.ts";
import { readEnvelope } from "../evidence/envelope.ts";
import { readLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import type { Evidence } from "../evidence/model.ts";
import { readLegacyBlobBundle } from "../evidence/read-files.ts";
import { readStatement } from "../evidence/statement.ts";
import {
  digestFromHex,
  HASHES,
  type HashName,
  type Message,
  messageOf,
  messageOfDigests,
  readMessage,
} from "../format/digest.ts";
import { verifyForAny } from "../images/any-signer.ts";
import { isFromBundle, withLoggedEntry } from "../images/log-lookup.ts";
import type { Io } from "../io/io.ts";
import { sameKey } from "../keys/index.ts";
import { blobName, openBlob, readBlob } from "../net/input.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { predicateTypeOf } from "../sign/predicates.ts";
import { fieldsOfCheck, type Policy } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";
import type definition from "./verify-blob-attestation.ts";
import type { flags } from "./verify-blob-attestation.ts";

export const run: Run<typeof definition> = async (io, { args: [file], flags, given, answer }) => {
  const policyFile = trustPolicyFile(io, flags);
  if (policyFile !== undefined) {
    if (file === undefined) throw new TsignError("usage", "--trust-policy requires a file", { hint: NAME_DECIDES });
    const { verifyFileByPolicy } = await import("../cli/verify-file-by-policy.ts"); // loaded only for a trust policy
    const wanted = { predicateType: given.has("type") ? predicateTypeOf(flags.type) : undefined };
    return verifyFileByPolicy(io, file, { flags, given, policyFile, answer, wanted });
  }
  if (flags.signature === "" && flags.bundle === "") {
    throw new TsignError("usage", "provide path to the DSSE envelope via --signature or a bundle via --bundle", {
      hint: "add --bundle FILE, the file that `tsign attest-blob --bundle FILE` wrote",
    });
  }
  const stated = flags.checkClaims ? statedDigest(flags, file) : undefined;
  refuseKeyAndCertificate(flags);
  const verification = await readVerification(io, flags, {
    kind: "blob attestation",
    signersHint: bundleHint(flags),
  });
  const evidence = await readEvidence(io, flags, verification);
  const message = flags.checkClaims ? await readSubject(io, { file, stated, content: evidence.content }) : undefined;
  const claims: Policy["claims"] = {
    annotations: {},
    predicateTypes: [predicateTypeOf(flags.type)],
    subject: message ? "required" : "insecureSkip",
  };
  const { rekorUrl, signers, trust } = verification;
  const subject = { kind: "blob", message: message ?? messageOf(new Uint8Array()) } as const;
  if (evidence.content.kind !== "dsse") {
    throw new TsignError(
      "bad-signature",
      `${evidence.origin.where} contains the signature of a file, not an attestation`,
    );
  }
  const verifyFor = async (signer: Policy["signer"]) => {
    const policy = { ...verification.policy, signer, claims };
    const logged = flags.signature === "" ? evidence : await withLoggedEntry(io, evidence, { policy, rekorUrl });
    return verify(logged, subject, trust, policy);
  };
  const accepted = signers.map(({ signer }) => signer);
  const verdict = await verifyForAny(accepted, verifyFor, io.signal);
  if (flags.json) {
    const { blobResult } = await import("../cli/reports/signature-record.ts");
    const form = isFromBundle(evidence) ? "bundle" : "legacy";
    answer(blobResult(verdict, { file: file ?? "", form, logs: verification.trust.logs }));
  }
  if (!verdict.ok) {
    const { name, detail } = verdict.failed;
    const subjectName = blobName(file ?? "the attestation");
    throw new TsignError(
      "bad-signature",
      `${evidence.origin.where} does not verify ${subjectName}: ${name}: ${detail}`,
      {
        ...fieldsOfCheck(verdict.failed),
        hint: blobRefusalHint(fieldsOfCheck(verdict.failed), flags) ?? verdict.failed.hint,
      },
    );
  }
  if (signers.length > 1 || verification.policy.signer.kind === "identity") {
    const { printAcceptedBy } = await import("../cli/print/verified.ts"); // not needed for one key
    printAcceptedBy(io.stderr, signers, [verdict]);
  }
  printVerifiedBlob(io, {
    name: blobName(file ?? "the attested digest"),
    verified: verdict,
    logs: verification.trust.logs,
  });
};

const NAME_DECIDES = "name the file, whose name decides which rule applies";

/** Largest bundle or envelope, unless COSIGN_MAX_ATTACHMENT_SIZE allows more. Bytes. */
const MAX_FILE = 128 * 1024 * 1024;

type VerifyFlags = FlagValues<typeof flags>;

interface StatedDigest {
  readonly algorithm: HashName;
  readonly digest: Uint8Array;
}

/**
 * Returns the digest of --digest, which a file named too must have. Beside a file the algorithm follows from its length.
 *
 * @throws TsignError "usage" without a file and a complete digest
 */
function statedDigest({ digest, digestAlg }: VerifyFlags, file: string | undefined): StatedDigest | undefined {
  if (digest === "") {
    if (file !== undefined) return undefined;
    throw new TsignError("usage", "no file or digest to compare with the attestation", {
      hint: "name the file, pass --digest and --digestAlg, or skip the comparison with --check-claims=false",
    });
  }
  const byLength = HASHES.find((name) => digestFromHex(name, digest));
  const algorithm =
    HASHES.find((name) => name === digestAlg) ?? (digestAlg === "" && file !== undefined ? byLength : undefined);
  const bytes = algorithm && digestFromHex(algorithm, digest);
  if (!algorithm || !bytes) {
    throw new TsignError("usage", `invalid --digest for --digestAlg "${digestAlg}"`, {
      hint: "pass --digestAlg sha256, sha384 or sha512, and the digest in hex",
    });
  }
  return { algorithm, digest: bytes };
}

/** Returns what the statement must be about: the file, hashed with the algorithms of the statement, or else the digest. */
async function readSubject(
  io: Io,
  from: { file: string | undefined; stated: StatedDigest | undefined; content: Evidence["content"] },
): Promise<Message> {
  const { file, stated, content } = from;
  if (file === undefined) return messageOfDigests(new Map(stated ? [[stated.algorithm, stated.digest]] : []));
  const hashes = new Set(statedAlgorithms(content));
  if (stated) hashes.add(stated.algorithm);
  const pieces = await watched(io, "hashing", { file, pieces: openBlob(io, file) });
  const message = await readMessage(pieces, { hashes: [...hashes], keepBytes: 0 });
  if (stated && Buffer.compare(message.digest(stated.algorithm), stated.digest) !== 0) {
    throw new TsignError("bad-signature", `digest mismatch for ${file}: --digest is the digest of another file`);
  }
  return message;
}

/** The hash algorithms of the statement's subjects. */
function statedAlgorithms(content: Evidence["content"]): HashName[] {
  try {
    const { subjects } = content.kind === "dsse" ? readStatement(content) : { subjects: [] };
    const stated = HASHES.filter((name) => subjects.some(({ digest }) => Object.hasOwn(digest, name)));
    return stated.length > 0 ? stated : ["sha256"];
  } catch (error) {
    if (error instanceof TsignError) return ["sha256"]; // reported by the verification
    throw error;
  }
}

async function readEvidence(io: Io, flags: VerifyFlags, verification: Verification): Promise<Evidence> {
  const path = flags.bundle || flags.signature;
  const bytes = await readBlob(io, path, { maxBytes: Math.max(MAX_FILE, maxAttachmentSize(io.env)) });
  const evidence = await readForm(io, flags, { bytes, path, verification });
  if (flags.bundle !== "" && flags.signature !== "") await requireSameEnvelope(io, flags, evidence);
  return evidence;
}

/** Refuses a bundle and an envelope that contain different signatures. */
async function requireSameEnvelope(io: Io, flags: VerifyFlags, { content }: Evidence): Promise<void> {
  const other = readEnvelope(await readBlob(io, flags.signature), flags.signature);
  if (content.kind === "dsse" && Buffer.compare(content.signature, other.signature) === 0) return;
  throw new TsignError("bad-signature", `${flags.signature} and ${flags.bundle} contain different signatures`);
}

async function readForm(
  io: Io,
  flags: VerifyFlags,
  from: { bytes: Uint8Array; path: string; verification: Verification },
): Promise<Evidence> {
  const { bytes, path, verification } = from;
  const { signers, certificate } = verification;
  if (flags.bundle !== "" && looksLikeBundle(bytes)) {
    rejectFlagsUnusedWithBundle(flags, ["certificate", "sct", "rfc3161Timestamp"]);
    return readBundle(bytes, { kind: "file", where: path });
  }
  const timestamps = await readTimestamps(io, flags);
  if (flags.bundle === "") return envelopeEvidence(bytes, { path, timestamps, certificate });
  const { evidence, statedKey } = readLegacyBlobBundle(bytes, path);
  const isStated = ({ signer }: (typeof signers)[number]) =>
    statedKey !== undefined && signer.kind === "key" && sameKey(statedKey.object, signer.key.object);
  if (statedKey && !signers.some(isStated)) {
    throw new TsignError("bad-signature", `${path}: signed with a different key`);
  }
  // In this bundle the envelope is in the place of a file's signature.
  const envelope = envelopeEvidence(evidence.content.signature, { path, timestamps, certificate });
  return { ...envelope, key: certificate ?? evidence.key, log: evidence.log };
}

function envelopeEvidence(
  bytes: Uint8Array,
  from: { path: string; timestamps: readonly Uint8Array[]; certificate: Verification["certificate"] },
): Evidence {
  const { path, timestamps, certificate } = from;
  return {
    origin: { kind: "file", where: path },
    content: readEnvelope(bytes, path),
    key: certificate ?? { kind: "none" },
    log: [],
    timestamps,
    timestamped: bytes,
    annotations: {},
  };
}

async function readTimestamps(io: Io, flags: VerifyFlags): Promise<Uint8Array[]> {
  if (flags.rfc3161Timestamp === "") return [];
  const text = Buffer.from(await readBlob(io, flags.rfc3161Timestamp)).toString("utf8");
  return [readLegacyTimestamp(text, flags.rfc3161Timestamp)];
}
