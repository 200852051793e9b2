import { readBlob } from "../blob.ts";
import { type ExitCodes, TsignError } from "../errors.ts";
import { findEvidence } from "../evidence/find.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence, Found, Unreadable } from "../evidence/model.ts";
import { readSignatureFiles } from "../evidence/read-files.ts";
import type { Digest } from "../format/digest.ts";
import type { Io } from "../io.ts";
import { maxAttachmentSize } from "../oci/attachments.ts";
import { openLayout } from "../oci/layout/layout.ts";
import { formatReference } from "../oci/ref.ts";
import type { ImageStore } from "../oci/types.ts";
import { simpleSigningPayload } from "../sign/payload.ts";
import type { Policy } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";
import { Judging, predicateTypeIn } from "./candidates.ts";
import type { ImageVerificationFlags } from "./flags/image-verification.ts";
import { openAttachments, requiredAnnotations, resolveImage } from "./images.ts";
import { withLoggedEntry } from "./log-lookup.ts";
import { progress } from "./print/progress.ts";
import { missedPlaces } from "./print/reading.ts";
import { printFailures, printHeader, printJson, printText, warnAboutLoosePatterns } from "./print/verified.ts";
import { readVerification, type Verification } from "./verification.ts";

/** An image to verify, wherever it lies. */
interface Target {
  /** As the header names it. */
  readonly name: string;
  readonly reference: string;
  readonly digest: Digest;
  readonly store: ImageStore;
  /** Where its signatures are. */
  readonly signatures: ImageStore;
  readonly repository: string;
}

/** cosign's own, for the commands that verify images. */
export const IMAGE_EXIT_CODES: ExitCodes = { "no-signatures": 10, "image-not-found": 11, "no-match": 12 };

/**
 * Verifies each image and prints what is good of it. All are judged, also after one has failed.
 *
 * @param images references, or folders with --local-image
 * @throws TsignError the first failure
 */
export async function verifyImages(io: Io, images: readonly string[], flags: ImageVerificationFlags): Promise<void> {
  const verification = await readVerification(io, flags, "signature");
  const policy: Policy = {
    ...verification.policy,
    claims: {
      annotations: requiredAnnotations(flags.annotations),
      predicateTypes: [SIGN_PREDICATE_TYPE], // whatever is not compared: an attestation is no signature
      subject: flags.checkClaims ? "required" : "insecureSkip",
    },
  };
  if (flags.payload !== "" && flags.signature === "") {
    throw new TsignError("usage", "--payload is for --signature: without one, payloads come from the registry");
  }
  let firstFailure: unknown;
  const line = progress(io, "verifying images", { total: images.length, unit: "items" });
  for (const [index, text] of images.entries()) {
    line.update(index);
    try {
      await verifyImage(io, { text, flags, verification, policy });
    } catch (error) {
      if (images.length > 1 && error instanceof TsignError && !io.signal.aborted) {
        io.stderr.write(`${text}: ${error.message}\n`);
      }
      firstFailure ??= error;
    }
  }
  line.end();
  if (!firstFailure) return;
  throw flags.localImage && firstFailure instanceof TsignError ? ordinary(firstFailure) : firstFailure;
}

/** cosign has its exit codes for images in registries alone. */
function ordinary(error: TsignError): TsignError {
  const { code, message, hint, cause } = error;
  return new TsignError(code, message, {
    exitCode: error.exitCode ?? 1,
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

async function verifyImage(
  io: Io,
  by: { text: string; flags: ImageVerificationFlags; verification: Verification; policy: Policy },
): Promise<void> {
  const { flags, policy } = by;
  const target = await openTarget(io, by.text, flags);
  const subject = { kind: "image", digest: target.digest } as const;
  const judging = new Judging(io, async (candidate) => {
    const logged = await lookUp(io, candidate, { policy, flags });
    return verify(logged, subject, by.verification.trust, policy);
  });
  const otherTypes = new Set<string>();
  const missed = missedPlaces(io);
  let legacy = false;
  for await (const candidate of candidatesOf(io, target, by)) {
    if ("incomplete" in candidate) missed.add(candidate);
    else if (!isAttestation(candidate, otherTypes)) {
      legacy ||= candidate.origin.kind === "sig-tag" || candidate.origin.kind === "file";
      await judging.add(candidate);
    }
  }
  const { verified, failures } = judging;
  if (verified.length === 0) {
    printFailures(io.stderr, failures);
    judging.requireNoDefect();
    missed.requireNone();
    if (judging.count === 0) throw await nothingFound(target, otherTypes);
    throw new TsignError(
      legacy ? "no-match" : "no-match-bundle",
      `no matching signatures: ${judging.count} found for ${target.name}, none passes (${failures[0]?.step}: ${failures[0]?.reason})`,
      exitCodeOf(flags, failures),
    );
  }
  missed.warn();
  const annotations = flags.checkClaims && flags.annotations.length > 0;
  printHeader(io.stderr, {
    name: target.name,
    verified,
    claims: flags.checkClaims,
    annotations,
  });
  warnAboutLoosePatterns(io.stderr, policy.signer, verified);
  if (failures.length > 0) {
    io.stderr.write("Found too, and not counted:\n");
    printFailures(io.stderr, failures);
  }
  const printed = { reference: target.reference, subject: target.digest, verified };
  if (flags.output === "text") printText(io, printed);
  else printJson(io, printed);
}

/** The candidate with its log entry, looked up where it came without one. */
async function lookUp(
  io: Io,
  candidate: Evidence,
  by: { policy: Policy; flags: ImageVerificationFlags },
): Promise<Evidence> {
  try {
    return await withLoggedEntry(io, candidate, by);
  } catch (error) {
    if (!(error instanceof TsignError) || error.code === "internal" || io.signal.aborted) throw error;
    throw new TsignError(error.code, `it came without its log entry, and ${error.message}`, { cause: error });
  }
}

async function openTarget(io: Io, text: string, flags: ImageVerificationFlags): Promise<Target> {
  if (flags.localImage) {
    if (flags.attachment !== "") io.stderr.write("WARNING: --attachment has no effect with --local-image\n");
    const layout = await openLayout(io, text);
    const image = await layout.image();
    const repository = image.annotations?.["org.opencontainers.image.ref.name"] ?? "";
    return { name: text, reference: text, digest: image.digest, store: layout, signatures: layout, repository };
  }
  const image = await resolveImage(io, { text, flags, mustExist: false, warnAboutTags: false });
  const { ref, store, digest, attachedTo } = image;
  const signatures = await openAttachments(io, { ref, store }, flags);
  const reference = attachedTo === undefined ? formatReference(ref) : `${ref.name}@${digest}`;
  const name =
    attachedTo === undefined ? reference : `${reference} (the ${flags.attachment} attached to ${attachedTo})`;
  return { name, reference, digest, store, signatures, repository: ref.name };
}

/** What is stored with the image, or the one signature the user brought along. */
async function* candidatesOf(
  io: Io,
  target: Target,
  by: { flags: ImageVerificationFlags; verification: Verification },
): AsyncGenerator<Found, void, undefined> {
  const { flags, verification } = by;
  const found =
    flags.signature === ""
      ? findEvidence(target.signatures, {
          subject: target.digest,
          forms: { legacy: true, bundle: flags.newBundleFormat },
          tagPrefix: flags.attachmentTagPrefix,
          maxBytes: maxAttachmentSize(io.env),
          workers: flags.maxWorkers,
        })
      : [await readGivenSignature(io, target, flags)];
  const { certificate } = verification;
  for await (const each of found) yield certificate && "content" in each ? { ...each, key: certificate } : each;
}

async function readGivenSignature(io: Io, target: Target, flags: ImageVerificationFlags): Promise<Evidence> {
  if (flags.payload === "") {
    io.stderr.write("WARNING: --payload is not given: the signature is taken to be over the payload sign makes\n");
  }
  const payload =
    flags.payload === ""
      ? simpleSigningPayload({ digest: target.digest, annotations: {}, dockerReference: target.repository })
      : await readBlob(io, flags.payload);
  return readSignatureFiles(io, { signature: flags.signature, payload });
}

/** An attestation is no signature: a statement with another predicate says something else than "I signed this". */
function isAttestation(found: Evidence | Unreadable, otherTypes: Set<string>): boolean {
  const predicateType = "unreadable" in found ? undefined : predicateTypeIn(found);
  if (predicateType === undefined || predicateType === SIGN_PREDICATE_TYPE) return false;
  otherTypes.add(predicateType);
  return true;
}

/** Checks of a certificate, whatever was signed with it. */
const CERTIFICATE_CHECKS = ["key", "sct", "identity"];

/** cosign has no code of its own for a --certificate that is no good by itself. */
function exitCodeOf(flags: ImageVerificationFlags, failures: readonly { readonly step: string }[]) {
  const byCertificate = failures.every(({ step }) => CERTIFICATE_CHECKS.includes(step));
  return flags.certificate !== "" && byCertificate ? { exitCode: 1 } : {};
}

async function nothingFound(target: Target, otherTypes: ReadonlySet<string>): Promise<TsignError> {
  if (!(await target.store.resolve(target.digest))) {
    return new TsignError("image-not-found", `no such image: ${target.name}`);
  }
  const hint =
    otherTypes.size > 0
      ? `it has attestations, which are no signatures: ${[...otherTypes].join(", ")}`
      : "is COSIGN_REPOSITORY set as it was when signing?";
  return new TsignError("no-signatures", `no signatures found for ${target.name}`, { hint });
}
