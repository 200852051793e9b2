import { TsignError, withExitCode, withHint } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { readSignatureFiles } from "../evidence/read-files.ts";
import type { ImageTarget } from "../images/open.ts";
import type { Accepted, Failure, Rejected } from "../images/verdict.ts";
import { type VerifyImageOptions, verifyImage } from "../images/verify.ts";
import type { Io } from "../io/io.ts";
import { readBlob } from "../net/input.ts";
import { simpleSigningPayload } from "../sign/payload.ts";
import type { ImageVerificationFlags } from "./flags/image-verification.ts";
import { requiredAnnotations } from "./options/annotations.ts";
import { imageOptions } from "./options/image-verification.ts";
import { openTarget } from "./options/images.ts";
import { absenceHint, refusalHint, type SignerFlags, signersHint } from "./options/refusal-hints.ts";
import { readVerification } from "./options/verification.ts";
import { type ImageRow, printTable, summaryOf } from "./print/image-table.ts";
import { printVerdict, type VerdictOptions } from "./print/image-verdict.ts";
import { progress } from "./print/progress.ts";
import { factsOf } from "./print/signed-by.ts";
import { type Look, lookOf, shortDigests } from "./print/style.ts";

/**
 * Verifies the signatures of each image and prints the outcome: for `verify`, and for the commands that read the images' names
 * from a file.
 *
 * @param images references, or folders with --local-image
 * @throws TsignError the first failure, after all are verified
 */
export async function verifySignatures(
  io: Io,
  images: readonly string[],
  flags: ImageVerificationFlags,
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
    flags.signature === "" ? undefined : async (target: ImageTarget) => [await readGivenSignature(io, target, flags)];
  const printed = {
    annotations: flags.checkClaims && flags.annotations.length > 0,
    form: flags.output === "text" ? "text" : "json",
  } as const;
  try {
    await verifyEach(io, images, { flags, mustExist: false, options, given, printed });
  } catch (error) {
    // cosign has special exit codes only for images in registries.
    throw flags.localImage && error instanceof TsignError ? withExitCode(error, error.exitCode ?? 1) : error;
  }
}

/** Names what lists the signers of the first image; undefined for a folder, which no command lists. */
export function signersOfFirst(
  [first]: readonly string[],
  { localImage }: { localImage: boolean },
): string | undefined {
  return first === undefined || localImage ? undefined : signersHint(first);
}

/** How a command verifies its images, and prints the results. */
interface Run {
  readonly flags: Parameters<typeof openTarget>[2]["flags"] & SignerFlags & { readonly certificate: string };
  /** Whether images named by digest are looked up first. */
  readonly mustExist: boolean;
  readonly options: VerifyImageOptions;
  /** Returns the signatures that the user gave for an image; undefined to verify those stored with it. */
  readonly given?: ((target: ImageTarget) => Promise<readonly Evidence[]>) | undefined;
  readonly printed: Pick<VerdictOptions, "annotations" | "form">;
}

/**
 * Verifies images one after another, and goes on after one has failed: the outcome for an image does not depend on those named
 * before it. Prints the outcome for each; for several images, a summary, which is a table on a terminal.
 *
 * @param images references, or folders with --local-image
 * @throws the first failure, after all are verified
 */
export async function verifyEach(io: Io, images: readonly string[], run: Run): Promise<void> {
  const several = images.length > 1;
  const failures: unknown[] = [];
  const rows: ImageRow[] = [];
  const look = lookOf(io, "stderr");
  const line = progress(io, "verifying images", { total: images.length, unit: "items" });
  for (const [index, text] of images.entries()) {
    line.update(index);
    const image = shortDigests(text, look);
    try {
      const [first] = await verifyOne(io, text, { ...run, inTable: several });
      rows.push({ image, result: { ok: true, ...factsOf(first, { logs: run.options.trust.logs, look }) } });
    } catch (error) {
      if (several && error instanceof TsignError && !io.signal.aborted) {
        rows.push({ image, result: { ok: false, reason: shortDigests(reasonFor(text, error), look) } });
        if (!look.terminal) io.stderr.write(failureLine(text, error), { always: true });
      }
      failures.push(error);
    }
  }
  line.end();
  if (several && rows.length === images.length) printSummary(io, rows, look);
  if (failures.length > 0) throw failures[0];
}

function failureLine(text: string, { message }: TsignError): string {
  return message.includes(text) ? `${message}\n` : `${text}: ${message}\n`;
}

/** An error's message without the image's name, which stands beside it. */
function reasonFor(text: string, { message }: TsignError): string {
  return message.replace(` for ${text}`, "").replace(`${text}: `, "");
}

function printSummary(io: Pick<Io, "stderr">, rows: readonly ImageRow[], look: Look): void {
  const always = rows.some(({ result }) => !result.ok);
  if (look.terminal) printTable(io.stderr, rows, look);
  io.stderr.write(`${summaryOf(rows)}\n`, { always });
}

/** Verifies one image and prints the outcome. @returns what verified */
async function verifyOne(io: Io, text: string, run: Run & { inTable: boolean }): Promise<Accepted["verified"]> {
  const { flags, mustExist, options, printed, inTable } = run;
  const target = await openTarget(io, text, { flags, mustExist });
  const verdict = await verifyImage(io, target, { ...options, given: await run.given?.(target) });
  const { signer, claims } = options.policy;
  printVerdict(io, verdict, {
    ...printed,
    reference: target.reference,
    signer,
    claims: claims.subject === "required",
    logs: options.trust.logs,
    inTable,
  });
  if (!verdict.ok) throw explained(io, verdict, { target, run });
  return verdict.verified;
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
  return run.flags.certificate !== "" && failures.every(isOfCertificate) ? withExitCode(hinted, 1) : hinted;
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
