import { trustPolicyFile } from "../cli/flags/trust-policy.ts";
import { blobRefusalHint, bundleHint } from "../cli/options/refusal-hints.ts";
import { keyReferences } from "../cli/options/signers.ts";
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
import { verifyForAny } from "../images/any-signer.ts";
import { isFromBundle, withLoggedEntry } from "../images/log-lookup.ts";
import type { Io } from "../io/io.ts";
import { MAX_ED25519_MESSAGE, publicKeyFromObject, sameKey } from "../keys/index.ts";
import type { PublicKey } from "../keys/types.ts";
import { blobName, openBlob, readBlob } from "../net/input.ts";
import { bytesToKeep } from "../verify/claimed-key.ts";
import { fieldsOfCheck, type Policy } from "../verify/model.ts";
import { type Verified, verify } from "../verify/verify.ts";
import type definition from "./verify-blob.ts";
import type { flags } from "./verify-blob.ts";

export const run: Run<typeof definition> = async (io, { args: [file = ""], flags, given, answer }) => {
  const policyFile = trustPolicyFile(io, flags);
  if (policyFile !== undefined) {
    const { verifyFileByPolicy } = await import("../cli/verify-file-by-policy.ts"); // loaded only for a trust policy
    return verifyFileByPolicy(io, file, { flags, given, policyFile, answer });
  }
  if (keyReferences(flags).length === 0 && flags.certificate === "" && flags.bundle === "") {
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
  const evidence = await readEvidence(io, flags, verification);
  const { signers, trust, rekorUrl } = verification;
  const keys = await keysOf(evidence, signers);
  const message = await readSubject(io, { file, keys, evidence, signers, bundle: flags.bundle !== "" });
  const verifyFor = async (signer: Policy["signer"]) => {
    const policy = { ...verification.policy, signer, claims: { annotations: {}, predicateTypes: undefined } };
    const logged = await withLoggedEntry(io, evidence, { policy, rekorUrl, blob: message });
    return verify(logged, { kind: "blob", message }, trust, policy);
  };
  const accepted = signers.map(({ signer }) => signer);
  const verdict = await verifyForAny(accepted, verifyFor, io.signal);
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
        hint: isTooLarge(message, keys)
          ? "use another kind of key: pure Ed25519 signatures are verified up to 128 MiB"
          : (blobRefusalHint(fieldsOfCheck(verdict.failed), flags) ?? verdict.failed.hint),
      },
    );
  }
  if (signers.length > 1 || verification.policy.signer.kind === "identity") {
    const { printAcceptedBy } = await import("../cli/print/verified.ts"); // not needed for one key
    printAcceptedBy(io.stderr, signers, [verdict]);
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
async function readEvidence(io: Io, flags: BlobFlags, { signers, certificate }: Verification): Promise<Evidence> {
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
    const keys = signers.flatMap(({ signer }) => (signer.kind === "key" ? [signer.key] : []));
    if (keys.length === 0) {
      throw new TsignError(
        "bad-signature",
        `${flags.bundle}: signed with a bare key, without a certificate to identify the signer`,
      );
    }
    if (!keys.some((key) => sameKey(statedKey.object, key.object))) {
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

type Signers = Verification["signers"];

/** The keys that the signature may be verified with, which decide how the file is read; empty without a key and a certificate. */
async function keysOf(evidence: Evidence, signers: Signers): Promise<PublicKey[]> {
  const keys = signers.flatMap(({ signer }) => (signer.kind === "key" ? [signer.key] : []));
  if (keys.length > 0 || evidence.key.kind !== "certificate") return keys;
  const { parseCertificate } = await import("../trust/certificate.ts");
  return [publicKeyFromObject(parseCertificate(evidence.key.leaf).native.publicKey)];
}

function hashesFor(keys: readonly PublicKey[], { content }: Evidence, signers: Signers): HashName[] {
  const stated = content.kind === "blob" ? content.stated?.algorithm : undefined;
  const tried = signers.flatMap(({ signer }) => (signer.kind === "key" ? signer.hashes : []));
  const needed = [...tried, ...keys.map(({ hash }) => hash), "sha256" as const, ...(stated ? [stated] : [])];
  return [...new Set(needed)];
}

interface Subject {
  readonly file: string;
  readonly keys: readonly PublicKey[];
  readonly evidence: Evidence;
  readonly signers: Signers;
  readonly bundle: boolean;
}

/** Reads the file once. With a bundle, `algorithm:hex` is a digest unless a file has that name. */
async function readSubject(io: Io, { file, keys, evidence, signers, bundle }: Subject): Promise<Message> {
  const digest = bundle ? parseBlobDigest(file) : undefined;
  if (digest && !(await io.files.stat(file))) return messageOfDigests(digest);
  const pieces = await watched(io, "verifying", { file, pieces: openBlob(io, file) });
  const keepBytes = Math.max(...[undefined, ...keys].map(bytesToKeep));
  return readMessage(pieces, { hashes: hashesFor(keys, evidence, signers), keepBytes });
}

function parseBlobDigest(text: string): Map<HashName, Uint8Array> | undefined {
  const [algorithm, hex = "", ...rest] = text.split(":");
  const name = HASHES.find((each) => each === algorithm);
  const digest = name && rest.length === 0 ? digestFromHex(name, hex) : undefined;
  return name && digest && new Map([[name, digest]]);
}

function isTooLarge(message: Message, keys: readonly PublicKey[]): boolean {
  const isPure = keys.some(({ kind }) => kind.type === "ed25519");
  return isPure && message.bytes === undefined && message.size > MAX_ED25519_MESSAGE;
}
