import { type ExitCodes, TsignError } from "../errors.ts";
import { SIGN_PREDICATE_TYPE } from "../evidence/media-types.ts";
import type { Evidence, Found, Unreadable } from "../evidence/model.ts";
import { readSignatureFiles } from "../evidence/read-files.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { simpleSigningPayload } from "../sign/payload.ts";
import type { Policy } from "../verify/model.ts";
import { verify } from "../verify/verify.ts";
import { predicateTypeIn } from "./candidates.ts";
import type { ImageVerificationFlags } from "./flags/image-verification.ts";
import { judgeFound, openTarget, printNotCounted, storedWith, type Target, verifyEach } from "./image-judging.ts";
import { requiredAnnotations } from "./images.ts";
import { withLoggedEntry } from "./log-lookup.ts";
import { hintForNothing } from "./nothing-found.ts";
import { readVerification, type Verification } from "./options/verification.ts";
import { printHeader, printJson, printText, warnAboutLoosePatterns } from "./print/verified.ts";

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
  try {
    await verifyEach(io, images, (text) => verifyImage(io, { text, flags, verification, policy }));
  } catch (error) {
    throw flags.localImage && error instanceof TsignError ? ordinary(error) : error;
  }
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
  const target = await openTarget(io, by.text, { flags, mustExist: false });
  const subject = { kind: "image", digest: target.digest } as const;
  const otherTypes = new Set<string>();
  let legacy = false;
  const { count, verified, failures } = await judgeFound(io, candidatesOf(io, target, by), {
    counts: (candidate) => {
      if (isAttestation(candidate, otherTypes)) return false;
      legacy ||= candidate.origin.kind === "sig-tag" || candidate.origin.kind === "file";
      return true;
    },
    judge: async (candidate) => {
      const logged = await lookUp(io, candidate, { policy, flags });
      return verify(logged, subject, by.verification.trust, policy);
    },
  });
  if (verified.length === 0) {
    if (count === 0) throw await nothingFound(io, target, { flags, otherTypes });
    throw new TsignError(
      legacy ? "no-match" : "no-match-bundle",
      `no matching signatures: ${count} found for ${target.name}, none passes (${failures[0]?.step}: ${failures[0]?.reason})`,
      exitCodeOf(flags, failures),
    );
  }
  const annotations = flags.checkClaims && flags.annotations.length > 0;
  printHeader(io.stderr, {
    name: target.name,
    verified,
    claims: flags.checkClaims,
    annotations,
  });
  warnAboutLoosePatterns(io.stderr, policy.signer, verified);
  printNotCounted(io, failures);
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

/** What is stored with the image, or the one signature the user brought along. */
async function* candidatesOf(
  io: Io,
  target: Target,
  by: { flags: ImageVerificationFlags; verification: Verification },
): AsyncGenerator<Found, void, undefined> {
  const { flags, verification } = by;
  const found =
    flags.signature === ""
      ? storedWith(io, target, { flags, attachment: "sig" })
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

async function nothingFound(
  io: Io,
  target: Target,
  { flags, otherTypes }: { flags: ImageVerificationFlags; otherTypes: ReadonlySet<string> },
): Promise<TsignError> {
  if (!(await target.store.resolve(target.digest))) {
    return new TsignError("image-not-found", `no such image: ${target.name}`);
  }
  const counts = (candidate: Evidence) => !isAttestation(candidate, new Set());
  const hint =
    otherTypes.size > 0
      ? `it has attestations, which are no signatures: ${[...otherTypes].join(", ")}`
      : await hintForNothing(io, target, { flags, attachment: "sig", counts });
  return new TsignError("no-signatures", `no signatures found for ${target.name}`, { hint });
}
