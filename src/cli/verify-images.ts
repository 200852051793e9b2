import { TsignError, withExitCode, withHint } from "../errors.ts";
import type { Evidence } from "../evidence/model.ts";
import { readSignatureFiles } from "../evidence/read-files.ts";
import type { ImageTarget } from "../images/open.ts";
import type { Failure, Rejected } from "../images/verdict.ts";
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
import { printVerdict, type VerdictOptions } from "./print/image-verdict.ts";
import { progress } from "./print/progress.ts";

/**
 * Verifies the signatures of each image and prints what is good of it: `verify`, and the commands that read the images' names
 * out of a file.
 *
 * @param images references, or folders with --local-image
 * @throws TsignError the first failure, once all are judged
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
    // cosign has its exit codes for images in registries alone.
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

/** What a command says of its images besides their names. */
interface Run {
  readonly flags: Parameters<typeof openTarget>[2]["flags"] & SignerFlags & { readonly certificate: string };
  /** Whether images named by digest are looked up first. */
  readonly mustExist: boolean;
  readonly options: VerifyImageOptions;
  /** The signatures the user brought along for an image; undefined to judge those stored with it. */
  readonly given?: ((target: ImageTarget) => Promise<readonly Evidence[]>) | undefined;
  readonly printed: Pick<VerdictOptions, "annotations" | "form">;
}

/**
 * Verifies images one after another, all of them, also after one has failed: what a command says of an image must not depend
 * on those named before it. Prints what became of each.
 *
 * @param images references, or folders with --local-image
 * @throws the first failure, once all are judged
 */
export async function verifyEach(io: Io, images: readonly string[], run: Run): Promise<void> {
  let firstFailure: unknown;
  const line = progress(io, "verifying images", { total: images.length, unit: "items" });
  for (const [index, text] of images.entries()) {
    line.update(index);
    try {
      await verifyOne(io, text, run);
    } catch (error) {
      if (images.length > 1 && error instanceof TsignError && !io.signal.aborted) {
        io.stderr.write(error.message.includes(text) ? `${error.message}\n` : `${text}: ${error.message}\n`);
      }
      firstFailure ??= error;
    }
  }
  line.end();
  if (firstFailure) throw firstFailure;
}

async function verifyOne(io: Io, text: string, run: Run): Promise<void> {
  const { flags, mustExist, options, printed } = run;
  const target = await openTarget(io, text, { flags, mustExist });
  const verdict = await verifyImage(io, target, { ...options, given: await run.given?.(target) });
  const { signer, claims } = options.policy;
  printVerdict(io, verdict, {
    ...printed,
    reference: target.reference,
    signer,
    claims: claims.subject === "required",
  });
  if (!verdict.ok) throw explained(io, verdict, { target, run });
}

/** Why an image is not accepted, with what to do about it. */
function explained(
  io: Pick<Io, "env">,
  verdict: Rejected,
  { target, run }: { target: ImageTarget; run: Run },
): unknown {
  const { error, instead, failures } = verdict;
  if (!(error instanceof TsignError)) return error;
  const { localImage } = run.flags;
  if (instead) {
    const asked = { kind: run.options.wanted.kind, localImage, target };
    return withHint(error, absenceHint(io, instead, asked));
  }
  if (error.code === "policy") return withHint(error, "with --policy every valid attestation of the type has to");
  if (error.code !== "no-match" && error.code !== "no-match-bundle") return error;
  const hint = refusalHint(error, run.flags, localImage ? undefined : signersHint(target.reference));
  const hinted = hint === undefined ? error : withHint(error, hint);
  // cosign has no code of its own for a --certificate that is no good by itself.
  return run.flags.certificate !== "" && failures.every(isOfCertificate) ? withExitCode(hinted, 1) : hinted;
}

/** Whether what failed is a check of the certificate, whatever was signed with it. */
function isOfCertificate({ check }: Failure): boolean {
  return check === "key" || check === "sct" || check === "identity";
}

async function readGivenSignature(io: Io, target: ImageTarget, flags: ImageVerificationFlags): Promise<Evidence> {
  if (flags.payload === "") {
    io.stderr.write("WARNING: --payload is not given: the signature is taken to be over the payload sign makes\n");
  }
  const payload =
    flags.payload === ""
      ? simpleSigningPayload({ digest: target.digest, annotations: {}, dockerReference: target.repository })
      : await readBlob(io, flags.payload);
  return readSignatureFiles(io, { signature: flags.signature, payload });
}
