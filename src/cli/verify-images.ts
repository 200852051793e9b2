import { type ExitCodes, TsignError, withExitCode, withHint } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { readSignatureFiles } from "../evidence/read-files.ts";
import type { Digest } from "../format/digest.ts";
import { withParts } from "../format/parts.ts";
import { type ImageOutcome, verifyImages } from "../images/batch.ts";
import { eachLocalImage } from "../images/local.ts";
import type { ImageTarget } from "../images/open.ts";
import type { Failure, Rejected } from "../images/verdict.ts";
import type { VerifyImageOptions } from "../images/verify.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { Connections } from "../oci/open.ts";
import { simpleSigningPayload } from "../sign/payload.ts";
import {
  IMAGE_EXIT_CODES,
  type ImageVerificationFlags,
  type imageVerificationFlags,
} from "./flags/image-verification.ts";
import { trustPolicyFile, type trustPolicyFlags } from "./flags/trust-policy.ts";
import { requiredAnnotations } from "./options/annotations.ts";
import { imageOptions } from "./options/image-verification.ts";
import { openTarget } from "./options/images.ts";
import { type NamedImage, withPlatforms } from "./options/recursive.ts";
import { absenceHint, refusalHint, type SignerFlags, signersHint } from "./options/refusal-hints.ts";
import { readVerification } from "./options/verification.ts";
import type { Invocation, Report } from "./parser/define.ts";
import { printExplanation } from "./print/explanation.ts";
import { HeldLines } from "./print/held-lines.ts";
import { printVerdict, type VerdictOptions } from "./print/image-verdict.ts";
import { progress } from "./print/progress.ts";
import { type ReportingFlags, Results } from "./reports/results.ts";
import { withEnding } from "./stopping.ts";

/**
 * Verifies each image and prints the outcome, by the trust policy if there is one, otherwise by the flags: for `verify`, and for the
 * commands that read the images' names from a file.
 *
 * @param images references, or folders with --local-image
 * @param invoked.given keys of the flags that were set
 * @throws TsignError the gravest failure, after all are verified
 */
export async function verifySignatures(io: Io, images: readonly string[], invoked: Invoked): Promise<void> {
  const { flags, given, answer, onVerified } = invoked;
  const file = trustPolicyFile(io, flags);
  if (file === undefined) return verifyByFlags(io, images, invoked);
  const { verifyByPolicy } = await import("./verify-by-policy.ts"); // loaded only for a trust policy
  await verifyByPolicy(io, images, { flags, given, file, answer, onVerified });
}

interface Invoked
  extends Pick<Invocation<typeof imageVerificationFlags & typeof trustPolicyFlags>, "flags" | "answer"> {
  /** Keys of the flags that were set. */
  readonly given: ReadonlySet<string>;
  /** As in Run. */
  readonly onVerified?: Run["onVerified"];
}

async function verifyByFlags(
  io: Io,
  images: readonly string[],
  { flags, answer, onVerified }: Pick<Invoked, "flags" | "answer" | "onVerified">,
): Promise<void> {
  const verification = await readVerification(io, flags, {
    kind: "signature",
    signersHint: signersOfFirst(images, flags),
  });
  const annotations = requiredAnnotations(flags.annotations);
  if (flags.payload !== "" && flags.signature === "") {
    throw new TsignError("usage", "--payload is for --signature: without one, payloads come from the registry");
  }
  const options = imageOptions(io, flags, { verification, wanted: { kind: "signatures" }, annotations });
  const given =
    flags.signature === ""
      ? undefined
      : async (own: Io, target: ImageTarget) => [await readGivenSignature(own, target, flags)];
  const printed = {
    annotations: flags.checkClaims && flags.annotations.length > 0,
    form: flags.output === "text" ? "text" : "json",
    signers: verification.signers,
  } as const;
  // cosign has special exit codes only for images in registries.
  const exitCodes = flags.localImage ? {} : IMAGE_EXIT_CODES;
  await verifyEach(io, images, { flags, mustExist: false, options, given, printed, exitCodes, answer, onVerified });
}

/** Names what lists the signers of the first image; undefined for a folder, which no command lists. */
export function signersOfFirst(
  [first]: readonly string[],
  { localImage }: { localImage: boolean },
): string | undefined {
  return first === undefined || localImage ? undefined : signersHint(first);
}

/** How a command verifies its images, and prints the results. */
export interface Run {
  readonly flags: Parameters<typeof openTarget>[2]["flags"] &
    SignerFlags &
    ReportingFlags & { readonly certificate: string; readonly recursive?: boolean };
  /** Whether images named by digest are looked up first. */
  readonly mustExist: boolean;
  readonly options: VerifyImageOptions;
  /** Returns the signatures that the user gave for an image; undefined to verify those stored with it. */
  readonly given?: ((io: Io, target: ImageTarget) => Promise<readonly Evidence[]>) | undefined;
  readonly printed: Pick<VerdictOptions, "annotations" | "form" | "signers">;
  /** Exit codes by error code. */
  readonly exitCodes: ExitCodes;
  /** Called once with the result for `--json`, before an error is thrown. */
  readonly answer: Report;
  /** Called with each image that verifies, as it was named, and its digest. */
  readonly onVerified?: ((image: string, digest: Digest) => void) | undefined;
}

/**
 * Verifies images, several at a time, and goes on after one has failed: the outcome for an image does not depend on the others.
 * Prints the outcomes in the order of the images; for several images, a summary, which is a table on a terminal.
 *
 * @param images references, or folders with --local-image
 * @throws the gravest failure, after all are verified or `io.signal` is aborted
 */
export async function verifyEach(io: Io, images: readonly string[], run: Run): Promise<void> {
  await withEnding(io.signal, async () => {
    const { flags, mustExist } = run;
    const texts = flags.localImage ? await eachLocalImage(io, images) : images;
    const named = texts.map((text) => ({ text, named: text }));
    await verifyAll(io, flags.recursive ? await withPlatforms(io, texts, { flags, mustExist }) : named, run);
  });
}

async function verifyAll(io: Io, inputs: readonly NamedImage[], asked: Run): Promise<void> {
  const { flags, mustExist, options, given, answer } = asked;
  const wholes = new Map(inputs.flatMap(({ text, named, label }) => (label === undefined ? [[text, named]] : [])));
  const run: Run = {
    ...asked,
    onVerified(image, digest) {
      const named = wholes.get(image);
      if (named !== undefined) asked.onVerified?.(named, digest);
    },
  };
  const images = inputs.map(({ text }) => text);
  if (flags.report.length > 0) (await import("./reports/write.ts")).requireReportFormats(io, flags.report);
  const several = images.length > 1;
  const held = new HeldLines(io.stderr, { holding: several });
  const ioOf = (index: number) => withParts(io, { stderr: held.linesOf(index) });
  const connections = new Connections();
  const labels = inputs.map(({ text, label }) => label ?? text);
  const results = new Results(io, { ...run, several, total: images.length, labels, listed: flags.recursive === true });
  const line = progress(io, "verifying images", { total: images.length, unit: "items" });
  const outcomes = verifyImages(io, {
    images,
    workers: options.workers,
    options,
    open: async (text, index) => {
      const { error } = inputs[index] ?? {};
      if (error !== undefined) throw error;
      return openTarget(ioOf(index), text, { flags, mustExist, connections });
    },
    onRepositoryDone: (repository) => connections.sessions.delete(repository),
    given: given && ((target, index) => given(ioOf(index), target)),
  });
  for await (const outcome of outcomes) {
    line.update(outcome.index);
    held.release(outcome.index);
    results.add(outcome, printOutcome(io, outcome, { run, inTable: several }));
  }
  line.end();
  await results.end(answer);
}

/** Prints what became of an image. @returns the error with a hint; undefined if it verified or was not finished */
function printOutcome(io: Io, outcome: ImageOutcome, { run, inTable }: { run: Run; inTable: boolean }): unknown {
  if (outcome.kind === "unfinished") return undefined;
  if (outcome.kind === "failed") return outcome.error;
  const { target, verdict } = outcome;
  const { options, printed, flags } = run;
  printVerdict(io, verdict, {
    ...printed,
    reference: target.reference,
    claims: options.policy.claims.subject === "required",
    logs: options.trust.logs,
    inTable,
  });
  if (flags.explain) printExplanation(io, verdict);
  if (!verdict.ok) return explained(io, verdict, { target, run });
  run.onVerified?.(outcome.image, verdict.digest);
  return undefined;
}

/** The error for an image that did not verify, with a hint. */
function explained(
  io: Pick<Io, "env">,
  verdict: Rejected,
  { target, run }: { target: ImageTarget; run: Run },
): unknown {
  const { error, instead, failures } = verdict;
  if (!(error instanceof TsignError)) return error;
  const { localImage } = run.flags;
  if (instead) {
    const asked = { ...run.options.wanted, localImage, target };
    return withHint(error, absenceHint(io, instead, asked));
  }
  if (error.code === "policy")
    return withHint(error, "check every attestation of the type: --policy applies to all of them");
  if (error.code !== "no-match" && error.code !== "no-match-bundle") return error;
  const hint = refusalHint(error, run.flags, localImage ? undefined : signersHint(target.reference));
  const hinted = hint === undefined ? error : withHint(error, hint);
  // cosign has no exit code of its own for a --certificate that fails by itself.
  return run.flags.exitCodes === "cosign" && run.flags.certificate !== "" && failures.every(isOfCertificate)
    ? withExitCode(hinted, 1)
    : hinted;
}

/** Whether the failed check is about the certificate alone. */
function isOfCertificate({ check }: Failure): boolean {
  return check === "key" || check === "sct" || check === "identity";
}

async function readGivenSignature(io: Io, target: ImageTarget, flags: ImageVerificationFlags): Promise<Evidence> {
  if (flags.payload === "") {
    io.stderr.write("WARNING: --payload is not set; assuming the default payload that `tsign sign` signs\n");
  }
  const payload =
    flags.payload === ""
      ? simpleSigningPayload({ digest: target.digest, annotations: {}, dockerReference: target.repository })
      : await readBlob(io, flags.payload);
  return readSignatureFiles(io, { signature: flags.signature, payload });
}
