import { keyReference } from "../cli/options/key.ts";
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
import { readLegacyTimestamp } from "../evidence/legacy/proofs.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence } from "../evidence/model.ts";
import { readBlobSignature, readLegacyBlobBundle } from "../evidence/read-files.ts";
import { digestFromHex, HASHES, type HashName, type Message, messageOfDigests, readMessage } from "../format/digest.ts";
import { isFromBundle, withLoggedEntry } from "../images/log-lookup.ts";
import type { Io } from "../io/io.ts";
import { MAX_ED25519_MESSAGE, publicKeyFromObject, sameKey } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { blobName, openBlob, readBlob } from "../net/input.ts";
import { bytesToKeep } from "../verify/claimed-key.ts";
import { fieldsOfCheck } from "../verify/model.ts";
import { type Verified, verify } from "../verify/verify.ts";
import type definition from "./verify-blob.ts";
import type { flags } from "./verify-blob.ts";

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags, answer }) => {
  if (keyReference(flags) === "" && flags.certificate === "" && flags.bundle === "") {
    throw new TsignError("usage", "one of --key, --sk, --certificate or --bundle is required", {
      hint: "add --bundle FILE, and --key FILE or --certificate-identity and --certificate-oidc-issuer",
    });
  }
  refuseKeyAndCertificate(flags);
  if (flags.signature === "" && flags.bundle === "") {
    throw new TsignError("usage", "--bundle or --signature is required", {
      hint: "pass the file that `tsign sign-blob --bundle FILE` wrote with --bundle",
    });
  }
  const verification = await readVerification(io, flags, {
    kind: "blob",
    signersHint: bundleHint(flags),
  });
  const found = await readEvidence(io, flags, verification);
  const key = await keyOf(found, verification);
  const hashes = new Set<HashName>(key ? hashesFor(key, found, verification) : ["sha256"]);
  const message = await readSubject(io, { file, hashes: [...hashes], key, bundle: flags.bundle !== "" });
  const { rekorUrl } = verification;
  const policy = { ...verification.policy, claims: { annotations: {}, predicateTypes: undefined } };
  const evidence = await withLoggedEntry(io, found, { policy, rekorUrl, blob: message });
  const verdict = await verify(evidence, { kind: "blob", message }, verification.trust, policy);
  if (flags.json) {
    const { blobResult } = await import("../cli/reports/signature-record.ts");
    const form = isFromBundle(evidence) ? "bundle" : "legacy";
    answer(blobResult(verdict, { file, form, logs: verification.trust.logs }));
  }
  if (!verdict.ok) {
    const { name, detail } = verdict.failed;
    throw new TsignError(
      "bad-signature",
      `${evidence.origin.where} does not verify ${blobName(file)}: ${name}: ${detail}`,
      {
        ...fieldsOfCheck(verdict.failed),
        hint: isTooLarge(message, key)
          ? "use another kind of key: pure Ed25519 signatures are verified up to 128 MiB"
          : (blobRefusalHint(fieldsOfCheck(verdict.failed), flags) ?? verdict.failed.hint),
      },
    );
  }
  if (policy.signer.kind === "identity") {
    const { warnAboutLoosePatterns } = await import("../cli/print/verified.ts"); // not needed for keys
    warnAboutLoosePatterns(io.stderr, policy.signer, [verdict]);
  }
  warnAboutAttestation(io, verdict);
  printVerifiedBlob(io, { name: blobName(file), verified: verdict, logs: verification.trust.logs });
};

type BlobFlags = FlagValues<typeof flags>;

/** Warns that a file was verified with an attestation, as cosign does it, without a check of its predicate type. */
function warnAboutAttestation(io: Pick<Io, "stderr">, { content, origin }: Verified): void {
  if (content.kind !== "statement" || content.predicateType === SIGN_PREDICATE_TYPE) return;
  const { predicateType } = content;
  io.stderr.write(
    `WARNING: ${origin.where} is an attestation of type ${predicateType}, which was not checked; ` +
      "check it with `tsign verify-blob-attestation`\n",
  );
}

/** Reads the bundle, in either form, or the detached signature; a legacy bundle beside it has the certificate and log entry. */
async function readEvidence(io: Io, flags: BlobFlags, { policy, certificate }: Verification): Promise<Evidence> {
  const timestamps = await readTimestamps(io, flags);
  if (flags.bundle === "") {
    return withCertificate({ ...(await readBlobSignature(io, flags.signature)), timestamps }, certificate);
  }
  const bytes = await readBlob(io, flags.bundle);
  if (looksLikeBundle(bytes)) {
    rejectFlagsUnusedWithBundle(flags, BESIDE_LEGACY);
    return readBundle(bytes, { kind: "file", where: flags.bundle });
  }
  const { evidence, statedKey } = readLegacyBlobBundle(bytes, flags.bundle);
  if (statedKey) {
    // cosign verifies with this key instead of --key (GHSA-fx35-mq7g-6g98): here the two must be equal.
    if (policy.signer.kind !== "key") {
      throw new TsignError(
        "bad-signature",
        `${flags.bundle}: signed with a bare key, without a certificate to identify the signer`,
      );
    }
    if (!sameKey(statedKey.object, policy.signer.key.object)) {
      throw new TsignError("bad-signature", `${flags.bundle}: signed with a different key than --key`);
    }
  }
  const { signature } =
    flags.signature === "" ? evidence.content : (await readBlobSignature(io, flags.signature)).content;
  const content = { kind: "blob", signature } as const;
  return withCertificate({ ...evidence, content, timestamps }, certificate);
}

/** Flags that only legacy signatures need. */
const BESIDE_LEGACY = [
  ...(["signature", "certificate", "certificateChain", "caRoots", "caIntermediates", "sct"] as const),
  ...(["rfc3161Timestamp", "timestampCertificateChain"] as const),
];

/** Reads the timestamp of a legacy signature; a bundle contains its own. */
async function readTimestamps(io: Io, flags: BlobFlags): Promise<Uint8Array[]> {
  if (flags.rfc3161Timestamp === "") return [];
  if (!flags.useSignedTimestamps && flags.timestampCertificateChain === "") {
    throw new TsignError(
      "usage",
      "--rfc3161-timestamp requires --use-signed-timestamps or --timestamp-certificate-chain",
    );
  }
  const text = Buffer.from(await readBlob(io, flags.rfc3161Timestamp)).toString("utf8");
  return [readLegacyTimestamp(text, flags.rfc3161Timestamp)];
}

function withCertificate(evidence: Evidence, certificate: Verification["certificate"]): Evidence {
  return certificate ? { ...evidence, key: certificate } : evidence;
}

/** The key that the signature will be verified with, which decides how the file is read; undefined without a key and a certificate. */
async function keyOf(evidence: Evidence, { policy: { signer } }: Verification): Promise<PublicKey | undefined> {
  if (signer.kind === "key") return signer.key;
  if (evidence.key.kind !== "certificate") return undefined;
  const { parseCertificate } = await import("../trust/certificate.ts");
  return publicKeyFromObject(parseCertificate(evidence.key.leaf).native.publicKey);
}

function hashesFor(key: PublicKey, evidence: Evidence, { policy: { signer } }: Verification): HashName[] {
  const stated = evidence.content.kind === "blob" ? evidence.content.stated?.algorithm : undefined;
  const tried = signer.kind === "key" ? signer.hashes : [key.hash];
  return [...tried, key.hash, "sha256", ...(stated ? [stated] : [])];
}

/** Reads the file once. With a bundle, `algorithm:hex` is a digest unless a file has that name. */
async function readSubject(
  io: Io,
  from: { file: string; hashes: readonly HashName[]; key: PublicKey | undefined; bundle: boolean },
): Promise<Message> {
  const digest = from.bundle ? parseBlobDigest(from.file) : undefined;
  if (digest && !(await io.files.stat(from.file))) return messageOfDigests(digest);
  const pieces = await watched(io, "verifying", { file: from.file, pieces: openBlob(io, from.file) });
  return readMessage(pieces, { hashes: from.hashes, keepBytes: bytesToKeep(from.key) });
}

function parseBlobDigest(text: string): Map<HashName, Uint8Array> | undefined {
  const [algorithm, hex = "", ...rest] = text.split(":");
  const name = HASHES.find((each) => each === algorithm);
  const digest = name && rest.length === 0 ? digestFromHex(name, hex) : undefined;
  return name && digest && new Map([[name, digest]]);
}

function isTooLarge(message: Message, key: PublicKey | undefined): boolean {
  return key?.kind.type === "ed25519" && message.bytes === undefined && message.size > MAX_ED25519_MESSAGE;
}
